/**
 * Bytes written one after the other into a buffer that doubles when it is full. Appending is O(1) on average.
 *
 * `bytes` and `length` may be read at any time, and written to through `reserve` by encoders that know how much room
 * they need at most; both change with the next append.
 */
export class GrowingBuffer {
  /** The written bytes are bytes[0, length); what lies behind is not defined. */
  bytes: Uint8Array
  length = 0

  constructor(capacityBytes = 256) {
    this.bytes = new Uint8Array(Math.max(capacityBytes, 16))
  }

  /** Makes room for `count` bytes after `length`, and returns `length`: write there, then add to it what was written. */
  reserve(count: number): number {
    const needed = this.length + count
    if (needed > this.bytes.length) this.#grow(needed)
    return this.length
  }

  /** Appends the low 8 bits of `byte`. */
  appendByte(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1)
    this.bytes[this.length++] = byte
  }

  /** Appends a copy of source[start, end). */
  append(source: Uint8Array, start = 0, end = source.length): void {
    const at = this.reserve(end - start)
    // Below some tens of bytes a loop is faster than the subarray that `set` asks for, and leaves no garbage.
    if (end - start < 64) for (let i = start; i < end; i++) this.bytes[at + i - start] = source[i]
    else this.bytes.set(source.subarray(start, end), at)
    this.length += end - start
  }

  /** Empties the buffer and keeps its room. */
  clear(): void {
    this.length = 0
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}
