/**
 * The header of a record batch, magic 2: where its fields lie, and how they are read and stamped in place. Big-endian.
 *
 *  0            8             12            16      17    21
 *  | baseOffset | batchLength | leaderEpoch | magic | crc | attributes ...
 *
 *  21           23                27              35             43           51              53             57
 *  | attributes | lastOffsetDelta | baseTimestamp | maxTimestamp | producerId | producerEpoch | baseSequence | recordCount | records ...
 *
 * `batchLength` counts what follows it. The CRC-32C covers everything from the attributes on, so base offset and leader
 * epoch may be stamped freely; attributes and timestamps ask for a new CRC.
 */
import { assert } from '../bytes/assert.ts'
import { crc32c } from './crc32c.ts'

export const BASE_OFFSET_AT = 0
export const BATCH_LENGTH_AT = BASE_OFFSET_AT + 8
/** What `batchLength` does not count. */
export const LOG_OVERHEAD_BYTES = BATCH_LENGTH_AT + 4
export const LEADER_EPOCH_AT = LOG_OVERHEAD_BYTES
export const MAGIC_AT = LEADER_EPOCH_AT + 4
export const CRC_AT = MAGIC_AT + 1
export const ATTRIBUTES_AT = CRC_AT + 4
export const LAST_OFFSET_DELTA_AT = ATTRIBUTES_AT + 2
export const BASE_TIMESTAMP_AT = LAST_OFFSET_DELTA_AT + 4
export const MAX_TIMESTAMP_AT = BASE_TIMESTAMP_AT + 8
export const PRODUCER_ID_AT = MAX_TIMESTAMP_AT + 8
export const PRODUCER_EPOCH_AT = PRODUCER_ID_AT + 8
export const BASE_SEQUENCE_AT = PRODUCER_EPOCH_AT + 2
export const RECORD_COUNT_AT = BASE_SEQUENCE_AT + 4
export const BATCH_HEADER_BYTES = RECORD_COUNT_AT + 4
assert(BATCH_HEADER_BYTES === 61, 'this layout is a format that other programs read')

export const CODEC_MASK = 0x07
export const LOG_APPEND_TIME_BIT = 0x08
export const TRANSACTIONAL_BIT = 0x10
export const CONTROL_BIT = 0x20
export const DELETE_HORIZON_BIT = 0x40

export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof CODECS)[number]

export const NO_TIMESTAMP = -1
export const NO_PRODUCER_ID = -1
export const NO_SEQUENCE = -1

export function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) >> 16) | bytes[at + 1]
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
}

/** Exact to 2^53. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 2 ** 32 + (readInt32(bytes, at + 4) >>> 0)
}

export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  writeInt32(bytes, at, Math.floor(value / 2 ** 32))
  writeInt32(bytes, at + 4, value >>> 0)
}

export function baseOffsetOf(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + BASE_OFFSET_AT)
}

/** The whole batch, with what `batchLength` does not count. */
export function sizeBytesOf(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + BATCH_LENGTH_AT) + LOG_OVERHEAD_BYTES
}

export function lastOffsetOf(bytes: Uint8Array, at: number): number {
  return baseOffsetOf(bytes, at) + readInt32(bytes, at + LAST_OFFSET_DELTA_AT)
}

export function leaderEpochOf(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + LEADER_EPOCH_AT)
}

export function magicOf(bytes: Uint8Array, at: number): number {
  return bytes[at + MAGIC_AT]
}

export function crcOf(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + CRC_AT) >>> 0
}

export function attributesOf(bytes: Uint8Array, at: number): number {
  return readInt16(bytes, at + ATTRIBUTES_AT)
}

export function baseTimestampOf(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + BASE_TIMESTAMP_AT)
}

export function maxTimestampOf(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + MAX_TIMESTAMP_AT)
}

/** What the time index is to know of a batch: of one that compaction has emptied, nothing. No record has that time. */
export function indexedTimestampOf(bytes: Uint8Array, at: number): number {
  return recordCountOf(bytes, at) === 0 ? NO_TIMESTAMP : maxTimestampOf(bytes, at)
}

export function producerIdOf(bytes: Uint8Array, at: number): number {
  return readInt64(bytes, at + PRODUCER_ID_AT)
}

export function producerEpochOf(bytes: Uint8Array, at: number): number {
  return readInt16(bytes, at + PRODUCER_EPOCH_AT)
}

export function baseSequenceOf(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + BASE_SEQUENCE_AT)
}

export function recordCountOf(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at + RECORD_COUNT_AT)
}

export function computeCrc(bytes: Uint8Array, at: number): number {
  return crc32c(bytes, at + ATTRIBUTES_AT, at + sizeBytesOf(bytes, at))
}

/** After a change of anything that the CRC covers. */
export function stampCrc(bytes: Uint8Array, at: number): void {
  writeInt32(bytes, at + CRC_AT, computeCrc(bytes, at))
}
