// A replay over one connection: each access is a GET, and after a miss a SET, several keys at a time.

import { createConnection, type Socket } from 'node:net'
import type { ServerClock } from './server-clock.ts'

/** Accesses that are under way at once; the same key never twice, so that no answer depends on it. */
const BATCH_MAX = 16
const ACCESSES_PER_SECOND = 10_000

/** The value of a key has always the same size. */
export type ValueSize = (key: number) => number

export class ReplayConnection {
  readonly #socket: Socket
  readonly #valueSize: ValueSize
  readonly #values: string
  #pending = 0
  #results: boolean[] = []
  /** Of a reply that is not whole yet. */
  #line = ''
  #skipBytes = 0
  #done: ((results: boolean[]) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  static connect(port: number, valueSize: ValueSize): Promise<ReplayConnection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new ReplayConnection(socket, valueSize)))
    })
  }

  private constructor(socket: Socket, valueSize: ValueSize) {
    this.#socket = socket
    this.#valueSize = valueSize
    this.#values = 'v'.repeat(65_536)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('the server closed the connection of the replay')))
  }

  /** By key, whether it is there. */
  get(keys: readonly number[]): Promise<boolean[]> {
    let text = ''
    for (const key of keys) text += `*2\r\n$3\r\nGET\r\n$16\r\n${nameOf(key)}\r\n`
    return this.#send(text, keys.length)
  }

  set(keys: readonly number[]): Promise<boolean[]> {
    let text = ''
    for (const key of keys) {
      const size = this.#valueSize(key)
      text += `*3\r\n$3\r\nSET\r\n$16\r\n${nameOf(key)}\r\n$${size}\r\n${this.#values.slice(0, size)}\r\n`
    }
    return this.#send(text, keys.length)
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #send(text: string, replyCount: number): Promise<boolean[]> {
    this.#pending = replyCount
    this.#results = []
    this.#socket.write(text, 'latin1')
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
    })
  }

  #take(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#skipBytes > 0) {
        const skipped = Math.min(this.#skipBytes, chunk.length - at)
        this.#skipBytes -= skipped
        at += skipped
        continue
      }
      const end = chunk.indexOf(10, at)
      this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end + 1)
      if (end < 0) return
      at = end + 1
      this.#answer(this.#line)
      this.#line = ''
    }
    if (this.#pending === 0 && this.#skipBytes === 0 && this.#done !== undefined) {
      const done = this.#done
      this.#done = undefined
      this.#failed = undefined
      done(this.#results)
    }
  }

  #answer(line: string): void {
    this.#pending--
    // A cache too small for a policy's own tables keeps nothing: misses, not a failure.
    if (line.startsWith('-OOM')) return void this.#results.push(false)
    if (line[0] === '-') return this.#failed?.(new Error(`the server answered: ${line.trim()}`))
    const isMiss = line === '$-1\r\n'
    if (line[0] === '$' && !isMiss) this.#skipBytes = Number(line.slice(1, -2)) + 2
    this.#results.push(!isMiss)
  }
}

/** Replays accesses in the server's own time, and returns how many hit. */
export async function replay(connection: ReplayConnection, clock: ServerClock, keys: Int32Array): Promise<number> {
  let hitCount = 0
  const startNs = clock.elapsedNs
  const batch: number[] = []
  for (let index = 0; index < keys.length; ) {
    batch.length = 0
    while (index < keys.length && batch.length < BATCH_MAX && !batch.includes(keys[index])) batch.push(keys[index++])
    const wait = clock.reach(startNs + (index * 1e9) / ACCESSES_PER_SECOND)
    if (wait !== undefined) await wait
    const hits = await connection.get(batch)
    const missed = batch.filter((_, place) => !hits[place])
    hitCount += batch.length - missed.length
    if (missed.length > 0) await connection.set(missed)
  }
  return hitCount
}

/**
 * Misses and writes keys that no trace has, as a replay does, and in the same time: so a connection's buffers take what
 * they take in one.
 */
export async function fill(connection: ReplayConnection, clock: ServerClock, count: number): Promise<void> {
  const keys = Int32Array.from({ length: count }, (_, index) => FILL_BASE + index)
  await replay(connection, clock, keys)
}

const FILL_BASE = 2_000_000_000

function nameOf(key: number): string {
  return `key:${String(key).padStart(12, '0')}`
}
