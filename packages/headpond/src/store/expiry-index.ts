import { type Handle, type Heap, wordAt } from '../memory/heap.ts'
import { NEVER, type Records } from './record.ts'

/**
 * The keys of one database that will expire, densely packed, so that the active expiry finds those that are due by
 * reading memory in order: about two nanoseconds a key, and none for a chunk whose earliest expiry lies ahead.
 *
 * An entry is two words, a handle and a coarse due time; the record holds the exact time and the entry's slot, so an
 * entry is added and removed in O(1), the last one taking the place of the one removed.
 *
 * Due times are in ticks of 64 ms since the index's first use: 32 bits reach eight years. What lies beyond is
 * kept at the last tick, and found by looking at the record.
 */
const TICK_MS = 64
const TICK_MAX = 2 ** 32 - 1
const CHUNK_BYTES = 32768
const ENTRY_WORDS = 2
const CHUNK_SHIFT = 12
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT

export class ExpiryIndex {
  readonly #heap: Heap
  readonly #records: Records
  #chunks: Handle[] = []
  /** By chunk, no entry of it is due before. */
  #earliestTicks: number[] = []
  #count = 0
  #epochMs = NEVER
  #cursor = 0
  #expireSumMs = 0

  constructor(records: Records) {
    this.#heap = records.heap
    this.#records = records
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#chunks.length * CHUNK_BYTES
  }

  /** The mean time to live of the keys, for INFO. O(1). */
  averageTtlMs(nowMs: number): number {
    return this.#count === 0 ? 0 : Math.max(0, Math.round(this.#expireSumMs / this.#count - nowMs))
  }

  /** Enters a record whose expiry is already set in it. O(1). */
  add(handle: Handle): void {
    const expireAtMs = this.#records.expireAtMs(handle)
    if (this.#epochMs === NEVER) this.#epochMs = expireAtMs - 3_600_000
    const slot = this.#count++
    if (slot >>> CHUNK_SHIFT === this.#chunks.length) {
      this.#chunks.push(this.#heap.allocate(CHUNK_BYTES))
      this.#earliestTicks.push(TICK_MAX)
    }
    this.#expireSumMs += expireAtMs
    this.#put(slot, handle, this.#tickOf(expireAtMs))
    this.#records.setExpirySlot(handle, slot)
  }

  /** Takes out a record, before its expiry is changed or removed in it. O(1). */
  remove(handle: Handle): void {
    const slot = this.#records.expirySlot(handle)
    this.#expireSumMs -= this.#records.expireAtMs(handle)
    const last = --this.#count
    if (slot !== last) {
      const words = this.#wordsOf(last)
      const at = this.#at(last)
      const moved = words[at]
      this.#put(slot, moved, words[at + 1])
      this.#records.setExpirySlot(moved, slot)
    }
    if (last % CHUNK_ENTRIES === 0) {
      this.#heap.free(this.#chunks.pop()!)
      this.#earliestTicks.pop()
    }
  }

  /** A record moved to another block: its expiry and slot went with it. O(1). */
  moved(handle: Handle): void {
    const slot = this.#records.expirySlot(handle)
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
    while (looked < entryCountMax && expired < expireCountMax && looked < roundEntries && this.#count > 0) {
      if (this.#cursor >= this.#count) this.#cursor = 0
      const chunk = this.#cursor >>> CHUNK_SHIFT
      const chunkStart = chunk << CHUNK_SHIFT
      if (this.#earliestTicks[chunk] > nowTick) {
        looked += Math.min(chunkStart + CHUNK_ENTRIES, this.#count) - this.#cursor
        this.#cursor = chunkStart + CHUNK_ENTRIES
        continue
      }
      const words = this.#wordsOf(chunkStart)
      const wholeChunk = this.#cursor === chunkStart
      let earliest = TICK_MAX
      let slot = this.#cursor
      while (slot < Math.min(chunkStart + CHUNK_ENTRIES, this.#count) && expired < expireCountMax) {
        const at = this.#at(slot)
        const tick = words[at + 1]
        if ((tick <= nowTick || tick === TICK_MAX) && this.#records.expireAtMs(words[at]) <= nowMs) {
          expire(words[at]) // the last entry is now at this slot
          expired++
          continue
        }
        if (tick < earliest) earliest = tick
        looked++
        slot++
      }
      const reachedEnd = slot >= Math.min(chunkStart + CHUNK_ENTRIES, this.#count)
      if (wholeChunk && reachedEnd && chunk < this.#chunks.length) this.#earliestTicks[chunk] = earliest
      this.#cursor = slot
    }
    return { looked, expired }
  }

  /** A record picked uniformly; the index must not be empty. O(1). */
  random(random: () => number): Handle {
    const slot = Math.floor(random() * this.#count)
    return this.#wordsOf(slot)[this.#at(slot)]
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
    const chunk = slot >>> CHUNK_SHIFT
    if (tick < this.#earliestTicks[chunk]) this.#earliestTicks[chunk] = tick
  }

  #wordsOf(slot: number): Uint32Array {
    return this.#heap.arenaOf(this.#chunks[slot >>> CHUNK_SHIFT]).u32
  }

  #at(slot: number): number {
    return wordAt(this.#chunks[slot >>> CHUNK_SHIFT]) + (slot & (CHUNK_ENTRIES - 1)) * ENTRY_WORDS
  }
}
