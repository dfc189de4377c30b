import type { ServerLog } from '../../config/server-log.ts'
import type { LogError } from '../../log/errors.ts'
import type { LogManager } from '../../log/log-manager.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { controlTypeOf } from '../../log/records/control-record.ts'
import { MalformedMessage } from '../codec/byte-reader.ts'
import { type EncodedRecord, InternalTopic, type Producer } from '../internal-topic.ts'
import { decodeGroupRecord, type GroupRecord } from './records.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

export interface GroupLogSettings {
  readonly partitionCount: () => number
  readonly topicConfig: () => ReadonlyMap<string, string>
}

/** What is told of the log while it is read. */
export interface GroupLogVisitor {
  /** `producerId` is null outside of transactions. */
  record(record: GroupRecord, recordOffset: number, producerId: number | null): void
  transactionEnd(producerId: number, isCommitted: boolean): void
}

/** `__consumer_offsets`: what is kept of groups. */
export class GroupLog {
  readonly #topic: InternalTopic
  readonly #log: ServerLog

  constructor(logs: LogManager, settings: GroupLogSettings, log: ServerLog) {
    const { partitionCount, topicConfig } = settings
    this.#topic = new InternalTopic(logs, { name: OFFSETS_TOPIC, partitionCount, config: topicConfig }, log)
    this.#log = log
  }

  partitionOf(groupId: string): number {
    return this.#topic.partitionOf(groupId)
  }

  /** Where there is something to load. */
  get partitions(): readonly PartitionLog[] {
    return this.#topic.partitions
  }

  ensureTopic(): void {
    this.#topic.ensure()
  }

  /** The topic is gone; the next one may have another number of partitions. */
  forgotten(): void {
    this.#topic.forgotten()
  }

  /** At once, in one batch; on the disk when `written` says so. Returns the offset of the first record. */
  append(groupId: string, records: readonly EncodedRecord[], nowMs: number, producer?: Producer): number | LogError {
    return this.#topic.append(groupId, records, nowMs, producer)
  }

  /** Resolves when what was appended is on the disk; with false when the disk has not taken it. */
  written(groupId: string): Promise<boolean> {
    return this.#topic.written(groupId)
  }

  /** Reads one partition from its beginning to what is its end now. Yields to others between two reads. */
  load(partition: PartitionLog, visitor: GroupLogVisitor): Promise<void> {
    return this.#topic.load(partition, (batch) => {
      if (batch.isControl) {
        const type = controlTypeOf(batch.records[0]?.key ?? null)
        if (type === 'COMMIT' || type === 'ABORT') visitor.transactionEnd(batch.producerId, type === 'COMMIT')
        return
      }
      const producerId = batch.isTransactional ? batch.producerId : null
      for (const record of batch.records) this.#visit(record, producerId, visitor)
    })
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
}
