/** A batch without the records that compaction drops. */
import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import { compressAside, isSlowlyPacked } from '../codec-thread.ts'
import { compress, DECOMPRESSED_BYTES_MAX } from '../compression/codec.ts'
import {
  ATTRIBUTES_AT,
  attributesOf,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  baseTimestampOf,
  CODEC_MASK,
  CODECS,
  DELETE_HORIZON_BIT,
  LOG_APPEND_TIME_BIT,
  LOG_OVERHEAD_BYTES,
  MAX_TIMESTAMP_AT,
  maxTimestampOf,
  NO_TIMESTAMP,
  RECORD_COUNT_AT,
  recordCountOf,
  sizeBytesOf,
  stampCrc,
  writeInt64,
} from '../record-batch.ts'
import { type OpenedBody, openAside, openRecords } from '../records/batch.ts'
import type { RecordCursor } from '../records/record-cursor.ts'
import { VARLONG_BYTES_MAX, varlongLength, writeVarlong } from '../records/varint.ts'

export interface BatchFilter {
  /** Whether the record that the cursor is at stays. */
  readonly keeps: (cursor: RecordCursor) => boolean
  /** Whether the header stays when no record does. */
  readonly keepsEmpty: boolean
  /** A marker whose transaction has no data left: from now on its time runs, as that of a tombstone does. */
  readonly isSpentMarker: boolean
  /** When the time is over of what is seen for the first time now. */
  readonly deleteHorizonMs: number
}

/**
 * The batch at `at` without the records that the filter drops; null when nothing stays of it. A view of `bytes` when
 * everything stays as it is. Offsets, sequences, codec and the offset of the last record are kept, so that readers and
 * the state of producers find what they expect. Throws a RecordFormatError or a CompressionError. A promise when
 * another thread opens or packs the records; the bytes must stay as they are meanwhile.
 */
export function filterBatch(
  bytes: Uint8Array,
  at: number,
  filter: BatchFilter,
): Uint8Array | null | Promise<Uint8Array | null> {
  const opening = openAside(bytes, at)
  return opening instanceof Promise
    ? opening.then((opened) => filterOpened(bytes, at, filter, opened))
    : filterOpened(bytes, at, filter, opening)
}

function filterOpened(
  bytes: Uint8Array,
  at: number,
  filter: BatchFilter,
  opened: OpenedBody | null,
): Uint8Array | null | Promise<Uint8Array> {
  const end = at + sizeBytesOf(bytes, at)
  const recordCount = recordCountOf(bytes, at)
  if (recordCount === 0) return filter.keepsEmpty ? bytes.subarray(at, end) : null

  const attributes = attributesOf(bytes, at)
  const isLogAppendTime = (attributes & LOG_APPEND_TIME_BIT) !== 0
  const baseTimestampMs = baseTimestampOf(bytes, at)
  const cursor = openRecords(bytes, at, DECOMPRESSED_BYTES_MAX, opened)
  const kept: { start: number; end: number; timestampDelta: number; offsetDeltaAt: number }[] = []
  let hasTombstone = false
  let maxTimestampMs = NO_TIMESTAMP
  for (let index = 0; index < recordCount; index++) {
    cursor.next()
    if (!filter.keeps(cursor)) continue
    const { start, end, timestampDelta, offsetDeltaAt } = cursor
    kept.push({ start, end, timestampDelta, offsetDeltaAt })
    if (cursor.valueStart < 0) hasTombstone = true
    maxTimestampMs = Math.max(maxTimestampMs, baseTimestampMs + timestampDelta)
  }
  if (kept.length === 0) return filter.keepsEmpty ? emptyBatch(bytes, at) : null

  const setsHorizon = (hasTombstone || filter.isSpentMarker) && (attributes & DELETE_HORIZON_BIT) === 0
  if (kept.length === recordCount && !setsHorizon) return bytes.subarray(at, end)

  const source = cursor.bytes
  const body = new GrowingBuffer(source.length + VARLONG_BYTES_MAX)
  for (const record of kept) {
    if (!setsHorizon) {
      body.append(source, record.start, record.end)
      continue
    }
    // The base of all timestamps moves to the horizon, so each record says anew how far it is from it.
    const timestampDelta = baseTimestampMs + record.timestampDelta - filter.deleteHorizonMs
    const rest = record.end - record.offsetDeltaAt
    const room = body.reserve(2 * VARLONG_BYTES_MAX + 1 + rest)
    const out = body.bytes
    let outAt = writeVarlong(out, room, 1 + varlongLength(timestampDelta) + rest)
    out[outAt++] = 0
    outAt = writeVarlong(out, outAt, timestampDelta)
    out.set(source.subarray(record.offsetDeltaAt, record.end), outAt)
    body.length = outAt + rest
  }
  const codec = CODECS[attributes & CODEC_MASK]
  const records = body.bytes.subarray(0, body.length)
  const build = (packed: Uint8Array) => {
    const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + packed.length)
    batch.set(bytes.subarray(at, at + BATCH_HEADER_BYTES))
    batch.set(packed, BATCH_HEADER_BYTES)
    batch.writeInt32BE(batch.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT)
    batch.writeInt32BE(kept.length, RECORD_COUNT_AT)
    if (!isLogAppendTime) writeInt64(batch, MAX_TIMESTAMP_AT, maxTimestampMs)
    if (setsHorizon) {
      batch.writeInt16BE(attributes | DELETE_HORIZON_BIT, ATTRIBUTES_AT)
      writeInt64(batch, BASE_TIMESTAMP_AT, filter.deleteHorizonMs)
    }
    stampCrc(batch, 0)
    return batch
  }
  return isSlowlyPacked(codec, records.length)
    ? compressAside(codec, records).then(build)
    : build(compress(codec, records))
}

/** The header of the batch at `at` alone: what the log must know of its producer, and of the offsets that it had. */
export function emptyBatch(bytes: Uint8Array, at: number): Uint8Array {
  const batch = Buffer.from(bytes.subarray(at, at + BATCH_HEADER_BYTES))
  batch.writeInt32BE(BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT)
  batch.writeInt32BE(0, RECORD_COUNT_AT)
  batch.writeInt16BE(attributesOf(bytes, at) & ~(CODEC_MASK | DELETE_HORIZON_BIT), ATTRIBUTES_AT)
  writeInt64(batch, BASE_TIMESTAMP_AT, NO_TIMESTAMP)
  writeInt64(batch, MAX_TIMESTAMP_AT, maxTimestampOf(bytes, at))
  stampCrc(batch, 0)
  return batch
}
