import { assert } from '../bytes/assert.ts'
import { isControlBatch, newProducerBatch, readMarker, readProducerBatch } from './batch-replay.ts'
import { validateBatch } from './batch-validation.ts'
import { CleanedSegmentWriter } from './cleaned-segment.ts'
import type { CleanableLog, CleanableSegment, CleanedSegment, LastProducerRecord } from './compaction/cleanable-log.ts'
import { CompressionError } from './compression/compression-error.ts'
import type { LogRefusal } from './errors.ts'
import { syncPaths } from './files.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogSettings } from './log-settings.ts'
import type { PartitionDirectory } from './partition-directory.ts'
import { loadPartition } from './partition-loader.ts'
import { lastSequenceOf, type Marker, ProducerStates } from './producer-state.ts'
import { recompress } from './recompression.ts'
import {
  ATTRIBUTES_AT,
  LAST_OFFSET_DELTA_AT,
  LOG_APPEND_TIME_BIT,
  lastOffsetOf,
  MAX_TIMESTAMP_AT,
  maxTimestampOf,
  NO_PRODUCER_ID,
  producerIdOf,
  readInt32,
  recordCountOf,
  sizeBytesOf,
  stampCrc,
  writeInt64,
} from './record-batch.ts'
import { decodeBatch } from './records/batch.ts'
import { RecordFormatError } from './records/record.ts'
import { Segment, type SegmentHost } from './segment.ts'
import { nothingAt, type ReadLimit, readFile, readTail, type SegmentRead } from './segment-reader.ts'
import type { AbortedTransaction } from './transaction-index.ts'

/** What a partition asks of the manager that holds it. */
export interface PartitionLogHost extends SegmentHost {
  readonly nowMs: () => number
  /** From 0 to below 1. */
  readonly random: () => number
  readonly log: {
    info(message: string): void
    warn(message: string): void
    error(details: object, message: string): void
  }
  /** There is something to write at the end of this turn. */
  readonly markDirty: (log: PartitionLog) => void
  /** The log start has moved: it is to be remembered. */
  readonly markLogStartMoved: (log: PartitionLog) => void
  readonly producerIdExpirationMs: () => number
}

export interface AppendOptions {
  /** A client's batch is validated in full; a coordinator's own may be a control batch. */
  readonly origin: 'client' | 'coordinator'
  /**
   * Asked when a transactional batch of a client would begin a transaction here (KIP-890): null when the coordinator
   * knows that this partition belongs to the producer's transaction. Called between check and append, synchronously.
   */
  readonly verifyTransaction?: (producerId: number, producerEpoch: number) => LogRefusal | null
}

/** A batch that is in the log: now, or since an earlier attempt of an idempotent producer. */
export interface AppendedBatch {
  readonly error: null
  readonly baseOffset: number
  /** -1 when records carry the time of their creation. */
  readonly logAppendTimeMs: number
  /** It was here already; the offset is the old one. */
  readonly isDuplicate: boolean
}

export type Appended = AppendedBatch | LogRefusal

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

/** One row of DescribeProducers. */
export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestampMs: number
  readonly coordinatorEpoch: number
  /** -1: none is open. */
  readonly currentTransactionStartOffset: number
}

/** A place in the log between two batches. */
interface LogPlace {
  readonly offset: number
  readonly segment: Segment
  readonly position: number
}

interface WriteWait {
  readonly offset: number
  readonly done: () => void
}

const NO_RECORDS: readonly Uint8Array[] = []
const RELATIVE_OFFSET_MAX = 2 ** 31 - 1
/** Less is written at once: the other thread would cost more than it takes off. **(measured)** */
const WRITE_ASIDE_BYTES_MIN = 256 * 1024
/** What one step of a search by time reads. */
const SEARCH_BYTES = 256 * 1024
/** After an error of its disk, a partition is read anew so often. */
const RETRY_EVERY_MS = 10_000
/** Indexes are given back when they have not been used for so long. */
const IDLE_MS = 60_000

/** Scratch of one append: an append is one step. */
const scratch = newProducerBatch()

/** One partition: batches in the order of their offsets. */
export class PartitionLog implements CleanableLog {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly #settings: LogSettings
  readonly #host: PartitionLogHost
  /** Null: nothing is kept on disk. */
  readonly #directory: PartitionDirectory | null
  /** At least one; appends go to the last. By base offset. */
  #segments: Segment[]
  #states: ProducerStates | null = null
  #epochs = new LeaderEpochs()
  /** Of what is appended from now on. */
  #leaderEpoch: number
  #logStartOffset = 0
  #logEndOffset = 0
  #highWatermark: LogPlace
  /** Of the snapshots on disk, ascending. */
  #snapshotOffsets: number[] = []
  /** Made with the first batch. */
  #isDirectoryMade = false
  #isDirectorySynced = false
  #isDeleted = false
  #waiters: Set<() => void> | null = null

  // Writing.
  /** Segments with something to write, in order. */
  #unwritten: Segment[] = []
  /** Segments that have been written to since they were synced. */
  #unsynced: Segment[] = []
  #isWriting = false
  /** A sync that nobody waits for. */
  #syncAsideRun: Promise<void> | null = null
  #waits: WriteWait[] = []
  /** What lies below is synced. */
  #recoveryPoint = 0
  #syncedAtMs: number
  #usedAtMs: number
  #storageProblem: string | null = null
  #failedAtMs = 0
  /** Where the last read of the file ended. */
  #lastRead: LogPlace | null = null

  constructor(
    name: { topic: string; partition: number; topicId: string },
    settings: LogSettings,
    host: PartitionLogHost,
    directory: PartitionDirectory | null,
    leaderEpoch: number,
  ) {
    this.topic = name.topic
    this.partition = name.partition
    this.topicId = name.topicId
    this.#settings = settings
    this.#host = host
    this.#directory = directory
    this.#leaderEpoch = leaderEpoch
    this.#segments = [this.#newSegment(0)]
    this.#highWatermark = { offset: 0, segment: this.#segments[0], position: 0 }
    this.#syncedAtMs = this.#usedAtMs = host.nowMs()
  }

  // ---- What it is ----

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** The offset that the next record gets. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  /** What lies below is written; consumers see nothing above. */
  get highWatermark(): number {
    return this.#highWatermark.offset
  }

  /** What lies below belongs to no open transaction. */
  get lastStableOffset(): number {
    const highWatermark = this.#highWatermark.offset
    if (this.#states === null) return highWatermark
    return Math.min(highWatermark, Math.max(this.#states.firstUnstableOffset, this.#logStartOffset))
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch
  }

  get sizeBytes(): number {
    let sizeBytes = 0
    for (const segment of this.#segments) sizeBytes += segment.sizeBytes
    return sizeBytes
  }

  /** Up to there everything is synced. */
  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  get settings(): LogSettings {
    return this.#settings
  }

  /** The oldest first; the last is appended to. For maintenance; they are not to be changed. */
  get segments(): readonly Segment[] {
    return this.#segments
  }

  get directory(): PartitionDirectory | null {
    return this.#directory
  }

  get isDeleted(): boolean {
    return this.#isDeleted
  }

  /** Why this partition answers KAFKA_STORAGE_ERROR; null while its disk is well. To be asked after `written()`. */
  get storageProblem(): string | null {
    return this.#storageProblem
  }

  /** Called when the high watermark, the last stable offset or the log start moves, and on deletion. */
  get waiters(): Set<() => void> {
    this.#waiters ??= new Set()
    return this.#waiters
  }

  describe(): string {
    return `${this.topic}-${this.partition}`
  }

  // ---- Appending ----

  /**
   * Appends one batch. Check and append are one step; the bytes are copied. Readers see it once it is written
   * (`LogManager.written`). hot: once for each batch.
   */
  append(batch: Uint8Array, options: AppendOptions): Appended {
    if (this.#storageProblem !== null) return refuseStorage(this.#storageProblem)
    if (this.#isDeleted) return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: `${this.describe()} is deleted` }
    const nowMs = this.#host.nowMs()
    this.#usedAtMs = nowMs
    const isFromClient = options.origin === 'client'
    const refusal = validateBatch(batch, isFromClient, this.#settings, nowMs, () => this.describe())
    if (refusal !== null) return refusal
    const hasProducer = producerIdOf(batch, 0) > NO_PRODUCER_ID
    let marker: Marker | null = null
    if (hasProducer) {
      if (isControlBatch(batch, 0)) {
        marker = readMarker(batch, 0)
        if (marker !== null) {
          const refused = this.#producers().checkMarker(marker, this.#logEndOffset)
          if (refused !== null) return refused
        }
      } else {
        const answer = this.#checkProducer(batch, options)
        if (answer !== null) return answer
      }
    }
    if (this.#settings.compressionType !== 'producer' && isFromClient) {
      const recompressed = this.#recompress(batch)
      if (recompressed instanceof Uint8Array) batch = recompressed
      else return recompressed
    }
    const isAppendTime = this.#settings.messageTimestampType === 'LogAppendTime' && !isControlBatch(batch, 0)
    try {
      this.#rollWhenDue(batch, isAppendTime ? nowMs : maxTimestampOf(batch, 0), nowMs)
      return this.#put(batch, hasProducer, marker, isAppendTime ? nowMs : -1)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      this.#fail(error as Error)
      return refuseStorage((error as Error).message)
    }
  }

  /** A refusal, or what became of the same batch before; null when it is to be appended. */
  #checkProducer(batch: Uint8Array, options: AppendOptions): Appended | null {
    const producers = this.#producers()
    readProducerBatch(batch, 0, scratch)
    const isFromClient = options.origin === 'client'
    if (isFromClient) {
      const mark = producers.findDuplicate(scratch)
      if (mark !== null) {
        const logAppendTimeMs = this.#settings.messageTimestampType === 'LogAppendTime' ? mark.timestampMs : -1
        return { error: null, baseOffset: mark.lastOffset - mark.offsetDelta, logAppendTimeMs, isDuplicate: true }
      }
      if (
        options.verifyTransaction !== undefined &&
        scratch.isTransactional &&
        !producers.hasOpenTransaction(scratch.producerId, scratch.epoch)
      ) {
        const refusal = options.verifyTransaction(scratch.producerId, scratch.epoch)
        if (refusal !== null) return refusal
      }
      return producers.check(scratch, this.#logEndOffset)
    }
    return null
  }

  #recompress(batch: Uint8Array): Uint8Array | LogRefusal {
    try {
      const recompressed = recompress(batch, this.#settings.compressionType)
      if (recompressed.length <= this.#settings.maxMessageBytes) return recompressed
      const message = `The record batch has ${recompressed.length} bytes with the compression of the topic`
      return { error: 'MESSAGE_TOO_LARGE', message }
    } catch (error) {
      if (!(error instanceof CompressionError || error instanceof RecordFormatError)) throw error
      return { error: 'CORRUPT_MESSAGE', message: error.message }
    }
  }

  #put(batch: Uint8Array, hasProducer: boolean, marker: Marker | null, logAppendTimeMs: number): AppendedBatch {
    const segment = this.#segments[this.#segments.length - 1]
    const baseOffset = this.#logEndOffset
    if (this.#leaderEpoch > this.#epochs.latest) this.#beginEpoch(baseOffset)
    const sizeBytes = batch.length
    const { bytes, length } = segment.append(batch, baseOffset, this.#leaderEpoch)
    const at = length - sizeBytes
    if (logAppendTimeMs >= 0) {
      bytes[at + ATTRIBUTES_AT + 1] |= LOG_APPEND_TIME_BIT
      writeInt64(bytes, at + MAX_TIMESTAMP_AT, logAppendTimeMs)
      stampCrc(bytes, at)
    } else if ((bytes[at + ATTRIBUTES_AT + 1] & LOG_APPEND_TIME_BIT) !== 0) {
      bytes[at + ATTRIBUTES_AT + 1] &= ~LOG_APPEND_TIME_BIT
      stampCrc(bytes, at)
    }
    const endOffset = baseOffset + readInt32(bytes, at + LAST_OFFSET_DELTA_AT) + 1
    segment.commit(sizeBytes, endOffset - 1, maxTimestampOf(bytes, at), this.#settings.indexIntervalBytes)
    this.#logEndOffset = endOffset
    if (marker !== null) {
      const aborted = this.#producers().addMarker(marker, baseOffset)
      if (aborted !== null) segment.addAbortedTransaction(aborted)
    } else if (hasProducer) {
      readProducerBatch(bytes, at, scratch)
      this.#producers().add(scratch, baseOffset)
    }
    if (this.#unwritten.length === 0 || this.#unwritten[this.#unwritten.length - 1] !== segment) {
      this.#unwritten.push(segment)
    }
    this.#host.markDirty(this)
    return { error: null, baseOffset, logAppendTimeMs, isDuplicate: false }
  }

  #producers(): ProducerStates {
    this.#states ??= new ProducerStates(() => this.describe())
    return this.#states
  }

  #beginEpoch(startOffset: number): void {
    this.#makeDirectory()
    this.#epochs.assign(this.#leaderEpoch, startOffset)
    this.#saveEpochs()
  }

  #saveEpochs(): void {
    this.#directory?.writeEpochs(this.#epochs.entries)
  }

  #makeDirectory(): void {
    if (this.#isDirectoryMade) return
    this.#directory?.create(this.topicId)
    this.#isDirectoryMade = true
  }

  // ---- Segments ----

  #rollWhenDue(batch: Uint8Array, maxTimestampMs: number, nowMs: number): void {
    const segment = this.#segments[this.#segments.length - 1]
    if (segment.sizeBytes === 0) return
    const settings = this.#settings
    const { offsetIndex, timeIndex } = segment
    const isDue =
      segment.sizeBytes + batch.length > settings.segmentBytes ||
      this.#logEndOffset + readInt32(batch, LAST_OFFSET_DELTA_AT) - segment.baseOffset > RELATIVE_OFFSET_MAX ||
      offsetIndex.count >= Math.floor(settings.segmentIndexBytes / 8) ||
      timeIndex.count >= Math.floor(settings.segmentIndexBytes / 12) - 1 ||
      this.#isOld(segment, maxTimestampMs, nowMs)
    if (isDue) this.roll()
  }

  #isOld(segment: Segment, maxTimestampMs: number, nowMs: number): boolean {
    const { segmentMs, isCompacted, maxCompactionLagMs } = this.#settings
    const maxMs = isCompacted && maxCompactionLagMs > 0 ? Math.min(maxCompactionLagMs, segmentMs) : segmentMs
    const firstMs = segment.firstTimestampMs
    const waitedMs = firstMs >= 0 ? maxTimestampMs - firstMs : nowMs - segment.createdAtMs
    return waitedMs > maxMs - segment.rollJitterMs
  }

  /** Begins a new segment. Throws the system's errors. */
  roll(): void {
    const sealed = this.#segments[this.#segments.length - 1]
    assert(sealed.sizeBytes > 0, 'roll: an empty segment needs no successor')
    sealed.saveIndexes()
    this.#takeSnapshot(true)
    const segment = this.#newSegment(this.#logEndOffset)
    // Its name tells where the log ends, should nothing ever be written to it.
    segment.file?.create()
    this.#segments.push(segment)
    // What is sealed is synced in its time, so that a crash need not look at it again.
    this.#host.markDirty(this)
  }

  #newSegment(baseOffset: number): Segment {
    const { segmentJitterMs, segmentMs } = this.#settings
    return new Segment(this.#host, this.#directory, baseOffset, {
      createdAtMs: this.#host.nowMs(),
      rollJitterMs: segmentJitterMs > 0 ? Math.floor(this.#host.random() * Math.min(segmentJitterMs, segmentMs)) : 0,
    })
  }

  /** `isAlways`: even without producers, so that a recovery need not look for them further back. */
  #takeSnapshot(isAlways: boolean): void {
    if (this.#directory === null) return
    const hasProducers = this.#states !== null && this.#states.size > 0
    if (!isAlways && !hasProducers && this.#snapshotOffsets.length === 0) return
    this.#directory.writeSnapshot(this.#logEndOffset, this.#states?.values() ?? [])
    if (this.#snapshotOffsets.at(-1) !== this.#logEndOffset) this.#snapshotOffsets.push(this.#logEndOffset)
  }

  /** The last segment that does not begin behind `offset`. O(log n). */
  #segmentIndexOf(offset: number): number {
    const segments = this.#segments
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

  // ---- Reading ----

  /**
   * Batches from the one that contains `offset` on, up to the high watermark or the last stable offset, of one segment. At
   * once when they are in memory. Never rejects.
   */
  read(offset: number, maxBytes: number, options: ReadOptions): LogRead | Promise<LogRead> {
    if (this.#storageProblem !== null) return REFUSED_BY_STORAGE
    if (offset < this.#logStartOffset || offset > this.#logEndOffset) return OUT_OF_RANGE
    const limitOffset = options.isolation === 'read_committed' ? this.lastStableOffset : this.#highWatermark.offset
    let emptyBatches: SegmentRead | null = null
    for (let index = this.#segmentIndexOf(offset); offset < limitOffset && index < this.#segments.length; index++) {
      const segment = this.#segments[index]
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
    this.#usedAtMs = this.#host.nowMs()
    while (offset < limitOffset) {
      const segment = this.#segments[this.#segmentIndexOf(offset)]
      let result: SegmentRead
      let limit: ReadLimit
      try {
        if (!segment.areIndexesLoaded) await segment.loadIndexesLater(this.#settings.indexIntervalBytes)
        const index = this.#segments.indexOf(segment)
        if (index < 0) continue
        limit = this.#limitIn(segment, index, limitOffset) ?? (await this.#findLimit(segment, limitOffset))
        result =
          readTail(segment, offset, limit, maxBytes, options.takesOneBatchAtLeast) ??
          (await this.#readFile(segment, offset, limit, maxBytes, options.takesOneBatchAtLeast))
      } catch (error) {
        // What is deleted while it is read is no damage; and of what was cleaned meanwhile another segment is there.
        if (this.#isDeleted || offset < this.#logStartOffset) return OUT_OF_RANGE
        if (!this.#segments.includes(segment)) continue
        this.#host.log.error({ err: error }, `${this.describe()} cannot be read at offset ${offset}`)
        return REFUSED_BY_STORAGE
      }
      if (result.sizeBytes === 0) {
        if (result.end < limit.position) break
        // Nothing of the segment is left from there on.
        const next = this.#segments.find(({ baseOffset }) => baseOffset > segment.baseOffset)
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
    const next = this.#segments[index + 1]
    if (next !== undefined && next.baseOffset <= limitOffset) {
      return { position: segment.sizeBytes, offset: next.baseOffset }
    }
    if (limitOffset <= segment.baseOffset) return { position: 0, offset: limitOffset }
    const highWatermark = this.#highWatermark
    if (limitOffset === highWatermark.offset && highWatermark.segment === segment) return highWatermark
    const position = segment.findInTail(limitOffset)
    return position === null ? null : { position, offset: limitOffset }
  }

  /** The end of what is stable, in a file: where the batch begins that has this offset. */
  async #findLimit(segment: Segment, limitOffset: number): Promise<ReadLimit> {
    const { position, offset } = this.#highWatermark
    const end = this.#highWatermark.segment === segment ? { position, offset } : { position: segment.sizeBytes, offset }
    const first = await readFile(segment, limitOffset, end, 1, true, null)
    return { position: first.end - first.sizeBytes, offset: limitOffset }
  }

  #answer(offset: number, { parts, sizeBytes, endOffset }: SegmentRead, { isolation }: ReadOptions): LogRead {
    return {
      error: null,
      records: parts,
      sizeBytes,
      highWatermark: this.#highWatermark.offset,
      lastStableOffset: this.lastStableOffset,
      logStartOffset: this.#logStartOffset,
      abortedTransactions:
        isolation === 'read_uncommitted' ? null : sizeBytes === 0 ? [] : this.#abortedBefore(offset, endOffset),
    }
  }

  /** What a reader of [offset, endOffset) has to pass over. */
  #abortedBefore(offset: number, endOffset: number): { producerId: number; firstOffset: number }[] {
    return this.abortedTransactionsIn(offset, endOffset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
      .sort((one, other) => one.firstOffset - other.firstOffset)
  }

  // ---- Searching ----

  /** The first record with this timestamp or a later one; null when there is none. */
  async offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    for (const segment of [...this.#segments]) {
      if (segment.largestTimestampMs < timestampMs) continue
      if (!segment.areIndexesLoaded) await segment.loadIndexesLater(this.#settings.indexIntervalBytes)
      const start = Math.max(segment.timeIndex.offsetBefore(timestampMs), this.#logStartOffset)
      const found = await this.#searchFrom(start, segment, timestampMs)
      if (found !== null) return found
    }
    return null
  }

  /** In one segment. */
  async #searchFrom(start: number, segment: Segment, timestampMs: number): Promise<TimestampedOffset | null> {
    const next = this.#segments[this.#segments.indexOf(segment) + 1]
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
          if (maxTimestampOf(part, at) < timestampMs || offset <= this.#logStartOffset) continue
          const { records: decoded, leaderEpoch } = decodeBatch(part, at)
          for (const record of decoded) {
            if (record.timestampMs < timestampMs || record.offset < this.#logStartOffset) continue
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
    for (const segment of this.#segments) latestMs = Math.max(latestMs, segment.largestTimestampMs)
    return latestMs < 0 ? null : this.offsetForTimestamp(latestMs)
  }

  /** Where an epoch ended, by the rules of OffsetForLeaderEpoch. -1 and -1: unknown. */
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number } {
    return this.#epochs.endOffsetFor(epoch, this.#leaderEpoch, this.#logEndOffset)
  }

  /** The largest id among its producers; -1 when there are none. */
  get producerIdMax(): number {
    let largest = -1
    for (const { producerId } of this.#states?.values() ?? []) largest = Math.max(largest, producerId)
    return largest
  }

  /** By id. */
  activeProducers(): ActiveProducer[] {
    return [...(this.#states?.values() ?? [])]
      .map((producer) => ({
        producerId: producer.producerId,
        producerEpoch: producer.epoch,
        lastSequence: lastSequenceOf(producer),
        lastTimestampMs: producer.lastTimestampMs,
        coordinatorEpoch: producer.coordinatorEpoch,
        currentTransactionStartOffset: producer.transactionFirstOffset,
      }))
      .sort((one, other) => one.producerId - other.producerId)
  }

  // ---- Writing ----

  /**
   * Writes what the end of the turn finds, and syncs it where the settings ask for it. True when that is done; else it goes on
   * beside the event loop (`whenWritten`).
   */
  write(): boolean {
    if (!this.#isWriting) this.#proceed()
    return !this.#isWriting
  }

  /** Calls when everything that is appended by now is written, or will never be. */
  whenWritten(done: () => void): void {
    if (this.#isWriting) this.#waits.push({ offset: this.#logEndOffset, done })
    else done()
  }

  /** The steps of one round: write, sync, show to readers. Then the next, when something came meanwhile. */
  #proceed(): void {
    while (!this.#isWriting && this.#storageProblem === null && !this.#isDeleted) {
      const target = this.#end()
      if (this.#unwritten.length === 0 && target.offset === this.#highWatermark.offset) return
      try {
        if (!this.#writeAll(target)) return
      } catch (error) {
        this.#fail(error as Error)
        return
      }
      if (!this.#syncWhenAsked(target)) return
      this.#advance(target)
    }
  }

  /** False when it goes on beside the event loop. */
  #writeAll(target: LogPlace): boolean {
    while (this.#unwritten.length > 0) {
      const segment = this.#unwritten[0]
      if (this.#unsynced[this.#unsynced.length - 1] !== segment) this.#unsynced.push(segment)
      if (segment.file !== null && segment.unwrittenBytes >= WRITE_ASIDE_BYTES_MIN) {
        this.#isWriting = true
        segment.write((error) => {
          this.#isWriting = false
          if (this.#storageProblem !== null || this.#isDeleted) return
          if (error !== null) return this.#fail(error)
          if (segment.unwrittenBytes === 0) this.#unwritten.shift()
          if (segment === target.segment && this.#syncWhenAsked(target)) this.#advance(target)
          this.#proceed()
        })
        return false
      }
      segment.writeSync()
      this.#unwritten.shift()
    }
    return true
  }

  /** False when a sync is under way that readers and writers wait for. */
  #syncWhenAsked(target: LogPlace): boolean {
    if (this.#directory === null || target.offset - this.#recoveryPoint < this.#settings.flushMessages) {
      if (this.#segments.length > 1 && this.#unsynced[0] !== target.segment) this.#syncAside()
      return true
    }
    this.#isWriting = true
    this.#sync(target, () => {
      this.#isWriting = false
      if (this.#storageProblem !== null || this.#isDeleted) return
      this.#advance(target)
      this.#proceed()
    })
    return false
  }

  /** Without anybody who waits for it. A write that is under way is for the next time. */
  #syncAside(): void {
    if (this.#syncAsideRun !== null || this.#unsynced.length === 0 || this.#directory === null) return
    if (this.#isWriting || this.#unwritten.length > 0) return
    this.#syncAsideRun = new Promise((resolve) => {
      this.#sync(this.#end(), () => {
        this.#syncAsideRun = null
        resolve()
      })
    })
  }

  #end(): LogPlace {
    const segment = this.#segments[this.#segments.length - 1]
    return { offset: this.#logEndOffset, segment, position: segment.sizeBytes }
  }

  /** Makes what is written up to `target` safe: the segments, their names, and the indexes of those that are sealed. */
  #sync(target: LogPlace, done: () => void): void {
    const segments = this.#unsynced
    this.#unsynced = []
    const directory = this.#directory as PartitionDirectory
    const paths = segments.filter((segment) => segment !== target.segment).flatMap((segment) => segment.pathsToSync())
    if (segments.some(({ isNameSynced }) => !isNameSynced)) paths.push(directory.path)
    if (!this.#isDirectorySynced) paths.push(directory.parent)
    const finish = (error: Error | null) => {
      if (error !== null && !this.#isDeleted && this.#storageProblem === null) this.#fail(error)
      if (error === null) {
        for (const segment of segments) segment.isNameSynced = true
        this.#isDirectorySynced = true
        this.#recoveryPoint = Math.max(this.#recoveryPoint, target.offset)
        this.#syncedAtMs = this.#host.nowMs()
      }
      done()
    }
    const next = (index: number) => {
      const segment = segments[index]
      if (segment === undefined) return syncPaths(paths, finish)
      segment.file?.sync((error) => {
        // One that has been removed meanwhile need not be safe.
        finishOrNext(error !== null && this.#segments.includes(segment) ? error : null, index)
      })
    }
    const finishOrNext = (error: Error | null, index: number) => (error === null ? next(index + 1) : finish(error))
    next(0)
  }

  /** What is below is written, and synced where that is asked for: readers see it. */
  #advance(target: LogPlace): void {
    const hasMoved = target.offset > this.#highWatermark.offset
    this.#highWatermark = target
    this.#states?.setHighWatermark(target.offset)
    while (this.#waits.length > 0 && this.#waits[0].offset <= target.offset) this.#waits.shift()?.done()
    if (hasMoved) this.#wake()
  }

  #fail(error: Error): void {
    this.#storageProblem = error.message
    this.#failedAtMs = this.#host.nowMs()
    this.#host.log.error(
      { err: error },
      `${this.describe()} cannot be written: ${error.message}. It answers with an error, and is tried again every ` +
        `${RETRY_EVERY_MS / 1000} seconds; other partitions go on.`,
    )
    this.#endWaits()
    this.#wake()
  }

  #endWaits(): void {
    const waits = this.#waits
    this.#waits = []
    for (const { done } of waits) done()
  }

  #wake(): void {
    if (this.#waiters === null) return
    for (const wake of [...this.#waiters]) wake()
  }

  // ---- Deleting ----

  /** Moves the log's start; -1 means the high watermark. */
  deleteRecordsBefore(offset: number): 'OFFSET_OUT_OF_RANGE' | null {
    const before = offset === -1 ? this.#highWatermark.offset : offset
    if (before < 0 || before > this.#highWatermark.offset) return 'OFFSET_OUT_OF_RANGE'
    if (before <= this.#logStartOffset) return null
    this.#moveLogStart(before)
    return null
  }

  #moveLogStart(offset: number): void {
    this.#logStartOffset = offset
    if (this.#epochs.truncateFromStart(offset)) this.#saveEpochs()
    const { length } = this.#segments
    let count = 0
    while (count + 1 < length && this.#segments[count + 1].baseOffset <= offset) count++
    this.#removeSegments(this.#segments.slice(0, count))
    this.#host.markLogStartMoved(this)
    this.#wake()
  }

  /** They are out of the log at once; their files go after `file.delete.delay.ms`, so that reads under way can end. */
  #removeSegments(segments: readonly Segment[]): void {
    if (segments.length === 0) return
    const removed = new Set(segments)
    this.#segments = this.#segments.filter((segment) => !removed.has(segment))
    this.#retire(segments)
    const first = this.#segments[0].baseOffset
    const stale = this.#snapshotOffsets.filter((offset) => offset < first)
    for (const offset of stale) this.#directory?.removeSnapshot(offset)
    this.#snapshotOffsets = this.#snapshotOffsets.filter((offset) => offset >= first)
  }

  #retire(segments: readonly Segment[]): void {
    this.#unsynced = this.#unsynced.filter((segment) => !segments.includes(segment))
    for (const segment of segments) {
      segment.forgetTail()
      segment.rename('.deleted')
    }
    this.#removals.push({ atMs: this.#host.nowMs() + this.#settings.fileDeleteDelayMs, segments })
  }
  #removals: { atMs: number; segments: readonly Segment[] }[] = []

  /**
   * Deletes what is too old or too much, by Kafka's rules: the oldest segments first, up to the first that is kept, and never
   * beyond the high watermark. The last segment goes too when it is due: then another begins.
   */
  applyRetention(nowMs: number): void {
    if (this.#storageProblem !== null || this.#isDeleted || !this.#settings.isDeleted) return
    const { retentionMs, retentionBytes } = this.#settings
    let surplusBytes = retentionBytes < 0 ? 0 : this.sizeBytes - retentionBytes
    let count = 0
    for (const [index, segment] of this.#segments.entries()) {
      const end = this.#segments[index + 1]?.baseOffset ?? this.#logEndOffset
      const isEmptyEnd = segment.sizeBytes === 0 && index === this.#segments.length - 1
      if (end > this.#highWatermark.offset || isEmptyEnd) break
      const isTooOld = retentionMs >= 0 && nowMs - segment.ageReferenceMs > retentionMs
      const isTooMuch = retentionBytes >= 0 && surplusBytes - segment.sizeBytes >= 0
      if (!isTooOld && !isTooMuch) break
      surplusBytes -= segment.sizeBytes
      count++
    }
    if (count === 0) return
    try {
      if (count === this.#segments.length) this.roll()
      const start = this.#segments[count].baseOffset
      this.#host.log.info(
        `${this.describe()}: retention deletes ${count} segment(s), the log starts at offset ${start}`,
      )
      this.#moveLogStart(start)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** Small things that are due: to be called about once a minute, or more often. O(producers). */
  maintain(nowMs: number): void {
    if (this.#isDeleted) return
    if (this.#states !== null) this.#states.expire(nowMs - this.#host.producerIdExpirationMs())
    while (this.#removals.length > 0 && this.#removals[0].atMs <= nowMs) {
      for (const segment of this.#removals.shift()?.segments ?? []) segment.remove()
    }
    if (this.#storageProblem !== null) return
    try {
      const isIdle = nowMs - this.#usedAtMs >= IDLE_MS && this.#unwritten.length === 0 && !this.#isWriting
      if (isIdle && this.#isDirectoryMade) {
        for (const segment of this.#segments) {
          segment.saveIndexes()
          segment.releaseIndexes()
        }
        this.#lastRead = null
        this.#usedAtMs = nowMs
      }
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** `flush.ms`: whether there may be something to sync, so that it is worth to ask again. */
  syncWhenDue(nowMs: number): boolean {
    if (this.#isDeleted || this.#storageProblem !== null || this.#unsynced.length === 0) return false
    if (nowMs - this.#syncedAtMs >= this.#settings.flushMs) this.#syncAside()
    return this.#settings.flushMs !== Number.POSITIVE_INFINITY
  }

  // ---- Cleaning ----

  /** Aborted transactions with data or their marker in [startOffset, endOffset). */
  abortedTransactionsIn(startOffset: number, endOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    search: for (let index = this.#segmentIndexOf(startOffset); index < this.#segments.length; index++) {
      for (const transaction of this.#segments[index].abortedTransactions) {
        if (transaction.lastOffset >= startOffset && transaction.firstOffset < endOffset) found.push(transaction)
        if (transaction.lastStableOffset >= endOffset) break search
      }
    }
    return found
  }

  lastRecordOfProducer(producerId: number): LastProducerRecord | undefined {
    const producer = this.#states?.get(producerId)
    if (producer === undefined) return undefined
    return { lastDataOffset: producer.batches.at(-1)?.lastOffset ?? null, producerEpoch: producer.epoch }
  }

  createCleanedSegment(baseOffset: number): CleanedSegment {
    return new CleanedSegmentWriter(this.#host, this.#directory, baseOffset, this.#settings, this.#host.nowMs())
  }

  /**
   * Puts a finished segment in the place of others. The steps are Kafka's, so that a crash between them leaves what a start
   * can make whole: the new files are named `.swap`, the old ones `.deleted`, then the new ones lose their ending.
   */
  async replaceSegments(cleaned: CleanedSegment, replaced: readonly CleanableSegment[]): Promise<boolean> {
    assert(cleaned instanceof CleanedSegmentWriter, 'replaceSegments: a segment of createCleanedSegment')
    const { segment } = cleaned
    segment.rename('.swap')
    await this.#syncNames()
    const old = this.#segments.filter((each) => replaced.includes(each))
    const isWhole = old.length === replaced.length && old.length > 0 && old.at(-1) !== this.#segments.at(-1)
    if (!isWhole || this.#isDeleted || this.#storageProblem !== null) return false
    const index = this.#segments.indexOf(old[0])
    this.#segments = [...this.#segments.slice(0, index), segment, ...this.#segments.slice(index + old.length)]
    this.#retire(old)
    // Without its ending the new segment is no longer known as one that replaces others: they have to be gone by then.
    await this.#syncNames()
    if (this.#segments.includes(segment)) segment.rename('')
    return true
  }

  /** The names in the directory are safe. */
  async #syncNames(): Promise<void> {
    if (this.#directory === null) return
    const { path } = this.#directory
    await new Promise<void>((resolve, reject) => {
      syncPaths([path], (error) => (error === null ? resolve() : reject(error)))
    })
  }

  // ---- Its life ----

  /** Reads its directory. Rejects with the system's errors, or an OldLogFormatError. */
  async load(options: {
    isClean: boolean
    recoveryPoint: number | null
    logStartOffset: number | null
  }): Promise<{ truncatedBytes: number }> {
    if (this.#directory === null) return { truncatedBytes: 0 }
    const { segmentJitterMs, segmentMs } = this.#settings
    const loaded = await loadPartition(this.#directory, {
      ...options,
      host: this.#host,
      describe: () => this.describe(),
      warn: (message) => this.#host.log.warn(message),
      nextJitterMs: () =>
        segmentJitterMs > 0 ? Math.floor(this.#host.random() * Math.min(segmentJitterMs, segmentMs)) : 0,
      nowMs: this.#host.nowMs(),
      indexIntervalBytes: this.#settings.indexIntervalBytes,
    })
    const last = loaded.segments[loaded.segments.length - 1]
    this.#isDirectoryMade = this.#isDirectorySynced = true
    this.#segments = loaded.segments
    this.#states = loaded.states.size === 0 ? null : loaded.states
    this.#epochs = loaded.epochs
    this.#leaderEpoch = Math.max(this.#leaderEpoch, loaded.epochs.latest)
    this.#snapshotOffsets = loaded.snapshotOffsets
    this.#logStartOffset = loaded.logStartOffset
    this.#logEndOffset = loaded.logEndOffset
    this.#recoveryPoint = loaded.recoveryPoint
    this.#highWatermark = { offset: loaded.logEndOffset, segment: last, position: last.sizeBytes }
    this.#states?.setHighWatermark(loaded.logEndOffset)
    return { truncatedBytes: loaded.truncatedBytes }
  }

  /** What is wrong with its files, found at the start. */
  refuseService(error: Error): void {
    this.#fail(error)
  }

  /** After an error of its disk: reads the directory anew, once that is due. What was not written is gone. */
  async retryWhenDue(nowMs: number): Promise<void> {
    if (this.#storageProblem === null || this.#isDeleted || this.#isWriting) return
    if (nowMs - this.#failedAtMs < RETRY_EVERY_MS) return
    this.#failedAtMs = nowMs
    for (const segment of this.#segments) {
      segment.forgetTail()
      segment.file?.close()
    }
    this.#unwritten = []
    this.#unsynced = []
    try {
      await this.load({
        isClean: false,
        recoveryPoint: this.#recoveryPoint,
        logStartOffset: this.#logStartOffset,
      })
    } catch {
      return
    }
    this.#storageProblem = null
    this.#host.log.warn(`${this.describe()} can be written again, from offset ${this.#logEndOffset} on`)
    this.#wake()
  }

  /** Writes and syncs all of it, with everything that makes the next start a short one. Rejects with the system's errors. */
  async close(): Promise<void> {
    if (this.#isDeleted) return
    this.#proceed()
    await new Promise<void>((resolve) => this.whenWritten(resolve))
    await this.#syncAsideRun
    if (this.#storageProblem === null && this.#directory !== null && this.#isDirectoryMade) {
      for (const segment of this.#segments) segment.saveIndexes()
      if (this.#recoveryPoint < this.#logEndOffset || this.#unsynced.length > 0) {
        await new Promise<void>((resolve) => this.#sync(this.#end(), resolve))
      }
      this.#takeSnapshot(false)
    }
    for (const { segments } of this.#removals) for (const segment of segments) segment.remove()
    this.closeFiles()
    if (this.#storageProblem !== null) throw new Error(this.#storageProblem)
  }

  /** The topic is deleted: nothing is answered any more. Its directory has another name from now on. */
  delete(renamedTo: string | null): void {
    this.#isDeleted = true
    for (const segment of this.#segments) segment.forgetTail()
    if (renamedTo !== null) this.#directory?.rename(renamedTo)
    this.#endWaits()
    this.#wake()
  }

  /** Closes its files, once nothing uses them. */
  closeFiles(): void {
    for (const segment of this.#segments) segment.file?.close()
  }
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

function refuseStorage(problem: string): LogRefusal {
  return { error: 'KAFKA_STORAGE_ERROR', message: problem }
}

/** Looks no further than the first batch, as a rule. */
function hasOnlyEmptyBatches(parts: readonly Uint8Array[]): boolean {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += sizeBytesOf(part, at)) if (recordCountOf(part, at) > 0) return false
  }
  return true
}
