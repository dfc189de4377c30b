import { assert } from '../bytes/assert.ts'
import type { ServerLog } from '../config/server-log.ts'
import { isControlBatch, newProducerBatch, readMarker, readProducerBatch } from './batch-replay.ts'
import { validateBatch } from './batch-validation.ts'
import { CleanedSegmentWriter } from './cleaned-segment.ts'
import type { CleanableLog, CleanableSegment, CleanedSegment, LastProducerRecord } from './compaction/cleanable-log.ts'
import { CompressionError } from './compression/compression-error.ts'
import type { LogRefusal } from './errors.ts'
import { syncPath, syncPaths } from './files.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { LogSettings } from './log-settings.ts'
import type { PartitionDirectory } from './partition-directory.ts'
import { loadPartition } from './partition-loader.ts'
import {
  type LogRead,
  PartitionReader,
  type ReadOptions,
  segmentIndexOf,
  type TimestampedOffset,
} from './partition-reader.ts'
import { PartitionWriter } from './partition-writer.ts'
import { type PreparedBatch, prepareBatch } from './prepared-batch.ts'
import { lastSequenceOf, type Marker, ProducerStates } from './producer-state.ts'
import { recompress } from './recompression.ts'
import {
  ATTRIBUTES_AT,
  LAST_OFFSET_DELTA_AT,
  LOG_APPEND_TIME_BIT,
  MAX_TIMESTAMP_AT,
  maxTimestampOf,
  NO_PRODUCER_ID,
  producerIdOf,
  readInt32,
  stampCrc,
  writeInt64,
} from './record-batch.ts'
import { RecordFormatError } from './records/record.ts'
import { type LogPlace, Segment, type SegmentHost } from './segment.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export type { Isolation, LogRead, ReadOptions, TimestampedOffset } from './partition-reader.ts'

/** What a partition asks of the manager that holds it. */
export interface PartitionLogHost extends SegmentHost {
  readonly nowMs: () => number
  /** From 0 to below 1. */
  readonly random: () => number
  readonly log: ServerLog
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
  /** The producer numbers each transaction from 0: who is not known here cannot begin one with another number. */
  readonly numbersEachTransaction?: boolean
  /** What `prepare` has made of this batch. */
  readonly prepared?: PreparedBatch | null
}

/** A batch that is in the log: now, or since an earlier attempt of an idempotent producer. */
export interface AppendedBatch {
  readonly error: null
  readonly baseOffset: number
  /** -1 when records carry the time of their creation; of a repeated batch, as in Kafka, its time in any case. */
  readonly logAppendTimeMs: number
  /** It was here already; the offset is the old one. */
  readonly isDuplicate: boolean
}

export type Appended = AppendedBatch | LogRefusal

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

const RELATIVE_OFFSET_MAX = 2 ** 31 - 1
/** After an error of its disk, a partition is read anew so often. */
const RETRY_EVERY_MS = 10_000
/** Indexes are given back when they have not been used for so long. */
const IDLE_MS = 60_000
/** Segments: four files to rename, and to remove, each. */
const REMOVED_AT_ONCE_MAX = 4

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
  #isDeleted = false
  #waiters: Set<() => void> | null = null
  #usedAtMs: number
  readonly #reader: PartitionReader
  readonly #writer: PartitionWriter
  #storageProblem: string | null = null
  #failedAtMs = 0

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
    this.#usedAtMs = host.nowMs()
    this.#reader = new PartitionReader(this, host)
    this.#writer = new PartitionWriter(this, {
      nowMs: host.nowMs,
      advanced: (target) => {
        this.#highWatermark = target
        this.#states?.setHighWatermark(target.offset)
      },
      wake: () => this.#wake(),
      failed: (error) => this.#fail(error),
    })
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

  get highWatermarkPlace(): LogPlace {
    return this.#highWatermark
  }

  /** Where the next batch will lie. */
  get end(): LogPlace {
    const segment = this.#segments[this.#segments.length - 1]
    return { offset: this.#logEndOffset, segment, position: segment.sizeBytes }
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
    return this.#writer.recoveryPoint
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

  /** What is to be done for a client's batch before it is appended, because it takes long; null when there is nothing. */
  prepare(batch: Uint8Array): PreparedBatch | Promise<PreparedBatch> | null {
    return prepareBatch(batch, this.#settings, this.#host.nowMs())
  }

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
    const opened = options.prepared?.opened ?? null
    const refusal = validateBatch(batch, isFromClient, this.#settings, nowMs, () => this.describe(), opened)
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
      const recompressed = this.#recompress(batch, options.prepared ?? null)
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
    if (options.origin !== 'client') return null
    const producers = this.#producers()
    readProducerBatch(batch, 0, scratch)
    const mark = producers.findDuplicate(scratch)
    if (mark !== null) {
      const { lastOffset, offsetDelta, timestampMs } = mark
      return { error: null, baseOffset: lastOffset - offsetDelta, logAppendTimeMs: timestampMs, isDuplicate: true }
    }
    if (
      options.verifyTransaction !== undefined &&
      scratch.isTransactional &&
      !producers.hasOpenTransaction(scratch.producerId, scratch.epoch)
    ) {
      const refusal = options.verifyTransaction(scratch.producerId, scratch.epoch)
      if (refusal !== null) return refusal
      if (options.numbersEachTransaction === true) {
        const tooHigh = producers.checkFirst(scratch, this.#logEndOffset)
        if (tooHigh !== null) return tooHigh
      }
    }
    return producers.check(scratch, this.#logEndOffset)
  }

  #recompress(batch: Uint8Array, prepared: PreparedBatch | null): Uint8Array | LogRefusal {
    try {
      const recompressed = recompress(batch, this.#settings.compressionType, prepared)
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
    if (this.writesFilesNext) this.#beginEpoch(baseOffset)
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
    this.#writer.add(segment)
    this.#host.markDirty(this)
    return { error: null, baseOffset, logAppendTimeMs, isDuplicate: false }
  }

  #producers(): ProducerStates {
    this.#states ??= new ProducerStates(() => this.describe())
    return this.#states
  }

  /** The next append begins an epoch, and maybe the partition's directory: it takes longer than others. */
  get writesFilesNext(): boolean {
    return this.#leaderEpoch > this.#epochs.latest
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
    else if (!segment.isNameSynced && segment.sizeBytes > settings.segmentBytes / 2) this.#syncNameSoon(segment)
  }

  /** Before the roll needs it: on a busy disk it takes as long as what others have written. What fails here, the roll tries again. */
  #syncNameSoon(segment: Segment): void {
    if (this.#isNameSyncUnderWay) return
    this.#isNameSyncUnderWay = true
    const end = (isSynced: boolean) => {
      segment.isNameSynced ||= isSynced
      this.#isNameSyncUnderWay = false
    }
    this.#syncNames().then(
      () => end(true),
      () => end(false),
    )
  }
  #isNameSyncUnderWay = false

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
    // A loss of power must not leave a segment without those before it. Only the first one has no safe name by now.
    if (!sealed.isNameSynced && this.#directory !== null) {
      syncPath(this.#directory.path)
      sealed.isNameSynced = true
    }
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
    return new Segment(this.#host, this.#directory, baseOffset, {
      createdAtMs: this.#host.nowMs(),
      rollJitterMs: this.#nextJitterMs(),
    })
  }

  #nextJitterMs(): number {
    const { segmentJitterMs, segmentMs } = this.#settings
    return segmentJitterMs > 0 ? Math.floor(this.#host.random() * Math.min(segmentJitterMs, segmentMs)) : 0
  }

  /** `isAlways`: even without producers, so that a recovery need not look for them further back. */
  #takeSnapshot(isAlways: boolean): void {
    if (this.#directory === null) return
    const hasProducers = this.#states !== null && this.#states.size > 0
    if (!isAlways && !hasProducers && this.#snapshotOffsets.length === 0) return
    this.#directory.writeSnapshot(this.#logEndOffset, this.#states?.values() ?? [])
    if (this.#snapshotOffsets.at(-1) !== this.#logEndOffset) this.#snapshotOffsets.push(this.#logEndOffset)
  }

  // ---- Reading ----

  /**
   * Batches from the one that contains `offset` on, up to the high watermark or the last stable offset, of one segment. At
   * once when they are in memory. Never rejects.
   */
  read(offset: number, maxBytes: number, options: ReadOptions): LogRead | Promise<LogRead> {
    return this.#reader.read(offset, maxBytes, options)
  }

  /** The first record with this timestamp or a later one; null when there is none. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    return this.#reader.offsetForTimestamp(timestampMs)
  }

  /** The first record of the latest timestamp; null when the log is empty. */
  offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    return this.#reader.offsetOfMaxTimestamp()
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
    return this.#writer.write()
  }

  /** A write or a sync goes on beside the event loop. */
  get isWriting(): boolean {
    return this.#writer.isWriting
  }

  /** Calls when everything that is appended by now is written, or will never be. */
  whenWritten(done: () => void): void {
    this.#writer.whenWritten(done)
  }

  #fail(error: Error): void {
    this.#storageProblem = error.message
    this.#failedAtMs = this.#host.nowMs()
    this.#host.log.error(
      { err: error },
      `${this.describe()} cannot be written: ${error.message}. It answers with an error, and is tried again every ` +
        `${RETRY_EVERY_MS / 1000} seconds; other partitions go on.`,
    )
    this.#writer.endWaits()
    this.#wake()
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
    this.#writer.forget(segments)
    for (const segment of segments) {
      segment.forgetTail()
      segment.rename('.deleted')
    }
    const atMs = this.#host.nowMs() + this.#settings.fileDeleteDelayMs
    for (const segment of segments) this.#removals.push({ atMs, segment })
  }
  #removals: { atMs: number; segment: Segment }[] = []

  /**
   * Deletes what is too old or too much, by Kafka's rules: the oldest segments first, up to the first that is kept, and never
   * beyond the high watermark. The last segment goes too when it is due: then another begins. Of many a few go at a time:
   * whether more may be due.
   */
  applyRetention(nowMs: number): boolean {
    if (this.#storageProblem !== null || this.#isDeleted || !this.#settings.isDeleted) return false
    const { retentionMs, retentionBytes } = this.#settings
    let surplusBytes = retentionBytes < 0 ? 0 : this.sizeBytes - retentionBytes
    let count = 0
    for (const [index, segment] of this.#segments.entries()) {
      const end = this.#segments[index + 1]?.baseOffset ?? this.#logEndOffset
      const isEmptyEnd = segment.sizeBytes === 0 && index === this.#segments.length - 1
      if (end > this.#highWatermark.offset || isEmptyEnd) break
      const isTooOld = retentionMs >= 0 && nowMs - segment.ageReferenceMs > retentionMs
      const isTooMuch = retentionBytes >= 0 && surplusBytes - segment.sizeBytes >= 0
      if ((!isTooOld && !isTooMuch) || count === REMOVED_AT_ONCE_MAX) break
      surplusBytes -= segment.sizeBytes
      count++
    }
    if (count === 0) return false
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
    return count === REMOVED_AT_ONCE_MAX
  }

  /** Files whose delay is over go, a few at a time: whether more are due. */
  removeFiles(nowMs: number): boolean {
    const isDue = () => !this.#isDeleted && this.#removals.length > 0 && this.#removals[0].atMs <= nowMs
    for (let count = 0; count < REMOVED_AT_ONCE_MAX && isDue(); count++) this.#removals.shift()?.segment.remove()
    return isDue()
  }

  /** Small things that are due: to be called about once a minute, or more often. O(producers). */
  maintain(nowMs: number): void {
    if (this.#isDeleted) return
    if (this.#states !== null) this.#states.expire(nowMs - this.#host.producerIdExpirationMs())
    if (this.#storageProblem !== null) return
    try {
      const usedAtMs = Math.max(this.#usedAtMs, this.#reader.filesUsedAtMs)
      const isIdle = nowMs - usedAtMs >= IDLE_MS && this.#writer.isIdle
      if (isIdle && this.#isDirectoryMade) {
        for (const segment of this.#segments) {
          segment.saveIndexes()
          segment.releaseIndexes()
        }
        this.#reader.forgetPlace()
        this.#usedAtMs = nowMs
      }
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** `flush.ms`: whether there may be something to sync, so that it is worth to ask again. */
  syncWhenDue(nowMs: number): boolean {
    return this.#writer.syncWhenDue(nowMs)
  }

  // ---- Cleaning ----

  /** Aborted transactions with data or their marker in [startOffset, endOffset). */
  abortedTransactionsIn(startOffset: number, endOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    search: for (let index = segmentIndexOf(this.#segments, startOffset); index < this.#segments.length; index++) {
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
    const loaded = await loadPartition(this.#directory, {
      ...options,
      host: this.#host,
      describe: () => this.describe(),
      warn: (message) => this.#host.log.warn(message),
      nextJitterMs: () => this.#nextJitterMs(),
      nowMs: this.#host.nowMs(),
      indexIntervalBytes: this.#settings.indexIntervalBytes,
    })
    const last = loaded.segments[loaded.segments.length - 1]
    this.#isDirectoryMade = true
    this.#segments = loaded.segments
    this.#states = loaded.states.size === 0 ? null : loaded.states
    this.#epochs = loaded.epochs
    this.#leaderEpoch = Math.max(this.#leaderEpoch, loaded.epochs.latest)
    this.#snapshotOffsets = loaded.snapshotOffsets
    this.#logStartOffset = loaded.logStartOffset
    this.#logEndOffset = loaded.logEndOffset
    this.#writer.loaded(loaded.recoveryPoint)
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
    if (this.#storageProblem === null || this.#isDeleted || this.#writer.isWriting) return
    if (nowMs - this.#failedAtMs < RETRY_EVERY_MS) return
    this.#failedAtMs = nowMs
    for (const segment of this.#segments) {
      segment.forgetTail()
      segment.file?.close()
    }
    this.#writer.reset()
    try {
      await this.load({
        isClean: false,
        recoveryPoint: this.#writer.recoveryPoint,
        logStartOffset: this.#logStartOffset,
      })
    } catch (error) {
      this.#host.log.warn(`${this.describe()} cannot be read again yet: ${(error as Error).message}`)
      return
    }
    this.#storageProblem = null
    this.#host.log.warn(`${this.describe()} can be written again, from offset ${this.#logEndOffset} on`)
    this.#wake()
  }

  /** Writes and syncs all of it, with everything that makes the next start a short one. Rejects with the system's errors. */
  async close(): Promise<void> {
    if (this.#isDeleted) return
    await this.#writer.finish()
    if (this.#storageProblem === null && this.#directory !== null && this.#isDirectoryMade) {
      for (const segment of this.#segments) segment.saveIndexes()
      await this.#writer.syncAll()
      this.#takeSnapshot(false)
    }
    for (const { segment } of this.#removals) segment.remove()
    this.closeFiles()
    if (this.#storageProblem !== null) throw new Error(this.#storageProblem)
  }

  /** The topic is deleted: nothing is answered any more. Its directory has another name from now on. */
  delete(renamedTo: string | null): void {
    this.#isDeleted = true
    for (const segment of this.#segments) segment.forgetTail()
    if (renamedTo !== null) this.#directory?.rename(renamedTo)
    this.#writer.endWaits()
    this.#wake()
  }

  /** Closes its files, once nothing uses them. */
  closeFiles(): void {
    for (const segment of this.#segments) segment.file?.close()
  }
}

function refuseStorage(problem: string): LogRefusal {
  return { error: 'KAFKA_STORAGE_ERROR', message: problem }
}
