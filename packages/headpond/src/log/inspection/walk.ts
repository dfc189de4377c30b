/**
 * The batches of a segment's file, one after the other, for tools: nothing is taken for granted, and what is wrong is told
 * and not repaired. Reads synchronously, some megabytes at a time.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { CompressionError } from '../compression/compression-error.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  computeCrc,
  crcOf,
  LAST_OFFSET_DELTA_AT,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  readInt32,
  recordCountOf,
} from '../record-batch.ts'
import { openRecords, readBatchHeader } from '../records/batch.ts'
import { RecordFormatError } from '../records/record.ts'

const WINDOW_BYTES = 4 * 2 ** 20
/** What tells where a batch of any age ends, and how old it is. */
const HEAD_BYTES = MAGIC_AT + 1
/** The smallest message of magic 0. */
const MESSAGE_BYTES_MIN = LOG_OVERHEAD_BYTES + 14

/** Bytes of a file that are a batch, or a message of magic 0 or 1, by their size. */
export interface WalkedBatch {
  /** Where it begins in the file. */
  readonly atByte: number
  readonly magic: number
  readonly sizeBytes: number
  /** It lies in bytes[at, at + sizeBytes). They change with the next step. */
  readonly bytes: Uint8Array
  readonly at: number
}

/** Where the walk ended, and why it could not go on: null at the end of the file. */
export interface WalkEnd {
  readonly atByte: number
  readonly fileBytes: number
  readonly problem: string | null
}

/** Throws the system's errors. */
export function* walkBatches(path: string): Generator<WalkedBatch, WalkEnd> {
  const fd = openSync(path, 'r')
  try {
    const fileBytes = fstatSync(fd).size
    let window: Buffer = Buffer.alloc(0)
    let windowAt = 0
    let atByte = 0
    const fetch = (sizeBytes: number): boolean => {
      if (atByte + sizeBytes > fileBytes) return false
      if (atByte + sizeBytes <= windowAt + window.length) return true
      window = readAt(fd, atByte, Math.min(Math.max(sizeBytes, WINDOW_BYTES), fileBytes - atByte))
      windowAt = atByte
      return sizeBytes <= window.length
    }
    const end = (problem: string | null): WalkEnd => ({ atByte, fileBytes, problem })
    while (atByte < fileBytes) {
      if (!fetch(HEAD_BYTES)) return end('a batch is cut off')
      const at = atByte - windowAt
      const magic = window[at + MAGIC_AT]
      const sizeBytes = LOG_OVERHEAD_BYTES + readInt32(window, at + BATCH_LENGTH_AT)
      if (magic > 2) return end(`no batch begins here (its magic would be ${magic})`)
      if (sizeBytes < (magic === 2 ? BATCH_HEADER_BYTES : MESSAGE_BYTES_MIN)) {
        const isZero = window.subarray(at, at + HEAD_BYTES).every((byte) => byte === 0)
        return end(
          isZero ? 'zeros where a batch should begin' : `no batch begins here (it would have ${sizeBytes} bytes)`,
        )
      }
      if (!fetch(sizeBytes)) return end('a batch is cut off')
      yield { atByte, magic, sizeBytes, bytes: window, at: atByte - windowAt }
      atByte += sizeBytes
    }
    return end(null)
  } finally {
    closeSync(fd)
  }
}

/**
 * What is wrong with the batch, which is of magic 2; null when all is well. `offsetMin`: the end of the batch before it.
 * Decompresses it.
 */
export function batchProblem(bytes: Uint8Array, at: number, offsetMin: number): string | null {
  const header = readBatchHeader(bytes, at)
  if (header.crc !== computeCrc(bytes, at))
    return `its CRC is ${hex(computeCrc(bytes, at))} and should be ${hex(crcOf(bytes, at))}`
  if (header.baseOffset < offsetMin) return `its offset ${header.baseOffset} comes after ${offsetMin - 1}`
  const lastOffsetDelta = readInt32(bytes, at + LAST_OFFSET_DELTA_AT)
  const recordCount = recordCountOf(bytes, at)
  // Compaction leaves gaps, but there is never more in a batch than there are offsets.
  if (lastOffsetDelta < 0 || recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    return `${recordCount} records for ${lastOffsetDelta + 1} offsets`
  }
  try {
    const cursor = openRecords(bytes, at)
    let deltaMin = 0
    for (let index = 0; index < recordCount; index++) {
      cursor.next()
      if (cursor.offsetDelta < deltaMin || cursor.offsetDelta > lastOffsetDelta) {
        return `its record ${index} has the offset ${header.baseOffset + cursor.offsetDelta}`
      }
      deltaMin = cursor.offsetDelta + 1
    }
    return cursor.isAtEnd ? null : `there are bytes behind its ${recordCount} records`
  } catch (error) {
    if (error instanceof RecordFormatError || error instanceof CompressionError) return error.message
    throw error
  }
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}

function readAt(fd: number, position: number, sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes)
  let filled = 0
  while (filled < sizeBytes) {
    const count = readSync(fd, bytes, filled, sizeBytes - filled, position + filled)
    if (count === 0) break
    filled += count
  }
  return bytes.subarray(0, filled)
}
