import { offerBuffer, withdrawBuffer } from '../memory/offered-buffer.ts'
import { giveBuffer, SPARE_BYTES_MAX, takeBuffer } from '../memory/spare-buffers.ts'

/**
 * The bytes of a connection that are not consumed yet: the rest of a cut request, or requests behind one that waits.
 *
 * Memory follows what has arrived: a header that announces 512 MB is believed step by step. Taking from the front moves
 * a mark only, so that a long pipeline behind a blocked request costs the same for each request that is let through.
 */
export class InputCarry {
  #bytes: Buffer | null = null
  #askedBytes = 0
  #start = 0
  #end = 0
  #isOffered = false

  /** The bytes are in `buffer` from `start` to `end`, until the next `append`, `take` or `clear`. */
  get buffer(): Buffer | null {
    return this.#bytes
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  get sizeBytes(): number {
    return this.#end - this.#start
  }

  /** What of the buffer was asked for: the rest of it, for what may be read behind it and up to the next size, is lent. */
  get ownBytes(): number {
    return this.#bytes === null ? 0 : Math.max(this.#end, this.#askedBytes)
  }

  /**
   * Adds chunk[start, end) behind; with `expectedBytes`, the size that all of it is expected to have in the end.
   * Amortized O(n). False when there is no memory for it, or it would be more than positions of 32 bits can tell.
   */
  append(chunk: Uint8Array, start: number, end: number, expectedBytes: number): boolean {
    const neededBytes = this.#end - this.#start + end - start
    if (this.#bytes === null || this.#end + end - start > this.#bytes.length) {
      if (!this.#makeRoom(neededBytes, expectedBytes)) return false
    }
    this.#bytes!.set(chunk.subarray(start, end), this.#end)
    this.#end += end - start
    return true
  }

  /** Until the next `take` or `clear`, whoever consumes the bytes may keep the buffer. */
  offer(): void {
    if (this.#bytes!.length <= ROOMY_BYTES_MIN) return
    offerBuffer(this.#bytes!, this.#end)
    this.#isOffered = true
  }

  /** Forgets the first `countBytes`. */
  take(countBytes: number): void {
    const isKept = this.#wasKept()
    if (countBytes === 0 && !isKept) return
    this.#start += countBytes
    const leftBytes = this.#end - this.#start
    const sizeBytes = this.#bytes?.length ?? 0
    if (leftBytes === 0) this.#forget(isKept)
    else if (isKept || (sizeBytes > ROOMY_BYTES_MIN && leftBytes * 4 < sizeBytes)) this.#moveTo(leftBytes, isKept)
  }

  clear(): void {
    this.#forget(this.#wasKept())
  }

  #wasKept(): boolean {
    if (!this.#isOffered) return false
    this.#isOffered = false
    return !withdrawBuffer(this.#bytes!)
  }

  /** @param isKept somebody else has the buffer now */
  #forget(isKept: boolean): void {
    if (this.#bytes !== null && !isKept && this.#bytes.length >= SPARE_BYTES_MIN) giveBuffer(this.#bytes)
    this.#bytes = null
    this.#start = 0
    this.#end = 0
  }

  #makeRoom(neededBytes: number, expectedBytes: number): boolean {
    if (this.#bytes !== null && neededBytes <= this.#bytes.length && this.#start >= neededBytes / 2) {
      this.#bytes.copyWithin(0, this.#start, this.#end)
      this.#end -= this.#start
      this.#start = 0
      return true
    }
    const askedBytes =
      expectedBytes >= neededBytes
        ? Math.min(expectedBytes, neededBytes * BELIEVED_TIMES)
        : neededBytes + Math.floor(neededBytes / 2)
    return neededBytes <= CARRY_BYTES_MAX && this.#moveTo(Math.min(askedBytes, CARRY_BYTES_MAX), false)
  }

  #moveTo(askedBytes: number, isKept: boolean): boolean {
    const hasMoreRoom = askedBytes >= LARGE_BYTES_MIN && askedBytes <= SPARE_BYTES_MAX
    const bytes = allocate(hasMoreRoom ? askedBytes + (askedBytes >>> 3) : askedBytes)
    if (bytes === null) return false
    const sizeBytes = this.#end - this.#start
    if (this.#bytes !== null) {
      this.#bytes.copy(bytes, 0, this.#start, this.#end)
      this.#forget(isKept)
    }
    this.#bytes = bytes
    this.#askedBytes = askedBytes
    this.#end = sizeBytes
    return true
  }
}

/** How much of a large request room is made for, by what has arrived of it. What is not written to takes no memory. */
const BELIEVED_TIMES = 64
/** From here to the largest of the spares there is room for what is read behind a request: it would have to move all of it. */
const LARGE_BYTES_MIN = 2 ** 20
const CARRY_BYTES_MAX = 2 ** 31 - 1
/**
 * Long pipelines, and large requests, are cut at every read: one buffer goes from one connection that needs it to the next.
 * Fresh memory for each would cost more than all that is done with it: the system has to clear it, and the collector to find
 * it. **(measured)**: 256 KB at a time, it was half of the cost of appending to a log.
 */
const SPARE_BYTES_MIN = 2048
const READ_BYTES = 16384
/** Room for the rest of one read and the whole of the next: just above one read the next one is certain to be needed too. */
const ROOMY_BYTES_MIN = 2 * READ_BYTES

function allocate(sizeBytes: number): Buffer | null {
  try {
    if (sizeBytes < SPARE_BYTES_MIN) return Buffer.allocUnsafeSlow(sizeBytes)
    const neededBytes = sizeBytes <= READ_BYTES ? sizeBytes : Math.max(sizeBytes, ROOMY_BYTES_MIN)
    // It is needed for the length of a request only: what is there will do.
    return takeBuffer(neededBytes, 2 * neededBytes)
  } catch {
    return null
  }
}
