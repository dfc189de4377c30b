import type { LogRefusal } from './errors.ts'
import type { LogSettings } from './log-settings.ts'
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  CONTROL_BIT,
  computeCrc,
  crcOf,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LOG_APPEND_TIME_BIT,
  lastOffsetOf,
  MAX_TIMESTAMP_AT,
  magicOf,
  maxTimestampOf,
  readInt16,
  readInt32,
  recordCountOf,
  sizeBytesOf,
  stampCrc,
  writeInt32,
  writeInt64,
} from './record-batch.ts'

/** What a partition asks of the manager that holds it. */
export interface PartitionLogHost {
  readonly nowMs: () => number
  /** Bytes wait to be written at the end of this turn. */
  readonly markDirty: (log: PartitionLog) => void
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

const NO_RECORDS: readonly Uint8Array[] = []

/** One partition: batches in the order of their offsets. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly #settings: LogSettings
  readonly #host: PartitionLogHost
  readonly #batches: Uint8Array[] = []
  #logStartOffset = 0
  #logEndOffset = 0
  #highWatermark = 0
  #sizeBytes = 0
  #isDeleted = false
  /** Called when the high watermark, the last stable offset or the log start moves, and on deletion. */
  readonly waiters: Set<() => void> = new Set()

  constructor(topic: string, partition: number, topicId: string, settings: LogSettings, host: PartitionLogHost) {
    this.topic = topic
    this.partition = partition
    this.topicId = topicId
    this.#settings = settings
    this.#host = host
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** The offset that the next record gets. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  /** What lies below is written; consumers see nothing above. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** What lies below belongs to no open transaction. */
  get lastStableOffset(): number {
    return this.#highWatermark
  }

  get leaderEpoch(): number {
    return 0
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get isDeleted(): boolean {
    return this.#isDeleted
  }

  /** Why this partition answers KAFKA_STORAGE_ERROR; null while its disk is well. To be asked after `written()`. */
  get storageProblem(): string | null {
    return null
  }

  /**
   * Appends one batch. Check and append are one step; the bytes are copied. Readers see it once it is written
   * (`LogManager.written`).
   */
  append(batch: Uint8Array, options: AppendOptions): Appended {
    const refusal = this.#validate(batch, options)
    if (refusal !== null) return refusal
    const bytes = Buffer.allocUnsafeSlow(batch.length)
    bytes.set(batch)
    const baseOffset = this.#logEndOffset
    writeInt64(bytes, 0, baseOffset)
    writeInt32(bytes, LEADER_EPOCH_AT, this.leaderEpoch)
    let logAppendTimeMs = -1
    if (this.#settings.messageTimestampType === 'LogAppendTime') {
      logAppendTimeMs = this.#host.nowMs()
      bytes[ATTRIBUTES_AT + 1] |= LOG_APPEND_TIME_BIT
      writeInt64(bytes, MAX_TIMESTAMP_AT, logAppendTimeMs)
      stampCrc(bytes, 0)
    }
    this.#batches.push(bytes)
    this.#sizeBytes += bytes.length
    this.#logEndOffset = baseOffset + recordCountOf(bytes, 0)
    this.#host.markDirty(this)
    return { error: null, baseOffset, logAppendTimeMs, isDuplicate: false }
  }

  #validate(batch: Uint8Array, options: AppendOptions): LogRefusal | null {
    if (batch.length < BATCH_HEADER_BYTES) return refuse('CORRUPT_MESSAGE', 'Record batch is shorter than its header')
    if (magicOf(batch, 0) !== 2) return refuse('INVALID_RECORD', `Magic ${magicOf(batch, 0)} is not supported`)
    if (sizeBytesOf(batch, 0) !== batch.length) {
      return refuse('INVALID_RECORD', 'One produce request holds exactly one record batch for each partition')
    }
    if (batch.length > this.#settings.maxMessageBytes) {
      return refuse(
        'MESSAGE_TOO_LARGE',
        `Record batch of ${batch.length} bytes exceeds ${this.#settings.maxMessageBytes}`,
      )
    }
    if (computeCrc(batch, 0) !== crcOf(batch, 0)) return refuse('CORRUPT_MESSAGE', 'Record is corrupt')
    const count = recordCountOf(batch, 0)
    if (count < 1 || readInt32(batch, LAST_OFFSET_DELTA_AT) + 1 !== count) {
      return refuse('INVALID_RECORD', 'Inconsistent batch offset range and count of records')
    }
    if (options.origin === 'client' && (readInt16(batch, ATTRIBUTES_AT) & CONTROL_BIT) !== 0) {
      return refuse('INVALID_RECORD', 'Clients are not allowed to write control records')
    }
    return null
  }

  /** Batches from the one that contains `offset` on, up to the high watermark or the last stable offset. */
  read(offset: number, maxBytes: number, options: ReadOptions): LogRead | Promise<LogRead> {
    if (offset < this.#logStartOffset || offset > this.#logEndOffset) {
      return {
        error: 'OFFSET_OUT_OF_RANGE',
        records: NO_RECORDS,
        sizeBytes: 0,
        highWatermark: -1,
        lastStableOffset: -1,
        logStartOffset: -1,
        abortedTransactions: null,
      }
    }
    const records: Uint8Array[] = []
    let sizeBytes = 0
    for (const batch of this.#batches) {
      if (lastOffsetOf(batch, 0) < offset) continue
      if (baseOffsetOf(batch, 0) >= this.#highWatermark) break
      if (sizeBytes + batch.length > maxBytes && !(sizeBytes === 0 && options.takesOneBatchAtLeast)) break
      records.push(batch)
      sizeBytes += batch.length
    }
    return {
      error: null,
      records,
      sizeBytes,
      highWatermark: this.#highWatermark,
      lastStableOffset: this.lastStableOffset,
      logStartOffset: this.#logStartOffset,
      abortedTransactions: options.isolation === 'read_committed' ? [] : null,
    }
  }

  /** The first record with this timestamp or a later one; null when there is none. */
  async offsetForTimestamp(timestampMs: number): Promise<TimestampedOffset | null> {
    for (const batch of this.#batches) {
      if (maxTimestampOf(batch, 0) >= timestampMs) {
        return { offset: baseOffsetOf(batch, 0), timestampMs: maxTimestampOf(batch, 0), leaderEpoch: 0 }
      }
    }
    return null
  }

  /** The first record of the latest timestamp; null when the log is empty. */
  async offsetOfMaxTimestamp(): Promise<TimestampedOffset | null> {
    let latest = -1
    for (const batch of this.#batches) latest = Math.max(latest, maxTimestampOf(batch, 0))
    return latest < 0 ? null : this.offsetForTimestamp(latest)
  }

  /** Where an epoch ended, by the rules of OffsetForLeaderEpoch. */
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number } {
    return epoch === 0 ? { epoch: 0, endOffset: this.#logEndOffset } : { epoch: -1, endOffset: -1 }
  }

  /** Moves the log's start; -1 means the high watermark. */
  deleteRecordsBefore(offset: number): 'OFFSET_OUT_OF_RANGE' | null {
    const before = offset === -1 ? this.#highWatermark : offset
    if (before < 0 || before > this.#highWatermark) return 'OFFSET_OUT_OF_RANGE'
    if (before <= this.#logStartOffset) return null
    this.#logStartOffset = before
    while (this.#batches.length > 0 && lastOffsetOf(this.#batches[0], 0) < before) {
      this.#sizeBytes -= (this.#batches.shift() as Uint8Array).length
    }
    this.#wake()
    return null
  }

  activeProducers(): ActiveProducer[] {
    return []
  }

  /** By the manager, at the end of a turn. */
  write(): void {
    if (this.#highWatermark === this.#logEndOffset) return
    this.#highWatermark = this.#logEndOffset
    this.#wake()
  }

  /** By the manager, when the topic is deleted. */
  delete(): void {
    this.#isDeleted = true
    this.#wake()
  }

  #wake(): void {
    for (const wake of [...this.waiters]) wake()
  }
}

function refuse(error: LogRefusal['error'], message: string): LogRefusal {
  return { error, message }
}
