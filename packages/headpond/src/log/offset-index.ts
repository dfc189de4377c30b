/**
 * The sparse index of a segment, in memory and as the file `<base offset>.index`: entries of
 *
 *   int32 relative offset (of a batch's last record) | int32 position (where this batch begins)
 *
 * both ascending, one after each `index.interval.bytes` of the log. Everything up to an entry's offset begins at its
 * position or before.
 */
import { readInt32, writeInt32 } from './record-batch.ts'

export const OFFSET_INDEX_ENTRY_BYTES = 8
const CAPACITY_MIN = 64
/** One for all indexes that are empty. */
export const NO_BYTES = Buffer.alloc(0)

export class OffsetIndex {
  readonly baseOffset: number
  #bytes: Buffer
  #count: number

  constructor(baseOffset: number, bytes: Buffer = NO_BYTES) {
    this.baseOffset = baseOffset
    this.#bytes = bytes
    this.#count = Math.floor(bytes.length / OFFSET_INDEX_ENTRY_BYTES)
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  /** Of the last entry; the base offset when there is none. */
  get lastOffset(): number {
    return this.#count === 0 ? this.baseOffset : this.offsetAt(this.#count - 1)
  }

  get lastPosition(): number {
    return this.#count === 0 ? 0 : this.positionAt(this.#count - 1)
  }

  offsetAt(entry: number): number {
    return this.baseOffset + readInt32(this.#bytes, entry * OFFSET_INDEX_ENTRY_BYTES)
  }

  positionAt(entry: number): number {
    return readInt32(this.#bytes, entry * OFFSET_INDEX_ENTRY_BYTES + 4)
  }

  /** Ignored unless it is beyond the last entry. */
  append(offset: number, position: number): void {
    if (this.#count > 0 && offset <= this.lastOffset) return
    const at = this.#count * OFFSET_INDEX_ENTRY_BYTES
    if (at === this.#bytes.length) this.#bytes = grow(this.#bytes, OFFSET_INDEX_ENTRY_BYTES * CAPACITY_MIN)
    writeInt32(this.#bytes, at, offset - this.baseOffset)
    writeInt32(this.#bytes, at + 4, position)
    this.#count++
  }

  /** A position at or before the batch that contains `offset`. O(log n). */
  positionBefore(offset: number): number {
    let [low, high] = [0, this.#count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsetAt(middle) <= offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.positionAt(low - 1)
  }

  /** The last known beginning of a batch at or before `position`; 0 when none is known. O(log n). */
  batchStartBefore(position: number): number {
    let [low, high] = [0, this.#count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.positionAt(middle) <= position) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.positionAt(low - 1)
  }

  /** The next known beginning of a batch behind `position`; null when none is known. O(log n). */
  positionAfter(position: number): number | null {
    let [low, high] = [0, this.#count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.positionAt(middle) <= position) low = middle + 1
      else high = middle
    }
    return low === this.#count ? null : this.positionAt(low)
  }

  /** Forgets the entries of batches that begin at `position` or behind it. */
  truncate(position: number): void {
    while (this.#count > 0 && this.lastPosition >= position) this.#count--
  }

  /** What the file holds. A view. */
  toBytes(): Buffer {
    return this.#bytes.subarray(0, this.#count * OFFSET_INDEX_ENTRY_BYTES)
  }

  /** Whether every entry is beyond the one before it and within a log of `logBytes`. O(n). */
  isSane(logBytes: number): boolean {
    let [offset, position] = [this.baseOffset - 1, -1]
    for (let entry = 0; entry < this.#count; entry++) {
      if (this.offsetAt(entry) <= offset || this.positionAt(entry) <= position) return false
      offset = this.offsetAt(entry)
      position = this.positionAt(entry)
    }
    return this.#count === 0 || position < logBytes
  }
}

export function grow(bytes: Buffer, sizeBytesMin: number): Buffer {
  const grown = Buffer.alloc(Math.max(sizeBytesMin, bytes.length * 2))
  bytes.copy(grown)
  return grown
}
