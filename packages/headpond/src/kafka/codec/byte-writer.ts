/**
 * Writes the types of Kafka's protocol into one buffer, which it uses again for the next message. Records that a log
 * already holds are not copied: they stand as pieces of their own between what was written.
 */

/** Records up to here are copied: cheaper than a piece of their own. */
const COPIED_RECORDS_BYTES_MAX = 4096
/** A buffer that one large message has made grow is not kept. */
const KEPT_BYTES_MAX = 2 ** 20

const TWO_POW_32 = 2 ** 32
const INT64_MIN = -(2 ** 63)
const INT64_MAX = 2 ** 63

export type RecordsInput = Uint8Array | readonly Uint8Array[]

export class ByteWriter {
  #bytes: Buffer
  #at = 0
  /** Records that are sent as they are, and before which byte of the buffer. */
  #inserted: { at: number; bytes: Uint8Array }[] = []
  #insertedBytes = 0

  constructor(capacityBytes = 4096) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes)
  }

  /** Begins a new message; what was taken from the one before must not be in use any more. */
  reset(): this {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(4096)
    this.#at = 0
    this.#inserted = []
    this.#insertedBytes = 0
    return this
  }

  get sizeBytes(): number {
    return this.#at + this.#insertedBytes
  }

  /** The message as few buffers: copies of what was written, which the caller keeps, and the records themselves. */
  takePieces(): Uint8Array[] {
    if (this.#inserted.length === 0) return [Buffer.from(this.#bytes.subarray(0, this.#at))]
    const own = Buffer.from(this.#bytes.subarray(0, this.#at))
    const pieces: Uint8Array[] = []
    let at = 0
    for (const inserted of this.#inserted) {
      if (inserted.at > at) pieces.push(own.subarray(at, inserted.at))
      pieces.push(inserted.bytes)
      at = inserted.at
    }
    if (at < own.length) pieces.push(own.subarray(at))
    return pieces
  }

  /** The message as one buffer of its own. */
  take(): Buffer {
    const pieces = this.takePieces()
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
  }

  /** Writes over what stands `at` a byte already. */
  setInt32(at: number, value: number): void {
    this.#bytes.writeInt32BE(value, at)
  }

  /** Where so many bytes may be written. The buffer may be another one afterwards: look at it after this, not before. */
  #room(countBytes: number): number {
    const at = this.#at
    const neededBytes = at + countBytes
    if (neededBytes > this.#bytes.length) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(neededBytes, this.#bytes.length * 2))
      this.#bytes.copy(bytes, 0, 0, at)
      this.#bytes = bytes
    }
    this.#at = neededBytes
    return at
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.#room(1)
    this.#bytes[at] = value
  }

  int16(value: number): void {
    const at = this.#room(2)
    const bytes = this.#bytes
    bytes[at] = value >> 8
    bytes[at + 1] = value
  }

  uint16(value: number): void {
    this.int16(value)
  }

  int32(value: number): void {
    const at = this.#room(4)
    const bytes = this.#bytes
    bytes[at] = value >> 24
    bytes[at + 1] = value >> 16
    bytes[at + 2] = value >> 8
    bytes[at + 3] = value
  }

  uint32(value: number): void {
    this.int32(value | 0)
  }

  /** Beyond the range of 64 bits, its end. */
  int64(value: number): void {
    if (value >= INT64_MAX || value < INT64_MIN) {
      this.int32(value < 0 ? -0x80000000 : 0x7fffffff)
      this.int32(value < 0 ? 0 : -1)
      return
    }
    const whole = Math.trunc(value)
    const high = Math.floor(whole / TWO_POW_32)
    this.int32(high | 0)
    this.int32((whole - high * TWO_POW_32) | 0)
  }

  int64Exact(value: bigint): void {
    const at = this.#room(8)
    this.#bytes.writeBigInt64BE(BigInt.asIntN(64, value), at)
  }

  float64(value: number): void {
    const at = this.#room(8)
    this.#bytes.writeDoubleBE(value, at)
  }

  uuid(value: string): void {
    const at = this.#room(16)
    if (this.#bytes.write(value, at, 16, 'base64url') !== 16) throw new Error(`'${value}' is no uuid in base64url`)
  }

  uvarint(value: number): void {
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.int8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    this.int8(rest)
  }

  string(value: string): void {
    const sizeBytes = Buffer.byteLength(value)
    if (sizeBytes > 0x7fff) throw new Error(`a text of ${sizeBytes} bytes where the protocol has 32767 at most`)
    this.int16(sizeBytes)
    this.#text(value, sizeBytes)
  }

  stringOrNull(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  compactString(value: string): void {
    const sizeBytes = Buffer.byteLength(value)
    this.uvarint(sizeBytes + 1)
    this.#text(value, sizeBytes)
  }

  compactStringOrNull(value: string | null): void {
    if (value === null) this.uvarint(0)
    else this.compactString(value)
  }

  #text(value: string, sizeBytes: number): void {
    const at = this.#room(sizeBytes)
    this.#bytes.write(value, at, sizeBytes, 'utf8')
  }

  bytes(value: Uint8Array): void {
    this.int32(value.length)
    this.raw(value)
  }

  bytesOrNull(value: Uint8Array | null): void {
    if (value === null) this.int32(-1)
    else this.bytes(value)
  }

  compactBytes(value: Uint8Array): void {
    this.uvarint(value.length + 1)
    this.raw(value)
  }

  compactBytesOrNull(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0)
    else this.compactBytes(value)
  }

  /** Bytes as they are, copied. */
  raw(value: Uint8Array): void {
    const at = this.#room(value.length)
    this.#bytes.set(value, at)
  }

  /** Large records must stay as they are until the message is sent. */
  records(value: RecordsInput): void {
    this.int32(recordsSize(value))
    this.#records(value)
  }

  recordsOrNull(value: RecordsInput | null): void {
    if (value === null) this.int32(-1)
    else this.records(value)
  }

  compactRecords(value: RecordsInput): void {
    this.uvarint(recordsSize(value) + 1)
    this.#records(value)
  }

  compactRecordsOrNull(value: RecordsInput | null): void {
    if (value === null) this.uvarint(0)
    else this.compactRecords(value)
  }

  #records(value: RecordsInput): void {
    if (value instanceof Uint8Array) this.#insert(value)
    else for (const bytes of value) this.#insert(bytes)
  }

  #insert(bytes: Uint8Array): void {
    if (bytes.length <= COPIED_RECORDS_BYTES_MAX) return this.raw(bytes)
    this.#inserted.push({ at: this.#at, bytes })
    this.#insertedBytes += bytes.length
  }

  arrayLength(count: number): void {
    this.int32(count)
  }

  compactArrayLength(count: number): void {
    this.uvarint(count + 1)
  }

  isPresent(isPresent: boolean): void {
    this.int8(isPresent ? 1 : -1)
  }

  /** A tagged field, whose size stands before it: returns what `endTag` needs. */
  beginTag(tag: number): number {
    this.uvarint(tag)
    this.int8(0)
    return this.#at
  }

  endTag(startAt: number): void {
    const sizeBytes = this.#at - startAt
    if (sizeBytes < 0x80) {
      this.#bytes[startAt - 1] = sizeBytes
      return
    }
    // One byte was kept for the size, which is right almost always; else the field moves.
    const extraBytes = sizeBytes < 0x4000 ? 1 : sizeBytes < 0x200000 ? 2 : sizeBytes < 0x10000000 ? 3 : 4
    this.#room(extraBytes)
    this.#bytes.copyWithin(startAt + extraBytes, startAt, startAt + sizeBytes)
    const endAt = this.#at
    this.#at = startAt - 1
    this.uvarint(sizeBytes)
    this.#at = endAt
  }
}

function recordsSize(value: RecordsInput): number {
  if (value instanceof Uint8Array) return value.length
  let sizeBytes = 0
  for (const bytes of value) sizeBytes += bytes.length
  return sizeBytes
}
