import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from '../test-broker.ts'
import { playTranscript, transcripts } from './transcript.ts'

for (const name of transcripts.names) {
  test(`the transcript ${name}`, async (t) => {
    const expected = transcripts.read(name)
    const { connect } = await startBroker(t)
    const actual = await playTranscript(expected, await connect())
    if (process.env.UPDATE) transcripts.write(name, actual)
    else assert.equal(actual, expected)
  })
}
