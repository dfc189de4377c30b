/**
 * Reads the types of Kafka's protocol, big-endian, from a part of a buffer. Whatever a stranger sent, it reads nothing
 * outside of that part: what does not fit is a MalformedMessage.
 */

/** 16 zero bytes: no id. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** What was sent is no message of that kind and version. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

const TWO_POW_32 = 2 ** 32
/** Up to here, one character at a time is quicker than asking Node. */
const SHORT_TEXT_BYTES = 24

export class ByteReader {
  /** Callers may move it within what is to be read. */
  at = 0
  #end = 0
  #bytes: Buffer = Buffer.alloc(0)

  /** Begins to read bytes[start, end). */
  open(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.at = start
    this.#end = end
    return this
  }

  get leftBytes(): number {
    return this.#end - this.at
  }

  #take(countBytes: number): number {
    const { at } = this
    if (countBytes > this.#end - at) {
      throw new MalformedMessage(`${countBytes} bytes expected where ${this.#end - at} are left`)
    }
    this.at = at + countBytes
    return at
  }

  bool(): boolean {
    return this.#bytes[this.#take(1)] !== 0
  }

  int8(): number {
    return (this.#bytes[this.#take(1)] << 24) >> 24
  }

  int16(): number {
    const at = this.#take(2)
    const bytes = this.#bytes
    return (((bytes[at] << 8) | bytes[at + 1]) << 16) >> 16
  }

  uint16(): number {
    return this.int16() & 0xffff
  }

  int32(): number {
    const at = this.#take(4)
    const bytes = this.#bytes
    return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  /** Exact up to 2^53 in either direction, beyond that the nearest double. Offsets, times and ids are all within. */
  int64(): number {
    const high = this.int32()
    return high * TWO_POW_32 + this.uint32()
  }

  int64Exact(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#take(8))
  }

  /** As people write it: 22 characters of base64url. */
  uuid(): string {
    const at = this.#take(16)
    const bytes = this.#bytes
    for (let index = at; index < at + 16; index++) {
      if (bytes[index] !== 0) return bytes.toString('base64url', at, at + 16)
    }
    return ZERO_UUID
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new MalformedMessage('a variable-length integer of more than 5 bytes')
  }

  string(): string {
    return this.stringOrNull() ?? refuseNull()
  }

  stringOrNull(): string | null {
    const sizeBytes = this.int16()
    return sizeBytes < 0 ? null : this.#text(sizeBytes)
  }

  compactString(): string {
    return this.compactStringOrNull() ?? refuseNull()
  }

  compactStringOrNull(): string | null {
    const sizeBytes = this.uvarint() - 1
    return sizeBytes < 0 ? null : this.#text(sizeBytes)
  }

  #text(sizeBytes: number): string {
    const at = this.#take(sizeBytes)
    const bytes = this.#bytes
    if (sizeBytes > SHORT_TEXT_BYTES) return bytes.toString('utf8', at, at + sizeBytes)
    let text = ''
    for (let index = at; index < at + sizeBytes; index++) {
      const byte = bytes[index]
      if (byte > 0x7f) return bytes.toString('utf8', at, at + sizeBytes)
      text += String.fromCharCode(byte)
    }
    return text
  }

  /** A copy, which the caller may keep. */
  bytes(): Buffer {
    return this.bytesOrNull() ?? refuseNull()
  }

  bytesOrNull(): Buffer | null {
    const view = this.recordsOrNull()
    return view === null ? null : Buffer.from(view)
  }

  compactBytes(): Buffer {
    return this.compactBytesOrNull() ?? refuseNull()
  }

  compactBytesOrNull(): Buffer | null {
    const view = this.compactRecordsOrNull()
    return view === null ? null : Buffer.from(view)
  }

  /** A view of what is read: valid only as long as the buffer is not used for something else. */
  records(): Buffer {
    return this.recordsOrNull() ?? refuseNull()
  }

  recordsOrNull(): Buffer | null {
    return this.#view(this.int32())
  }

  compactRecords(): Buffer {
    return this.compactRecordsOrNull() ?? refuseNull()
  }

  compactRecordsOrNull(): Buffer | null {
    return this.#view(this.uvarint() - 1)
  }

  #view(sizeBytes: number): Buffer | null {
    if (sizeBytes < 0) return null
    const at = this.#take(sizeBytes)
    return this.#bytes.subarray(at, at + sizeBytes)
  }

  /** How many elements follow, -1 for null. Each takes `elementBytesMin`, so that a count is believed only as far as it can be. */
  arrayLength(elementBytesMin: number): number {
    return this.#countOf(this.int32(), elementBytesMin)
  }

  compactArrayLength(elementBytesMin: number): number {
    return this.#countOf(this.uvarint() - 1, elementBytesMin)
  }

  #countOf(count: number, elementBytesMin: number): number {
    if (count * elementBytesMin > this.leftBytes) {
      throw new MalformedMessage(`an array of ${count} elements where ${this.leftBytes} bytes are left`)
    }
    return count
  }

  /** Null where the message has no null. */
  refuseNull(): never {
    refuseNull()
  }

  /** Whether a nullable structure is there. */
  isPresent(): boolean {
    return this.int8() >= 0
  }

  /** Passes over all tagged fields: those of a structure that knows none. */
  skipTags(): void {
    for (let count = this.uvarint(); count > 0; count--) {
      this.uvarint()
      this.#take(this.uvarint())
    }
  }

  /** Where a tagged field of `sizeBytes` ends. */
  tagEnd(sizeBytes: number): number {
    if (sizeBytes > this.leftBytes) {
      throw new MalformedMessage(`a tagged field of ${sizeBytes} bytes where ${this.leftBytes} are left`)
    }
    return this.at + sizeBytes
  }

  /** A tagged field has been read: it must have been as long as it said. */
  endTag(endAt: number): void {
    if (this.at !== endAt) throw new MalformedMessage('a tagged field is not as long as it says')
  }
}

function refuseNull(): never {
  throw new MalformedMessage('null where there must be a value')
}
