import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { Server } from '#src/server/server.ts'
import { heapBytesPerCall } from '../heap-bytes.ts'
import { encodeCommand } from '../raw-client.ts'

// Commands come as from a socket, many in one chunk: what a chunk costs by itself (a view of the replies, the time)
// is shared by all of them.
const COMMANDS_PER_CHUNK = 500
const KEY_COUNT = 50

/** What is shared, and sixteenths of the time stamps that are taken for a sample of the calls. */
const NOTHING = 4
/** V8 keeps a number that is no small integer in 16 bytes when it is passed on: here the moment a key expires. */
const SOME_NUMBERS = 100
/** The two moments by which the slow log knows how long a command took that may take long. */
const TIME_STAMPS = 34

const VALUE = 'twenty bytes of text'
const hotCommands: [name: string, argumentsOf: (key: string, i: number) => string[], bytesMax?: number][] = [
  ['SET', (key) => ['SET', key, VALUE]],
  ['SET of another size', (key, i) => ['SET', key, VALUE.slice(i % 20)]],
  ['GET', (key) => ['GET', key]],
  ['GET of a missing key', (_, i) => ['GET', `missing:${i}`]],
  ['INCR', (key) => ['INCR', `counter:${key}`]],
  ['DECRBY', (key) => ['DECRBY', `counter:${key}`, '12']],
  ['MGET', (key) => ['MGET', key, 'key:1', 'missing', 'key:2'], TIME_STAMPS],
  ['MSET', (key) => ['MSET', key, VALUE, 'key:1', '1'], TIME_STAMPS],
  ['SETEX', (key) => ['SETEX', `expiring:${key}`, '100', VALUE], SOME_NUMBERS],
  ['GETRANGE', (key) => ['GETRANGE', key, '1', '5'], TIME_STAMPS],
  ['STRLEN', (key) => ['STRLEN', key]],
  ['APPEND', (key) => ['APPEND', `log:${key}`, 'x']],
  ['SETBIT', (key, i) => ['SETBIT', `bits:${key}`, String(i), String(i % 2)]],
  ['GETBIT', (key, i) => ['GETBIT', `bits:${key}`, String(i)]],
]

for (const [name, argumentsOf, bytesMax = NOTHING] of hotCommands) {
  test(`${name} leaves ${bytesMax === NOTHING ? 'no garbage' : `at most ${bytesMax} bytes of garbage`}`, async () => {
    const log = { info() {}, warn() {}, error() {} }
    const server = new Server({
      config: Config.load({ options: { port: 0, ephemeral: true } }),
      log,
      firstArenaBytes: 2 ** 24,
    })
    try {
      const client = server.resp.openLocal({ write: () => true })
      const preparations = Array.from({ length: KEY_COUNT }, (_, i) => encodeCommand(['SET', `key:${i}`, VALUE]))
      const prepared = Buffer.concat(preparations)
      server.resp.consume(client, prepared, 0, prepared.length)
      const chunk = Buffer.concat(
        Array.from({ length: COMMANDS_PER_CHUNK }, (_, i) => encodeCommand(argumentsOf(`key:${i % KEY_COUNT}`, i))),
      )
      const perChunk = heapBytesPerCall(() => void server.resp.consume(client, chunk, 0, chunk.length), 100)
      const perCommand = perChunk / COMMANDS_PER_CHUNK
      assert.ok(perCommand < bytesMax, `${name} leaves ${perCommand} bytes a command`)
    } finally {
      await server.close()
    }
  })
}
