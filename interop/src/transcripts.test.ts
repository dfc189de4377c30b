/**
 * The transcripts of packages/headpond/test, played against redis-server. Each difference is shown; one that is meant
 * has `@only headpond` before its command, and its reason in differences.md.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeDifferences, listTranscripts, play, readTranscript, type Stage } from 'headpond/test/transcript.ts'
import { RedisServer } from './redis-server.ts'

/** While clients are paused, nobody answers. */
const PING_TIMEOUT_MS = 200

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
    // Sockets that became readable between two of the server's polls are served in any order; so a PING may overtake
    // what was sent before it, but by the answer to a second one that poll is over.
    untilRun: async () => {
      const bystander = await server.connect()
      for (let round = 0; round < 2; round++) {
        bystander.send('PING')
        await bystander.waitFor(1, PING_TIMEOUT_MS)
        bystander.take()
      }
      bystander.close()
    },
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
