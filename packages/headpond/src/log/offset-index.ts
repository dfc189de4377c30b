/**
 * The sparse index of a segment, in memory and as the file `<base offset>.index`: entries of
 *
 *   int32 relative offset (of a batch's last record) | int32 position (where this batch begins)
 *
 * both ascending, one after each `index.interval.bytes` of the log. Everything up to an entry's offset begins at its
 * position or before.
 */
import { IndexEntries } from './index-entries.ts'
import { readInt32, writeInt32 } from './record-batch.ts'

export const OFFSET_INDEX_ENTRY_BYTES = 8
const CAPACITY_MIN = 64

export class OffsetIndex {
  readonly baseOffset: number
  readonly #entries: IndexEntries

  constructor(baseOffset: number, bytes: Buffer | null = null) {
    this.baseOffset = baseOffset
    this.#entries = new IndexEntries(bytes, OFFSET_INDEX_ENTRY_BYTES, CAPACITY_MIN)
  }

  get count(): number {
    return this.#entries.count
  }

  /** Of the last entry; the base offset when there is none. */
  get lastOffset(): number {
    return this.count === 0 ? this.baseOffset : this.offsetAt(this.count - 1)
  }

  get lastPosition(): number {
    return this.count === 0 ? 0 : this.positionAt(this.count - 1)
  }

  offsetAt(entry: number): number {
    return this.baseOffset + readInt32(this.#entries.bytes, entry * OFFSET_INDEX_ENTRY_BYTES)
  }

  positionAt(entry: number): number {
    return readInt32(this.#entries.bytes, entry * OFFSET_INDEX_ENTRY_BYTES + 4)
  }

  /** Ignored unless it is beyond the last entry. */
  append(offset: number, position: number): void {
    if (this.count > 0 && offset <= this.lastOffset) return
    const at = this.#entries.add()
    writeInt32(this.#entries.bytes, at, offset - this.baseOffset)
    writeInt32(this.#entries.bytes, at + 4, position)
  }

  /** A position at or before the batch that contains `offset`. O(log n). */
  positionBefore(offset: number): number {
    const entry = this.#entries.firstBeyond((middle) => this.offsetAt(middle) > offset)
    return entry === 0 ? 0 : this.positionAt(entry - 1)
  }

  /** The last known beginning of a batch at or before `position`; 0 when none is known. O(log n). */
  batchStartBefore(position: number): number {
    const entry = this.#entries.firstBeyond((middle) => this.positionAt(middle) > position)
    return entry === 0 ? 0 : this.positionAt(entry - 1)
  }

  /** The next known beginning of a batch behind `position`; null when none is known. O(log n). */
  positionAfter(position: number): number | null {
    const entry = this.#entries.firstBeyond((middle) => this.positionAt(middle) > position)
    return entry === this.count ? null : this.positionAt(entry)
  }

  /** Forgets the entries of batches that begin at `position` or behind it. */
  truncate(position: number): void {
    while (this.count > 0 && this.lastPosition >= position) this.#entries.count--
  }

  /** What the file holds. A view. */
  toBytes(): Buffer {
    return this.#entries.toBytes()
  }

  /** Whether every entry is beyond the one before it and within a log of `logBytes`. O(n). */
  isSane(logBytes: number): boolean {
    let [offset, position] = [this.baseOffset - 1, -1]
    for (let entry = 0; entry < this.count; entry++) {
      if (this.offsetAt(entry) <= offset || this.positionAt(entry) <= position) return false
      offset = this.offsetAt(entry)
      position = this.positionAt(entry)
    }
    return this.count === 0 || position < logBytes
  }
}
