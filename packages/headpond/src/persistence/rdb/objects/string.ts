/** A string value: one RDB string. Integers need no type of their own, because strings encode them. */

import { lzfCompress, lzfRoomBytes } from '../../../bytes/lzf.ts'
import { lendLargeString, stringBytes } from '../../../store/string.ts'
import { createDumpPayload } from '../dump-payload.ts'
import { LZF_GAIN_MIN_BYTES, type RdbReader, type RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import type { ObjectFormat, ObjectReader } from './object-format.ts'
import { ValueParts } from './value-parts.ts'

/** Longer strings are written in parts. */
const WHOLE_BYTES_MAX = 128 * 1024
/** A millisecond at most to compress. */
const PIECE_BYTES = 64 * 1024
const scratch = new Uint8Array(lzfRoomBytes(PIECE_BYTES))

export const stringFormat: ObjectFormat = {
  rdbType: () => RDB_TYPE.STRING,
  write(writer, store, handle) {
    const large = lendLargeString(store, handle, WHOLE_BYTES_MAX)
    if (large !== null) return new StringParts(writer, large)
    const { bytes, start, end } = stringBytes(store, handle)
    writer.writeString(bytes, start, end)
    return null
  },
}

/**
 * A long string, compressed piece by piece before the first byte is written, since its compressed length comes first. From
 * pieces that have gained nothing on their way it is seen early that there is nothing to gain, and it is written as it is.
 *
 * The buffer is lent: whoever changes the string in place copies it first, and who deletes it leaves it to the collector.
 */
class StringParts extends ValueParts {
  readonly #bytes: Uint8Array
  /** Null: the string is written as it is. */
  #compressed: Uint8Array[] | null
  #compressedBytes = 0
  #phase: 'compressing' | 'beginning' | 'writing'
  /** Of the string's bytes, or of its compressed pieces, so many are done. */
  #done = 0
  readonly isDeleted = false

  constructor(writer: RdbWriter, bytes: Uint8Array) {
    super(writer)
    this.#bytes = bytes
    this.#compressed = writer.compresses ? [] : null
    this.#phase = writer.compresses ? 'compressing' : 'beginning'
  }

  watch(): boolean {
    return true
  }

  unwatch(): void {}

  writeNext(): boolean {
    if (this.#phase === 'compressing') this.#compressPiece(this.#compressed!)
    else if (this.#phase === 'beginning') this.#writeHeader()
    else return this.#writePiece()
    return true
  }

  #compressPiece(pieces: Uint8Array[]): void {
    const { length } = this.#bytes
    const end = Math.min(this.#done + PIECE_BYTES, length)
    const pieceBytes = lzfCompress(this.#bytes, this.#done, end, scratch, 0, scratch.length)
    pieces.push(scratch.slice(0, pieceBytes))
    this.#compressedBytes += pieceBytes
    this.#done = end
    const gainsNothing = this.#compressedBytes + LZF_GAIN_MIN_BYTES > end
    if (gainsNothing) this.#compressed = null
    if (gainsNothing || end === length) this.#phase = 'beginning'
  }

  #writeHeader(): void {
    if (this.#compressed === null) this.writer.writeLength(this.#bytes.length)
    else this.writer.writeLzfHeader(this.#compressedBytes, this.#bytes.length)
    this.#phase = 'writing'
    this.#done = 0
  }

  #writePiece(): boolean {
    if (this.#compressed !== null) {
      this.writer.writeBytes(this.#compressed[this.#done++])
      return this.#done < this.#compressed.length
    }
    const end = Math.min(this.#done + PIECE_BYTES, this.#bytes.length)
    this.writer.writeBytes(this.#bytes, this.#done, end)
    this.#done = end
    return end < this.#bytes.length
  }
}

export const readString: ObjectReader = (reader) => {
  const value = readStringObject(reader)
  return (database, bytes, keyStart, keyEnd, expireAtMs) =>
    database.putString(bytes, keyStart, keyEnd, value, 0, value.length, expireAtMs)
}

/** The DUMP payload of the string in bytes[start, end). O(n). */
export function dumpString(bytes: Uint8Array, start = 0, end = bytes.length, compresses = true): Uint8Array {
  return createDumpPayload(RDB_TYPE.STRING, (writer) => writer.writeString(bytes, start, end), compresses)
}

/** The body of RDB_TYPE.STRING. The bytes may be a view of the reader's: copy them to keep them. */
export function readStringObject(reader: RdbReader): Uint8Array {
  return reader.readString()
}
