import { HalfSipHash } from '../bytes/sip-hash.ts'
import { type Handle, Heap } from '../memory/heap.ts'
import { Database } from './database.ts'
import type { StoreObserver } from './events.ts'
import { Records } from './record.ts'

export interface StoreOptions {
  databaseCount: number
  /** What the first arena reserves: address space, not memory. */
  firstArenaBytes: number
  /** Gives numbers in [0, 1): for the hash's secret, RANDOMKEY and sampling. */
  random: () => number
}

/** The databases, and what they share: the heap, the clock, the counters and the observer. */
export class Store {
  readonly heap: Heap
  readonly records: Records
  readonly databases: Database[]
  readonly random: () => number
  readonly #sip: HalfSipHash

  /** The time of the current command, which whoever runs commands sets: the store asks no clock. */
  nowMs = 0
  /** What `touch` writes into a record: seconds modulo 2^24, as Redis's LRU clock. */
  accessClock = 0
  /** While set, expired keys are neither deleted nor hidden (a replica's rule; also while loading). */
  keepsExpired = false

  /** Changes since the start, as Redis's `dirty`. */
  dirtyCount = 0
  hitCount = 0
  missCount = 0
  expiredCount = 0

  /** False as long as nobody wants to hear of changes: the one check that a write pays. */
  observed = false
  #observer: StoreObserver | null = null
  /** Called with the key of each expired record, for what must tell others of the deletion. */
  onExpired: ((database: number, key: Uint8Array) => void) | null = null

  constructor(options: StoreOptions) {
    this.heap = new Heap(options.firstArenaBytes)
    this.records = new Records(this.heap)
    this.random = options.random
    this.#sip = new HalfSipHash(options.random() * 2 ** 32, options.random() * 2 ** 32)
    this.databases = Array.from({ length: options.databaseCount }, (_, index) => new Database(index, this))
  }

  // hot: once for each key of a command.
  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#sip.hash(bytes, start, end)
  }

  /** Sets the time for the commands that follow. */
  setNow(nowMs: number): void {
    this.nowMs = nowMs
    this.accessClock = Math.floor(nowMs / 1000) % 2 ** 24
  }

  /** Set while commands of a client with CLIENT NO-TOUCH run. */
  touchless = false

  // hot: once for each key read or written.
  touch(handle: Handle): void {
    if (!this.touchless) this.records.setAccess(handle, this.accessClock)
  }

  touchNew(handle: Handle): void {
    this.records.setAccess(handle, this.accessClock)
  }

  /** Who hears of changes, or null. */
  observe(observer: StoreObserver | null): void {
    this.#observer = observer
    this.observed = observer !== null
  }

  /** A key changed: tells the observer of the change and of the event. */
  change(eventClass: number, event: string, database: number, bytes: Uint8Array, start: number, end: number): void {
    this.#observer?.keyChanged(database, bytes, start, end)
    this.#observer?.event(eventClass, event, database, bytes, start, end)
  }

  /** An event that is no change of a key's value (`new`, `keymiss`, a second event of one change). */
  tell(eventClass: number, event: string, database: number, bytes: Uint8Array, start: number, end: number): void {
    this.#observer?.event(eventClass, event, database, bytes, start, end)
  }

  get keyCount(): number {
    return this.databases.reduce((sum, database) => sum + database.count, 0)
  }

  /**
   * Does background work (expiring keys that are due) until there is none left or `isOutOfTime` says so. Returns
   * whether there is more to do.
   */
  background(_isOutOfTime: () => boolean): boolean {
    return false
  }

  /** Deletes every key of every database. O(1): the heap starts anew. */
  flushAll(): void {
    this.dirtyCount += this.keyCount
    for (const database of this.databases) database.forget()
    this.heap.reset()
    this.#observer?.flushed(-1)
  }

  /** Deletes every key of one database. O(1) when it holds the only keys, else O(keys). */
  flush(database: Database): void {
    if (database.count === this.keyCount) {
      this.dirtyCount += database.count
      for (const each of this.databases) each.forget()
      this.heap.reset()
    } else {
      this.dirtyCount += database.count
      const handles: Handle[] = []
      database.dict.forEach((handle) => handles.push(handle))
      for (const handle of handles) database.remove(handle)
    }
    this.#observer?.flushed(database.index)
  }

  /** Exchanges two databases: clients that selected one see the other's keys. O(1). */
  swap(first: number, second: number): void {
    const database = this.databases[first]
    this.databases[first] = this.databases[second]
    this.databases[second] = database
    this.databases[first].index = first
    this.databases[second].index = second
    this.#observer?.flushed(first)
    this.#observer?.flushed(second)
  }
}
