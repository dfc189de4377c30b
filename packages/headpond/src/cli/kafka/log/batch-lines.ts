import { batchProblem, type WalkedBatch, walkBatches } from '../../../log/inspection/walk.ts'
import { type BatchHeader, openRecords, readBatchHeader, readRecord } from '../../../log/records/batch.ts'
import { controlTypeOf, coordinatorEpochOf } from '../../../log/records/control-record.ts'
import { decodeLegacyMessage, type LegacyMessage } from '../../../log/records/legacy-message.ts'
import type { LogRecord } from '../../../log/records/record.ts'
import { jsonBytes, showBytes } from '../byte-format.ts'
import { type Formats, timeText } from '../record-line.ts'
import type { DumpLine, DumpOptions } from './dump-line.ts'

/** A line for each batch of a segment's file, with its records below it. */
export function* batchLines(path: string, options: DumpOptions): Generator<DumpLine> {
  const walk = walkBatches(path)
  let offsetMin = 0
  for (;;) {
    const step = walk.next()
    if (step.done) {
      const { problem, atByte, fileBytes } = step.value
      if (problem !== null) {
        yield problemLine(atByte, `${problem}; ${fileBytes - atByte} bytes from here on cannot be read`)
      }
      return
    }
    const batch = step.value
    if (batch.magic < 2) {
      yield* legacyLines(batch, options)
      continue
    }
    const header = readBatchHeader(batch.bytes, batch.at)
    const problem = batchProblem(batch.bytes, batch.at, offsetMin)
    offsetMin = header.lastOffset + 1
    if (header.lastOffset < options.fromOffset) continue
    // A damaged batch is shown as far as its header goes.
    const records = options.showsRecords && problem === null ? recordsOf(batch, header) : null
    yield batchLine(batch, header, records, options.formats)
    if (problem !== null) yield problemLine(batch.atByte, problem)
  }
}

function recordsOf({ bytes, at }: WalkedBatch, header: BatchHeader): LogRecord[] {
  const cursor = openRecords(bytes, at)
  return Array.from({ length: header.recordCount }, () => {
    cursor.next()
    return readRecord(cursor, header)
  })
}

function batchLine(batch: WalkedBatch, header: BatchHeader, records: LogRecord[] | null, formats: Formats): DumpLine {
  const { atByte } = batch
  const { baseOffset, lastOffset, recordCount, sizeBytes, leaderEpoch, crc, isTransactional, isControl } = header
  const { producerId, producerEpoch, baseSequence, deleteHorizonMs, maxTimestampMs, timestampType } = header
  return {
    text() {
      const parts = [
        `batch ${range(baseOffset, lastOffset)} at byte ${atByte}`,
        `${recordCount} ${recordCount === 1 ? 'record' : 'records'}`,
        `${sizeBytes} bytes`,
        header.codec ?? 'unknown codec',
        `${timestampType} ${timeText(maxTimestampMs)}`,
        `epoch ${leaderEpoch}`,
      ]
      if (producerId >= 0) {
        const lastSequence = (baseSequence + lastOffset - baseOffset) % 2 ** 31
        const sequences = baseSequence < 0 ? '' : ` sequence ${range(baseSequence, lastSequence)}`
        parts.push(`producer ${producerId} epoch ${producerEpoch}${sequences}`)
      }
      if (isTransactional) parts.push('transactional')
      if (isControl) parts.push('control')
      if (deleteHorizonMs !== null) parts.push(`delete horizon ${timeText(deleteHorizonMs)}`)
      parts.push(`crc ${crc.toString(16).padStart(8, '0')}`)
      const lines = (records ?? []).map((record) => (isControl ? controlText(record) : recordText(record, formats)))
      return [parts.join(', '), ...lines].join('\n')
    },
    json: () => ({
      type: 'batch',
      position: atByte,
      baseOffset,
      lastOffset,
      count: recordCount,
      sizeBytes,
      magic: 2,
      codec: header.codec ?? null,
      crc,
      leaderEpoch,
      timestampType,
      baseTimestamp: header.baseTimestampMs,
      maxTimestamp: maxTimestampMs,
      deleteHorizon: deleteHorizonMs,
      producerId,
      producerEpoch,
      baseSequence,
      isTransactional,
      isControl,
      ...(records === null
        ? {}
        : { records: records.map((record) => (isControl ? controlJson(record) : recordJson(record, formats))) }),
    }),
  }
}

function* legacyLines(batch: WalkedBatch, options: DumpOptions): Generator<DumpLine> {
  let message: LegacyMessage
  try {
    message = decodeLegacyMessage(batch.bytes.subarray(batch.at, batch.at + batch.sizeBytes))
  } catch (error) {
    yield problemLine(batch.atByte, (error as Error).message)
    return
  }
  const { magic, baseOffset, lastOffset, codec, sizeBytes, timestampType, crc, isCrcRight } = message
  if (lastOffset < options.fromOffset) return
  const records = options.showsRecords ? message.records : null
  yield {
    text() {
      const head = `message ${range(baseOffset, lastOffset)} at byte ${batch.atByte}, magic ${magic}, ${sizeBytes} bytes, ${codec}`
      return [head, ...(records ?? []).map((record) => recordText(record, options.formats))].join('\n')
    },
    json: () => ({
      type: 'message',
      position: batch.atByte,
      baseOffset,
      lastOffset,
      count: message.records.length,
      sizeBytes,
      magic,
      codec,
      crc,
      timestampType,
      ...(records === null ? {} : { records: records.map((record) => recordJson(record, options.formats)) }),
    }),
  }
  if (!isCrcRight) yield problemLine(batch.atByte, 'its CRC is wrong')
}

export function problemLine(atByte: number, problem: string): DumpLine {
  return {
    isProblem: true,
    text: () => `DAMAGED at byte ${atByte}: ${problem}`,
    json: () => ({ type: 'problem', position: atByte, problem }),
  }
}

function recordText({ offset, timestampMs, key, value, headers }: LogRecord, formats: Formats): string {
  const show = (bytes: Uint8Array | null, format: Formats['key']) => (bytes === null ? 'null' : quoted(bytes, format))
  const parts = [
    `  ${offset}`,
    timeText(timestampMs),
    `key ${show(key, formats.key)}`,
    `value ${show(value, formats.value)}`,
    ...headers.map((header) => `${header.key}=${show(header.value, 'text')}`),
  ]
  return parts.join('  ')
}

/** Text in quotes, with everything escaped that would break the line; other formats as they are. */
function quoted(bytes: Uint8Array, format: Formats['key']): string {
  const shown = showBytes(bytes, format)
  return format === 'text' && !shown.startsWith('0x') ? JSON.stringify(shown) : shown
}

function recordJson({ offset, timestampMs, key, value, headers }: LogRecord, formats: Formats) {
  return {
    offset,
    timestamp: timestampMs,
    key: jsonBytes(key, formats.key),
    value: jsonBytes(value, formats.value),
    headers: headers.map((header) => ({ key: header.key, value: jsonBytes(header.value, 'text') })),
  }
}

function controlText({ offset, timestampMs, key, value }: LogRecord): string {
  const type = controlTypeOf(key) ?? 'unknown control record'
  const epoch = coordinatorEpochOf(value)
  return `  ${offset}  ${timeText(timestampMs)}  ${type}${isMarker(type) ? `, coordinator epoch ${epoch}` : ''}`
}

function controlJson({ offset, timestampMs, key, value }: LogRecord) {
  const type = controlTypeOf(key) ?? null
  return {
    offset,
    timestamp: timestampMs,
    control: type,
    ...(isMarker(type) ? { coordinatorEpoch: coordinatorEpochOf(value) } : {}),
  }
}

function isMarker(type: string | null): boolean {
  return type === 'COMMIT' || type === 'ABORT'
}

function range(first: number, last: number): string {
  return first === last ? `${first}` : `${first}-${last}`
}
