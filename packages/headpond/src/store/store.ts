import { HalfSipHash } from '../bytes/sip-hash.ts'
import { type Handle, Heap } from '../memory/heap.ts'
import { type AccessFrequency, type AccessMarker, accessClockOfIdle, idleSeconds } from './access.ts'
import { ActiveExpiry } from './active-expiry.ts'
import { Database } from './database.ts'
import type { StoreObserver } from './events.ts'
import { Eviction, type EvictionSettings, NO_LIMIT } from './eviction/eviction.ts'
import { Hash } from './hash.ts'
import { KeyPrefetch } from './key-prefetch.ts'
import { LazyFree, type LazyFreeSettings, NOT_LAZY } from './lazy-free.ts'
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
  /** The same. */
  eviction?: EvictionSettings
  /** The same. */
  lazyFree?: LazyFreeSettings
}

/** Whoever empties a store mostly fills it again. */
const EMPTY_KEPT_MS = 10_000

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
  readonly lazyFree: LazyFree
  readonly prefetch = new KeyPrefetch()
  readonly eviction: Eviction
  #freesFirst = false
  readonly #sip: HalfSipHash

  /** The time of the current command, which whoever runs commands sets: the store asks no clock. */
  nowMs = 0
  /** The same in whole seconds. */
  nowSeconds = 0
  /** What `touch` writes into a record: seconds modulo 2^24, as Redis's LRU clock. */
  accessClock = 0
  /** Writes access words, when they are not the clock: see eviction/. */
  marker: AccessMarker | null = null
  /** Counts accesses in place of the clock, while an LFU policy is set (see access.ts). */
  accessFrequency: AccessFrequency | null = null
  /** While set, expired keys are neither deleted nor hidden (a replica's rule; also while loading). */
  keepsExpired = false
  /** While set, expired keys are hidden and not deleted: nothing is to change by itself (CLIENT PAUSE). */
  defersExpiry = false

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
  /** Called with the key of each evicted record, for the same. */
  onEvicted: ((database: number, key: Uint8Array) => void) | null = null
  /** Called with each record that is about to be evicted: for whoever watches. */
  evictionWatcher: ((database: number, handle: Handle) => void) | null = null
  /** Called with each record that is about to go because its time has come, likewise. */
  expiryWatcher: ((database: number, handle: Handle, isUnasked: boolean) => void) | null = null
  /** Called with each field of a hash that expired, for the same. */
  onFieldExpired: ((database: number, key: Uint8Array, field: Uint8Array) => void) | null = null

  constructor(options: StoreOptions) {
    this.heap = new Heap(options.firstArenaBytes)
    this.records = new Records(this.heap)
    this.random = options.random
    this.packedLimits = options.packedLimits ?? DEFAULT_PACKED_LIMITS
    this.lazyFree = new LazyFree(options.lazyFree ?? NOT_LAZY)
    this.#sip = new HalfSipHash(options.random() * 2 ** 32, options.random() * 2 ** 32)
    this.databases = Array.from({ length: options.databaseCount }, (_, index) => new Database(index, this))
    this.hashes = new Hash(this)
    this.sets = new UnorderedSet(this)
    this.eviction = new Eviction(this, options.eviction ?? NO_LIMIT)
    this.eviction.applySettings()
  }

  /** The hash of a key, signed (see Dict). hot: once for each key of a command. */
  hash(bytes: Uint8Array, start: number, end: number): number {
    return this.#sip.signedHash(bytes, start, end)
  }

  /** The hash of a record's key. O(key size). */
  hashOf(handle: Handle): number {
    const start = this.records.keyStart(handle)
    return this.hash(this.records.keyBytes(handle), start, start + this.records.keySize(handle))
  }

  /** Sets the time for the commands that follow. */
  setNow(nowMs: number): void {
    const nowSeconds = Math.floor(nowMs / 1000)
    if (nowSeconds !== this.nowSeconds) this.marker?.secondPassed(this.nowMs)
    this.nowMs = nowMs
    this.nowSeconds = nowSeconds
    this.accessClock = this.nowSeconds % 2 ** 24
  }

  /** Set while commands of a client with CLIENT NO-TOUCH run. */
  touchless = false

  // hot: once for each key read or written.
  touch(handle: Handle): void {
    if (this.touchless) return
    const { marker, records } = this
    records.setAccess(handle, marker === null ? this.accessClock : marker.accessed(records.access(handle), handle))
  }

  /** Marks a new record, whose key has this hash. */
  touchNew(handle: Handle, hash: number, database: number): void {
    const { marker } = this
    this.records.setAccess(handle, marker === null ? this.accessClock : marker.created(hash, handle, database))
  }

  /** How long a key was not used, or null where the policy does not say. */
  idleSeconds(handle: Handle): number | null {
    const access = this.records.access(handle)
    if (this.marker === null) return idleSeconds(access, this.accessClock)
    const { adaptive } = this.eviction
    if (adaptive === null) return null
    return Math.max(0, Math.floor((this.nowMs - adaptive.lastUsedAtMs(access, this.nowMs)) / 1000))
  }

  /** Lets a key look as if it had been idle for so long, where the policy goes by that. */
  setIdleSeconds(handle: Handle, seconds: number): void {
    if (this.marker === null) this.records.setAccess(handle, accessClockOfIdle(seconds, this.accessClock))
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

  /** Housekeeping: a store that stays empty for a while gives its memory back to the operating system. */
  cron(): void {
    if (this.heap.usedBytes > 0) this.#emptySinceMs = null
    else if (this.#emptySinceMs === null) this.#emptySinceMs = this.nowMs
    else if (this.nowMs - this.#emptySinceMs >= EMPTY_KEPT_MS) this.heap.giveBack()
  }
  #emptySinceMs: number | null = null

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
    this.lazyFree.freedAtOnce(this.keyCount)
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
