import type { LogSettings } from './log-settings.ts'
import { baseOffsetOf, lastOffsetOf, maxTimestampOf, recordCountOf, sizeBytesOf } from './record-batch.ts'
import { decodeBatchAside } from './records/batch.ts'
import type { LogPlace, Segment } from './segment.ts'
import { nothingAt, type ReadLimit, readFile, readTail, type SegmentRead } from './segment-reader.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export type Isolation = 'read_uncommitted' | 'read_committed'

export interface ReadOptions {
  readonly isolation: Isolation
  /** The first batch comes whole, however large: or else a reader would never get past it. */
  readonly takesOneBatchAtLeast: boolean
}

export interface LogRead {
  readonly error: null | 'OFFSET_OUT_OF_RANGE' | 'KAFKA_STORAGE_ERROR'
  /** Whole batches, the one that contains the offset first; several may lie in one array. They never change afterwards. */
  readonly records: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** By first offset; null for `read_uncommitted`. */
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[] | null
}

export interface TimestampedOffset {
  readonly offset: number
  readonly timestampMs: number
  readonly leaderEpoch: number
}

/** What a reader asks of its partition. */
export interface ReadableLog {
  /** At least one, by base offset; they may be others after each wait. */
  readonly segments: readonly Segment[]
  readonly settings: LogSettings
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly highWatermark: number
  readonly highWatermarkPlace: LogPlace
  readonly lastStableOffset: number
  readonly isDeleted: boolean
  readonly storageProblem: string | null
  abortedTransactionsIn(startOffset: number, endOffset: number): AbortedTransaction[]
  describe(): string
}

interface ReaderHost {
  readonly nowMs: () => number
  readonly log: { error(details: object, message: string): void }
}

const NO_RECORDS: readonly Uint8Array[] = []
/** What one step of a search by time reads. */
const SEARCH_BYTES = 256 * 1024

/** Reads one partition: what lies in memory at once, the rest beside the event loop. It never holds an append up. */
export class PartitionReader {
  readonly #log: ReadableLog
  readonly #host: ReaderHost
  /** Where the last read of the file ended. */
  #lastRead: LogPlace | null = null
  /** When files and indexes were last needed. */
  filesUsedAtMs = 0

  constructor(log: ReadableLog, host: ReaderHost) {
    this.#log = log
    this.#host = host
  }

  /** Nobody reads where the last read ended. */
  forgetPlace(): void {
    this.#lastRead = null
  }

  /**
   * Batches from the one that contains `offset` on, up to the high watermark or the last stable offset, of one segment. At
   * once when they are in memory. Never rejects.
   */
  read(offset: number, maxBytes: number, options: ReadOptions): LogRead | Promise<LogRead> {
    if (this.#log.storageProblem !== null) return REFUSED_BY_STORAGE
    if (offset < this.#log.logStartOffset || offset > this.#log.logEndOffset) return OUT_OF_RANGE
    const limitOffset = options.isolation === 'read_committed' ? this.#log.lastStableOffset : this.#log.highWatermark
    let emptyBatches: SegmentRead | null = null
    for (
      let index = segmentIndexOf(this.#log.segments, offset);
      offset < limitOffset && index < this.#log.segments.length;
      index++
    ) {
      const segment = this.#log.segments[index]
      const limit = this.#limitIn(segment, index, limitOffset)
      const result = limit === null ? null : readTail(segment, offset, limit, maxBytes, options.takesOneBatchAtLeast)
      if (limit === null || result === null) return this.#readFiles(offset, maxBytes, options, limitOffset)
      if (result.sizeBytes === 0) {
        if (result.end < limit.position) break
        continue
      }
      if (!hasOnlyEmptyBatches(result.parts)) return this.#answer(offset, result, options)
      // Cleaning has left nothing of them: a reader that is sent nothing else may ask for the same again.
      emptyBatches = result
      offset = result.endOffset
      if (result.end < limit.position) index--
    }
    return this.#answer(offset, emptyBatches ?? nothingAt(0, offset), options)
  }

  async #readFiles(offset: number, maxBytes: number, options: ReadOptions, limitOffset: number): Promise<LogRead> {
    let emptyBatches: SegmentRead | null = null
    this.filesUsedAtMs = this.#host.nowMs()
    while (offset < limitOffset) {
      const segment = this.#log.segments[segmentIndexOf(this.#log.segments, offset)]
      let result: SegmentRead
      let limit: ReadLimit
      try {
        if (!segment.areIndexesLoaded) await segment.loadIndexesLater(this.#log.settings.indexIntervalBytes)
        const index = this.#log.segments.indexOf(segment)
        if (index < 0) continue
        limit = this.#limitIn(segment, index, limitOffset) ?? (await this.#findLimit(segment, limitOffset))
        result =
          readTail(segment, offset, limit, maxBytes, options.takesOneBatchAtLeast) ??
          (await this.#readFile(segment, offset, limit, maxBytes, options.takesOneBatchAtLeast))
      } catch (error) {
        // What is deleted while it is read is no damage; and of what was cleaned meanwhile another segment is there.
        if (this.#log.isDeleted || offset < this.#log.logStartOffset) return OUT_OF_RANGE
        if (!this.#log.segments.includes(segment)) continue
        this.#host.log.error({ err: error }, `${this.#log.describe()} cannot be read at offset ${offset}`)
        return REFUSED_BY_STORAGE
      }
      if (result.sizeBytes === 0) {
        if (result.end < limit.position) break
        // Nothing of the segment is left from there on.
        const next = this.#log.segments.find(({ baseOffset }) => baseOffset > segment.baseOffset)
        if (next === undefined) break
        offset = Math.max(offset, next.baseOffset)
        continue
      }
      if (!hasOnlyEmptyBatches(result.parts)) return this.#answer(offset, result, options)
      emptyBatches = result
      offset = result.endOffset
    }
    return this.#answer(offset, emptyBatches ?? nothingAt(0, offset), options)
  }

  async #readFile(
    segment: Segment,
    offset: number,
    limit: ReadLimit,
    maxBytes: number,
    takesOneBatchAtLeast: boolean,
  ): Promise<SegmentRead> {
    const last = this.#lastRead
    const hint = last !== null && last.segment === segment && last.offset === offset ? last.position : null
    const result = await readFile(segment, offset, limit, maxBytes, takesOneBatchAtLeast, hint)
    if (result.sizeBytes > 0) this.#lastRead = { offset: result.endOffset, segment, position: result.end }
    return result
  }

  /** How far a reader may go in a segment; null when the place must be looked for in the file. */
  #limitIn(segment: Segment, index: number, limitOffset: number): ReadLimit | null {
    const next = this.#log.segments[index + 1]
    if (next !== undefined && next.baseOffset <= limitOffset) {
      return { position: segment.sizeBytes, offset: next.baseOffset }
    }
    if (limitOffset <= segment.baseOffset) return { position: 0, offset: limitOffset }
    const highWatermark = this.#log.highWatermarkPlace
    if (limitOffset === highWatermark.offset && highWatermark.segment === segment) return highWatermark
    const position = segment.findInTail(limitOffset)
    return position === null ? null : { position, offset: limitOffset }
  }

  /** The end of what is stable, in a file: where the batch begins that has this offset. */
  async #findLimit(segment: Segment, limitOffset: number): Promise<ReadLimit> {
    const { position, offset } = this.#log.highWatermarkPlace
    const end =
      this.#log.highWatermarkPlace.segment === segment ? { position, offset } : { position: segment.sizeBytes, offset }
    const first = await readFile(segment, limitOffset, end, 1, true, null)
    return { position: first.end - first.sizeBytes, offset: limitOffset }
  }

  #answer(offset: number, { parts, sizeBytes, endOffset }: SegmentRead, { isolation }: ReadOptions): LogRead {
    return {
      error: null,
      records: parts,
      sizeBytes,
      highWatermark: this.#log.highWatermark,
      lastStableOffset: this.#log.lastStableOffset,
      logStartOffset: this.#log.logStartOffset,
      abortedTransactions:
        isolation === 'read_uncommitted' ? null : sizeBytes === 0 ? [] : this.#abortedBefore(offset, endOffset),
    }
  }

  /** What a reader of [offset, endOffset) has to pass over. */
  #abortedBefore(offset: number, endOffset: number): { producerId: number; firstOffset: number }[] {
    return this.#log
      .abortedTransactionsIn(offset, endOffset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
      .sort((one, other) => one.firstOffset - other.firstOffset)
  }

  // ---- Searching ----

  /** The first record with this timestamp or a later one; null when there is none. */
  async offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    for (const segment of [...this.#log.segments]) {
      if (segment.largestTimestampMs < timestampMs) continue
      if (!segment.areIndexesLoaded) await segment.loadIndexesLater(this.#log.settings.indexIntervalBytes)
      const start = Math.max(segment.timeIndex.offsetBefore(timestampMs), this.#log.logStartOffset)
      const found = await this.#searchFrom(start, segment, timestampMs)
      if (found !== null) return found
    }
    return null
  }

  /** In one segment. */
  async #searchFrom(start: number, segment: Segment, timestampMs: number): Promise<TimestampedOffset | null> {
    const next = this.#log.segments[this.#log.segments.indexOf(segment) + 1]
    const end = next?.baseOffset ?? Number.POSITIVE_INFINITY
    for (let offset = start; offset < end; ) {
      const { records } = await this.read(offset, SEARCH_BYTES, {
        isolation: 'read_uncommitted',
        takesOneBatchAtLeast: true,
      })
      if (records.length === 0) return null
      for (const part of records) {
        for (let at = 0; at < part.length; at += sizeBytesOf(part, at)) {
          offset = lastOffsetOf(part, at) + 1
          if (maxTimestampOf(part, at) < timestampMs || offset <= this.#log.logStartOffset) continue
          const { records: decoded, leaderEpoch } = await decodeBatchAside(part, at)
          for (const record of decoded) {
            if (record.timestampMs < timestampMs || record.offset < this.#log.logStartOffset) continue
            return { offset: record.offset, timestampMs: record.timestampMs, leaderEpoch }
          }
        }
      }
    }
    return null
  }

  /** The first record of the latest timestamp; null when the log is empty. */
  async offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    let latestMs = -1
    for (const segment of this.#log.segments) latestMs = Math.max(latestMs, segment.largestTimestampMs)
    if (latestMs < 0) return null
    const found = await this.offsetForTimestamp(latestMs)
    if (found !== null) return found
    // What had it was deleted from the beginning of the first segment.
    latestMs = await this.#latestTimestampLeft()
    return latestMs < 0 ? null : this.offsetForTimestamp(latestMs)
  }

  /** Goes through what is left of the first segment; -1: there is nothing left. */
  async #latestTimestampLeft(): Promise<number> {
    const { logStartOffset } = this.#log
    const [, ...others] = this.#log.segments
    const end = others[0]?.baseOffset ?? Number.POSITIVE_INFINITY
    let latestMs = Math.max(-1, ...others.map((segment) => segment.largestTimestampMs))
    for (let offset = logStartOffset; offset < end; ) {
      const { records } = await this.read(offset, SEARCH_BYTES, {
        isolation: 'read_uncommitted',
        takesOneBatchAtLeast: true,
      })
      if (records.length === 0) break
      for (const part of records) {
        for (let at = 0; at < part.length; at += sizeBytesOf(part, at)) {
          offset = lastOffsetOf(part, at) + 1
          if (baseOffsetOf(part, at) >= logStartOffset) {
            latestMs = Math.max(latestMs, maxTimestampOf(part, at))
            continue
          }
          for (const record of (await decodeBatchAside(part, at)).records) {
            if (record.offset >= logStartOffset) latestMs = Math.max(latestMs, record.timestampMs)
          }
        }
      }
    }
    return latestMs
  }
}

/** The last segment that does not begin behind `offset`. O(log n). */
export function segmentIndexOf(segments: readonly Segment[], offset: number): number {
  const last = segments.length - 1
  if (segments[last].baseOffset <= offset) return last
  let [low, high] = [0, last]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (segments[middle].baseOffset <= offset) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

const REFUSED = {
  records: NO_RECORDS,
  sizeBytes: 0,
  highWatermark: -1,
  lastStableOffset: -1,
  logStartOffset: -1,
  abortedTransactions: null,
}
const OUT_OF_RANGE: LogRead = { ...REFUSED, error: 'OFFSET_OUT_OF_RANGE' }
const REFUSED_BY_STORAGE: LogRead = { ...REFUSED, error: 'KAFKA_STORAGE_ERROR' }

/** Looks no further than the first batch, as a rule. */
function hasOnlyEmptyBatches(parts: readonly Uint8Array[]): boolean {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += sizeBytesOf(part, at)) if (recordCountOf(part, at) > 0) return false
  }
  return true
}
