/**
 * The memory that holds the ends of all logs. Batches are copied into chunks; readers are handed views of them. A chunk is
 * only ever appended to, so what was handed out never changes. All chunks together have a limit: beyond it the oldest that
 * are written to their files are forgotten, and reads of what they held go to the files.
 *
 * A chunk that nobody was handed anything of is used again, which saves the system's zeroing of fresh memory (a third of
 * the cost of an append of large batches **(measured)**); the others are left to the garbage collector.
 */
const CHUNK_BYTES_MIN = 4096
export const CHUNK_BYTES_MAX = 2 ** 20
/** What is kept to be used again. */
const SPARE_BYTES_MAX = 8 * 2 ** 20
export const TAIL_BYTES_MAX = 32 * 2 ** 20

export interface TailChunk {
  readonly owner: TailOwner
  readonly bytes: Buffer
  /** The used part is bytes[0, length): whole batches. */
  length: number
  /** Where it begins in the segment. */
  readonly position: number
  /** Of its first batch. */
  readonly baseOffset: number
  /** Somebody has a view of it. */
  isShared: boolean
  /** The log does not use it any longer. */
  isForgotten: boolean
}

export interface TailOwner {
  /** Whether the file has everything that is in the oldest chunk. */
  isWrittenUpTo(position: number): boolean
  /** Forgets the oldest chunk. */
  dropOldestChunk(): void
}

export class TailMemory {
  /** Infinity: the logs have no files; chunks are theirs, and go with them. */
  readonly #maxBytes: number
  #heldBytes = 0
  /** The oldest first; before `#first` they are gone already. */
  #chunks: TailChunk[] = []
  #first = 0
  #forgottenCount = 0
  /** By size, which is a power of two; the size asked for last is the last. */
  readonly #spares = new Map<number, Buffer[]>()
  #spareBytes = 0

  constructor(maxBytes = TAIL_BYTES_MAX) {
    this.#maxBytes = maxBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * A chunk with room for a batch. Chunks of a log grow with it: an idle one holds little, a busy one few.
   * `previousBytes`: how large its last chunk was when it was full, else 0.
   */
  allocate(
    owner: TailOwner,
    position: number,
    baseOffset: number,
    batchBytes: number,
    previousBytes: number,
  ): TailChunk {
    const wanted = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, previousBytes * 2, powerOfTwoFrom(batchBytes)))
    const sizeBytes = Math.max(wanted, batchBytes)
    const bytes = this.#takeSpare(sizeBytes) ?? Buffer.allocUnsafeSlow(sizeBytes)
    const chunk = { owner, bytes, length: 0, position, baseOffset, isShared: false, isForgotten: false }
    this.#heldBytes += sizeBytes
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return chunk
    this.#chunks.push(chunk)
    if (this.#heldBytes > this.#maxBytes) this.#evict(chunk)
    return chunk
  }

  /** To be called when chunks have been written to their files. */
  trim(): void {
    if (this.#heldBytes > this.#maxBytes) this.#evict(null)
  }

  /** The log of these chunks is gone, or the part that they hold. */
  forget(chunks: readonly TailChunk[]): void {
    for (const chunk of chunks) {
      chunk.isForgotten = true
      this.#release(chunk)
    }
    if (this.#maxBytes === Number.POSITIVE_INFINITY) return
    this.#forgottenCount += chunks.length
    if (this.#forgottenCount * 2 > this.#chunks.length - this.#first) this.#sweep()
  }

  /** A chunk is not used any longer, but by those who were handed a part of it. */
  #release(chunk: TailChunk): void {
    const { bytes, isShared } = chunk
    this.#heldBytes -= bytes.length
    // What is larger was made for one batch.
    if (isShared || bytes.length > CHUNK_BYTES_MAX) return
    const spares = this.#spares.get(bytes.length)
    if (spares === undefined) this.#spares.set(bytes.length, [bytes])
    else spares.push(bytes)
    this.#spareBytes += bytes.length
    // Logs grow from size to size: what is kept is of the sizes that are asked for now.
    for (const [sizeBytes, unused] of this.#spares) {
      while (this.#spareBytes > SPARE_BYTES_MAX && unused.pop() !== undefined) this.#spareBytes -= sizeBytes
      if (this.#spareBytes <= SPARE_BYTES_MAX) return
    }
  }

  #takeSpare(sizeBytes: number): Buffer | null {
    const spares = this.#spares.get(sizeBytes)
    const spare = spares?.pop()
    if (spares === undefined || spare === undefined) return null
    this.#spares.delete(sizeBytes)
    this.#spares.set(sizeBytes, spares)
    this.#spareBytes -= sizeBytes
    return spare
  }

  #evict(newest: TailChunk | null): void {
    while (this.#heldBytes > this.#maxBytes && this.#first < this.#chunks.length) {
      const oldest = this.#chunks[this.#first]
      if (oldest === newest) break
      if (oldest.isForgotten) this.#forgottenCount--
      else {
        if (!oldest.owner.isWrittenUpTo(oldest.position + oldest.length)) break
        oldest.owner.dropOldestChunk()
        oldest.isForgotten = true
        this.#release(oldest)
      }
      this.#first++
    }
    if (this.#first > 64 && this.#first * 2 > this.#chunks.length) this.#sweep()
  }

  #sweep(): void {
    this.#chunks = this.#chunks.slice(this.#first).filter((chunk) => !chunk.isForgotten)
    this.#first = 0
    this.#forgottenCount = 0
  }
}

function powerOfTwoFrom(sizeBytes: number): number {
  return 2 ** (32 - Math.clz32(sizeBytes - 1))
}
