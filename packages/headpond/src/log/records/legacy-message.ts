/**
 * Messages of magic 0 and 1: what logs held before Kafka 0.11. They are read here and nowhere written; a producer that
 * sends them is refused, as brokers of today do.
 *
 *   offset (8) | size (4) | crc (4) | magic (1) | attributes (1) | [timestamp (8), magic 1]
 *   | key size (4, -1: null) | key | value size (4, -1: null) | value
 *
 * The CRC-32 (IEEE) covers magic to the end. A compressed set is one message whose value is a set: with offsets as they
 * are in magic 0; in magic 1 counted from the set's beginning, while the outer message has the offset of the last.
 */
import { crc32 } from 'node:zlib'
import { codecOf, DECOMPRESSED_BYTES_MAX, decompress } from '../compression/codec.ts'
import { decompressLz4OfMagic0 } from '../compression/lz4.ts'
import {
  BATCH_LENGTH_AT,
  type Codec,
  LOG_APPEND_TIME_BIT,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  NO_TIMESTAMP,
  readInt32,
  readInt64,
} from '../record-batch.ts'
import { type LogRecord, RecordFormatError } from './record.ts'

const CRC_AT = LOG_OVERHEAD_BYTES
const ATTRIBUTES_AT = MAGIC_AT + 1
const TIMESTAMP_AT = ATTRIBUTES_AT + 1

export interface LegacyMessage {
  readonly magic: 0 | 1
  /** Of the whole message. */
  readonly sizeBytes: number
  readonly crc: number
  readonly isCrcRight: boolean
  readonly codec: Codec
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly baseOffset: number
  readonly lastOffset: number
  /** One, or those of the set within. */
  readonly records: LogRecord[]
}

/** The message at `at`. Throws a RecordFormatError or a CompressionError. */
export function decodeLegacyMessage(bytes: Uint8Array, at = 0): LegacyMessage {
  const message = decodeOne(bytes, at)
  const { codec, outer, magic } = message
  if (codec === 'none') return { ...message, baseOffset: outer.offset, lastOffset: outer.offset, records: [outer] }

  if (outer.value === null) throw new RecordFormatError('a compressed message without a value')
  const set =
    codec === 'lz4' && magic === 0
      ? decompressLz4OfMagic0(outer.value, DECOMPRESSED_BYTES_MAX)
      : decompress(codec, outer.value)
  let records: LogRecord[] = []
  for (let innerAt = 0; innerAt < set.length; ) {
    const inner = decodeOne(set, innerAt)
    if (inner.codec !== 'none') throw new RecordFormatError('a compressed message within a compressed message')
    records.push(inner.outer)
    innerAt += inner.sizeBytes
  }
  if (records.length === 0) throw new RecordFormatError('an empty set of messages')
  if (magic === 1) {
    const baseOffset = outer.offset - records[records.length - 1].offset
    const isLogAppendTime = message.timestampType === 'LogAppendTime'
    records = records.map((record) => ({
      ...record,
      offset: baseOffset + record.offset,
      timestampMs: isLogAppendTime ? outer.timestampMs : record.timestampMs,
    }))
  }
  return { ...message, baseOffset: records[0].offset, lastOffset: outer.offset, records }
}

function decodeOne(bytes: Uint8Array, at: number) {
  if (at + TIMESTAMP_AT > bytes.length) throw new RecordFormatError('a message beyond the end of its bytes')
  const sizeBytes = LOG_OVERHEAD_BYTES + readInt32(bytes, at + BATCH_LENGTH_AT)
  const end = at + sizeBytes
  const magic = bytes[at + MAGIC_AT]
  if (magic !== 0 && magic !== 1) throw new RecordFormatError(`a message of magic ${magic}`)
  const keyAt = at + TIMESTAMP_AT + (magic === 1 ? 8 : 0)
  if (end > bytes.length || end < keyAt + 8) throw new RecordFormatError('a message beyond the end of its bytes')
  const key = readField(bytes, keyAt, end)
  const value = readField(bytes, key.end, end)
  if (value.end !== end) throw new RecordFormatError('a message whose size is not that of its parts')

  const attributes = bytes[at + ATTRIBUTES_AT]
  const codec = codecOf(attributes)
  if (codec === undefined || codec === 'zstd') throw new RecordFormatError('a codec that does not exist')
  const crc = readInt32(bytes, at + CRC_AT) >>> 0
  const isLogAppendTime = magic === 1 && (attributes & LOG_APPEND_TIME_BIT) !== 0
  return {
    magic: magic as 0 | 1,
    sizeBytes,
    crc,
    isCrcRight: crc === crc32(bytes.subarray(at + MAGIC_AT, end)),
    codec,
    timestampType: isLogAppendTime ? ('LogAppendTime' as const) : ('CreateTime' as const),
    outer: {
      offset: readInt64(bytes, at),
      timestampMs: magic === 1 ? readInt64(bytes, at + TIMESTAMP_AT) : NO_TIMESTAMP,
      key: key.bytes,
      value: value.bytes,
      headers: [],
    },
  }
}

function readField(bytes: Uint8Array, at: number, limit: number): { bytes: Uint8Array | null; end: number } {
  const sizeBytes = at + 4 <= limit ? readInt32(bytes, at) : Number.NaN
  if (sizeBytes === -1) return { bytes: null, end: at + 4 }
  if (!(sizeBytes >= 0 && sizeBytes <= limit - at - 4)) throw new RecordFormatError('a field beyond its message')
  return { bytes: bytes.subarray(at + 4, at + 4 + sizeBytes), end: at + 4 + sizeBytes }
}
