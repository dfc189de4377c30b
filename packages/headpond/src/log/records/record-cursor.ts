import { RecordFormatError } from './record.ts'

/**
 * Walks the records of a batch (decompressed) without making an object for any of them. Each record, with all numbers
 * as zigzag varints:
 *
 *   size | attributes (1 byte, unused) | timestampDelta | offsetDelta
 *   | keySize (-1: null) | key | valueSize (-1: null) | value | headerCount | headers: keySize | key | valueSize | value
 *
 * Positions are in `bytes`; a start of -1 says null. Throws a RecordFormatError on anything that does not fit.
 */
export class RecordCursor {
  readonly bytes: Uint8Array
  /** Where the current record begins and ends, its size field included. */
  start: number
  end: number
  timestampDelta = 0
  offsetDelta = 0
  /** What follows is the same whatever the batch's base timestamp. */
  offsetDeltaAt = 0
  keyStart = -1
  keyEnd = -1
  valueStart = -1
  valueEnd = -1
  headerCount = 0
  /** Where the first header begins. */
  headersAt = 0

  readonly #endOfRecords: number
  #at = 0
  #limit = 0
  #indexNext = 0

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes
    this.start = start
    this.end = start
    this.#endOfRecords = end
  }

  /** Whether all bytes are used up. */
  get isAtEnd(): boolean {
    return this.end === this.#endOfRecords
  }

  /** Goes to the next record. O(its headers). */
  next(): void {
    this.start = this.#at = this.end
    this.#limit = this.#endOfRecords
    this.#indexNext++
    const sizeBytes = this.#varint()
    if (sizeBytes < 0 || sizeBytes > this.#endOfRecords - this.#at) this.#fail('its size is beyond the batch')
    this.#limit = this.end = this.#at + sizeBytes

    if (this.#at === this.#limit) this.#fail('it is empty')
    this.#at++
    this.timestampDelta = this.#varlong()
    this.offsetDeltaAt = this.#at
    this.offsetDelta = this.#varint()
    this.keyStart = this.#field()
    this.keyEnd = this.#at
    this.valueStart = this.#field()
    this.valueEnd = this.#at
    this.headerCount = this.#varint()
    if (this.headerCount < 0) this.#fail('a negative number of headers')
    this.headersAt = this.#at
    for (let i = 0; i < this.headerCount; i++) {
      if (this.#field() < 0) this.#fail('a header without a key')
      this.#field()
    }
    if (this.#at !== this.#limit) this.#fail('its size is not that of its parts')
  }

  /** Calls with key and value of each header of the current record; a value's start of -1 says null. */
  eachHeader(visit: (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void): void {
    this.#at = this.headersAt
    this.#limit = this.end
    for (let i = 0; i < this.headerCount; i++) {
      const keyStart = this.#field()
      const keyEnd = this.#at
      const valueStart = this.#field()
      visit(keyStart, keyEnd, valueStart, this.#at)
    }
  }

  /** Steps over a size and as many bytes; where they begin, or -1 for null. */
  #field(): number {
    const sizeBytes = this.#varint()
    if (sizeBytes === -1) return -1
    if (sizeBytes < 0 || sizeBytes > this.#limit - this.#at) this.#fail('a field beyond its end')
    const start = this.#at
    this.#at += sizeBytes
    return start
  }

  #varint(): number {
    let raw = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= this.#limit) this.#fail('a number beyond its end')
      const byte = this.bytes[this.#at++]
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
    this.#fail('a number of more than 32 bits')
  }

  #varlong(): number {
    let raw = 0
    let isOdd = false
    for (let scale = 1, count = 0; count < 10; count++, scale *= 128) {
      if (this.#at >= this.#limit) this.#fail('a number beyond its end')
      const byte = this.bytes[this.#at++]
      // The lowest bit is the sign: it is set aside, so that numbers beyond 2^53 cannot round it away.
      if (count === 0) {
        isOdd = (byte & 1) === 1
        raw = (byte & 0x7f) >> 1
      } else raw += (byte & 0x7f) * (scale / 2)
      if (byte < 0x80) return isOdd ? -raw - 1 : raw
    }
    this.#fail('a number of more than 64 bits')
  }

  #fail(what: string): never {
    throw new RecordFormatError(`record ${this.#indexNext - 1} of the batch: ${what}`)
  }
}
