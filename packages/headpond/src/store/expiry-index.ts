import { type Handle, type Heap, wordAt } from '../memory/heap.ts'
import { NEVER } from './record.ts'

/**
 * What will expire, densely packed: the keys of one database, the hashes of one database that have fields which expire,
 * or the fields of one large hash. Densely, so that the active expiry finds those that are due by
 * reading memory in order: about two nanoseconds an entry, and none for a chunk whose earliest expiry lies ahead.
 *
 * An entry is two words, a handle and a coarse due time; the block at the handle holds the exact time and the entry's
 * slot (where, ExpiryPlaces tells), so an entry is added and removed in O(1), the last one taking the place of the one removed.
 *
 * Due times are in ticks of 64 ms since the index's first use: 32 bits reach eight years. What lies beyond is
 * kept at the last tick, and found by looking at the record.
 */
const TICK_MS = 64
const TICK_MAX = 2 ** 32 - 1
const ENTRY_WORDS = 2
const ENTRY_BYTES = 8
const CHUNK_ENTRIES = 4096

/** Where the things that expire keep their exact time, and their slot in the index. */
export interface ExpiryPlaces {
  expireAtMs(handle: Handle): number
  expirySlot(handle: Handle): number
  setExpirySlot(handle: Handle, slot: number): void
}

export class ExpiryIndex {
  readonly #heap: Heap
  readonly #places: ExpiryPlaces
  readonly #chunkShift: number
  readonly #chunkEntries: number
  #chunks: Handle[] = []
  /** By chunk, no entry of it is due before. */
  #earliestTicks: number[] = []
  #count = 0
  #epochMs = NEVER
  #cursor = 0
  #expireSumMs = 0

  /** @param chunkEntries a power of two: small for an index of few entries. */
  constructor(heap: Heap, places: ExpiryPlaces, chunkEntries = CHUNK_ENTRIES) {
    this.#heap = heap
    this.#places = places
    this.#chunkEntries = chunkEntries
    this.#chunkShift = 31 - Math.clz32(chunkEntries)
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#chunks.length * this.#chunkEntries * ENTRY_BYTES
  }

  /** The mean time to live of the keys, for INFO. O(1). */
  averageTtlMs(nowMs: number): number {
    return this.#count === 0 ? 0 : Math.max(0, Math.round(this.#expireSumMs / this.#count - nowMs))
  }

  /** No entry is due before this moment. O(chunks). */
  get earliestAtMs(): number {
    let earliest = TICK_MAX
    for (const tick of this.#earliestTicks) earliest = Math.min(earliest, tick)
    return earliest === 0 ? 0 : this.#epochMs + earliest * TICK_MS
  }

  /** Enters a record whose expiry is already set in it. O(1). */
  add(handle: Handle): void {
    const expireAtMs = this.#places.expireAtMs(handle)
    if (this.#epochMs === NEVER) this.#epochMs = expireAtMs - 3_600_000
    const slot = this.#count++
    if (slot >>> this.#chunkShift === this.#chunks.length) {
      this.#chunks.push(this.#heap.allocate(this.#chunkEntries * ENTRY_BYTES))
      this.#earliestTicks.push(TICK_MAX)
    }
    this.#expireSumMs += expireAtMs
    this.#put(slot, handle, this.#tickOf(expireAtMs))
    this.#places.setExpirySlot(handle, slot)
  }

  /** Takes out a record, before its expiry is changed or removed in it. O(1). */
  remove(handle: Handle): void {
    const slot = this.#places.expirySlot(handle)
    this.#expireSumMs -= this.#places.expireAtMs(handle)
    const last = --this.#count
    if (slot !== last) {
      const words = this.#wordsOf(last)
      const at = this.#at(last)
      const moved = words[at]
      this.#put(slot, moved, words[at + 1])
      this.#places.setExpirySlot(moved, slot)
    }
    if (last % this.#chunkEntries === 0) {
      this.#heap.free(this.#chunks.pop()!)
      this.#earliestTicks.pop()
    }
  }

  /** A record moved to another block: its expiry and slot went with it. O(1). */
  moved(handle: Handle): void {
    const slot = this.#places.expirySlot(handle)
    this.#wordsOf(slot)[this.#at(slot)] = handle
  }

  /**
   * Looks at up to `entryCountMax` entries, going round, and calls `expire` for each that is due, which must remove it.
   * Returns how many entries were looked at; fewer than asked for when the round is complete.
   * @param expire called for at most `expireCountMax` records.
   */
  collectDue(
    nowMs: number,
    entryCountMax: number,
    expireCountMax: number,
    expire: (handle: Handle) => void,
  ): { looked: number; expired: number } {
    let looked = 0
    let expired = 0
    const nowTick = this.#tickOf(nowMs)
    const roundEntries = this.#count
    const firstSlot = this.#cursor
    let hasGoneRound = false
    while (looked < entryCountMax && expired < expireCountMax && looked + expired < roundEntries) {
      if (this.#cursor >= this.#count) {
        this.#cursor = 0
        hasGoneRound = true
      }
      const chunk = this.#cursor >>> this.#chunkShift
      const chunkStart = chunk << this.#chunkShift
      if (this.#earliestTicks[chunk] > nowTick) {
        looked += Math.min(chunkStart + this.#chunkEntries, this.#count) - this.#cursor
        this.#cursor = chunkStart + this.#chunkEntries
        continue
      }
      const words = this.#wordsOf(chunkStart)
      const wholeChunk = this.#cursor === chunkStart
      let earliest = TICK_MAX
      let slot = this.#cursor
      while (slot < Math.min(chunkStart + this.#chunkEntries, this.#count) && expired < expireCountMax) {
        const at = this.#at(slot)
        const tick = words[at + 1]
        if ((tick <= nowTick || tick === TICK_MAX) && this.#places.expireAtMs(words[at]) <= nowMs) {
          expire(words[at]) // the last entry is now at this slot
          expired++
          // Having gone round, that one was looked at already, and will be again.
          if (hasGoneRound && this.#count >= firstSlot) looked--
          continue
        }
        if (tick < earliest) earliest = tick
        looked++
        slot++
      }
      const reachedEnd = slot >= Math.min(chunkStart + this.#chunkEntries, this.#count)
      if (wholeChunk && reachedEnd && chunk < this.#chunks.length) this.#earliestTicks[chunk] = earliest
      this.#cursor = slot
    }
    return { looked, expired }
  }

  /** Lets the next `collectDue` begin at the start: a round in several calls is exact when it does not go round. */
  rewind(): void {
    this.#cursor = 0
  }

  /** A record picked uniformly; the index must not be empty. O(1). */
  random(random: () => number): Handle {
    const slot = Math.floor(random() * this.#count)
    return this.#wordsOf(slot)[this.#at(slot)]
  }

  /** Every record, in no order that means anything. The index must not change from within `visit`. O(n). */
  forEach(visit: (handle: Handle) => void): void {
    for (let slot = 0; slot < this.#count; slot++) visit(this.#wordsOf(slot)[this.#at(slot)])
  }

  clear(): void {
    for (const chunk of this.#chunks) this.#heap.free(chunk)
    this.forget()
  }

  /** Becomes empty without giving anything back: for when the whole heap is reset. */
  forget(): void {
    this.#chunks = []
    this.#earliestTicks = []
    this.#count = 0
    this.#cursor = 0
    this.#expireSumMs = 0
    this.#epochMs = NEVER
  }

  #tickOf(ms: number): number {
    return Math.min(Math.max(Math.floor((ms - this.#epochMs) / TICK_MS), 0), TICK_MAX)
  }

  #put(slot: number, handle: Handle, tick: number): void {
    const words = this.#wordsOf(slot)
    const at = this.#at(slot)
    words[at] = handle
    words[at + 1] = tick
    const chunk = slot >>> this.#chunkShift
    if (tick < this.#earliestTicks[chunk]) this.#earliestTicks[chunk] = tick
  }

  #wordsOf(slot: number): Uint32Array {
    return this.#heap.arenaOf(this.#chunks[slot >>> this.#chunkShift]).u32
  }

  #at(slot: number): number {
    return wordAt(this.#chunks[slot >>> this.#chunkShift]) + (slot & (this.#chunkEntries - 1)) * ENTRY_WORDS
  }
}
