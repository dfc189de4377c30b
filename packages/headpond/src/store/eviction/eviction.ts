import type { Settings } from '../../config/directives.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { AccessFrequency, FrequencyMarker } from '../access.ts'
import type { Database } from '../database.ts'
import { type as types } from '../record.ts'
import type { Store } from '../store.ts'
import { typeOperations } from '../types.ts'
import { AdaptivePolicy } from './adaptive-policy.ts'
import { ArrivalOrder } from './arrival-order.ts'
import { Candidates } from './candidates.ts'
import { AdaptiveOrder, FifoOrder, LfuOrder, LruOrder, TtlOrder, type VictimOrder } from './victim-order.ts'

/** The settings themselves, read at each use. */
export type EvictionSettings = Pick<
  Settings,
  'maxmemory' | 'maxmemoryPolicy' | 'maxmemorySamples' | 'lfuLogFactor' | 'lfuDecayTime' | 'lazyfreeLazyEviction'
>

export const NO_LIMIT: EvictionSettings = {
  maxmemory: 0,
  maxmemoryPolicy: 'noeviction',
  maxmemorySamples: 5,
  lfuLogFactor: 10,
  lfuDecayTime: 1,
  lazyfreeLazyEviction: false,
}

/** After so many keys it is looked at the time, and counted again what takes memory beside the keys. */
const KEYS_PER_STEP = 16
/** Elements that stand side by side in the key table are looked at together. */
const RUN_LENGTH = 4
/** Every how many questions `isOver` counts again what takes memory beside the keys. */
const RECOUNT_MASK = 255
/**
 * What it costs to fetch a value again, beside its own bytes, in bytes: a round trip. So a value of this size is worth
 * half as much for each of its bytes as a tiny one, and large ones are not worth less and less without end.
 */
const ROUND_TRIP_BYTES = 4096

/** `enough`: memory is below the limit. `more`: time was up, keys to evict are left. `full`: there is nothing to evict. */
export type Room = 'enough' | 'more' | 'full'

/** Keeps memory below `maxmemory` by deleting keys, chosen by `maxmemory-policy`. */
export class Eviction {
  evictedCount = 0
  /** What counts as used beside the heap: buffers, tables. */
  otherBytes: () => number = () => 0
  /** What the adaptive policies know; null under others. */
  adaptive: AdaptivePolicy | null = null
  readonly #store: Store
  readonly #settings: EvictionSettings
  readonly #candidates = new Candidates()
  #policyName: EvictionSettings['maxmemoryPolicy'] = 'noeviction'
  #order: VictimOrder | null = null
  #isVolatile = false
  #otherBytesCounted = 0
  #questionCount = 0
  /** Where the policies that pick at random go on. */
  #nextDatabase = 0
  /** The database that is being sampled. */
  #sampled!: Database

  constructor(store: Store, settings: EvictionSettings) {
    this.#store = store
    this.#settings = settings
  }

  /** Memory of the policy's own tables. */
  get sizeBytes(): number {
    return this.adaptive === null ? 0 : this.adaptive.sizeBytes
  }

  /** To be called when a setting has changed that says how accesses are marked or victims chosen. */
  applySettings(): void {
    const store = this.#store
    const { maxmemoryPolicy, lfuLogFactor, lfuDecayTime } = this.#settings
    const isNew = maxmemoryPolicy !== this.#policyName
    this.#policyName = maxmemoryPolicy
    this.#isVolatile = maxmemoryPolicy.startsWith('volatile-')
    this.#candidates.clear()
    const [, order] = maxmemoryPolicy.split('-')
    // Going from one to the other adaptive policy, or setting the same one again, nothing learnt is lost.
    if (order !== 'adaptive') this.adaptive = null
    if (order !== 'lfu') store.accessFrequency = null
    switch (order) {
      case 'lru':
        store.marker = null
        this.#order = new LruOrder(store)
        break
      case 'lfu': {
        const frequency = new AccessFrequency(lfuLogFactor, lfuDecayTime, store.random)
        store.accessFrequency = frequency
        store.marker = new FrequencyMarker(frequency, store)
        this.#order = new LfuOrder(store, frequency)
        break
      }
      case 'ttl':
        store.marker = null
        this.#order = new TtlOrder(store)
        break
      case 'fifo': {
        if (!isNew) break
        const arrivals = new ArrivalOrder()
        store.marker = arrivals
        this.#order = new FifoOrder(store, arrivals)
        break
      }
      case 'adaptive':
        this.adaptive ??= new AdaptivePolicy(
          () => this.#evictableCount,
          (handle) => store.hashOf(handle),
        )
        store.marker = this.adaptive
        this.#order = new AdaptiveOrder(store, this.adaptive)
        break
      default:
        store.marker = null
        this.#order = null
    }
  }

  get #evictableCount(): number {
    const { databases } = this.#store
    return databases.reduce((sum, { count, expires }) => sum + (this.#isVolatile ? expires.count : count), 0)
  }

  // ---- The limit ----

  /** Bytes above the limit, or below 0. O(1) but for what `otherBytes` costs. */
  get excessBytes(): number {
    this.countOtherBytes()
    return this.#excessByLastCount
  }

  /** Otherwise done every now and then only. */
  countOtherBytes(): void {
    this.#otherBytesCounted = this.otherBytes()
  }

  /** What is beside the keys has become less: the next question counts it, so that no key goes for what is gone already. */
  countOtherBytesSoon(): void {
    this.#questionCount = -1
  }

  get #excessByLastCount(): number {
    return this.#store.heap.usedBytes + this.#otherBytesCounted - this.#settings.maxmemory
  }

  /** Whether memory is above the limit, there being one. hot: once for each command while there is. */
  get isOver(): boolean {
    return (++this.#questionCount & RECOUNT_MASK) === 0 ? this.excessBytes > 0 : this.#excessByLastCount > 0
  }

  /**
   * Deletes keys until memory is below the limit, by the last count of what is beside the keys, there is none left to
   * delete, or `isOutOfTime` says so. Not to be called while a command runs: handles become invalid.
   * hot: in a full cache, once for each write.
   */
  makeRoom(isOutOfTime: () => boolean): Room {
    if (this.#settings.maxmemory === 0 || this.#excessByLastCount <= 0) return 'enough'
    const { lazyFree } = this.#store
    for (let evicted = 1; ; evicted++) {
      // What was deleted before is given back first: it may be enough.
      while (lazyFree.pendingCount > 0 && this.#excessByLastCount > 0) {
        lazyFree.run(AFTER_ONE_STEP)
        if (this.#settings.lazyfreeLazyEviction && isOutOfTime()) return 'more'
      }
      if (this.#excessByLastCount <= 0) return 'enough'
      if (this.#store.guard?.freeDeleted()) continue
      if (evicted % KEYS_PER_STEP === 0) {
        if (this.#countAgain() <= 0) return 'enough'
        if (isOutOfTime()) return 'more'
      }
      if (!this.#evictOne()) return this.excessBytes <= 0 ? 'enough' : 'full'
    }
  }

  /** Excess, as it was found at first or less: that others hear of evictions, and buffers grow by it, is no reason for more. */
  #countAgain(): number {
    this.#otherBytesCounted = Math.min(this.#otherBytesCounted, this.otherBytes())
    return this.#excessByLastCount
  }

  #evictOne(): boolean {
    if (this.#policyName === 'noeviction') return false
    if (this.#order === null) return this.#evictRandom()
    this.#gatherCandidates(this.#order)
    return this.#evictLowest(this.#order)
  }

  // ---- Choosing ----

  #evictRandom(): boolean {
    const store = this.#store
    const { databases } = store
    for (let tried = 0; tried < databases.length; tried++) {
      const database = databases[this.#nextDatabase++ % databases.length]
      if (this.#isVolatile ? database.expires.count === 0 : database.count === 0) continue
      const handle = this.#isVolatile ? database.expires.random(store.random) : database.dict.random(store.random)
      this.#evict(database, handle, store.hashOf(handle))
      return true
    }
    return false
  }

  /** Looks at some keys of each database. */
  #gatherCandidates(order: VictimOrder): void {
    const store = this.#store
    if (order.ranksDrift) this.#rankAgain(order)
    this.#offerNewest(order)
    const sampleCount = order.sampleCount ?? this.#settings.maxmemorySamples
    const { databases } = store
    for (let index = 0; index < databases.length; index++) {
      const database = databases[index]
      if (database.count === 0) continue
      const { dict, expires } = database
      this.#sampled = database
      if (this.#isVolatile) {
        // Of few keys all are looked at, so that nothing is left to chance.
        if (expires.count <= sampleCount) expires.forEach(this.#offerUnhashed)
        else for (let left = sampleCount; left > 0; left--) this.#offerUnhashed(expires.random(store.random))
      } else if (database.count <= sampleCount) {
        dict.forEach(this.#offer)
      } else {
        for (let left = sampleCount; left > 0; left -= RUN_LENGTH) {
          dict.sample(Math.min(left, RUN_LENGTH), store.random, this.#offer)
        }
      }
    }
  }

  /** The key that came last is a candidate always: while a scan passes, it is the best one. */
  #offerNewest(order: VictimOrder): void {
    const { adaptive } = this
    if (adaptive === null || !order.ranksDrift) return
    const database = this.#store.databases[adaptive.newestDatabase]
    if (!has(database, adaptive.newestHash, adaptive.newestHandle)) return
    if (this.#isVolatile && !this.#store.records.hasExpiry(adaptive.newestHandle)) return
    this.#sampled = database
    this.#offer(adaptive.newestHandle, adaptive.newestHash)
  }

  readonly #offer = (handle: Handle, hash: number): void => {
    const order = this.#order!
    const mark = order.markOf(handle)
    const weight = order.weighsSize ? this.#weightOf(handle) : 1
    this.#candidates.offer(this.#sampled.index, hash | 0, handle, mark, weight, order.rankOf(mark) * weight)
  }

  readonly #offerUnhashed = (handle: Handle): void => this.#offer(handle, this.#store.hashOf(handle))

  #rankAgain(order: VictimOrder): void {
    const { ranks, marks, weights, count } = this.#candidates
    for (let place = 0; place < count; place++) ranks[place] = order.rankOf(marks[place]) * weights[place]
  }

  /** What a hit of this key saves, for each byte that the key takes: see ROUND_TRIP_BYTES. */
  #weightOf(handle: Handle): number {
    const { heap, records } = this.#store
    const valueType = records.type(handle)
    // A stream would have to be walked to know its size; it is at least a whole node, and counts as large.
    const referredBytes =
      valueType === types.STREAM ? ROUND_TRIP_BYTES : typeOperations[valueType].referredBytes(this.#store, handle)
    return 1 + ROUND_TRIP_BYTES / (heap.blockBytes(handle) + referredBytes)
  }

  /** Evicts the candidate that ranks lowest of those that are still what they were. */
  #evictLowest(order: VictimOrder): boolean {
    const candidates = this.#candidates
    const { databases } = this.#store
    for (;;) {
      const place = candidates.lowest()
      if (place < 0) {
        // Every candidate was used or deleted since, which the next sample makes up for.
        if (this.#evictableCount === 0) return false
        this.#gatherCandidates(order)
        continue
      }
      const database = databases[candidates.databases[place]]
      const handle = candidates.handles[place]
      const hash = candidates.hashes[place]
      const mark = candidates.marks[place]
      candidates.remove(place)
      if (!has(database, hash, handle) || order.markOf(handle) !== mark) continue
      if (this.#isVolatile && !this.#store.records.hasExpiry(handle)) continue
      this.#evict(database, handle, hash)
      return true
    }
  }

  #evict(database: Database, handle: Handle, hash: number): void {
    this.adaptive?.evicted(this.#store.records.access(handle), hash)
    this.evictedCount++
    database.evict(handle, hash)
  }
}

const AFTER_ONE_STEP = () => true

/** Whether a handle is that of a key with this hash. */
function has(database: Database, hash: number, handle: Handle): boolean {
  if (handle === NONE) return false
  let found = database.dict.find(hash, NONE)
  while (found !== NONE && found !== handle) found = database.dict.find(hash, found)
  return found === handle
}
