import type { ServerLog } from '../config/server-log.ts'
import type { LogError } from '../log/errors.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { sizeBytesOf } from '../log/record-batch.ts'
import { type DecodedBatch, decodeBatch, encodeBatch } from '../log/records/batch.ts'
import { TurnShare } from './in-turns.ts'
import { javaHash } from './java-hash.ts'

export interface InternalTopicOptions {
  readonly name: string
  readonly partitionCount: () => number
  readonly config: () => ReadonlyMap<string, string>
}

export interface EncodedRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

/** A transaction that records belong to. */
export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

const READ_BYTES = 2 ** 20

/**
 * A compacted topic in which a coordinator keeps what must outlive it: each of its subjects (a group, a transactional id)
 * has one of the partitions. The topic is made when there is something to keep.
 */
export class InternalTopic {
  readonly name: string
  readonly #logs: LogManager
  readonly #options: InternalTopicOptions
  readonly #log: ServerLog
  /** A topic that grows would have other partitions for its subjects: the count of the start holds. */
  #partitionCount: number | null = null

  constructor(logs: LogManager, options: InternalTopicOptions, log: ServerLog) {
    this.name = options.name
    this.#logs = logs
    this.#options = options
    this.#log = log
  }

  get partitionCount(): number {
    return (this.#partitionCount ??=
      this.#logs.topics.get(this.name)?.partitions.length ?? this.#options.partitionCount())
  }

  partitionOf(subject: string): number {
    return javaHash(subject) % this.partitionCount
  }

  /** Where there is something to load. */
  get partitions(): readonly PartitionLog[] {
    const partitions = this.#logs.topics.get(this.name)?.partitions ?? []
    return partitions.slice(0, this.partitionCount).filter(({ highWatermark }) => highWatermark > 0)
  }

  ensure(): void {
    if (this.#logs.topics.has(this.name)) return
    this.#logs.createTopic(this.name, {
      partitionCount: this.partitionCount,
      config: this.#options.config(),
      isInternal: true,
    })
  }

  /** The topic is gone; the next one may have another number of partitions. */
  forgotten(): void {
    this.#partitionCount = null
  }

  /** At once, in one batch; on the disk when `written` says so. Returns the offset of the first record. */
  append(subject: string, records: readonly EncodedRecord[], nowMs: number, producer?: Producer): number | LogError {
    this.ensure()
    const batch = encodeBatch(
      records.map(({ key, value }) => ({ timestampMs: nowMs, key, value })),
      producer === undefined ? {} : { ...producer, isTransactional: true },
    )
    const appended = this.partition(subject).append(batch, { origin: 'coordinator' })
    if (appended.error === null) return appended.baseOffset
    const { error, message } = appended
    this.#log.error({ subject, error }, `${subject} cannot be written to ${this.name}: ${message}`)
    return error
  }

  /** Resolves when what was appended is on the disk; with false when the disk has not taken it. */
  async written(subject: string): Promise<boolean> {
    const partition = this.partition(subject)
    await this.#logs.written()
    return partition.storageProblem === null
  }

  /** Reads one partition from its beginning to what is its end now. Others are answered in between. */
  async load(partition: PartitionLog, visit: (batch: DecodedBatch) => void): Promise<void> {
    const endOffset = partition.highWatermark
    const share = new TurnShare()
    let offset = partition.logStartOffset
    while (offset < endOffset) {
      const read = await partition.read(offset, READ_BYTES, {
        isolation: 'read_uncommitted',
        takesOneBatchAtLeast: true,
      })
      if (read.error !== null) throw new Error(`${this.name}-${partition.partition} cannot be read: ${read.error}`)
      const before = offset
      for (const bytes of read.records) {
        for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
          const batch = decodeBatch(bytes, at)
          offset = batch.lastOffset + 1
          visit(batch)
          if (share.isOver) await share.next()
        }
      }
      if (offset === before) break
    }
  }

  partition(subject: string): PartitionLog {
    const partition = this.#logs.topics.get(this.name)?.partitions[this.partitionOf(subject)]
    if (partition === undefined) throw new Error(`${this.name} has no partition ${this.partitionOf(subject)}`)
    return partition
  }
}
