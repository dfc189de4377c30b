/**
 * The times of a segment, in memory and as the file `<base offset>.timeindex`: entries of
 *
 *   int64 timestamp | int32 relative offset
 *
 * which say: up to this offset no record is younger than this timestamp. Both ascend.
 */
import { IndexEntries } from './index-entries.ts'
import { readInt32, readInt64, writeInt32, writeInt64 } from './record-batch.ts'

export const TIME_INDEX_ENTRY_BYTES = 12
const CAPACITY_MIN = 32

export class TimeIndex {
  readonly baseOffset: number
  readonly #entries: IndexEntries

  constructor(baseOffset: number, bytes: Buffer | null = null) {
    this.baseOffset = baseOffset
    this.#entries = new IndexEntries(bytes, TIME_INDEX_ENTRY_BYTES, CAPACITY_MIN)
  }

  get count(): number {
    return this.#entries.count
  }

  /** -1 when there is none. */
  get lastTimestampMs(): number {
    return this.count === 0 ? -1 : this.timestampAt(this.count - 1)
  }

  get lastOffset(): number {
    return this.count === 0 ? this.baseOffset : this.offsetAt(this.count - 1)
  }

  timestampAt(entry: number): number {
    return readInt64(this.#entries.bytes, entry * TIME_INDEX_ENTRY_BYTES)
  }

  offsetAt(entry: number): number {
    return this.baseOffset + readInt32(this.#entries.bytes, entry * TIME_INDEX_ENTRY_BYTES + 8)
  }

  /** Ignored unless it is younger than the last entry. */
  append(timestampMs: number, offset: number): void {
    if (timestampMs <= this.lastTimestampMs || (this.count > 0 && offset < this.lastOffset)) return
    const at = this.#entries.add()
    writeInt64(this.#entries.bytes, at, timestampMs)
    writeInt32(this.#entries.bytes, at + 8, offset - this.baseOffset)
  }

  /** An offset up to which all records are older than `timestampMs`. O(log n). */
  offsetBefore(timestampMs: number): number {
    const entry = this.#entries.firstBeyond((middle) => this.timestampAt(middle) >= timestampMs)
    return entry === 0 ? this.baseOffset : this.offsetAt(entry - 1)
  }

  /** Forgets what is said of `offset` and what follows. */
  truncate(offset: number): void {
    while (this.count > 0 && this.lastOffset >= offset) this.#entries.count--
  }

  /** What the file holds. A view. */
  toBytes(): Buffer {
    return this.#entries.toBytes()
  }

  /** O(n). */
  isSane(): boolean {
    for (let entry = 1; entry < this.count; entry++) {
      if (this.timestampAt(entry) <= this.timestampAt(entry - 1)) return false
      if (this.offsetAt(entry) < this.offsetAt(entry - 1)) return false
    }
    return this.count === 0 || this.offsetAt(0) >= this.baseOffset
  }
}
