/**
 * What DUMP answers and RESTORE takes: one value as it would stand in an RDB file, and a footer that guards it.
 *
 *   | type | body ... | version | crc                    |
 *     1      any        2         8      both little-endian
 *
 * The CRC-64 covers everything before it. Unlike at the end of a file, a CRC of 0 does not mean "not computed": Redis
 * writes a CRC into every payload, whatever `rdbchecksum` says.
 */

import { CRC64_SIZE_BYTES, Crc64 } from '../../bytes/crc64.ts'
import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import { RdbReader, RdbWriter } from './encoding.ts'

/** The version that we write: that of Redis 7.0, so that it and everything newer reads it. */
export const RDB_VERSION = 10
/** The newest version whose layouts we know: that of Redis 8. */
export const RDB_VERSION_MAX = 12

const VERSION_SIZE_BYTES = 2
const FOOTER_SIZE_BYTES = VERSION_SIZE_BYTES + CRC64_SIZE_BYTES

export interface DumpPayload {
  /** One of RDB_TYPE, if the payload comes from a program that we know: the caller checks. */
  readonly type: number
  /** Stands at the body, and ends before the footer. */
  readonly reader: RdbReader
}

/** A payload of the given type; `writeBody` writes the value. `compresses` as for RdbWriter. O(size). */
export function createDumpPayload(type: number, writeBody: (writer: RdbWriter) => void, compresses = true): Uint8Array {
  const writer = new RdbWriter(new GrowingBuffer(), compresses)
  writer.writeByte(type)
  writeBody(writer)
  return sealPayload(writer)
}

/** What was written, with the footer behind it. */
export function sealPayload(writer: RdbWriter): Uint8Array {
  writer.writeByte(RDB_VERSION & 0xff)
  writer.writeByte(RDB_VERSION >>> 8)

  const { buffer } = writer
  const crcAt = buffer.reserve(CRC64_SIZE_BYTES)
  const crc = new Crc64()
  crc.update(buffer.bytes, 0, crcAt)
  crc.writeTo(buffer.bytes, crcAt)
  buffer.length = crcAt + CRC64_SIZE_BYTES
  return buffer.toBytes()
}

/**
 * Opens the payload in bytes[start, end), or returns undefined if its version or its CRC is wrong. O(size).
 *
 * An RdbError, here if not even a type is there, or when the body is read, comes after that: a good CRC shows that the
 * bytes are as they were written, not that their writer meant well. For RESTORE the one is "DUMP payload version or
 * checksum are wrong", the other "Bad data format". Bytes that the body leaves over are ignored, as in Redis.
 */
export function verifyDumpPayload(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  verifiesChecksum = true,
): DumpPayload | undefined {
  const reader = openPayload(bytes, start, end, verifiesChecksum)
  return reader && { type: reader.readByte(), reader }
}

/** What stands before the footer in bytes[start, end), which may be nothing; undefined if the footer is wrong. */
export function openPayload(
  bytes: Uint8Array,
  start: number,
  end: number,
  verifiesChecksum = true,
): RdbReader | undefined {
  if (end - start < FOOTER_SIZE_BYTES) return undefined
  const versionAt = end - FOOTER_SIZE_BYTES
  const crcAt = end - CRC64_SIZE_BYTES
  const version = bytes[versionAt] | (bytes[versionAt + 1] << 8)
  if (version > RDB_VERSION_MAX) return undefined

  const crc = new Crc64()
  crc.update(bytes, start, crcAt)
  if (verifiesChecksum && !crc.equals(bytes, crcAt)) return undefined
  return new RdbReader(bytes, start, versionAt)
}
