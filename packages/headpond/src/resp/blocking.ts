import { parseDouble } from '../bytes/double.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import type { StoreObserver } from '../store/events.ts'
import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'
import { errors } from './errors.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

/**
 * Clients that wait for keys (BLPOP, BZPOPMIN, XREAD BLOCK ...): who waits for what, in the order of arrival.
 *
 * A command that found nothing calls `wait`. Whatever changes a key afterwards (a push, RENAME, RESTORE, SWAPDB ...)
 * marks it ready, if somebody waits for it. When the command that runs is over, or the whole EXEC or script, the
 * waiters of the ready keys are asked one after another, first come first served, to answer with what is there now.
 * What serving one does to other keys (BLMOVE) makes those ready in turn.
 *
 * As in Redis (handleClientsBlockedOnKeys), keys are served in the order in which they became ready, and a client that
 * waits for several keys is served from the first of them that has something for it.
 */
export interface Wait {
  /** The keys, copied. One that is given twice counts once. */
  readonly keys: readonly Uint8Array[]
  /** 0: for ever. */
  readonly timeoutMs: number
  /** What the keys must hold, one of record.ts `type`; keys that hold something else are passed over. */
  readonly type: number
  /**
   * Answers with what keys[keyIndex] holds now, and returns true; or returns false, having written and changed nothing,
   * to go on waiting. Writes to the store as any command does. Only with `servesMissing` may `handle` be NONE, or the
   * record of another type.
   */
  readonly serve: (reply: Reply, handle: Handle, keyIndex: number) => boolean
  /** Whether `serve` is to be asked as well when a key has gone or holds another type (XREADGROUP answers an error). */
  readonly servesMissing?: boolean
  /** The answer when the time is up, and at once for a client that may not wait. */
  readonly onTimeout: (reply: Reply) => void
}

interface Waiter {
  readonly client: Client
  readonly wait: Wait
}

/** One key that somebody waits for. */
interface AwaitedKey {
  readonly database: number
  readonly key: Uint8Array
  /** See `#hash`. */
  readonly hash: number
  /** In the order of arrival; the value is the key's index among the waiter's keys. */
  readonly waiters: Map<Waiter, number>
  /** How many of them serve a missing key. */
  missingServerCount: number
  isReady: boolean
  /** Another key with the same hash. */
  next: AwaitedKey | null
}

export class Blocking implements StoreObserver {
  /** True when keys became ready: the one check that a command pays. */
  hasReady = false
  /** Called when the first client begins to wait for a key, and when nobody does any more. */
  onObserving: () => void = () => {}

  readonly #engine: RespEngine
  readonly #keys = new Map<number, AwaitedKey>()
  #ready: AwaitedKey[] = []
  #clientCount = 0
  #keyCount = 0

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /** Clients that wait for keys. While it is 0, nobody need tell of changes. */
  get clientCount(): number {
    return this.#clientCount
  }

  /** Keys that are waited for. */
  get keyCount(): number {
    return this.#keyCount
  }

  /** Of them, those with a waiter that is to be told when the key is deleted. O(keys waited for). */
  get keyCountOnMissing(): number {
    let count = 0
    for (const first of this.#keys.values()) {
      for (let entry: AwaitedKey | null = first; entry !== null; entry = entry.next) {
        if (entry.missingServerCount > 0) count++
      }
    }
    return count
  }

  /**
   * Lets a client wait for keys of its database. To be called by a handler that has found nothing to answer with; the
   * client's answer comes later. A client that may not wait (within EXEC or a script) is told at once that its time is
   * up.
   */
  wait(client: Client, reply: Reply, wait: Wait): void {
    if (client.deniesBlocking) {
      wait.onTimeout(reply)
      return
    }
    const waiter: Waiter = { client, wait }
    const database = client.database.index
    const awaited: AwaitedKey[] = []
    for (const [index, key] of wait.keys.entries()) {
      const entry = this.#findOrAdd(database, key)
      if (entry.waiters.has(waiter)) continue
      entry.waiters.set(waiter, index)
      if (wait.servesMissing) entry.missingServerCount++
      awaited.push(entry)
    }
    if (this.#clientCount++ === 0) this.onObserving()
    this.#engine.waiting.begin(client, wait.timeoutMs, {
      onTimeout: wait.onTimeout,
      cancel: () => {
        for (const entry of awaited) {
          entry.waiters.delete(waiter)
          if (wait.servesMissing) entry.missingServerCount--
          if (entry.waiters.size === 0) this.#removeKey(entry)
        }
        if (--this.#clientCount === 0) this.onObserving()
      },
    })
  }

  // ---- What changes ----

  /** A key changed in whatever way. hot while somebody waits: once for each write; allocates nothing. */
  keyChanged(database: number, bytes: Uint8Array, start: number, end: number): void {
    const entry = this.#find(this.#hash(database, bytes, start, end), database, bytes, start, end)
    if (entry !== null) this.#markReady(entry)
  }

  event(): void {}

  /** A database lost all its keys or got others (-1: every database). O(keys waited for). */
  flushed(database: number): void {
    for (let entry of this.#keys.values()) {
      for (;;) {
        if (database === -1 || entry.database === database) this.#markReady(entry)
        if (entry.next === null) break
        entry = entry.next
      }
    }
  }

  #markReady(entry: AwaitedKey): void {
    if (entry.isReady) return
    entry.isReady = true
    this.#ready.push(entry)
    this.hasReady = true
  }

  // ---- Serving ----

  /** Serves the waiters of the keys that became ready, until none is left. To be called when a command is over. */
  serve(): void {
    if (this.#engine.scripts.runner.isBusy) return // a script has more to do before anybody sees its effects
    while (this.#ready.length > 0) {
      const ready = this.#ready
      this.#ready = []
      for (const entry of ready) {
        entry.isReady = false
        this.#serveKey(entry)
      }
    }
    this.hasReady = false
  }

  #serveKey(entry: AwaitedKey): void {
    const { key } = entry
    const database = this.#engine.store.databases[entry.database]
    let handle = database.peek(key, 0, key.length)
    for (const [waiter, keyIndex] of entry.waiters) {
      if (handle === NONE && entry.missingServerCount === 0) return
      const { wait } = waiter
      const isThere = handle !== NONE && database.records.type(handle) === wait.type
      if (!isThere && !wait.servesMissing) continue
      if (isThere) database.preserve(handle)
      if (!this.#engine.waiting.serve(waiter.client, (reply) => wait.serve(reply, handle, keyIndex))) {
        continue
      }
      handle = database.peek(key, 0, key.length)
    }
  }

  // ---- The keys ----

  #findOrAdd(database: number, key: Uint8Array): AwaitedKey {
    const hash = this.#hash(database, key, 0, key.length)
    const found = this.#find(hash, database, key, 0, key.length)
    if (found !== null) return found
    const next = this.#keys.get(hash) ?? null
    const entry = { database, key, hash, waiters: new Map(), missingServerCount: 0, isReady: false, next }
    this.#keys.set(hash, entry)
    this.#keyCount++
    return entry
  }

  #find(hash: number, database: number, bytes: Uint8Array, start: number, end: number): AwaitedKey | null {
    let entry = this.#keys.get(hash) ?? null
    while (entry !== null && !(entry.database === database && isSame(entry.key, bytes, start, end))) entry = entry.next
    return entry
  }

  #removeKey(entry: AwaitedKey): void {
    this.#keyCount--
    const first = this.#keys.get(entry.hash)!
    if (first !== entry) {
      let previous = first
      while (previous.next !== entry) previous = previous.next!
      previous.next = entry.next
    } else if (entry.next !== null) {
      this.#keys.set(entry.hash, entry.next)
    } else {
      this.#keys.delete(entry.hash)
    }
  }

  /** As a small integer, so that looking it up allocates nothing. */
  #hash(database: number, bytes: Uint8Array, start: number, end: number): number {
    return this.#engine.store.hash(bytes, start, end) ^ Math.imul(database, 0x9e3779b1)
  }
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false
  for (let index = 0; index < key.length; index++) {
    if (key[index] !== bytes[start + index]) return false
  }
  return true
}

/**
 * A timeout in seconds, fractions allowed, as milliseconds (0: for ever). NaN when it is refused, and the error is
 * written. What is left of a millisecond counts as one.
 */
export function readTimeoutMs(request: Request, index: number, reply: Reply): number {
  const seconds = parseDouble(request.chunk, request.start(index), request.end(index))
  const timeoutMs = Math.ceil(seconds * 1000)
  if (Number.isNaN(timeoutMs)) reply.error(errors.TIMEOUT_NOT_A_FLOAT)
  else if (timeoutMs < 0 || timeoutMs >= 2 ** 63) reply.error(errors.TIMEOUT_NEGATIVE)
  else return timeoutMs
  return Number.NaN
}
