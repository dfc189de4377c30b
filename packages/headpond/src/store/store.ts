import { HalfSipHash } from '../bytes/sip-hash.ts'
import { type Handle, Heap } from '../memory/heap.ts'
import type { AccessFrequency } from './access.ts'
import { ActiveExpiry } from './active-expiry.ts'
import { Database } from './database.ts'
import type { StoreObserver } from './events.ts'
import { Hash } from './hash.ts'
import { LazyFree } from './lazy-free.ts'
import { DEFAULT_PACKED_LIMITS, type PackedLimits } from './packed-limits.ts'
import { Records } from './record.ts'
import { UnorderedSet } from './set.ts'
import type { SnapshotGuard } from './snapshot-guard.ts'
import { Structures } from './structures.ts'

export interface StoreOptions {
  databaseCount: number
  /** What the first arena reserves: address space, not memory. */
  firstArenaBytes: number
  /** Gives numbers in [0, 1): for the hash's secret, RANDOMKEY and sampling. */
  random: () => number
  /** Read at each use, so that CONFIG SET takes effect: the settings themselves. */
  packedLimits?: PackedLimits
}

/** The databases, and what they share: the heap, the clock, the counters and the observer. */
export class Store {
  readonly heap: Heap
  readonly records: Records
  /** The large forms of values. */
  readonly structures = new Structures()
  /** Opens hashes, one at a time. */
  readonly hashes: Hash
  /** Opens sets, one at a time. */
  readonly sets: UnorderedSet
  readonly databases: Database[]
  readonly random: () => number
  readonly packedLimits: PackedLimits
  readonly activeExpiry = new ActiveExpiry(this)
  readonly lazyFree = new LazyFree()
  #freesFirst = false
  readonly #sip: HalfSipHash

  /** The time of the current command, which whoever runs commands sets: the store asks no clock. */
  nowMs = 0
  /** The same in whole seconds. */
  nowSeconds = 0
  /** What `touch` writes into a record: seconds modulo 2^24, as Redis's LRU clock. */
  accessClock = 0
  /** Counts accesses in place of the clock, while an LFU policy is set (see access.ts). */
  accessFrequency: AccessFrequency | null = null
  /** While set, expired keys are neither deleted nor hidden (a replica's rule; also while loading). */
  keepsExpired = false

  /** The last number given to an item of memcached's (see item.ts). */
  casCount = 0

  /** Changes since the start, as Redis's `dirty`. */
  dirtyCount = 0
  hitCount = 0
  missCount = 0
  expiredCount = 0
  /** Fields of hashes that expired. */
  expiredFieldCount = 0

  /** False as long as nobody wants to hear of changes: the one check that a write pays. */
  observed = false
  #observer: StoreObserver | null = null
  /** The snapshot in progress, which sees each record before it changes: the one check that a write pays. */
  guard: SnapshotGuard | null = null
  /** Called with the key of each expired record, for what must tell others of the deletion. */
  onExpired: ((database: number, key: Uint8Array) => void) | null = null
  /** Called with each field of a hash that expired, for the same. */
  onFieldExpired: ((database: number, key: Uint8Array, field: Uint8Array) => void) | null = null

  constructor(options: StoreOptions) {
    this.heap = new Heap(options.firstArenaBytes)
    this.records = new Records(this.heap)
    this.random = options.random
    this.packedLimits = options.packedLimits ?? DEFAULT_PACKED_LIMITS
    this.#sip = new HalfSipHash(options.random() * 2 ** 32, options.random() * 2 ** 32)
    this.databases = Array.from({ length: options.databaseCount }, (_, index) => new Database(index, this))
    this.hashes = new Hash(this)
    this.sets = new UnorderedSet(this)
  }

  /** The hash of a key, signed (see Dict). hot: once for each key of a command. */
  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#sip.signedHash(bytes, start, end)
  }

  /** Sets the time for the commands that follow. */
  setNow(nowMs: number): void {
    this.nowMs = nowMs
    this.nowSeconds = Math.floor(nowMs / 1000)
    this.accessClock = this.nowSeconds % 2 ** 24
  }

  /** Set while commands of a client with CLIENT NO-TOUCH run. */
  touchless = false

  // hot: once for each key read or written.
  touch(handle: Handle): void {
    if (this.touchless) return
    const frequency = this.accessFrequency
    const access = frequency === null ? this.accessClock : frequency.accessed(this.records.access(handle), this.nowMs)
    this.records.setAccess(handle, access)
  }

  touchNew(handle: Handle): void {
    const frequency = this.accessFrequency
    this.records.setAccess(handle, frequency === null ? this.accessClock : frequency.initial(this.nowMs))
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

  /** A number that no state of an item has had: below 2^52, which is longer than any server lives. */
  nextCas(): number {
    return ++this.casCount
  }

  get keyCount(): number {
    return this.databases.reduce((sum, database) => sum + database.count, 0)
  }

  /**
   * Does background work (expiring keys that are due, giving memory back) until there is none left or `isOutOfTime`
   * says so. Returns whether there is more to do.
   */
  background(isOutOfTime: () => boolean): boolean {
    // Each does a step at least, and the first of them most: they take turns.
    this.#freesFirst = !this.#freesFirst
    if (this.#freesFirst) {
      const hasMoreToFree = this.lazyFree.run(isOutOfTime)
      return this.activeExpiry.run(isOutOfTime) || hasMoreToFree
    }
    const hasMoreToExpire = this.activeExpiry.run(isOutOfTime)
    return this.lazyFree.run(isOutOfTime) || hasMoreToExpire
  }

  /** Does all background work that is due now, however long it takes. */
  finishBackground(): void {
    this.activeExpiry.finish()
    this.lazyFree.finish()
  }

  /** Deletes every key of every database. O(1): the heap starts anew. */
  flushAll(): void {
    this.dirtyCount += this.keyCount
    if (this.guard?.keepsFlushedAll()) for (const database of this.databases) this.#empty(database)
    else this.#forgetAll()
    this.#observer?.flushed(-1)
  }

  /** Deletes every key of one database. O(1): when others hold keys, its memory is given back in the background. */
  flush(database: Database): void {
    this.dirtyCount += database.count
    if (database.count === this.keyCount && this.guard === null) this.#forgetAll()
    else this.#empty(database)
    this.#observer?.flushed(database.index)
  }

  #empty(database: Database): void {
    if (database.count === 0) return
    const dict = database.dict
    const job = database.takeAll()
    if (!this.guard?.keepFlushed(dict, job)) this.lazyFree.add(job)
  }

  #forgetAll(): void {
    for (const database of this.databases) database.forget()
    this.lazyFree.forget()
    this.structures.reset()
    this.heap.reset()
  }

  /** Exchanges two databases: clients that selected one see the other's keys. O(1). */
  swap(first: number, second: number): void {
    this.databases[first].exchange(this.databases[second])
    this.#observer?.flushed(first)
    this.#observer?.flushed(second)
  }
}
