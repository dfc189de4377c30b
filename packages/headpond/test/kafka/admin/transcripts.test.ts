import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBroker } from '../test-broker.ts'
import { listTranscripts, playTranscript, readTranscript, writeTranscript } from './transcript.ts'

for (const name of listTranscripts()) {
  test(`the transcript ${name}`, async (t) => {
    const expected = readTranscript(name)
    const { connect } = await startBroker(t)
    const actual = await playTranscript(expected, await connect())
    if (process.env.UPDATE) writeTranscript(name, actual)
    else assert.equal(actual, expected)
  })
}
