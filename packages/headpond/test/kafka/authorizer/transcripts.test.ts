import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGuardedBroker } from './guarded-broker.ts'
import { playTranscript, transcripts } from './transcript.ts'

for (const name of transcripts.names) {
  test(`the transcript ${name}`, async (t) => {
    const expected = transcripts.read(name)
    const { text } = await playTranscript(expected, await startGuardedBroker(t))
    if (process.env.UPDATE) transcripts.write(name, text)
    else assert.equal(text, expected)
  })
}
