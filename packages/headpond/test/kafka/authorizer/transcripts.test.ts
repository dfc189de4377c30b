import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGuardedBroker } from './guarded-broker.ts'
import { listTranscripts, playTranscript, readTranscript, writeTranscript } from './transcript.ts'

for (const name of listTranscripts()) {
  test(`the transcript ${name}`, async (t) => {
    const expected = readTranscript(name)
    const { text } = await playTranscript(expected, await startGuardedBroker(t))
    if (process.env.UPDATE) writeTranscript(name, text)
    else assert.equal(text, expected)
  })
}
