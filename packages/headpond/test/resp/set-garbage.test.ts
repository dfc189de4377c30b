import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { Server } from '#src/server/server.ts'
import { heapBytesPerCall } from '../heap-bytes.ts'
import { encodeCommand } from '../raw-client.ts'

const COMMANDS_PER_CHUNK = 500

/** What a chunk of commands costs by itself, and some numbers too large for V8's small integers. */
const NEXT_TO_NOTHING = 24
/** The two moments by which the slow log knows how long a command took that may take long. */
const TIME_STAMPS = 34
/** Draws of chance are doubles; a table takes two, and again two while it meets an empty slot. */
const DRAWS = 80

const forms = [
  ['an intset', (i: number) => String(i * 3)],
  ['a listpack', (i: number) => `member:${i}`],
  ['a table', (i: number) => `a member that is much too long for a listpack, and so makes its set a table: ${i}`],
] as const

const hotCommands: [name: string, argumentsOf: (member: string) => string[], bytesMax: number][] = [
  ['SADD', (member) => ['SADD', 'set', member], NEXT_TO_NOTHING],
  ['SADD of several members', (member) => ['SADD', 'set', member, '1', 'x', '2', 'y', '3'], TIME_STAMPS],
  ['SISMEMBER', (member) => ['SISMEMBER', 'set', member], NEXT_TO_NOTHING],
  ['SREM', (member) => ['SREM', 'set', member], NEXT_TO_NOTHING],
  ['SPOP', () => ['SPOP', 'set'], DRAWS],
]

for (const [form, memberOf] of forms) {
  for (const [name, argumentsOf, bytesMax] of hotCommands) {
    test(`${name} leaves next to no garbage in ${form}`, async () => {
      const log = { info() {}, warn() {}, error() {} }
      const server = new Server({
        config: Config.load({ options: { port: 0, ephemeral: true } }),
        log,
        firstArenaBytes: 2 ** 24,
      })
      try {
        const client = server.resp.openLocal({ write: () => true })
        const members = Array.from({ length: 100 }, (_, i) => memberOf(i))
        const prepared = encodeCommand(['SADD', 'set', ...members])
        server.resp.consume(client, prepared, 0, prepared.length)
        const commands = Array.from({ length: COMMANDS_PER_CHUNK }, (_, i) => {
          const member = members[i % members.length]
          return Buffer.concat([encodeCommand(argumentsOf(member)), encodeCommand(['SADD', 'set', member])])
        })
        const chunk = Buffer.concat(commands)
        const perChunk = heapBytesPerCall(() => void server.resp.consume(client, chunk, 0, chunk.length), 100)
        const perCommand = perChunk / COMMANDS_PER_CHUNK
        assert.ok(perCommand < bytesMax, `${name} leaves ${perCommand} bytes a command`)
      } finally {
        await server.close()
      }
    })
  }
}
