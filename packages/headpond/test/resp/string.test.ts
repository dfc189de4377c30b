import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Config } from '#src/config/config.ts'
import type { Client } from '#src/resp/client.ts'
import { Request } from '#src/resp/request.ts'
import { createServer, type HeadpondServer } from '#src/server/create-server.ts'
import type { LocalClient } from '#src/server/local-client.ts'
import { Server } from '#src/server/server.ts'

async function withServer(run: (server: HeadpondServer, client: LocalClient) => Promise<void>): Promise<void> {
  const server = await createServer({ ephemeral: true })
  try {
    await run(server, server.client({ binary: true }))
  } finally {
    await server.close()
  }
}

// ---- Strings behave as a map of buffers does ----

/** From nothing over what a record holds (some 24 KB) to buffers of their own. */
const value = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => Buffer.from(String(n))) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 70_000 }), fc.nat(255))
      .map(([size, byte]) => Buffer.alloc(size, byte)),
  },
)
const offset = fc.oneof(fc.nat(50), fc.nat(80_000))
const signedOffset = fc.oneof(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -80_000, max: 80_000 }))
const int64 = fc.oneof(fc.bigInt({ min: -1000n, max: 1000n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))

type Command =
  | { name: 'SET' | 'APPEND' | 'GETSET' | 'SETNX'; value: Uint8Array }
  | { name: 'GET' | 'GETDEL' | 'STRLEN' }
  | { name: 'GETRANGE'; first: number; last: number }
  | { name: 'SETRANGE'; offset: number; value: Uint8Array }
  | { name: 'INCRBY'; by: bigint }
  | { name: 'SETBIT'; bit: number; on: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ name: fc.constantFrom('SET', 'APPEND', 'APPEND', 'GETSET', 'SETNX'), value }),
  fc.record({ name: fc.constantFrom('GET', 'GETDEL', 'STRLEN') }),
  fc.record({ name: fc.constant('GETRANGE'), first: signedOffset, last: signedOffset }),
  fc.record({ name: fc.constant('SETRANGE'), offset, value }),
  fc.record({ name: fc.constant('INCRBY'), by: int64 }),
  fc.record({ name: fc.constant('SETBIT'), bit: offset, on: fc.nat(1) }),
)

function argumentsOf(key: string, command: Command): (string | Uint8Array)[] {
  switch (command.name) {
    case 'GETRANGE':
      return [command.name, key, String(command.first), String(command.last)]
    case 'SETRANGE':
      return [command.name, key, String(command.offset), command.value]
    case 'INCRBY':
      return [command.name, key, String(command.by)]
    case 'SETBIT':
      return [command.name, key, String(command.bit), String(command.on)]
    default:
      return 'value' in command ? [command.name, key, command.value] : [command.name, key]
  }
}

/** What a command answers, and what it leaves: the model. */
function expected(model: Map<string, Buffer>, key: string, command: Command): unknown {
  const before = model.get(key)
  const bytes = before ?? Buffer.alloc(0)
  switch (command.name) {
    case 'SET':
      model.set(key, Buffer.from(command.value))
      return 'OK'
    case 'GETSET':
      model.set(key, Buffer.from(command.value))
      return before ?? null
    case 'SETNX':
      if (before === undefined) model.set(key, Buffer.from(command.value))
      return before === undefined ? 1 : 0
    case 'GET':
      return before ?? null
    case 'GETDEL':
      model.delete(key)
      return before ?? null
    case 'STRLEN':
      return bytes.length
    case 'APPEND':
      model.set(key, Buffer.concat([bytes, command.value]))
      return bytes.length + command.value.length
    case 'GETRANGE': {
      const { first, last } = command
      if (first < 0 && last < 0 && first > last) return Buffer.alloc(0)
      const from = Math.max(first < 0 ? bytes.length + first : first, 0)
      const to = Math.max(last < 0 ? bytes.length + last : last, 0)
      return bytes.subarray(from, Math.max(from, to + 1))
    }
    case 'SETRANGE': {
      if (command.value.length === 0) return bytes.length
      const after = Buffer.alloc(Math.max(bytes.length, command.offset + command.value.length))
      after.set(bytes)
      after.set(command.value, command.offset)
      model.set(key, after)
      return after.length
    }
    case 'INCRBY': {
      const text = before === undefined ? '0' : bytes.toString('latin1')
      const isNumber = /^(0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
      if (!isNumber) return 'ERR value is not an integer or out of range'
      const sum = BigInt(text) + command.by
      if (BigInt.asIntN(64, sum) !== sum) return 'ERR increment or decrement would overflow'
      model.set(key, Buffer.from(String(sum)))
      return String(sum)
    }
    case 'SETBIT': {
      const at = command.bit >> 3
      const mask = 0x80 >> (command.bit & 7)
      const after = Buffer.alloc(Math.max(bytes.length, at + 1))
      after.set(bytes)
      const was = (after[at] & mask) === 0 ? 0 : 1
      after[at] = command.on === 1 ? after[at] | mask : after[at] & ~mask
      model.set(key, after)
      return was
    }
  }
}

test('strings of every size are what a map of buffers would hold', async () => {
  await withServer(async (server, client) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), command), { minLength: 5, maxLength: 40 }),
        async (steps) => {
          await server.reset()
          const model = new Map<string, Buffer>()
          for (const [key, step] of steps) {
            const reply = await client.execute(...argumentsOf(key, step)).catch((error: Error) => error.message)
            const wanted = expected(model, key, step)
            if (wanted instanceof Buffer) assert.deepEqual(reply, wanted)
            else assert.equal(reply === null ? null : String(reply), wanted === null ? null : String(wanted))
          }
          for (const [key, bytes] of model) assert.deepEqual(await client.execute('GET', key), bytes)
        },
      ),
      { numRuns: 150 },
    )
  })
})

// ---- Long strings ----

/** A client that keeps the very bytes it was sent, as a socket does whose peer is slow. */
class HoldingClient {
  readonly held: Uint8Array[] = []
  readonly #server: Server
  readonly #client: Client

  constructor(server: Server) {
    this.#server = server
    this.#client = server.resp.openLocal({
      write: (bytes) => {
        this.held.push(bytes)
        return false
      },
    })
  }

  run(...args: (string | Uint8Array)[]): void {
    this.#server.resp.run(this.#client, Request.of(args))
  }

  /** The last value, which came as a buffer of its own between its header and a line break. */
  get lastLargeValue(): Uint8Array {
    return this.held[this.held.length - 2]
  }
}

async function withHoldingClient(run: (client: HoldingClient) => void): Promise<void> {
  const log = { info() {}, warn() {}, error() {} }
  const server = new Server({
    config: Config.load({ options: { port: 0, ephemeral: true } }),
    log,
    firstArenaBytes: 2 ** 24,
  })
  try {
    run(new HoldingClient(server))
  } finally {
    await server.close()
  }
}

test('a long value that is on its way to a client stays as it was when it is changed', async () => {
  await withHoldingClient((client) => {
    client.run('SETRANGE', 'long', '999999', 'z')
    const original = Buffer.alloc(1_000_000)
    original[999_999] = 0x7a
    const changes = [
      ['SETRANGE', 'long', '5', 'changed'],
      ['SETBIT', 'long', '800', '1'],
      ['BITFIELD', 'long', 'SET', 'u8', '8000', '255'],
      ['APPEND', 'long', 'more'],
      ['SETRANGE', 'long', '2000000', 'more'],
      ['SET', 'long', 'short'],
    ]
    const sent: Uint8Array[] = []
    const copies: Buffer[] = []
    for (const change of changes) {
      client.run('GET', 'long')
      sent.push(client.lastLargeValue)
      copies.push(Buffer.from(client.lastLargeValue))
      client.run(...change)
    }
    assert.ok(original.equals(sent[0]))
    for (const [index, copy] of copies.entries()) {
      assert.ok(copy.equals(sent[index]), `changed by ${changes[index].join(' ')}`)
      if (index > 0) assert.ok(!copy.equals(copies[index - 1]), `${changes[index - 1].join(' ')} changed nothing`)
    }
  })
})

test('ranges of a long value are sent without a copy of it', async () => {
  await withHoldingClient((client) => {
    client.run('SETRANGE', 'long', '9999999', 'z')
    client.run('GETRANGE', 'long', '0', '4999999')
    const first = client.lastLargeValue
    client.run('GETRANGE', 'long', '-5000000', '-1')
    assert.equal(first.length, 5_000_000)
    assert.equal(first.buffer, client.lastLargeValue.buffer)
  })
})

test('appending to a long value copies it now and then only, even while it is being sent', async () => {
  await withHoldingClient((client) => {
    const kilobyte = Buffer.alloc(1000, 'x')
    const buffers = new Set<ArrayBufferLike>()
    for (let round = 0; round < 8000; round++) {
      client.run('APPEND', 'log', kilobyte)
      if (round < 100) continue
      client.run('GET', 'log')
      buffers.add(client.lastLargeValue.buffer)
      assert.equal(client.lastLargeValue.length, (round + 1) * 1000)
      client.held.length = 0
    }
    assert.ok(buffers.size < 20, `${buffers.size} copies for 8,000 appends`)
  })
})

test('strings grow up to proto-max-bulk-len', async () => {
  const server = await createServer({ ephemeral: true, protoMaxBulkLen: '2mb' })
  try {
    const tooLong = /^ERR string exceeds maximum allowed size \(proto-max-bulk-len\)$/
    const size = 2 * 2 ** 20
    assert.equal(await server.execute('SETRANGE', 'k', size - 1, 'x'), size)
    await assert.rejects(server.execute('APPEND', 'k', 'y'), { message: tooLong })
    await assert.rejects(server.execute('SETRANGE', 'k', size, 'y'), { message: tooLong })
    await assert.rejects(server.execute('SETRANGE', 'other', size, 'y'), { message: tooLong })
    assert.equal(await server.execute('SETRANGE', 'k', 0, 'y'), size)
    assert.equal(await server.execute('SETBIT', 'k', size * 8 - 1, 1), 0)
    await assert.rejects(server.execute('SETBIT', 'k', size * 8, 1), {
      message: 'ERR bit offset is not an integer or out of range',
    })
    await assert.rejects(server.execute('LCS', 'k', 'k'), {
      message: 'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len',
    })
    assert.equal(await server.execute('STRLEN', 'k'), size)
  } finally {
    await server.close()
  }
})

test('the last bit of the longest string can be set, and room that is not written to costs no memory', async () => {
  const server = await createServer({ ephemeral: true })
  try {
    const residentBefore = process.memoryUsage().rss
    assert.equal(await server.execute('SETBIT', 'bits', 2 ** 32 - 1, 1), 0)
    assert.equal(await server.execute('STRLEN', 'bits'), 2 ** 29)
    assert.equal(await server.execute('GETBIT', 'bits', 2 ** 32 - 1), 1)
    assert.equal(await server.execute('BITFIELD', 'bits', 'GET', 'u8', 2 ** 32 - 8).then(String), '1')
    assert.equal(await server.execute('BITCOUNT', 'bits', -1000, -1), 1)
    assert.ok(process.memoryUsage().rss - residentBefore < 2 ** 28)
  } finally {
    await server.close()
  }
})
