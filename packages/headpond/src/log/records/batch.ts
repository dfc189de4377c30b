/**
 * Whole batches: from records to bytes and back. The header's layout is that of `record-batch.ts`; this is for those
 * who need the records themselves (coordinators, tools, compaction, clients). An append never comes here.
 */
import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import { decompressAside } from '../codec-thread.ts'
import { codecOf, compress, DECOMPRESSED_BYTES_MAX, decompress } from '../compression/codec.ts'
import { CompressionError } from '../compression/compression-error.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  CODECS,
  CONTROL_BIT,
  type Codec,
  crcOf,
  DELETE_HORIZON_BIT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LOG_APPEND_TIME_BIT,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  readInt16,
  readInt32,
  readInt64,
  sizeBytesOf,
  stampCrc,
  TRANSACTIONAL_BIT,
  writeInt32,
  writeInt64,
} from '../record-batch.ts'
import { type LogRecord, type NewRecord, RecordFormatError, type RecordHeader } from './record.ts'
import { RecordCursor } from './record-cursor.ts'
import { appendRecord } from './record-encoder.ts'

export interface BatchOptions {
  readonly codec?: Codec
  /** 0 as a producer has it; the log gives it another one. */
  readonly baseOffset?: number
  /** -1 as a producer has it. */
  readonly leaderEpoch?: number
  /** -1: not idempotent. */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
}

/** The header of a batch, in the words of the protocol. */
export interface BatchHeader {
  readonly baseOffset: number
  /** Of the whole batch. */
  readonly sizeBytes: number
  readonly leaderEpoch: number
  readonly magic: number
  readonly crc: number
  readonly attributes: number
  /** Undefined for a number that nobody has assigned. */
  readonly codec: Codec | undefined
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly lastOffset: number
  /** When tombstones and markers may go; null until a cleaning has seen them. The base timestamp says it then. */
  readonly deleteHorizonMs: number | null
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

export interface DecodedBatch extends BatchHeader {
  readonly records: LogRecord[]
}

/**
 * A batch of at least one record, with the offsets baseOffset, baseOffset + 1 ... and its CRC set. The first record's
 * timestamp is the base. O(bytes).
 */
export function encodeBatch(records: readonly NewRecord[], options: BatchOptions = {}): Buffer {
  const baseTimestampMs = records[0].timestampMs
  const body = new GrowingBuffer(estimateSizeBytes(records))
  let maxTimestampMs = baseTimestampMs
  for (const [index, record] of records.entries()) {
    appendRecord(body, record, record.timestampMs - baseTimestampMs, index)
    if (record.timestampMs > maxTimestampMs) maxTimestampMs = record.timestampMs
  }
  const codec = options.codec ?? 'none'
  const packed = compress(codec, body.bytes.subarray(0, body.length))
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + packed.length)
  bytes.set(packed, BATCH_HEADER_BYTES)
  writeInt64(bytes, BASE_OFFSET_AT, options.baseOffset ?? 0)
  writeInt32(bytes, BATCH_LENGTH_AT, bytes.length - LOG_OVERHEAD_BYTES)
  writeInt32(bytes, LEADER_EPOCH_AT, options.leaderEpoch ?? -1)
  bytes[MAGIC_AT] = 2
  const attributes =
    CODECS.indexOf(codec) | (options.isTransactional ? TRANSACTIONAL_BIT : 0) | (options.isControl ? CONTROL_BIT : 0)
  bytes.writeInt16BE(attributes, ATTRIBUTES_AT)
  writeInt32(bytes, LAST_OFFSET_DELTA_AT, records.length - 1)
  writeInt64(bytes, BASE_TIMESTAMP_AT, baseTimestampMs)
  writeInt64(bytes, MAX_TIMESTAMP_AT, maxTimestampMs)
  writeInt64(bytes, PRODUCER_ID_AT, options.producerId ?? -1)
  bytes.writeInt16BE(options.producerEpoch ?? -1, PRODUCER_EPOCH_AT)
  writeInt32(bytes, BASE_SEQUENCE_AT, options.baseSequence ?? -1)
  writeInt32(bytes, RECORD_COUNT_AT, records.length)
  stampCrc(bytes, 0)
  return bytes
}

/** The header of the batch at `at`, of which at least BATCH_HEADER_BYTES bytes are there. Checks nothing. */
export function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader {
  const attributes = readInt16(bytes, at + ATTRIBUTES_AT)
  const baseOffset = readInt64(bytes, at + BASE_OFFSET_AT)
  const baseTimestampMs = readInt64(bytes, at + BASE_TIMESTAMP_AT)
  return {
    baseOffset,
    sizeBytes: sizeBytesOf(bytes, at),
    leaderEpoch: readInt32(bytes, at + LEADER_EPOCH_AT),
    magic: bytes[at + MAGIC_AT],
    crc: crcOf(bytes, at),
    attributes,
    codec: codecOf(attributes),
    timestampType: attributes & LOG_APPEND_TIME_BIT ? 'LogAppendTime' : 'CreateTime',
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    lastOffset: baseOffset + readInt32(bytes, at + LAST_OFFSET_DELTA_AT),
    deleteHorizonMs: attributes & DELETE_HORIZON_BIT ? baseTimestampMs : null,
    baseTimestampMs,
    maxTimestampMs: readInt64(bytes, at + MAX_TIMESTAMP_AT),
    producerId: readInt64(bytes, at + PRODUCER_ID_AT),
    producerEpoch: readInt16(bytes, at + PRODUCER_EPOCH_AT),
    baseSequence: readInt32(bytes, at + BASE_SEQUENCE_AT),
    recordCount: readInt32(bytes, at + RECORD_COUNT_AT),
  }
}

/**
 * The batch at `at`, decompressed. Keys and values are views of `bytes`, or of what was decompressed. The CRC is not
 * looked at. Throws a RecordFormatError or a CompressionError. O(bytes).
 */
export function decodeBatch(
  bytes: Uint8Array,
  at = 0,
  sizeBytesMax = DECOMPRESSED_BYTES_MAX,
  opened: OpenedBody | null = null,
): DecodedBatch {
  const header = readBatchHeader(bytes, at)
  const cursor = openRecords(bytes, at, sizeBytesMax, opened)
  const records: LogRecord[] = []
  for (let index = 0; index < header.recordCount; index++) {
    cursor.next()
    records.push(readRecord(cursor, header))
  }
  if (!cursor.isAtEnd) throw new RecordFormatError(`bytes behind the ${header.recordCount} records of the batch`)
  return { ...header, records }
}

/** The records of a batch, decompressed beforehand, or why they cannot be. */
export type OpenedBody = Uint8Array | CompressionError

/**
 * A cursor before the first record of the batch at `at`, decompressed, if it is not yet. Throws as `decodeBatch`.
 */
export function openRecords(
  bytes: Uint8Array,
  at: number,
  sizeBytesMax = DECOMPRESSED_BYTES_MAX,
  opened: OpenedBody | null = null,
): RecordCursor {
  const end = at + sizeBytesOf(bytes, at)
  if (end < at + BATCH_HEADER_BYTES || end > bytes.length)
    throw new RecordFormatError('a batch beyond the end of its bytes')
  if (bytes[at + MAGIC_AT] !== 2) throw new RecordFormatError(`a batch of magic ${bytes[at + MAGIC_AT]}`)
  const codec = codecOf(readInt16(bytes, at + ATTRIBUTES_AT))
  if (codec === undefined) throw new RecordFormatError('a codec that does not exist')
  if (codec === 'none') return new RecordCursor(bytes, at + BATCH_HEADER_BYTES, end)
  // Compaction leaves batches without a record; what an empty body is compressed to is everybody's own business.
  if (readInt32(bytes, at + RECORD_COUNT_AT) === 0) return new RecordCursor(bytes, end, end)
  const body = opened ?? decompress(codec, bytes.subarray(at + BATCH_HEADER_BYTES, end), sizeBytesMax)
  if (body instanceof CompressionError) throw body
  return new RecordCursor(body, 0, body.length)
}

/** As `decodeBatch`; another thread opens what takes long, and gets a copy. The bytes must stay as they are meanwhile. */
export async function decodeBatchAside(bytes: Uint8Array, at: number): Promise<DecodedBatch> {
  return decodeBatch(bytes, at, DECOMPRESSED_BYTES_MAX, await openAside(bytes, at))
}

/**
 * The records of the batch at `at`: a promise where opening them takes long, and another thread does it; null where they are not
 * compressed. O(bytes).
 */
export function openAside(bytes: Uint8Array, at: number): OpenedBody | Promise<OpenedBody> | null {
  const codec = codecOf(readInt16(bytes, at + ATTRIBUTES_AT))
  if (codec === undefined || codec === 'none' || readInt32(bytes, at + RECORD_COUNT_AT) === 0) return null
  const records = bytes.subarray(at + BATCH_HEADER_BYTES, at + sizeBytesOf(bytes, at))
  const asBody = (error: unknown) => {
    if (error instanceof CompressionError) return error
    throw error
  }
  try {
    const opening = decompressAside(codec, records)
    return opening instanceof Promise ? opening.catch(asBody) : opening
  } catch (error) {
    return asBody(error)
  }
}

/** The record that the cursor is at. */
export function readRecord(cursor: RecordCursor, header: BatchHeader): LogRecord {
  const { bytes } = cursor
  const view = (start: number, end: number) => (start < 0 ? null : bytes.subarray(start, end))
  const headers: RecordHeader[] = []
  cursor.eachHeader((keyStart, keyEnd, valueStart, valueEnd) => {
    headers.push({ key: decodeUtf8(bytes, keyStart, keyEnd), value: view(valueStart, valueEnd) })
  })
  return {
    offset: header.baseOffset + cursor.offsetDelta,
    timestampMs:
      header.timestampType === 'LogAppendTime' ? header.maxTimestampMs : header.baseTimestampMs + cursor.timestampDelta,
    key: view(cursor.keyStart, cursor.keyEnd),
    value: view(cursor.valueStart, cursor.valueEnd),
    headers,
  }
}

function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
}

function estimateSizeBytes(records: readonly NewRecord[]): number {
  let sizeBytes = 0
  for (const { key, value } of records) sizeBytes += 24 + (key?.length ?? 0) + (value?.length ?? 0)
  return sizeBytes
}
