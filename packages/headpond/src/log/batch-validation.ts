/**
 * Whether a batch may go into a log: what Kafka's LogValidator asks, in the same order and words. The records of a batch
 * that is not compressed are stepped through, so that their number and sizes are true; a compressed one is opened only when
 * a rule is about single records.
 */

import { codecOf, DECOMPRESSED_BYTES_MAX } from './compression/codec.ts'
import { CompressionError } from './compression/compression-error.ts'
import type { LogError, LogRefusal } from './errors.ts'
import type { LogSettings } from './log-settings.ts'
import { isRecompressed } from './recompression.ts'
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  CODEC_MASK,
  CONTROL_BIT,
  computeCrc,
  crcOf,
  LAST_OFFSET_DELTA_AT,
  LOG_APPEND_TIME_BIT,
  magicOf,
  maxTimestampOf,
  NO_PRODUCER_ID,
  NO_TIMESTAMP,
  producerIdOf,
  readInt16,
  readInt32,
  recordCountOf,
  sizeBytesOf,
} from './record-batch.ts'
import { type OpenedBody, openRecords } from './records/batch.ts'
import { RecordFormatError } from './records/record.ts'

/** Refusals name the first of single records. */
const SHOWN_RECORD_ERRORS_MAX = 3
const INT64_MAX = 2n ** 63n - 1n

interface RecordError {
  readonly index: number
  readonly message: string
}

/**
 * Null when the batch is right. `partition` names it in refusals; `opened` are its records, if somebody has opened it
 * before. hot: once for each batch; O(bytes) for its CRC, O(records) for its structure.
 */
export function validateBatch(
  batch: Uint8Array,
  isFromClient: boolean,
  settings: LogSettings,
  nowMs: number,
  partition: () => string,
  opened: OpenedBody | null = null,
): LogRefusal | null {
  if (batch.length < BATCH_HEADER_BYTES) {
    return refuse('CORRUPT_MESSAGE', `Record batch of ${batch.length} bytes is shorter than its header`)
  }
  const magic = magicOf(batch, 0)
  if (magic !== 2) return refuse('INVALID_RECORD', `Record batches of magic ${magic} are not supported`)
  const sizeBytes = sizeBytesOf(batch, 0)
  if (sizeBytes < BATCH_HEADER_BYTES || sizeBytes > batch.length) {
    return refuse('CORRUPT_MESSAGE', `Record size ${sizeBytes} does not fit the ${batch.length} bytes that came`)
  }
  if (sizeBytes < batch.length) {
    return refuse('INVALID_RECORD', 'A partition of a produce request contains exactly one record batch')
  }
  if (isFromClient && baseOffsetOf(batch, 0) !== 0) {
    const baseOffset = baseOffsetOf(batch, 0)
    return refuse(
      'INVALID_RECORD',
      `The baseOffset of the record batch in the append to ${partition()} should be 0, but it is ${baseOffset}`,
    )
  }
  if (sizeBytes > settings.maxMessageBytes) {
    return refuse(
      'MESSAGE_TOO_LARGE',
      `The record batch size in the append to ${partition()} is ${sizeBytes} bytes which exceeds the maximum configured ` +
        `value of ${settings.maxMessageBytes}.`,
    )
  }
  const crc = crcOf(batch, 0)
  const computed = computeCrc(batch, 0)
  if (crc !== computed) {
    return refuse(
      'CORRUPT_MESSAGE',
      `Record is corrupt (stored crc = ${crc}, computed crc = ${computed}) in topic partition ${partition()}.`,
    )
  }
  return (
    checkCounts(batch, isFromClient) ??
    (isFromClient ? checkRecords(batch, settings, nowMs, partition, opened) : null) ??
    checkSegmentSize(sizeBytes, settings, partition)
  )
}

function checkCounts(batch: Uint8Array, isFromClient: boolean): LogRefusal | null {
  const lastOffsetDelta = readInt32(batch, LAST_OFFSET_DELTA_AT)
  const count = recordCountOf(batch, 0)
  if (lastOffsetDelta < 0) {
    return refuse('INVALID_RECORD', `Batch has an invalid offset range: [0, ${lastOffsetDelta}]`)
  }
  if (count <= 0) return refuse('INVALID_RECORD', `Invalid reported count for record batch: ${count}`)
  if (lastOffsetDelta + 1 !== count) {
    return refuse(
      'INVALID_RECORD',
      `Inconsistent batch offset range [0, ${lastOffsetDelta}] and count of records ${count}`,
    )
  }
  if (!isFromClient) return null
  if ((readInt16(batch, ATTRIBUTES_AT) & CONTROL_BIT) !== 0) {
    return refuse('INVALID_RECORD', 'Clients are not allowed to write control records')
  }
  const producerId = producerIdOf(batch, 0)
  if (producerId > NO_PRODUCER_ID && baseSequenceOf(batch, 0) < 0) {
    return refuse(
      'INVALID_RECORD',
      `Invalid sequence number ${baseSequenceOf(batch, 0)} in record batch with producerId ${producerId}`,
    )
  }
  return null
}

function checkRecords(
  batch: Uint8Array,
  settings: LogSettings,
  nowMs: number,
  partition: () => string,
  opened: OpenedBody | null,
): LogRefusal | null {
  const attributes = readInt16(batch, ATTRIBUTES_AT)
  const codec = codecOf(attributes)
  if (codec === undefined) {
    return refuse('UNSUPPORTED_COMPRESSION_TYPE', `Unknown compression type id: ${attributes & CODEC_MASK}`)
  }
  if (isLookedInto(batch, settings, nowMs)) return checkEachRecord(batch, settings, nowMs, partition, opened)
  if (codec === 'none' && !areRecordsWhole(batch)) return describeBrokenRecords(batch)
  return null
}

/** Whether a rule is about the single records of a client's batch. */
export function isLookedInto(batch: Uint8Array, settings: LogSettings, nowMs: number): boolean {
  const attributes = readInt16(batch, ATTRIBUTES_AT)
  if (settings.isCompacted) return true
  if (codecOf(attributes) !== 'none' && isRecompressed(batch, settings.compressionType)) return true
  if (settings.messageTimestampType !== 'CreateTime') return (attributes & LOG_APPEND_TIME_BIT) !== 0
  return (
    settings.messageTimestampBeforeMaxMs !== Number.POSITIVE_INFINITY ||
    maxTimestampOf(batch, 0) > nowMs + settings.messageTimestampAfterMaxMs
  )
}

/**
 * Whether the batch's bytes are exactly as many records as it says, with offsets that count up. Steps from size to size.
 * hot: once for each record that is not compressed.
 */
function areRecordsWhole(batch: Uint8Array): boolean {
  const end = batch.length
  const count = recordCountOf(batch, 0)
  let at = BATCH_HEADER_BYTES
  for (let index = 0; index < count; index++) {
    // The size, a zigzag varint.
    let byte = 128
    let size = 0
    for (let shift = 0; byte >= 128; shift += 7) {
      if (at >= end || shift > 28) return false
      byte = batch[at++]
      size |= (byte & 127) << shift
    }
    if ((size & 1) !== 0) return false
    const next = at + (size >>> 1)
    if (next > end) return false
    // The attributes, then the timestamp's delta: its last byte has no high bit.
    at++
    while (at < next && batch[at] >= 128) at++
    at++
    // The offset's delta.
    byte = 128
    let delta = 0
    for (let shift = 0; byte >= 128; shift += 7) {
      if (at >= next || shift > 28) return false
      byte = batch[at++]
      delta |= (byte & 127) << shift
    }
    if (delta !== index * 2) return false
    at = next
  }
  return at === end
}

function describeBrokenRecords(batch: Uint8Array): LogRefusal {
  try {
    const cursor = openRecords(batch, 0)
    const count = recordCountOf(batch, 0)
    for (let index = 0; index < count; index++) {
      cursor.next()
      if (cursor.offsetDelta !== index) return refuseOffset(index, cursor.offsetDelta)
    }
    return refuse('INVALID_RECORD', 'Incorrect declared batch size, records still remaining in file')
  } catch (error) {
    return refuseUnreadable(error)
  }
}

function checkEachRecord(
  batch: Uint8Array,
  settings: LogSettings,
  nowMs: number,
  partition: () => string,
  opened: OpenedBody | null,
): LogRefusal | null {
  const hasLogAppendTime = (readInt16(batch, ATTRIBUTES_AT) & LOG_APPEND_TIME_BIT) !== 0
  const earliestMs = nowMs - settings.messageTimestampBeforeMaxMs
  const latestMs = nowMs + settings.messageTimestampAfterMaxMs
  const errors: RecordError[] = []
  let firstError: LogError | null = null
  try {
    const cursor = openRecords(batch, 0, DECOMPRESSED_BYTES_MAX, opened)
    const baseTimestampMs = baseTimestampOf(batch, 0)
    const count = recordCountOf(batch, 0)
    for (let index = 0; index < count; index++) {
      cursor.next()
      if (cursor.offsetDelta !== index) return refuseOffset(index, cursor.offsetDelta)
      if (settings.isCompacted && cursor.keyStart < 0) {
        firstError ??= 'INVALID_RECORD'
        errors.push({
          index,
          message: `Compacted topic cannot accept message without key in topic partition ${partition()}`,
        })
        continue
      }
      const timestampMs = hasLogAppendTime ? maxTimestampOf(batch, 0) : baseTimestampMs + cursor.timestampDelta
      if (settings.messageTimestampType === 'CreateTime') {
        if (timestampMs === NO_TIMESTAMP || (timestampMs >= earliestMs && timestampMs <= latestMs)) continue
        firstError ??= 'INVALID_TIMESTAMP'
        errors.push({
          index,
          message:
            `Timestamp ${timestampMs} of message with offset ${index} is out of range. The timestamp should be within ` +
            `[${describeTime(earliestMs, nowMs)}, ${describeTime(latestMs, nowMs)}]`,
        })
      } else if (hasLogAppendTime) {
        firstError ??= 'INVALID_TIMESTAMP'
        errors.push({
          index,
          message: `Invalid timestamp type in message ${index}. Producer should not set timestamp type to LogAppendTime.`,
        })
      }
    }
    if (!cursor.isAtEnd) {
      return refuse('INVALID_RECORD', 'Incorrect declared batch size, records still remaining in file')
    }
  } catch (error) {
    return refuseUnreadable(error)
  }
  if (firstError === null) return null
  if (firstError === 'INVALID_TIMESTAMP') {
    const message = 'One or more records have been rejected due to invalid timestamp'
    return { error: firstError, message, recordErrors: errors }
  }
  const shown = errors.slice(0, SHOWN_RECORD_ERRORS_MAX).map(({ index, message }) => {
    return `RecordError(batchIndex=${index}, message='${message}')`
  })
  const message =
    `One or more records have been rejected due to ${errors.length} record errors in total, and only showing the first ` +
    `three errors at most: [${shown.join(', ')}]`
  return { error: firstError, message, recordErrors: errors }
}

/** A limit that there is not is the largest number to Kafka, and wraps around where it is reckoned with. */
function describeTime(timeMs: number, nowMs: number): string {
  if (Number.isFinite(timeMs)) return String(timeMs)
  const distanceMs = timeMs > 0 ? INT64_MAX : -INT64_MAX
  return String(BigInt.asIntN(64, BigInt(nowMs) + distanceMs))
}

function checkSegmentSize(sizeBytes: number, settings: LogSettings, partition: () => string): LogRefusal | null {
  if (sizeBytes <= settings.segmentBytes) return null
  return refuse(
    'RECORD_LIST_TOO_LARGE',
    `Message batch size is ${sizeBytes} bytes in append to partition ${partition()}, which exceeds the maximum configured ` +
      `segment size of ${settings.segmentBytes}.`,
  )
}

function refuseOffset(index: number, offsetDelta: number): LogRefusal {
  return refuse('INVALID_RECORD', `Record ${index} of the batch has the offset delta ${offsetDelta}`)
}

function refuseUnreadable(error: unknown): LogRefusal {
  if (error instanceof RecordFormatError) return refuse('INVALID_RECORD', error.message)
  if (error instanceof CompressionError) return refuse('CORRUPT_MESSAGE', error.message)
  throw error
}

function refuse(error: LogError, message: string): LogRefusal {
  return { error, message }
}
