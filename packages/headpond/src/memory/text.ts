import { INTEGER_LENGTH_MAX, writeInteger } from '../bytes/integer.ts'

/**
 * Where the bytes of an element lie: bytes[start, end), valid until the next write to what holds it. One Text is filled
 * again and again, so that reading an element allocates nothing.
 */
export class Text {
  bytes: Uint8Array
  start = 0
  end = 0
  /** What an element that is kept as a number is written to. */
  readonly #digits = new Uint8Array(INTEGER_LENGTH_MAX)

  constructor() {
    this.bytes = this.#digits
  }

  get length(): number {
    return this.end - this.start
  }

  set(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
  }

  /** The decimal digits of a safe integer. */
  setInteger(value: number): void {
    this.set(this.#digits, 0, writeInteger(this.#digits, 0, value))
  }

  /** The decimal digits of a 64-bit integer. */
  setBigInteger(value: bigint): void {
    const text = String(value)
    for (let i = 0; i < text.length; i++) this.#digits[i] = text.charCodeAt(i)
    this.set(this.#digits, 0, text.length)
  }

  /** A copy of the bytes. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end))
  }
}
