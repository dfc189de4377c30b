/**
 * A million malformed inputs crash nothing, and touch neither the data nor the connections of others. Connections are
 * real, their sockets are not, which makes a million of them a matter of seconds; some thousands go over the network.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '#src/config/config.ts'
import { Connection } from '#src/net/connection.ts'
import { flushOutboxes } from '#src/net/turn.ts'
import { Server } from '#src/server/server.ts'
import { FakeSocket } from '../fake-socket.ts'
import { encodeCommand, RawClient, RawDecoder } from '../raw-client.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'
import { malformed, SAMPLES } from './malformed.ts'

const MALFORMED_COUNT = Number(process.env['FUZZ_COUNT'] ?? 1_000_000)
const WITNESS_KEY_COUNT = 1000

function createFuzzedServer(): Server {
  // A reply as long as values may be by default is longer than a text of JavaScript's may be.
  const options = { port: 'auto', bind: ['127.0.0.1'], ephemeral: true, protoMaxBulkLen: '64mb' } as const
  const config = Config.load({ options })
  return new Server({ config, log: { info() {}, warn() {}, error() {} }, firstArenaBytes: 2 ** 24 })
}

/** A client whose socket is in our hands. */
class FakePeer {
  readonly socket = new FakeSocket()
  readonly connection: Connection

  constructor(server: Server) {
    const addresses = { remote: '127.0.0.1:1', local: '127.0.0.1:2' }
    const limits = { inputBytesMax: () => server.config.settings.clientQueryBufferLimit, gate: server.gate }
    this.connection = new Connection(this.socket, server.resp, limits, addresses, () => {})
    this.connection.open()
  }

  send(bytes: Buffer): void {
    this.connection.receive(bytes, bytes.length)
    flushOutboxes() // as at the end of a turn
  }

  /** What was sent since the last call. */
  take(): string {
    return Buffer.concat(this.socket.sent.splice(0)).toString('latin1')
  }
}

/** Another client, with data that nobody else names: whatever happens to others, it sees its own. */
class Witness {
  readonly #peer: FakePeer
  readonly #keys = Array.from({ length: WITNESS_KEY_COUNT }, (_, index) => `witness:${index}\0\r\n`)

  constructor(server: Server) {
    this.#peer = new FakePeer(server)
    this.#peer.send(encodeCommand(['MSET', ...this.#keys.flatMap((key, index) => [key, `value ${index}`])]))
    assert.equal(this.#peer.take(), '+OK\r\n')
  }

  check(when: string): void {
    this.#peer.send(encodeCommand(['MGET', ...this.#keys]))
    const expected = this.#keys.map((_, index) => `$${`value ${index}`.length}\r\nvalue ${index}\r\n`).join('')
    assert.equal(this.#peer.take(), `*${WITNESS_KEY_COUNT}\r\n${expected}`, when)
    assert.ok(!this.#peer.connection.isClosing, when)
  }
}

test(`${MALFORMED_COUNT} malformed inputs`, async (t) => {
  const random = new SeededRandom(chooseSeed())
  const server = createFuzzedServer()
  const witness = new Witness(server)
  let inputCount = 0
  let errorCount = 0
  let peer = new FakePeer(server)
  let input: Buffer = Buffer.alloc(0)
  try {
    for (; inputCount < MALFORMED_COUNT; inputCount++) {
      // Some inputs meet a connection that is in the middle of another.
      if (peer.connection.isClosing || random.once(3)) {
        peer.connection.destroy()
        peer = new FakePeer(server)
      }
      input = malformed(random)
      const cut = random.below(input.length + 1)
      peer.send(input.subarray(0, cut))
      if (!peer.connection.isClosing) peer.send(input.subarray(cut))
      if (peer.connection.isClosing) errorCount++
      if (peer.socket.sent.length > 100) peer.socket.sent.length = 0
      if (inputCount % 50_000 === 0) {
        witness.check(`SEED=${random.seed}, input ${inputCount}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    witness.check(`SEED=${random.seed}, at the end`)
  } catch (error) {
    t.diagnostic(`SEED=${random.seed}, input ${inputCount}: ${JSON.stringify(input.toString('latin1'))}`)
    throw error
  } finally {
    peer.connection.destroy()
    await server.close()
  }
  t.diagnostic(`${errorCount} were refused as protocol errors`)
  assert.ok(errorCount > MALFORMED_COUNT / 20, 'most inputs were not malformed at all')
  assert.equal(server.resp.clients.size, 1, 'only the witness is left')
})

/** These end the server or stop its clock, or touch what others own, as they should. */
const DANGEROUS = new Set([
  ...[
    'shutdown',
    'flushall',
    'flushdb',
    'swapdb',
    'debug',
    'config',
    'replicaof',
    'slaveof',
    'failover',
    'acl',
    'client',
  ],
  ...[
    'randomkey',
    'move',
    'keys',
    'script',
    'function',
    'cluster',
    'module',
    'psync',
    'sync',
    'monitor',
    'bgsave',
    'save',
  ],
])

test('every command takes any arguments without a crash, and its reply is RESP', async (t) => {
  const random = new SeededRandom(chooseSeed())
  const server = createFuzzedServer()
  const witness = new Witness(server)
  const commands = server.resp.table.all.filter((command) => !DANGEROUS.has(command.fullName))
  let peer = new FakePeer(server)
  let decoder = new RawDecoder()
  let args: (string | Uint8Array)[] = []
  try {
    for (let round = 0; round < 150_000; round++) {
      const command = random.pick(commands)
      const subcommand = command.subcommands === null ? [] : [random.pick([...command.subcommands.keys()])]
      const arity = Math.abs(command.arity) - 1 - subcommand.length
      const argumentCount = random.once(10)
        ? random.below(8)
        : Math.max(0, arity) + (random.once(2) ? 0 : random.below(6))
      args = [command.fullName, ...subcommand, ...Array.from({ length: argumentCount }, () => argument(random))]
      if (random.once(50)) args = ['HELLO', random.pick(['2', '3', '4'])]
      peer.send(encodeCommand(args))
      // Throws when it is no RESP.
      decoder.push(Buffer.from(peer.take(), 'latin1'))
      if (peer.connection.isClosing || random.once(100)) {
        peer.connection.destroy()
        peer = new FakePeer(server)
        decoder = new RawDecoder()
      }
      if (round % 10_000 === 0) {
        witness.check(`SEED=${random.seed}, round ${round}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    witness.check(`SEED=${random.seed}, at the end`)
  } catch (error) {
    t.diagnostic(`SEED=${random.seed}, ${JSON.stringify(args.map((arg) => Buffer.from(arg).toString('latin1')))}`)
    throw error
  } finally {
    peer.connection.destroy()
    await server.close()
  }
})

const WORDS = [
  ...[
    'EX',
    'PX',
    'EXAT',
    'PXAT',
    'NX',
    'XX',
    'GT',
    'LT',
    'GET',
    'KEEPTTL',
    'MATCH',
    'COUNT',
    'TYPE',
    'REPLACE',
    'ABSTTL',
  ],
  ...[
    'BYTE',
    'BIT',
    'AND',
    'OR',
    'XOR',
    'NOT',
    'SET',
    'INCRBY',
    'OVERFLOW',
    'WRAP',
    'SAT',
    'FAIL',
    'u8',
    'i64',
    'u64',
    '#1',
  ],
  ...[
    'LEN',
    'IDX',
    'WITHMATCHLEN',
    'MINMATCHLEN',
    'LIMIT',
    'WITHSCORES',
    'REV',
    'BYSCORE',
    'BYLEX',
    'ASYNC',
    'SYNC',
    'DB',
  ],
  ...[
    'BEFORE',
    'AFTER',
    'LEFT',
    'RIGHT',
    'MIN',
    'MAX',
    'AGGREGATE',
    'WEIGHTS',
    'STORE',
    'BY',
    'ALPHA',
    'DESC',
    'FIELDS',
  ],
]
const NUMBERS = [
  ...['0', '1', '-1', '2', '7', '8', '63', '64', '100', '-100', '1000000', '2147483647', '2147483648', '-2147483649'],
  ...[
    '4294967295',
    '4294967296',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
  ],
  ...['1.5', '-0', '1e400', 'inf', '-inf', 'nan', '1e-320', '3.0e3', '(1', '[a', '+', '-', '0x10', '01', ' 1', '1 '],
]

function argument(random: SeededRandom): string | Uint8Array {
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return `f:${random.below(8)}`
    case 3:
    case 4:
      return random.pick(NUMBERS)
    case 5:
      return random.pick(WORDS)
    case 6:
      return random.bytes(random.below(12))
    default:
      return random.pick(['', '*', '\0', '%', 'x'.repeat(random.below(3000)), 'f:*', '{f}', 'a'])
  }
}

test('malformed inputs over real sockets close their own connection alone', async (t) => {
  const random = new SeededRandom(chooseSeed())
  t.diagnostic(`SEED=${random.seed}`)
  const server = createFuzzedServer()
  await server.start()
  try {
    const witness = await RawClient.connect(server.port)
    assert.equal(await witness.call('SET', 'witness', 'here'), '+OK')
    for (let round = 0; round < 100; round++) {
      const clients = await Promise.all(Array.from({ length: 30 }, () => RawClient.connect(server.port)))
      for (const client of clients) {
        const input = random.once(4) ? random.pick(SAMPLES) : malformed(random)
        const cut = random.below(input.length + 1)
        client.sendBytes(input.subarray(0, cut))
        client.sendBytes(input.subarray(cut))
        if (random.once(3)) client.socket.end()
        if (random.once(3)) client.close()
      }
      assert.equal(await witness.call('GET', 'witness'), '$ "here"')
      for (const client of clients) client.close()
    }
    for (let turns = 0; server.resp.clients.size > 1 && turns < 1000; turns++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    assert.equal(server.resp.clients.size, 1, 'nothing is left of the others')
    witness.close()
  } finally {
    await server.close()
  }
})
