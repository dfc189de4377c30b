/**
 * The two things that everything in an RDB file is made of: lengths and strings. Source: Redis's `rdb.c`.
 *
 * A length, by the two highest bits of its first byte:
 *
 *   00llllll                      6 bits
 *   01llllll llllllll             14 bits, big-endian
 *   10000000 + 4 bytes            32 bits, big-endian
 *   10000001 + 8 bytes            64 bits, big-endian
 *   11eeeeee                      no length: a string in encoding e follows
 *
 * A string is a length and so many bytes, or one of these encodings:
 *
 *   INT8   1 byte                 the decimal text of a signed integer, little-endian
 *   INT16  2 bytes
 *   INT32  4 bytes
 *   LZF    length of the data, length of the text, data
 */

import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import { INTEGER_LENGTH_MAX, parseInteger, writeInteger } from '../../bytes/integer.ts'
import { LZF_EXPANSION_MAX, lzfCompress, lzfDecompress } from '../../bytes/lzf.ts'
import type { Text } from '../../memory/text.ts'
import { RdbError, RdbTruncated } from './rdb-error.ts'

const LENGTH_14_BITS = 0x40
const LENGTH_32_BITS = 0x80
const LENGTH_64_BITS = 0x81
const ENCODED = 0xc0

const ENCODING_INT8 = 0
const ENCODING_INT16 = 1
const ENCODING_INT32 = 2
const ENCODING_LZF = 3

/** The longest text that may be a 32-bit integer: `-2147483648`. */
const INT32_LENGTH_MAX = 11

/** Texts up to this length are not worth compressing, and a gain below LZF_GAIN_MIN_BYTES is none, says Redis. */
const UNCOMPRESSED_LENGTH_MAX = 20
export const LZF_GAIN_MIN_BYTES = 4

const LENGTH_SIZE_BYTES_MAX = 9

/** Writes lengths and strings to a buffer, in the shortest form that Redis would choose. */
export class RdbWriter {
  readonly buffer: GrowingBuffer
  /** The setting `rdbcompression`: whether to try LZF on longer strings. */
  readonly compresses: boolean

  constructor(buffer: GrowingBuffer = new GrowingBuffer(), compresses = true) {
    this.buffer = buffer
    this.compresses = compresses
  }

  /** One that writes in the same way to another buffer. */
  into(buffer: GrowingBuffer): RdbWriter {
    return new RdbWriter(buffer, this.compresses)
  }

  writeByte(byte: number): void {
    this.buffer.appendByte(byte)
  }

  /** Bytes as they are, without a length. */
  writeBytes(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.buffer.append(bytes, start, end)
  }

  /** A length, or any unsigned safe integer. */
  writeLength(length: number): void {
    const at = this.buffer.reserve(LENGTH_SIZE_BYTES_MAX)
    this.buffer.length = putLength(this.buffer.bytes, at, length)
  }

  /** A length of 64 bits, unsigned: the halves of stream ids. */
  writeUnsigned64(value: bigint): void {
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return this.writeLength(Number(value))
    const at = this.buffer.reserve(LENGTH_SIZE_BYTES_MAX)
    const { bytes } = this.buffer
    bytes[at] = LENGTH_64_BITS
    putBigEndian32(bytes, at + 1, Number(value >> 32n))
    this.buffer.length = putBigEndian32(bytes, at + 5, Number(value & 0xffffffffn))
  }

  /** Milliseconds since 1970 in 64 bits, little-endian: expiries. */
  writeMilliseconds(ms: number): void {
    const at = this.buffer.reserve(8)
    const { bytes } = this.buffer
    const high = Math.floor(ms / 2 ** 32)
    for (let index = 0; index < 4; index++) {
      bytes[at + index] = ms >>> (8 * index)
      bytes[at + 4 + index] = high >>> (8 * index)
    }
    this.buffer.length = at + 8
  }

  /** An IEEE double, little-endian: scores of sorted sets. */
  writeDouble(value: number): void {
    const at = this.buffer.reserve(8)
    const { bytes } = this.buffer
    new DataView(bytes.buffer, bytes.byteOffset + at, 8).setFloat64(0, value, true)
    this.buffer.length = at + 8
  }

  /** bytes[start, end) as a string: as an integer if it is one, compressed if that helps, or as it is. O(n). */
  writeString(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = end - start
    if (length <= INT32_LENGTH_MAX && this.#tryInteger(parseInteger(bytes, start, end))) return
    if (this.compresses && length > UNCOMPRESSED_LENGTH_MAX && this.#tryLzf(bytes, start, end)) return
    this.writeLength(length)
    this.buffer.append(bytes, start, end)
  }

  /** What stands before a compressed string's bytes. */
  writeLzfHeader(dataLength: number, textLength: number): void {
    this.buffer.appendByte(ENCODED | ENCODING_LZF)
    this.writeLength(dataLength)
    this.writeLength(textLength)
  }

  /** False, with nothing written, unless `value` is an integer of 32 bits (NaN is none). */
  #tryInteger(value: number): boolean {
    if (value !== (value | 0)) return false
    let sizeBytes = 4
    let encoding = ENCODING_INT32
    if (value >= -0x80 && value <= 0x7f) {
      sizeBytes = 1
      encoding = ENCODING_INT8
    } else if (value >= -0x8000 && value <= 0x7fff) {
      sizeBytes = 2
      encoding = ENCODING_INT16
    }
    this.buffer.appendByte(ENCODED | encoding)
    for (let i = 0; i < sizeBytes; i++) this.buffer.appendByte(value >> (8 * i))
    return true
  }

  /** False, with nothing written, if compression does not gain enough. */
  #tryLzf(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    const room = length - LZF_GAIN_MIN_BYTES
    // The compressed length comes first and is not yet known: compress behind the longest header, then move up.
    const headerSizeMax = 1 + 2 * LENGTH_SIZE_BYTES_MAX
    const at = this.buffer.reserve(headerSizeMax + room)
    const target = this.buffer.bytes
    const dataAt = at + headerSizeMax
    const dataLength = lzfCompress(bytes, start, end, target, dataAt, dataAt + room)
    if (dataLength === 0) return false

    target[at] = ENCODED | ENCODING_LZF
    const textLengthAt = putLength(target, at + 1, dataLength)
    const headerEnd = putLength(target, textLengthAt, length)
    target.copyWithin(headerEnd, dataAt, dataAt + dataLength)
    this.buffer.length = headerEnd + dataLength
    return true
  }
}

/**
 * Reads lengths and strings from bytes[at, end). Never reads past the end, and never allocates more than the bytes can
 * justify, however damaged they are: then it throws an RdbError.
 */
export class RdbReader {
  /** Where the next read begins. */
  at: number
  readonly #bytes: Uint8Array
  readonly #end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#end = end
    this.at = start
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#end - this.at
  }

  readByte(): number {
    return this.#bytes[this.#take(1)]
  }

  /** The next `count` bytes: a view, valid as long as the reader's bytes are. */
  readBytes(count: number): Uint8Array {
    const start = this.#take(count)
    return this.#bytes.subarray(start, start + count)
  }

  /** An IEEE double, little-endian. */
  readDouble(): number {
    const start = this.#take(8)
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, 8).getFloat64(0, true)
  }

  /** A length, where no encoded string may stand. At most Number.MAX_SAFE_INTEGER: more is damage. */
  readLength(): number {
    const start = this.at
    const first = this.readByte()
    if (first >= ENCODED) throw new RdbError(`expected a length, found a string in encoding ${first & 0x3f}`, start)
    return this.#readLengthAfter(first)
  }

  /** A number of elements of which each takes so many bytes at least: never more than the bytes can justify. */
  readCount(elementBytesMin = 1): number {
    const count = this.readLength()
    const neededBytes = count * elementBytesMin
    if (neededBytes > this.left) {
      throw new RdbTruncated(`${count} elements where ${this.left} bytes are left`, this.at, neededBytes)
    }
    return count
  }

  /** A length of 64 bits, unsigned. */
  readUnsigned64(): bigint {
    if (this.left === 0 || this.#bytes[this.at] !== LENGTH_64_BITS) return BigInt(this.readLength())
    this.at++
    return (BigInt(this.#readBigEndian32()) << 32n) | BigInt(this.#readBigEndian32())
  }

  /**
   * The bytes of a string, whatever its encoding. A view of the reader's bytes where the string stands there as it is:
   * copy it if it is to stay.
   */
  readString(): Uint8Array {
    const start = this.at
    const first = this.readByte()
    if (first < ENCODED) return this.readBytes(this.#readLengthAfter(first))
    switch (first & 0x3f) {
      case ENCODING_INT8:
        return decimalText(this.#readSigned(1))
      case ENCODING_INT16:
        return decimalText(this.#readSigned(2))
      case ENCODING_INT32:
        return decimalText(this.#readSigned(4))
      case ENCODING_LZF:
        return this.#readLzf(start)
      default:
        throw new RdbError(`unknown string encoding ${first & 0x3f}`, start)
    }
  }

  /** As `readString`, telling in `text` where the bytes lie: allocates nothing unless they are compressed. */
  readText(text: Text): void {
    const first = this.readByte()
    if (first < ENCODED) {
      const length = this.#readLengthAfter(first)
      const start = this.#take(length)
      text.set(this.#bytes, start, start + length)
    } else if ((first & 0x3f) <= ENCODING_INT32) {
      text.setInteger(this.#readSigned(1 << (first & 0x3f)))
    } else {
      this.at--
      const bytes = this.readString()
      text.set(bytes, 0, bytes.length)
    }
  }

  #readLengthAfter(first: number): number {
    if (first < LENGTH_14_BITS) return first
    if (first < LENGTH_32_BITS) return ((first & 0x3f) << 8) | this.readByte()
    if (first === LENGTH_32_BITS) return this.#readBigEndian32()
    if (first !== LENGTH_64_BITS) throw new RdbError(`unknown length encoding ${first}`, this.at - 1)
    const start = this.at
    const length = this.#readBigEndian32() * 2 ** 32 + this.#readBigEndian32()
    if (!Number.isSafeInteger(length)) throw new RdbError('a length beyond any file', start)
    return length
  }

  #readBigEndian32(): number {
    const start = this.#take(4)
    const bytes = this.#bytes
    return ((bytes[start] << 24) | (bytes[start + 1] << 16) | (bytes[start + 2] << 8) | bytes[start + 3]) >>> 0
  }

  #readSigned(sizeBytes: number): number {
    const start = this.#take(sizeBytes)
    let value = 0
    for (let i = 0; i < sizeBytes; i++) value |= this.#bytes[start + i] << (8 * i)
    const unusedBits = 32 - 8 * sizeBytes
    return (value << unusedBits) >> unusedBits
  }

  #readLzf(start: number): Uint8Array {
    const dataLength = this.readLength()
    const textLength = this.readLength()
    const dataStart = this.#take(dataLength)
    if (textLength > dataLength * LZF_EXPANSION_MAX) throw new RdbError('a compressed string of impossible size', start)
    const text = new Uint8Array(textLength)
    const written = lzfDecompress(this.#bytes, dataStart, dataStart + dataLength, text, 0, textLength)
    if (written !== textLength) throw new RdbError('a compressed string is damaged', start)
    return text
  }

  /** Steps over `count` bytes and returns where they begin. */
  #take(count: number): number {
    if (count > this.left) throw new RdbTruncated(`the data ends where ${count} more bytes should be`, this.at, count)
    const start = this.at
    this.at += count
    return start
  }
}

/** Writes a length at `at` and returns the position after it. Needs up to LENGTH_SIZE_BYTES_MAX bytes of room. */
function putLength(bytes: Uint8Array, at: number, length: number): number {
  if (length < 1 << 6) {
    bytes[at] = length
    return at + 1
  }
  if (length < 1 << 14) {
    bytes[at] = LENGTH_14_BITS | (length >>> 8)
    bytes[at + 1] = length
    return at + 2
  }
  if (length < 2 ** 32) {
    bytes[at] = LENGTH_32_BITS
    return putBigEndian32(bytes, at + 1, length)
  }
  bytes[at] = LENGTH_64_BITS
  const lowAt = putBigEndian32(bytes, at + 1, Math.floor(length / 2 ** 32))
  return putBigEndian32(bytes, lowAt, length % 2 ** 32)
}

function putBigEndian32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
  return at + 4
}

function decimalText(value: number): Uint8Array {
  const text = new Uint8Array(INTEGER_LENGTH_MAX)
  return text.subarray(0, writeInteger(text, 0, value))
}
