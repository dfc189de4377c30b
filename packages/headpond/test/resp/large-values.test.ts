/**
 * Large values over sockets: their buffers go from the request into the store, from there to sockets, and to the next value.
 * Whatever is set, read slowly and overwritten meanwhile, each client gets what it has stored.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { createServer } from '#src/index.ts'
import { encodeCommand } from '../raw-client.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'

const CLIENT_COUNT = 5
const ROUND_COUNT = 40
const KEY_COUNT = 4

/** A client with keys of its own, that knows what each reply has to be. */
class Client {
  readonly #socket: Socket
  readonly #name: string
  readonly #random: SeededRandom
  readonly #strings = new Map<string, Buffer>()
  readonly #list: Buffer[] = []
  #valueCount = 0
  #requests: Buffer[] = []
  /** Replies that have not come yet, and how much of the first one has. */
  readonly #expected: Buffer[] = []
  #comeBytes = 0
  #whenCome: (() => void) | null = null
  failure: Error | null = null

  constructor(socket: Socket, name: string, random: SeededRandom) {
    this.#socket = socket
    this.#name = name
    this.#random = random
    socket.on('data', (chunk) => this.#compare(chunk))
    socket.on('close', () => this.#fail(`${name}: the connection was closed`))
  }

  #compare(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && this.failure === null) {
      const expected = this.#expected[0]
      if (expected === undefined) return this.#fail(`${this.#name}: a reply that nobody waits for`)
      const count = Math.min(expected.length - this.#comeBytes, chunk.length - at)
      if (chunk.compare(expected, this.#comeBytes, this.#comeBytes + count, at, at + count) !== 0) {
        let same = 0
        while (chunk[at + same] === expected[this.#comeBytes + same]) same++
        const place = this.#comeBytes + same
        const [come, right] = [chunk.subarray(at + same), expected.subarray(place)].map((bytes) =>
          bytes.subarray(0, 40),
        )
        return this.#fail(`${this.#name}: at byte ${place} of ${expected.length} "${come}" came, not "${right}"`)
      }
      at += count
      this.#comeBytes += count
      if (this.#comeBytes < expected.length) return
      this.#expected.shift()
      this.#comeBytes = 0
    }
    if (this.#expected.length === 0) this.#whenCome?.()
  }

  #fail(message: string): void {
    this.failure ??= new Error(message)
    this.#whenCome?.()
  }

  #request(args: (string | Buffer)[], reply: Buffer | string): void {
    this.#requests.push(encodeCommand(args))
    this.#expected.push(typeof reply === 'string' ? Buffer.from(reply) : reply)
  }

  #value(): Buffer {
    const random = this.#random
    const [bytesMin, bytesMore] = random.pick([
      [0, 100],
      [20_000, 20_000],
      [24_000, 60_000],
      [24_000, 60_000],
      [100_000, 400_000],
    ])
    return Buffer.alloc(bytesMin + random.below(bytesMore), `${this.#name}:${this.#valueCount++};`)
  }

  #add(): void {
    const random = this.#random
    const key = `${this.#name}:${random.below(KEY_COUNT)}`
    const stored = this.#strings.get(key)
    const set = (value: Buffer) => {
      this.#strings.set(key, value)
      return value
    }
    switch (random.below(10)) {
      case 0:
      case 1:
        return this.#request(['SET', key, set(this.#value())], '+OK\r\n')
      case 2:
        return this.#request(['SET', key, set(this.#value()), 'EX', '100'], '+OK\r\n')
      case 3:
      case 4:
        return this.#request(['GET', key], bulk(stored))
      case 5: {
        const appended = set(Buffer.concat([stored ?? Buffer.alloc(0), Buffer.from('and more')]))
        return this.#request(['APPEND', key, 'and more'], `:${appended.length}\r\n`)
      }
      case 6: {
        if (stored === undefined || stored.length < 10) return
        const changed = set(Buffer.from(stored))
        changed.write('changed', 1)
        return this.#request(['SETRANGE', key, '1', 'changed'], `:${changed.length}\r\n`)
      }
      case 7:
        this.#strings.delete(key)
        return this.#request(['DEL', key], stored === undefined ? ':0\r\n' : ':1\r\n')
      case 8: {
        const value = this.#value()
        this.#list.push(value)
        return this.#request(['RPUSH', `${this.#name}:list`, value], `:${this.#list.length}\r\n`)
      }
      default:
        return this.#request(['LPOP', `${this.#name}:list`], bulk(this.#list.shift()))
    }
  }

  /** Replies of more than the system keeps for a peer: the rest waits in the server, while the value is set again. */
  #addMuch(): void {
    const key = `${this.#name}:much`
    for (let turn = 0; turn < 4; turn++) {
      const value = Buffer.alloc(400_000 + this.#random.below(100_000), `${this.#name}:${this.#valueCount++};`)
      this.#request(['SET', key, value], '+OK\r\n')
      for (let count = 0; count < 8; count++) this.#request(['GET', key], bulk(value))
    }
  }

  /** Sends several requests at once, and now and then does not look at their replies for a while. */
  async round(others: Promise<unknown>): Promise<void> {
    const isSlow = this.#random.once(10)
    if (isSlow) this.#socket.pause()
    if (isSlow) this.#addMuch()
    for (let count = 1 + this.#random.below(12); count > 0; count--) this.#add()
    this.#socket.write(Buffer.concat(this.#requests))
    this.#requests = []
    if (isSlow) await others
    this.#socket.resume()
    while (this.#expected.length > 0 && this.failure === null) {
      await new Promise<void>((resolve) => {
        this.#whenCome = resolve
      })
    }
  }

  end(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }
}

function bulk(value: Buffer | undefined): Buffer {
  if (value === undefined) return Buffer.from('$-1\r\n')
  return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
}

test('large values are what was stored, however they are overwritten and read', async () => {
  const seed = chooseSeed()
  const random = new SeededRandom(seed)
  await using server = await createServer()
  const clients: Client[] = []
  try {
    for (let index = 0; index < CLIENT_COUNT; index++) {
      const socket = connect(server.port, '127.0.0.1')
      await once(socket, 'connect')
      clients.push(new Client(socket, `client ${index}`, random))
    }
    for (let round = 0; round < ROUND_COUNT; round++) {
      // Who is slow waits for a client that is not, and whose values take the place of others meanwhile.
      const [first, ...others] = clients
      const eager = first.round(Promise.resolve())
      await Promise.all([eager, ...others.map((client) => client.round(eager))])
      for (const { failure } of clients)
        assert.equal(failure, null, `SEED=${seed}, round ${round}: ${failure?.message}`)
    }
  } finally {
    for (const client of clients) client.end()
  }
})
