/**
 * The transcripts of packages/headpond/test, played against redis-server. Each difference is shown; one that is meant
 * has `@only headpond` before its command, and its reason in differences.md.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeDifferences, listTranscripts, play, readTranscript, type Stage } from 'headpond/test/transcript.ts'
import { RedisServer } from './redis-server.ts'

function stageOf(server: RedisServer): Stage {
  return {
    kind: 'redis',
    connect: async () => {
      const client = await server.connect()
      return {
        get isClosed() {
          return client.isClosed
        },
        send: (args) => client.send(...args),
        waitFor: (count, timeoutMs) => client.waitFor(count, timeoutMs),
        take: () => client.take(),
        close: () => client.close(),
      }
    },
    // Replies are waited for; what nobody expects shows up here, or with the next command at the latest.
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

for (const name of listTranscripts()) {
  test(`${name} against redis-server`, async (t) => {
    // A server for each file: settings, users and scripts outlive FLUSHALL.
    const server = await RedisServer.start()
    try {
      const { differences, exchangeCount } = await play(readTranscript(name), stageOf(server))
      t.diagnostic(`${exchangeCount} commands compared with redis-server ${server.version}`)
      assert.ok(differences.length === 0, `\n${describeDifferences(differences, `redis-server ${server.version}`)}\n`)
    } finally {
      await server.stop()
    }
  })
}
