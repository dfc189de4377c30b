/**
 * The same random requests to Headpond and to memcached, in the text, the meta and the binary protocol: the same answers. A
 * failure prints the seed that repeats it (SEED=<n>) and what was sent last.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { ByteClient } from 'headpond/test/memcached/byte-client.ts'
import { SeededRandom } from 'headpond/test/seeded-random.ts'
import { MemcachedServer } from './memcached-server.ts'

const SEED = Number(process.env['SEED'] ?? 20_260_101)
const ROUND_COUNT = 3000
const KEYS = ['a', 'b', 'c', 'number', 'key:with/signs', 'k'.repeat(250), 'l'.repeat(251)]

class Generator {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  pick<Value>(values: readonly Value[]): Value {
    return this.#random.pick(values)
  }

  chance(share: number): boolean {
    return this.#random.below(1000) < share * 1000
  }

  key(): string {
    return this.pick(KEYS)
  }

  value(): string {
    return this.pick(['', '0', '7', '41', '18446744073709551615', '18446744073709551616', 'text', ' 5', '5 ', LARGE])
  }

  /**
   * For the protocols in which memcached 1.6.18 may go on holding an item that was asked for: a number in such an item that
   * is counted is stored anew, neither filled up with spaces nor stale or fetched any more. So no number becomes shorter here,
   * and nothing becomes stale; the text protocol and the transcripts have these.
   */
  steadyValue(): string {
    return this.pick(['', '0', '7', '41', 'text', LARGE])
  }

  number(): string {
    return this.pick([
      '0',
      '1',
      '7',
      '99',
      '-1',
      '4294967295',
      '4294967296',
      '18446744073709551615',
      '99999999999999999999',
      'x',
      '1x',
      '+3',
    ])
  }

  exptime(): string {
    // Nothing that would expire while the test runs.
    return this.pick(['0', '0', '1000', '2592000', '-1', '2592001', '4000000000', 'x'])
  }

  noreply(): string {
    return this.chance(0.15) ? ' noreply' : ''
  }

  text(): string {
    const key = this.key()
    switch (this.pick(['store', 'get', 'count', 'delete', 'touch', 'odd'])) {
      case 'store': {
        const value = this.value()
        const command = this.pick(['set', 'set', 'add', 'replace', 'append', 'prepend'])
        const size = this.chance(0.95) ? String(value.length) : this.pick(['-1', 'x'])
        const flags = this.chance(0.8) ? this.pick(['0', '5', '4294967295']) : this.number()
        const line = `${command} ${key} ${flags} ${this.exptime()} ${size}${this.noreply()}`
        return `${line}\r\n${value}\r\n`
      }
      case 'get':
        return `${this.pick(['get', 'get', 'bget'])} ${this.chance(0.2) ? `${key} ${this.key()} ${this.key()}` : key}\r\n`
      case 'count':
        return `${this.pick(['incr', 'decr'])} ${key} ${this.number()}${this.noreply()}\r\n`
      case 'delete':
        return `delete ${key}${this.pick(['', '', ' 0', ' 5'])}${this.noreply()}\r\n`
      case 'touch':
        return this.chance(0.5)
          ? `touch ${key} ${this.exptime()}${this.noreply()}\r\n`
          : `gat ${this.exptime()} ${key}\r\n`
      default:
        return this.pick([
          'nonsense\r\n',
          '\r\n',
          'get\r\n',
          'set a\r\n',
          'incr a\r\n',
          `touch a\r\n`,
          'verbosity\r\n',
          'verbosity 0\r\n',
          'version\r\n',
          'flush_all x\r\n',
          'cache_memlimit x\r\n',
          'GET a\r\n',
          'get a\n',
          '  get a  b \r\n',
          'lru_crawler\r\n',
          'slabs reassign 1 1\r\n',
          'flush_all 0\r\n',
        ])
    }
  }

  meta(): string {
    const isBase64 = this.chance(0.1)
    const key = isBase64 ? this.pick(['YQ==', 'Yg==', 'bnVtYmVy', 'x', '====']) : this.key()
    const flags = (possible: readonly string[]) => {
      const chosen = possible.filter(() => this.chance(0.25))
      return [...(isBase64 ? ['b'] : []), ...chosen].map((flag) => ` ${flag}`).join('')
    }
    switch (this.pick(['mg', 'ms', 'md', 'ma'])) {
      case 'mg':
        return `mg ${key}${flags(['v', 'f', 's', 't', 'k', 'O123', 'q', 'N30000', 'R30', 'T30000'])}\r\n`
      case 'ms': {
        const value = this.steadyValue()
        const mode = this.pick(['MS', 'ME', 'MA', 'MP', 'MR', 'MX', 'Mset'])
        return `ms ${key} ${value.length}${flags(['F7', 'T30000', 'k', 'Oab', 'q', 'I', mode])}\r\n${value}\r\n`
      }
      case 'md':
        return `md ${key}${flags(['q', 'k', 'O9'])}\r\n`
      default:
        return `ma ${key}${flags(['v', 't', 'k', 'q', 'N30000', `J${this.pick(['0', '5', 'x'])}`, `D${this.pick(['0', '1', '99', '4294967295', 'x'])}`, this.pick(['MI', 'M+', 'Mx'])])}\r\n`
    }
  }

  binary(): Buffer {
    const key = this.pick(KEYS.slice(0, -1))
    const opaque = this.#random.below(2 ** 31)
    const expiry = this.pick([0, 0, 30_000, 0xffffffff])
    switch (this.pick(['store', 'get', 'count', 'delete', 'append', 'touch', 'other'])) {
      case 'store':
        return packet(
          this.pick([0x01, 0x01, 0x02, 0x03]),
          key,
          this.steadyValue(),
          words(this.pick([0, 9]), expiry),
          opaque,
        )
      case 'get':
        return packet(this.pick([0x00, 0x0c]), key, '', EMPTY, opaque)
      case 'count': {
        const extras = Buffer.alloc(20)
        extras.writeBigUInt64BE(this.pick([0n, 1n, 2n ** 40n]), 0)
        extras.writeBigUInt64BE(this.pick([0n, 17n]), 8)
        extras.writeUInt32BE(this.pick([0, 30_000, 0xffffffff]), 16)
        return packet(0x05, key, '', extras, opaque)
      }
      case 'delete':
        return packet(0x04, key, '', EMPTY, opaque)
      case 'append':
        return packet(this.pick([0x0e, 0x0f]), key, this.steadyValue(), EMPTY, opaque)
      case 'touch':
        return packet(this.pick([0x1c, 0x1d, 0x23]), key, '', words(expiry), opaque)
      default:
        return this.pick([
          packet(0x0a, '', '', EMPTY, opaque),
          packet(0x0b, '', '', EMPTY, opaque),
          packet(0x08, '', '', EMPTY, opaque),
          packet(0x7f, '', '', EMPTY, opaque),
          packet(0x09, key, '', EMPTY, opaque),
          packet(0x11, key, 'quiet', words(3, 0), opaque),
        ])
    }
  }
}

const LARGE = 'x'.repeat(300)
const EMPTY = Buffer.alloc(0)
const NO_OP = 0x0a

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4)
  return bytes
}

function packet(opcode: number, key: string, value: string, extras: Buffer, opaque: number): Buffer {
  const header = Buffer.alloc(24)
  header[0] = 0x80
  header[1] = opcode
  header.writeUInt16BE(key.length, 2)
  header[4] = extras.length
  header.writeUInt32BE(extras.length + key.length + value.length, 8)
  header.writeUInt32BE(opaque, 12)
  return Buffer.concat([header, extras, Buffer.from(key + value, 'latin1')])
}

/** Answers up to that of a no-op, whose opaque is nobody else's; CAS numbers are each server's own. */
async function askBinary(client: ByteClient, request: Buffer): Promise<string> {
  const end = packet(NO_OP, '', '', EMPTY, 0x0badcafe)
  client.send(Buffer.concat([request, end]))
  const received = await client.receive(
    (bytes) => bytes.length >= 24 && bytes.readUInt32BE(bytes.length - 12) === 0x0badcafe,
  )
  const answers: string[] = []
  for (let at = 0; at + 24 <= received.length; ) {
    const size = 24 + received.readUInt32BE(at + 8)
    const answer = Buffer.from(received.subarray(at, at + size))
    answer.fill(0, 16, 24)
    answers.push(answer.toString('latin1'))
    at += size
  }
  return `${answers.join('|')}${client.isClosed ? '<closed>' : ''}`
}

/** Times to live, which go on between the two: memcached counts ticks of its own second. */
function withoutSeconds(answer: string): string {
  return answer.replace(/ t\d{3,}/g, ' t~')
}

for (const protocol of ['text', 'meta', 'binary'] as const) {
  test(`${protocol}: ${ROUND_COUNT} random requests`, async () => {
    const memcached = await MemcachedServer.start()
    const server = await createServer()
    const ports = [memcached.port, Number(server.urls.memcached.split(':')[1])]
    let clients = await Promise.all(ports.map((port) => ByteClient.connect(port)))
    const generator = new Generator(SEED)
    const last: string[] = []
    try {
      for (let round = 0; round < ROUND_COUNT; round++) {
        const request = protocol === 'binary' ? generator.binary() : generator[protocol]()
        last.push(JSON.stringify(typeof request === 'string' ? request : request.toString('latin1')))
        if (last.length > 12) last.shift()
        const [expected, actual] = await Promise.all(
          clients.map((client) =>
            typeof request === 'string' ? client.ask(request).then(withoutSeconds) : askBinary(client, request),
          ),
        )
        assert.equal(actual, expected, `seed ${SEED}, round ${round}:\n${last.join('\n')}`)
        if (clients.some((client) => client.isClosed)) {
          for (const client of clients) client.close()
          clients = await Promise.all(ports.map((port) => ByteClient.connect(port)))
        }
      }
    } finally {
      for (const client of clients) client.close()
      await server.close()
      await memcached.stop()
    }
  })
}
