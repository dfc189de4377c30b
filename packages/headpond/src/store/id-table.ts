import { type Handle, Heap, wordAt } from '../memory/heap.ts'
import type { StreamId } from './stream-id.ts'

/**
 * Rows of words in the order of the stream id that each begins with: the nodes of a stream, the pending entries of a
 * group, those of a consumer. The rows lie in blocks of the heap ("chunks") of up to ROWS_MAX; where the chunks are is
 * an array. Finding is two binary searches; adding and removing moves the rows of one chunk.
 *
 * A table has one cursor, at a row, which `find`, `seek` and `toFirst` place; `isAtRow` is false behind the last row and
 * before the first. What changes the table leaves the cursor at the row that was added, or that followed what was
 * removed.
 */
const ID_WORDS = 4
const ROWS_MIN = 2
const ROWS_MAX = 128
const WORD_BYTES = 4

export class IdTable {
  readonly #heap: Heap
  readonly #rowWords: number
  /** The chunks in order; none is empty. */
  #chunks: Handle[] = []
  #rowCounts: number[] = []
  #count = 0
  #chunk = 0
  #row = 0

  /** @param extraWords words of a row behind its id */
  constructor(heap: Heap, extraWords: number) {
    this.#heap = heap
    this.#rowWords = ID_WORDS + extraWords
  }

  get count(): number {
    return this.#count
  }

  get sizeBytes(): number {
    let sizeBytes = this.#chunks.length * 16
    for (const chunk of this.#chunks) sizeBytes += this.#heap.blockBytes(chunk)
    return sizeBytes
  }

  // ---- The cursor ----

  get isAtRow(): boolean {
    return this.#chunk >= 0 && this.#chunk < this.#chunks.length
  }

  toFirst(): boolean {
    this.#chunk = 0
    this.#row = 0
    return this.#count > 0
  }

  toLast(): boolean {
    this.#chunk = this.#chunks.length - 1
    this.#row = this.#chunk < 0 ? 0 : this.#rowCounts[this.#chunk] - 1
    return this.#count > 0
  }

  next(): boolean {
    if (++this.#row < this.#rowCounts[this.#chunk]) return true
    this.#row = 0
    return ++this.#chunk < this.#chunks.length
  }

  previous(): boolean {
    if (--this.#row >= 0) return true
    if (--this.#chunk < 0) return false
    this.#row = this.#rowCounts[this.#chunk] - 1
    return true
  }

  /** Goes to the first row whose id is not below `id`; false when there is none. */
  seek(id: StreamId): boolean {
    let low = 0
    let high = this.#chunks.length
    // The first chunk whose last row is not below.
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compareAt(middle, this.#rowCounts[middle] - 1, id) < 0) low = middle + 1
      else high = middle
    }
    this.#chunk = low
    this.#row = 0
    if (low === this.#chunks.length) return false
    let first = 0
    let end = this.#rowCounts[low]
    while (first < end) {
      const middle = (first + end) >>> 1
      if (this.#compareAt(low, middle, id) < 0) first = middle + 1
      else end = middle
    }
    this.#row = first
    return true
  }

  /** Goes to the last row whose id is not above `id`; false when there is none. */
  seekFloor(id: StreamId): boolean {
    if (this.seek(id) && this.#compareAt(this.#chunk, this.#row, id) === 0) return true
    if (this.#count === 0) return false
    return this.isAtRow ? this.previous() : this.toLast()
  }

  /** Goes to the row with this id. Returns whether there is one. */
  find(id: StreamId): boolean {
    return this.seek(id) && this.#compareAt(this.#chunk, this.#row, id) === 0
  }

  /** The id of the cursor's row. */
  readId(id: StreamId): StreamId {
    const words = this.#words(this.#chunk)
    const at = this.#wordAt(this.#chunk, this.#row)
    return id.setWords(words[at], words[at + 1], words[at + 2], words[at + 3])
  }

  /** A word of the cursor's row, counted from behind its id. */
  word(index: number): number {
    return this.#words(this.#chunk)[this.#wordAt(this.#chunk, this.#row) + ID_WORDS + index]
  }

  setWord(index: number, word: number): void {
    this.#words(this.#chunk)[this.#wordAt(this.#chunk, this.#row) + ID_WORDS + index] = word
  }

  /** All rows in order, one after the other, each its id and the words behind. */
  copyRows(): Uint32Array {
    const rows = new Uint32Array(this.#count * this.#rowWords)
    let at = 0
    for (let chunk = 0; chunk < this.#chunks.length; chunk++) {
      const from = this.#wordAt(chunk, 0)
      const length = this.#rowCounts[chunk] * this.#rowWords
      rows.set(this.#words(chunk).subarray(from, from + length), at)
      at += length
    }
    return rows
  }

  // ---- Changing ----

  /** Adds a row, its words undefined, and goes there. The id must not be there yet. O(log n + ROWS_MAX). */
  insert(id: StreamId): void {
    if (!this.seek(id)) this.#toEnd()
    this.#makeRoom()
    const chunk = this.#chunk
    const words = this.#words(chunk)
    const at = this.#wordAt(chunk, this.#row)
    const end = this.#wordAt(chunk, this.#rowCounts[chunk])
    if (at < end) words.copyWithin(at + this.#rowWords, at, end)
    words[at] = id.msHigh
    words[at + 1] = id.msLow
    words[at + 2] = id.seqHigh
    words[at + 3] = id.seqLow
    this.#rowCounts[chunk]++
    this.#count++
  }

  /** Takes the cursor's row out; the cursor stands on the one that followed. */
  remove(): void {
    const chunk = this.#chunk
    const rowCount = --this.#rowCounts[chunk]
    this.#count--
    if (rowCount === 0) {
      this.#heap.free(this.#chunks[chunk])
      this.#chunks.splice(chunk, 1)
      this.#rowCounts.splice(chunk, 1)
      this.#row = 0
      return
    }
    const words = this.#words(chunk)
    const at = this.#wordAt(chunk, this.#row)
    words.copyWithin(at, at + this.#rowWords, this.#wordAt(chunk, rowCount + 1))
    if (rowCount * 4 <= this.#capacity(chunk)) this.#shrink(chunk)
    if (this.#row === this.#rowCounts[this.#chunk]) {
      this.#row = 0
      this.#chunk++
    }
  }

  /** Frees up to `chunksMax` chunks from the end: for a table that nobody reads any more. Returns whether rows are left. */
  dismantle(chunksMax: number): boolean {
    for (let freed = 0; freed < chunksMax && this.#chunks.length > 0; freed++) {
      this.#heap.free(this.#chunks.pop()!)
      this.#count -= this.#rowCounts.pop()!
    }
    return this.#count > 0
  }

  /** A table with the same rows. */
  clone(): IdTable {
    const copy = new IdTable(this.#heap, this.#rowWords - ID_WORDS)
    for (const [chunk, rowCount] of this.#rowCounts.entries()) {
      const target = this.#heap.allocate(rowCount * this.#rowWords * WORD_BYTES)
      const from = this.#wordAt(chunk, 0)
      const source = this.#words(chunk).subarray(from, from + rowCount * this.#rowWords)
      this.#heap.arenaOf(target).u32.set(source, wordAt(target))
      copy.#chunks.push(target)
      copy.#rowCounts.push(rowCount)
    }
    copy.#count = this.#count
    return copy
  }

  // ---- Chunks ----

  #words(chunk: number): Uint32Array {
    return this.#heap.arenaOf(this.#chunks[chunk]).u32
  }

  #wordAt(chunk: number, row: number): number {
    return wordAt(this.#chunks[chunk]) + row * this.#rowWords
  }

  #capacity(chunk: number): number {
    const rows = Math.floor(this.#heap.blockBytes(this.#chunks[chunk]) / (this.#rowWords * WORD_BYTES))
    return Math.min(rows, ROWS_MAX)
  }

  #compareAt(chunk: number, row: number, id: StreamId): number {
    const words = this.#words(chunk)
    const at = this.#wordAt(chunk, row)
    if (words[at] !== id.msHigh) return words[at] - id.msHigh
    if (words[at + 1] !== id.msLow) return words[at + 1] - id.msLow
    if (words[at + 2] !== id.seqHigh) return words[at + 2] - id.seqHigh
    return words[at + 3] - id.seqLow
  }

  /** Goes behind the last row: into the last chunk, or into a new one when that is full. */
  #toEnd(): void {
    const last = this.#chunks.length - 1
    if (last < 0 || this.#rowCounts[last] === ROWS_MAX) {
      const added = this.#heap.allocate(ROWS_MIN * this.#rowWords * WORD_BYTES)
      if (last < 0) {
        // An array that is pushed to gets room for 17, which short tables never need.
        this.#chunks = [added]
        this.#rowCounts = [0]
      } else {
        this.#chunks.push(added)
        this.#rowCounts.push(0)
      }
      this.#chunk = last + 1
      this.#row = 0
    } else {
      this.#chunk = last
      this.#row = this.#rowCounts[last]
    }
  }

  /** Makes room for a row at the cursor, which stays there. */
  #makeRoom(): void {
    const chunk = this.#chunk
    const rowCount = this.#rowCounts[chunk]
    const capacity = this.#capacity(chunk)
    if (rowCount < capacity) return
    if (capacity < ROWS_MAX) return this.#resize(chunk, Math.min(capacity * 2, ROWS_MAX))
    // A full chunk gives its upper half to a new one.
    const kept = ROWS_MAX / 2
    const upper = this.#heap.allocate(ROWS_MAX * this.#rowWords * WORD_BYTES)
    const from = this.#wordAt(chunk, kept)
    const rows = this.#words(chunk).subarray(from, this.#wordAt(chunk, rowCount))
    this.#heap.arenaOf(upper).u32.set(rows, wordAt(upper))
    this.#chunks.splice(chunk + 1, 0, upper)
    this.#rowCounts[chunk] = kept
    this.#rowCounts.splice(chunk + 1, 0, rowCount - kept)
    if (this.#row > kept) {
      this.#chunk++
      this.#row -= kept
    }
  }

  /** Gives back what a chunk does not need, joining it with its neighbour if both are nearly empty. */
  #shrink(chunk: number): void {
    const next = chunk + 1
    if (next < this.#chunks.length && this.#rowCounts[chunk] + this.#rowCounts[next] <= ROWS_MAX / 2) {
      const rowCount = this.#rowCounts[chunk]
      this.#resize(chunk, rowCount + this.#rowCounts[next])
      const from = this.#wordAt(next, 0)
      const rows = this.#words(next).subarray(from, this.#wordAt(next, this.#rowCounts[next]))
      this.#words(chunk).set(rows, this.#wordAt(chunk, rowCount))
      this.#rowCounts[chunk] += this.#rowCounts[next]
      this.#heap.free(this.#chunks[next])
      this.#chunks.splice(next, 1)
      this.#rowCounts.splice(next, 1)
    } else {
      this.#resize(chunk, Math.max(this.#rowCounts[chunk], ROWS_MIN))
    }
  }

  #resize(chunk: number, rows: number): void {
    const sizeBytes = rows * this.#rowWords * WORD_BYTES
    const old = this.#chunks[chunk]
    if (Heap.classBytes(sizeBytes) === this.#heap.blockBytes(old)) return
    const from = wordAt(old)
    const kept = this.#heap.arenaOf(old).u32.subarray(from, from + this.#rowCounts[chunk] * this.#rowWords)
    const target = this.#heap.allocate(sizeBytes)
    this.#heap.arenaOf(target).u32.set(kept, wordAt(target))
    this.#heap.free(old)
    this.#chunks[chunk] = target
  }
}
