/**
 * The times of a segment, in memory and as the file `<base offset>.timeindex`: entries of
 *
 *   int64 timestamp | int32 relative offset
 *
 * which say: up to this offset no record is younger than this timestamp. Both ascend.
 */
import { grow, NO_BYTES } from './offset-index.ts'
import { readInt32, readInt64, writeInt32, writeInt64 } from './record-batch.ts'

export const TIME_INDEX_ENTRY_BYTES = 12
const CAPACITY_MIN = 32

export class TimeIndex {
  readonly baseOffset: number
  #bytes: Buffer
  #count: number

  constructor(baseOffset: number, bytes: Buffer = NO_BYTES) {
    this.baseOffset = baseOffset
    this.#bytes = bytes
    this.#count = Math.floor(bytes.length / TIME_INDEX_ENTRY_BYTES)
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  /** -1 when there is none. */
  get lastTimestampMs(): number {
    return this.#count === 0 ? -1 : this.timestampAt(this.#count - 1)
  }

  get lastOffset(): number {
    return this.#count === 0 ? this.baseOffset : this.offsetAt(this.#count - 1)
  }

  timestampAt(entry: number): number {
    return readInt64(this.#bytes, entry * TIME_INDEX_ENTRY_BYTES)
  }

  offsetAt(entry: number): number {
    return this.baseOffset + readInt32(this.#bytes, entry * TIME_INDEX_ENTRY_BYTES + 8)
  }

  /** Ignored unless it is younger than the last entry. */
  append(timestampMs: number, offset: number): void {
    if (timestampMs <= this.lastTimestampMs || (this.#count > 0 && offset < this.lastOffset)) return
    const at = this.#count * TIME_INDEX_ENTRY_BYTES
    if (at === this.#bytes.length) this.#bytes = grow(this.#bytes, TIME_INDEX_ENTRY_BYTES * CAPACITY_MIN)
    writeInt64(this.#bytes, at, timestampMs)
    writeInt32(this.#bytes, at + 8, offset - this.baseOffset)
    this.#count++
  }

  /** An offset up to which all records are older than `timestampMs`. O(log n). */
  offsetBefore(timestampMs: number): number {
    let [low, high] = [0, this.#count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timestampAt(middle) < timestampMs) low = middle + 1
      else high = middle
    }
    return low === 0 ? this.baseOffset : this.offsetAt(low - 1)
  }

  /** Forgets what is said of `offset` and what follows. */
  truncate(offset: number): void {
    while (this.#count > 0 && this.lastOffset >= offset) this.#count--
  }

  /** What the file holds. A view. */
  toBytes(): Buffer {
    return this.#bytes.subarray(0, this.#count * TIME_INDEX_ENTRY_BYTES)
  }

  /** O(n). */
  isSane(): boolean {
    for (let entry = 1; entry < this.#count; entry++) {
      if (this.timestampAt(entry) <= this.timestampAt(entry - 1)) return false
      if (this.offsetAt(entry) < this.offsetAt(entry - 1)) return false
    }
    return this.#count === 0 || this.offsetAt(0) >= this.baseOffset
  }
}
