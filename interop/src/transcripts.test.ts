/**
 * The transcripts of packages/headpond/test, played against redis-server. Each difference is shown; one that is meant
 * has `@only headpond` before its command, and its reason in differences.md.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeDifferences, listTranscripts, play, readTranscript } from 'headpond/test/transcript.ts'
import { RedisServer } from './redis-server.ts'
import { socketStage } from './socket-stage.ts'

for (const name of listTranscripts()) {
  test(`${name} against redis-server`, async (t) => {
    // A server for each file: settings, users and scripts outlive FLUSHALL.
    const server = await RedisServer.start()
    try {
      const stage = socketStage(() => server.connect())
      const { differences, exchangeCount } = await play(readTranscript(name), stage)
      t.diagnostic(`${exchangeCount} commands compared with redis-server ${server.version}`)
      assert.ok(differences.length === 0, `\n${describeDifferences(differences, `redis-server ${server.version}`)}\n`)
    } finally {
      await server.stop()
    }
  })
}
