/**
 * Walking the batches of a segment's file, to find out where what is whole ends: after a crash the last writes may be torn,
 * or lost while later ones are there.
 */
import type { LogFile } from './files.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  computeCrc,
  crcOf,
  lastOffsetOf,
  magicOf,
  sizeBytesOf,
} from './record-batch.ts'

const WINDOW_BYTES = 2 ** 20
/** A small file is read in place: thousands of them would wait for another thread longer than for the disk. */
const READ_IN_PLACE_BYTES_MAX = 64 * 1024

/** Where the valid batches end, and why: null when that is the end of the file. */
export interface ScanResult {
  readonly end: number
  readonly problem: string | null
}

/**
 * Calls `visit` for each valid batch from `start` on. Batches have to be whole, with the right CRC and ascending offsets, the
 * first not below `offset`. Reads beside the event loop, a megabyte at a time.
 */
export async function scanBatches(
  file: LogFile,
  start: number,
  fileBytes: number,
  offset: number,
  visit: (bytes: Uint8Array, at: number, position: number) => void,
): Promise<ScanResult> {
  let position = start
  let window = Buffer.alloc(0)
  let windowAt = start
  let offsetNext = offset
  const need = async (sizeBytes: number): Promise<boolean> => {
    if (position + sizeBytes <= windowAt + window.length) return true
    if (position + sizeBytes > fileBytes) return false
    const size = Math.min(Math.max(sizeBytes, WINDOW_BYTES), fileBytes - position)
    const bytes = Buffer.allocUnsafeSlow(size)
    const count = size <= READ_IN_PLACE_BYTES_MAX ? file.readSync(bytes, position) : await file.read(bytes, position)
    window = bytes.subarray(0, count)
    windowAt = position
    return sizeBytes <= count
  }
  while (position < fileBytes) {
    if (!(await need(BATCH_HEADER_BYTES))) return { end: position, problem: 'a batch is cut off' }
    const sizeBytes = sizeBytesOf(window, position - windowAt)
    const magic = magicOf(window, position - windowAt)
    if (magic !== 2) {
      const isZero = window
        .subarray(position - windowAt, position - windowAt + BATCH_HEADER_BYTES)
        .every((b) => b === 0)
      return { end: position, problem: isZero ? 'zeros instead of a batch' : `a batch of magic ${magic}` }
    }
    if (sizeBytes < BATCH_HEADER_BYTES) return { end: position, problem: `a batch of ${sizeBytes} bytes` }
    if (!(await need(sizeBytes))) return { end: position, problem: 'a batch is cut off' }
    const at = position - windowAt
    if (computeCrc(window, at) !== crcOf(window, at)) return { end: position, problem: 'a batch has the wrong CRC' }
    const baseOffset = baseOffsetOf(window, at)
    if (baseOffset < offsetNext) return { end: position, problem: `offset ${baseOffset} after ${offsetNext - 1}` }
    visit(window, at, position)
    offsetNext = lastOffsetOf(window, at) + 1
    position += sizeBytes
  }
  return { end: position, problem: null }
}
