/**
 * One cleaning of one log: of each key, the last record stays, with its offset.
 *
 * First the dirty part is read, and the last offset of each of its keys noted, as far as memory allows. Then everything up
 * to there is written anew, segment by segment (small ones together), without the records that a later one replaces.
 *
 * What must stay beyond that: tombstones until their time is over, which begins with the first cleaning that sees them,
 * so that slow readers see them too; markers of transactions as long as data of theirs is left, and as long as a
 * tombstone then; the last batch of each producer that is known, or its next batch would be refused; and the last
 * batch of each new segment: it tells a start after a crash which old ones the segment replaces, and readers where offsets
 * end. Aborted data goes at once.
 */
import { DECOMPRESSED_BYTES_MAX } from '../compression/codec.ts'
import {
  attributesOf,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  baseTimestampOf,
  CONTROL_BIT,
  DELETE_HORIZON_BIT,
  lastOffsetOf,
  NO_PRODUCER_ID,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  sizeBytesOf,
  TRANSACTIONAL_BIT,
} from '../record-batch.ts'
import { type OpenedBody, openAside, openRecords } from '../records/batch.ts'
import { controlTypeAt } from '../records/control-record.ts'
import type { CleanableLog, CleanableSegment, CleanedSegment } from './cleanable-log.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import { emptyBatch, filterBatch } from './filter-batch.ts'
import { OffsetMap } from './offset-map.ts'

export interface CleaningOptions {
  readonly nowMs: number
  /** What the map of keys may take. */
  readonly memoryBytes: number
  readonly random: () => number
  /** Lets others go on; called after each slice of work. */
  readonly pause: () => Promise<void>
}

export interface Cleaning {
  /** Where the next cleaning begins: everything below is clean. */
  readonly endOffset: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly recordsBefore: number
  readonly recordsAfter: number
}

/** The log has changed under the cleaning: deleted, or segments of it. Nothing is lost; it is to be tried again. */
export class CleaningInterrupted extends Error {}

/** Bytes of the log that are worked on between two pauses: about a millisecond's work. */
const SLICE_BYTES = 128 * 1024
const OFFSETS_IN_SEGMENT_MAX = 2 ** 31 - 1

/** Cleans [log start, firstUncleanableOffset), of which the part from firstDirtyOffset on was never looked at. */
export async function cleanLog(
  log: CleanableLog,
  firstDirtyOffset: number,
  firstUncleanableOffset: number,
  options: CleaningOptions,
): Promise<Cleaning> {
  return new Cleaner(log, options).clean(firstDirtyOffset, firstUncleanableOffset)
}

class Cleaner {
  readonly #log: CleanableLog
  readonly #options: CleaningOptions
  #map: OffsetMap
  /** Keys up to here are in the map. */
  #mappedOffset = -1
  /** The header of the last batch of the group that was dropped as a whole; null when the last one was not. */
  #droppedEnd: Uint8Array | null = null
  #cleaned: CleanedSegment | null = null
  #bytesBefore = 0
  #bytesAfter = 0
  #recordsBefore = 0
  #recordsAfter = 0

  constructor(log: CleanableLog, options: CleaningOptions) {
    this.#log = log
    this.#options = options
    this.#map = new OffsetMap(0, 0, options.random)
  }

  async clean(firstDirtyOffset: number, firstUncleanableOffset: number): Promise<Cleaning> {
    const { memoryBytes, random } = this.#options
    this.#map = new OffsetMap(firstUncleanableOffset - firstDirtyOffset, memoryBytes, random)
    this.#mappedOffset = firstDirtyOffset - 1
    await this.#mapKeys(firstDirtyOffset, firstUncleanableOffset)
    const endOffset = this.#mappedOffset + 1

    const transactions = new CleanedTransactions((transaction) => this.#cleaned?.appendAborted(transaction))
    const segments = this.#log.segments.filter((segment) => segment.baseOffset < endOffset)
    for (const group of groupSegments(segments, this.#log.settings, firstUncleanableOffset)) {
      await this.#cleanGroup(group, transactions)
    }
    return {
      endOffset,
      bytesBefore: this.#bytesBefore,
      bytesAfter: this.#bytesAfter,
      recordsBefore: this.#recordsBefore,
      recordsAfter: this.#recordsAfter,
    }
  }

  async #mapKeys(startOffset: number, endOffset: number): Promise<void> {
    const { segments } = this.#log
    const transactions = new CleanedTransactions(() => {})
    transactions.add(this.#log.abortedTransactionsIn(startOffset, endOffset))
    for (const [index, segment] of segments.entries()) {
      const nextBaseOffset = segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
      if (nextBaseOffset <= startOffset) continue
      if (segment.baseOffset >= endOffset) break
      for await (const bytes of this.#chunksOf(segment)) {
        for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
          if (lastOffsetOf(bytes, at) < startOffset) continue
          if (baseOffsetOf(bytes, at) >= endOffset) return
          const opening = openAside(bytes, at)
          const opened = opening instanceof Promise ? await opening : opening
          if (!this.#mapBatch(bytes, at, startOffset, transactions, opened)) return
          this.#mappedOffset = lastOffsetOf(bytes, at)
        }
      }
      // Offsets may end before the next segment begins.
      this.#mappedOffset = Math.max(this.#mappedOffset, Math.min(nextBaseOffset, endOffset) - 1)
    }
  }

  /** False when the map is full; what of the batch is in it does no harm. */
  #mapBatch(
    bytes: Uint8Array,
    at: number,
    startOffset: number,
    transactions: CleanedTransactions,
    opened: OpenedBody | null,
  ): boolean {
    if (observe(bytes, at, transactions) || (attributesOf(bytes, at) & CONTROL_BIT) !== 0) return true
    const baseOffset = baseOffsetOf(bytes, at)
    const cursor = openRecords(bytes, at, DECOMPRESSED_BYTES_MAX, opened)
    for (let left = recordCountOf(bytes, at); left > 0; left--) {
      cursor.next()
      const offset = baseOffset + cursor.offsetDelta
      if (cursor.keyStart < 0 || offset < startOffset) continue
      if (!this.#map.put(cursor.bytes, cursor.keyStart, cursor.keyEnd, offset)) return false
      this.#mappedOffset = offset
    }
    return true
  }

  async #cleanGroup(group: readonly CleanableSegment[], transactions: CleanedTransactions): Promise<void> {
    const log = this.#log
    const cleaned = log.createCleanedSegment(group[0].baseOffset)
    this.#cleaned = cleaned
    try {
      this.#droppedEnd = null
      for (const segment of group) await this.#cleanSegment(segment, cleaned, transactions)
      if (this.#droppedEnd !== null) cleaned.append(emptyBatch(this.#droppedEnd, 0))
      await cleaned.written()
      if (!(await log.replaceSegments(cleaned, group))) throw new CleaningInterrupted('segments were deleted meanwhile')
    } catch (error) {
      cleaned.discard()
      // A segment that was deleted while it was read fails in ways of its own.
      if (group.every((segment) => log.segments.includes(segment))) throw error
      throw new CleaningInterrupted('segments were deleted meanwhile')
    } finally {
      this.#cleaned = null
    }
  }

  async #cleanSegment(
    segment: CleanableSegment,
    cleaned: CleanedSegment,
    transactions: CleanedTransactions,
  ): Promise<void> {
    const { segments } = this.#log
    const next = segments[segments.indexOf(segment) + 1]
    const endOffset = next?.baseOffset ?? Number.POSITIVE_INFINITY
    transactions.add(this.#log.abortedTransactionsIn(segment.baseOffset, endOffset))
    this.#bytesBefore += segment.sizeBytes
    for await (const bytes of this.#chunksOf(segment)) {
      for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
        const filtered = this.#filter(bytes, at, transactions)
        // Waiting for what is there already would cost a turn for each batch.
        const batch = filtered instanceof Promise ? await filtered : filtered
        this.#recordsBefore += recordCountOf(bytes, at)
        this.#droppedEnd = batch === null ? bytes.subarray(at, at + BATCH_HEADER_BYTES) : null
        if (batch === null) continue
        this.#recordsAfter += recordCountOf(batch, 0)
        this.#bytesAfter += batch.length
        cleaned.append(batch)
      }
    }
  }

  #filter(
    bytes: Uint8Array,
    at: number,
    transactions: CleanedTransactions,
  ): Uint8Array | null | Promise<Uint8Array | null> {
    const { nowMs } = this.#options
    const attributes = attributesOf(bytes, at)
    const isControl = (attributes & CONTROL_BIT) !== 0
    const isSpent = observe(bytes, at, transactions)
    const horizonMs = attributes & DELETE_HORIZON_BIT ? baseTimestampOf(bytes, at) : Number.POSITIVE_INFINITY
    const isOver = horizonMs <= nowMs
    const dropsAll = isSpent && (!isControl || isOver)
    return filterBatch(bytes, at, {
      keeps: (cursor) => {
        if (dropsAll) return false
        if (isControl) return true
        const offset = baseOffsetOf(bytes, at) + cursor.offsetDelta
        if (offset > this.#mappedOffset) return true
        // Nothing can be said of a record without a key; a compacted topic accepts none.
        if (cursor.keyStart < 0) return false
        if (offset < this.#map.get(cursor.bytes, cursor.keyStart, cursor.keyEnd)) return false
        return cursor.valueStart >= 0 || !isOver
      },
      keepsEmpty: this.#isNeeded(bytes, at, isControl),
      isSpentMarker: isSpent && isControl,
      deleteHorizonMs: nowMs + this.#log.settings.deleteRetentionMs,
    })
  }

  /** Whether the batch is the last that the log has of a producer that it knows. */
  #isNeeded(bytes: Uint8Array, at: number, isControl: boolean): boolean {
    const producerId = producerIdOf(bytes, at)
    if (producerId === NO_PRODUCER_ID) return false
    const last = this.#log.lastRecordOfProducer(producerId)
    if (last === undefined) return false
    if (last.lastDataOffset !== null) return lastOffsetOf(bytes, at) === last.lastDataOffset
    return isControl && producerEpochOf(bytes, at) === last.producerEpoch
  }

  /** Whole batches, with a pause after each slice. */
  async *#chunksOf(segment: CleanableSegment): AsyncGenerator<Uint8Array> {
    for (let atByte = 0; ; ) {
      const bytes = await segment.readBatches(atByte, SLICE_BYTES)
      if (bytes.length === 0) return
      yield bytes
      atByte += bytes.length
      await this.#options.pause()
      if (this.#log.isDeleted) throw new CleaningInterrupted('the topic was deleted')
    }
  }
}

/** Shows a batch to the transactions. True for aborted data, and for a marker that has no data left. */
function observe(bytes: Uint8Array, at: number, transactions: CleanedTransactions): boolean {
  const attributes = attributesOf(bytes, at)
  const producerId = producerIdOf(bytes, at)
  const lastOffset = lastOffsetOf(bytes, at)
  if ((attributes & CONTROL_BIT) === 0) {
    return transactions.onData(producerId, (attributes & TRANSACTIONAL_BIT) !== 0, lastOffset)
  }
  // A control batch that is empty was cleaned already.
  if (recordCountOf(bytes, at) === 0) return true
  const type = controlTypeAt(bytes, at)
  return type === 'COMMIT' || type === 'ABORT' ? transactions.onMarker(producerId, type, lastOffset) : false
}

/** Neighbours that will fit one segment, before anything is dropped of them. */
export function groupSegments(
  segments: readonly CleanableSegment[],
  limits: { readonly segmentBytes: number; readonly segmentIndexBytes: number },
  endOffset: number,
): CleanableSegment[][] {
  const groups: CleanableSegment[][] = []
  let sizeBytes = 0
  let indexSizeBytes = 0
  for (const [index, segment] of segments.entries()) {
    const group = groups.at(-1)
    const nextBaseOffset = segments[index + 1]?.baseOffset ?? endOffset
    sizeBytes += segment.sizeBytes
    indexSizeBytes += segment.indexSizeBytes
    if (
      group !== undefined &&
      sizeBytes <= limits.segmentBytes &&
      indexSizeBytes <= limits.segmentIndexBytes &&
      nextBaseOffset - group[0].baseOffset <= OFFSETS_IN_SEGMENT_MAX
    ) {
      group.push(segment)
    } else {
      groups.push([segment])
      sizeBytes = segment.sizeBytes
      indexSizeBytes = segment.indexSizeBytes
    }
  }
  return groups
}
