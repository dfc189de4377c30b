import { assert } from '../bytes/assert.ts'
import { KEPT_SHARE, keptWhole } from './offered-buffer.ts'
import { giveBuffer, ownCopy, takeBuffer } from './spare-buffers.ts'

/**
 * Values too large for a block of the heap, each a buffer of its own, so that they can go to a socket without a copy.
 * A record keeps the index of its value. A buffer may have room behind the value: the caller keeps its length.
 */
export class LargeValues {
  #buffers: (Uint8Array | null)[] = []
  #isLent: boolean[] = []
  #free: number[] = []
  #usedBytes = 0

  /** Bytes of the buffers, the room around the values included. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Bytes are undefined. O(1) beside the allocation itself. Throws RangeError when memory is refused. */
  allocate(sizeBytes: number): number {
    return this.add(takeBuffer(sizeBytes))
  }

  /** Keeps bytes[start, end): a copy, or the buffer itself that they are in when nobody writes to it any more. O(size). */
  keep(bytes: Uint8Array, start: number, end: number): number {
    const whole = keptWhole(bytes, start, end)
    if (whole !== null) return this.add(whole)
    const buffer = takeBuffer(end - start)
    buffer.set(bytes.subarray(start, end))
    return this.add(buffer)
  }

  /**
   * Takes the buffer over, with all of the memory that it is in: the caller must not write to it any more, and no other
   * buffer may lie there.
   */
  add(buffer: Uint8Array): number {
    assertAlone(buffer)
    this.#usedBytes += buffer.buffer.byteLength
    const index = this.#free.pop() ?? this.#buffers.length
    this.#buffers[index] = buffer
    this.#isLent[index] = false
    return index
  }

  get(index: number): Uint8Array {
    return this.#buffers[index]!
  }

  /** The buffer, for a reader that keeps it for a while (a socket): from now on it is not written in place. */
  lend(index: number): Uint8Array {
    this.#isLent[index] = true
    return this.#buffers[index]!
  }

  isLent(index: number): boolean {
    return this.#isLent[index]
  }

  /** The only reader that had it has done with it. */
  takeBack(index: number): void {
    this.#isLent[index] = false
  }

  /** The buffer to write in place: a copy takes the place of one that was lent. O(size) then, else O(1). */
  writable(index: number): Uint8Array {
    if (this.#isLent[index]) {
      const lent = this.#buffers[index]!
      this.replace(index, ownCopy(lent, 0, lent.length))
    }
    return this.#buffers[index]!
  }

  free(index: number): void {
    const buffer = this.#buffers[index]
    assert(buffer !== null && buffer !== undefined, 'free: not a live large value')
    this.#usedBytes -= buffer.buffer.byteLength
    this.#buffers[index] = null
    this.#free.push(index)
    if (!this.#isLent[index]) giveBuffer(buffer)
  }

  /** Puts another buffer in the place of one: for growing, and for writing to one that a reader still holds. */
  replace(index: number, buffer: Uint8Array): void {
    assertAlone(buffer)
    this.#usedBytes += buffer.buffer.byteLength - this.get(index).buffer.byteLength
    this.#buffers[index] = buffer
    this.#isLent[index] = false
  }

  reset(): void {
    this.#buffers = []
    this.#isLent = []
    this.#free = []
    this.#usedBytes = 0
  }
}

/**
 * When the value is gone its whole memory serves for another one. A part of Node's pool (64 KB from Node 24 on, for buffers
 * of up to half of that) would take the buffers of everybody else along.
 */
function assertAlone(buffer: Uint8Array): void {
  assert(buffer.length >= buffer.buffer.byteLength * KEPT_SHARE, 'a large value in memory that it does not fill')
}
