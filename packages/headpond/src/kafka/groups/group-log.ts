import type { LogError } from '../../log/errors.ts'
import type { LogLines, LogManager } from '../../log/log-manager.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { sizeBytesOf } from '../../log/record-batch.ts'
import { decodeBatch, encodeBatch } from '../../log/records/batch.ts'
import { controlTypeOf } from '../../log/records/control-record.ts'
import { MalformedMessage } from '../codec/byte-reader.ts'
import { javaHash } from '../java-hash.ts'
import { decodeGroupRecord, type EncodedRecord, type GroupRecord } from './records.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

export interface GroupLogSettings {
  readonly partitionCount: () => number
  readonly topicConfig: () => ReadonlyMap<string, string>
}

/** A transaction that records belong to. */
export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

/** What is told of the log while it is read. */
export interface GroupLogVisitor {
  /** `producerId` is null outside of transactions. */
  record(record: GroupRecord, recordOffset: number, producerId: number | null): void
  transactionEnd(producerId: number, isCommitted: boolean): void
}

const READ_BYTES = 2 ** 20

/** `__consumer_offsets`: each group has one of its partitions. The topic is made when there is something to keep. */
export class GroupLog {
  readonly #logs: LogManager
  readonly #settings: GroupLogSettings
  readonly #log: LogLines
  /** A topic that grows would have other partitions for its groups: the count of the start holds. */
  #partitionCount: number | null = null

  constructor(logs: LogManager, settings: GroupLogSettings, log: LogLines) {
    this.#logs = logs
    this.#settings = settings
    this.#log = log
  }

  get partitionCount(): number {
    return (this.#partitionCount ??=
      this.#logs.topics.get(OFFSETS_TOPIC)?.partitions.length ?? this.#settings.partitionCount())
  }

  partitionOf(groupId: string): number {
    return javaHash(groupId) % this.partitionCount
  }

  /** Where there is something to load. */
  get partitions(): readonly PartitionLog[] {
    const partitions = this.#logs.topics.get(OFFSETS_TOPIC)?.partitions ?? []
    return partitions.slice(0, this.partitionCount).filter(({ highWatermark }) => highWatermark > 0)
  }

  ensureTopic(): void {
    if (this.#logs.topics.has(OFFSETS_TOPIC)) return
    this.#logs.createTopic(OFFSETS_TOPIC, {
      partitionCount: this.partitionCount,
      config: this.#settings.topicConfig(),
      isInternal: true,
    })
  }

  /** The topic is gone; the next one may have another number of partitions. */
  forgotten(): void {
    this.#partitionCount = null
  }

  /** At once, in one batch; on the disk when `written` says so. Returns the offset of the first record. */
  append(groupId: string, records: readonly EncodedRecord[], nowMs: number, producer?: Producer): number | LogError {
    this.ensureTopic()
    const batch = encodeBatch(
      records.map(({ key, value }) => ({ timestampMs: nowMs, key, value })),
      producer === undefined ? {} : { ...producer, isTransactional: true },
    )
    const appended = this.#partition(groupId).append(batch, { origin: 'coordinator' })
    if (appended.error === null) return appended.baseOffset
    this.#log.error({ groupId, error: appended.error }, `group ${groupId} cannot be written: ${appended.message}`)
    return appended.error
  }

  /** Resolves when what was appended is on the disk; with false when the disk has not taken it. */
  async written(groupId: string): Promise<boolean> {
    const partition = this.#partition(groupId)
    await this.#logs.written()
    return partition.storageProblem === null
  }

  /** Reads one partition from its beginning to what is its end now. Yields to others between two reads. */
  async load(partition: PartitionLog, visitor: GroupLogVisitor): Promise<void> {
    const endOffset = partition.highWatermark
    let offset = partition.logStartOffset
    while (offset < endOffset) {
      const read = await partition.read(offset, READ_BYTES, {
        isolation: 'read_uncommitted',
        takesOneBatchAtLeast: true,
      })
      if (read.error !== null) throw new Error(`${OFFSETS_TOPIC}-${partition.partition} cannot be read: ${read.error}`)
      const before = offset
      for (const bytes of read.records) {
        for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) {
          const batch = decodeBatch(bytes, at)
          offset = batch.lastOffset + 1
          if (batch.isControl) {
            const type = controlTypeOf(batch.records[0]?.key ?? null)
            if (type === 'COMMIT' || type === 'ABORT') visitor.transactionEnd(batch.producerId, type === 'COMMIT')
            continue
          }
          const producerId = batch.isTransactional ? batch.producerId : null
          for (const record of batch.records) this.#visit(record, producerId, visitor)
        }
      }
      if (offset === before) break
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #visit(
    { key, value, offset }: { key: Uint8Array | null; value: Uint8Array | null; offset: number },
    producerId: number | null,
    visitor: GroupLogVisitor,
  ): void {
    if (key === null) return
    try {
      visitor.record(decodeGroupRecord(key, value), offset, producerId)
    } catch (error) {
      // One record that nobody can read must not keep all the groups of its partition away.
      if (!(error instanceof MalformedMessage)) throw error
      this.#log.warn(`record ${offset} of ${OFFSETS_TOPIC} cannot be read and is passed over: ${error.message}`)
    }
  }

  #partition(groupId: string): PartitionLog {
    const partition = this.#logs.topics.get(OFFSETS_TOPIC)?.partitions[this.partitionOf(groupId)]
    if (partition === undefined) throw new Error(`${OFFSETS_TOPIC} has no partition ${this.partitionOf(groupId)}`)
    return partition
  }
}
