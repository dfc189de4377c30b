/**
 * Reading whole batches out of a segment, from the one that contains an offset on: what lies in memory at once and without
 * a copy, everything else out of the file, beside the event loop.
 */
import { assert } from '../bytes/assert.ts'
import { BATCH_HEADER_BYTES, baseOffsetOf, lastOffsetOf, MAGIC_AT, sizeBytesOf } from './record-batch.ts'
import { DamagedLogError, type Segment } from './segment.ts'

/** What a single read of a file brings at most, unless one batch alone is larger. */
const FILE_READ_BYTES_MAX = 8 * 2 ** 20
/** The part of a batch that lies before the batch looked for, with what it takes to recognise the next one. */
const SLACK_BYTES = 2 * BATCH_HEADER_BYTES
const SLACK_BYTES_MAX = 2 ** 20

/** Whole batches of one segment. */
export interface SegmentRead {
  readonly parts: readonly Uint8Array[]
  readonly sizeBytes: number
  /** Where in the segment they end, and the next read would begin. */
  readonly end: number
  /** The offset after them. */
  readonly endOffset: number
}

/** How far one may read: a place between two batches, and the offset there. */
export interface ReadLimit {
  readonly position: number
  readonly offset: number
}

const NOTHING: readonly Uint8Array[] = []

export function nothingAt(position: number, offset: number): SegmentRead {
  return { parts: NOTHING, sizeBytes: 0, end: position, endOffset: offset }
}

/** Null when the file is needed. An `end` at the limit without parts: nothing there from `offset` on. */
export function readTail(
  segment: Segment,
  offset: number,
  limit: ReadLimit,
  maxBytes: number,
  takesOneBatchAtLeast: boolean,
): SegmentRead | null {
  const start = segment.findInTail(offset)
  if (start === null) return null
  if (start >= limit.position) return nothingAt(limit.position, limit.offset)
  let end = limit.position
  if (start + maxBytes < end) {
    end = segment.boundaryInTail(start, start + maxBytes)
    if (end === start) {
      if (!takesOneBatchAtLeast) return nothingAt(start, offset)
      const { bytes, at } = segment.batchInTail(start)
      end = start + sizeBytesOf(bytes, at)
    }
  }
  return {
    parts: segment.viewsOf(start, end),
    sizeBytes: end - start,
    end,
    endOffset: end >= limit.position ? limit.offset : segment.baseOffsetAt(end, limit.offset),
  }
}

/**
 * As `readTail`. `hint`: where the batch of this offset is known to begin, else null. Rejects with the system's errors, or
 * a DamagedLogError.
 */
export async function readFile(
  segment: Segment,
  offset: number,
  limit: ReadLimit,
  maxBytes: number,
  takesOneBatchAtLeast: boolean,
  hint: number | null,
): Promise<SegmentRead> {
  assert(segment.file !== null, 'without a file everything is in memory')
  const wanted = Math.min(maxBytes, FILE_READ_BYTES_MAX)
  const from = hint ?? segment.offsetIndex.positionBefore(offset)
  let window = await segment.readFile(from, Math.min(limit.position, from + wanted + slackBytes(segment, from, hint)))
  let windowAt = from
  let at = 0
  // To the batch that contains the offset.
  for (;;) {
    if (windowAt + at >= limit.position) return nothingAt(limit.position, limit.offset)
    if (at + BATCH_HEADER_BYTES > window.length) {
      windowAt += at
      at = 0
      window = await segment.readFile(windowAt, Math.min(limit.position, windowAt + wanted + SLACK_BYTES))
    }
    checkBatch(segment, window, at, windowAt + at, limit.position)
    if (lastOffsetOf(window, at) >= offset) break
    at += sizeBytesOf(window, at)
  }
  const firstBytes = sizeBytesOf(window, at)
  if (firstBytes > wanted && !takesOneBatchAtLeast) return nothingAt(windowAt + at, offset)
  if (at + Math.max(firstBytes, Math.min(wanted, limit.position - windowAt - at)) > window.length) {
    // The slack was not enough, or the first batch is larger than what was asked for.
    windowAt += at
    at = 0
    const sizeBytes = Math.max(firstBytes, wanted)
    window = await segment.readFile(windowAt, Math.min(limit.position, windowAt + sizeBytes))
  }
  let end = at + firstBytes
  let endOffset = lastOffsetOf(window, at) + 1
  while (end + BATCH_HEADER_BYTES <= window.length) {
    checkBatch(segment, window, end, windowAt + end, limit.position)
    const next = end + sizeBytesOf(window, end)
    if (next - at > wanted || next > window.length) {
      endOffset = baseOffsetOf(window, end)
      break
    }
    endOffset = lastOffsetOf(window, end) + 1
    end = next
  }
  if (windowAt + end >= limit.position) endOffset = limit.offset
  return { parts: [window.subarray(at, end)], sizeBytes: end - at, end: windowAt + end, endOffset }
}

/** How far behind `from` the batch may begin. */
function slackBytes(segment: Segment, from: number, hint: number | null): number {
  if (hint !== null) return 0
  const next = segment.offsetIndex.positionAfter(from)
  return Math.min((next === null ? segment.sizeBytes : next) - from, SLACK_BYTES_MAX) + SLACK_BYTES
}

/** Nothing else than a damaged disk can make this fail; following such a size would serve garbage. */
function checkBatch(segment: Segment, window: Buffer, at: number, position: number, limit: number): void {
  const sizeBytes = sizeBytesOf(window, at)
  if (sizeBytes >= BATCH_HEADER_BYTES && position + sizeBytes <= limit && window[at + MAGIC_AT] === 2) return
  throw new DamagedLogError(`${segment.file?.path} has no batch at byte ${position}`)
}
