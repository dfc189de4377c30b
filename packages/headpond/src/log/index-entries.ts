/** One for all indexes that are empty. */
const NO_BYTES = Buffer.alloc(0)

/** The entries of an index of a segment, in memory as in its file: all of one size, ascending, and added at the end. */
export class IndexEntries {
  /** Entry n begins at n times the size of one; what is behind the last one is room for more. */
  bytes: Buffer
  count: number
  readonly #entryBytes: number
  readonly #bytesMin: number

  constructor(bytes: Buffer | null, entryBytes: number, capacityMin: number) {
    this.bytes = bytes ?? NO_BYTES
    this.count = Math.floor(this.bytes.length / entryBytes)
    this.#entryBytes = entryBytes
    this.#bytesMin = entryBytes * capacityMin
  }

  /** Makes room for one more, and returns the byte where it is to be written. O(1) amortized. */
  add(): number {
    const at = this.count * this.#entryBytes
    if (at === this.bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#bytesMin, this.bytes.length * 2))
      this.bytes.copy(grown)
      this.bytes = grown
    }
    this.count++
    return at
  }

  /** The first entry that is beyond what is looked for; `count` when none is. O(log n). */
  firstBeyond(isBeyond: (entry: number) => boolean): number {
    let [low, high] = [0, this.count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBeyond(middle)) high = middle
      else low = middle + 1
    }
    return low
  }

  /** What the file holds. A view. */
  toBytes(): Buffer {
    return this.bytes.subarray(0, this.count * this.#entryBytes)
  }
}
