import type { ServerLog } from '../../config/server-log.ts'
import type { LogManager } from '../../log/log-manager.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import { MalformedMessage } from '../codec/byte-reader.ts'
import { InternalTopic } from '../internal-topic.ts'
import { transactionLogKey, transactionLogValue } from '../schemas/transaction-log.ts'
import type { TransactionSettings } from './settings.ts'
import { NO_PRODUCER_EPOCH, TRANSACTION_STATES, type Transaction } from './transaction.ts'

export const TRANSACTIONS_TOPIC = '__transaction_state'

const KEY_VERSION = 0
/** Kafka writes version 1 once `transaction.version` says that every broker reads it. */
const VALUE_VERSION = 0
const FLEXIBLE_VALUE_VERSION = 1

/** `__transaction_state`: what is kept of transactions, in Kafka's own format. */
export class TransactionLog {
  readonly #topic: InternalTopic
  readonly #log: ServerLog
  readonly #settings: TransactionSettings

  constructor(logs: LogManager, settings: TransactionSettings, log: ServerLog) {
    this.#log = log
    this.#settings = settings
    this.#topic = new InternalTopic(
      logs,
      {
        name: TRANSACTIONS_TOPIC,
        partitionCount: () => settings.partitionCount,
        config: () =>
          new Map([
            ['cleanup.policy', 'compact'],
            ['compression.type', 'uncompressed'],
            ['segment.bytes', String(settings.segmentBytes)],
            ['unclean.leader.election.enable', 'false'],
          ]),
      },
      log,
    )
  }

  ensureTopic(): void {
    this.#topic.ensure()
  }

  /** Where there is something to load. */
  get partitions(): readonly PartitionLog[] {
    return this.#topic.partitions
  }

  partitionOf(transactionalId: string): number {
    return this.#topic.partitionOf(transactionalId)
  }

  /** What markers name, so that those of an earlier coordinator can be told from its own. */
  coordinatorEpochOf(transactionalId: string): number {
    return Math.max(0, this.#topic.partition(transactionalId).leaderEpoch)
  }

  forgotten(): void {
    this.#topic.forgotten()
  }

  /** At once; false when the partition takes nothing. On the disk when `written` says so. */
  append(transaction: Transaction, nowMs: number): boolean {
    const { transactionalId, partitions, state } = transaction
    const key = transactionLogKey.encodeRecord({ transactionalId }, KEY_VERSION)
    const value = transactionLogValue.encodeRecord(
      {
        producerId: transaction.producerId,
        previousProducerId: transaction.lastProducerId,
        nextProducerId: transaction.nextProducerId,
        clientTransactionVersion: transaction.clientVersion,
        producerEpoch: transaction.producerEpoch,
        transactionTimeoutMs: transaction.timeoutMs,
        transactionStatus: TRANSACTION_STATES.indexOf(state),
        transactionPartitions:
          state === 'Empty' ? null : [...partitions].map(([topic, ids]) => ({ topic, partitionIds: [...ids] })),
        transactionLastUpdateTimestampMs: transaction.lastUpdateMs,
        transactionStartTimestampMs: transaction.startMs,
      },
      // What ends in the second version of transactions cannot be told in the old format.
      this.#settings.version >= 1 || transaction.clientVersion > 0 ? FLEXIBLE_VALUE_VERSION : VALUE_VERSION,
    )
    return typeof this.#topic.append(transactionalId, [{ key, value }], nowMs) === 'number'
  }

  forget(transactionalId: string, nowMs: number): boolean {
    const key = transactionLogKey.encodeRecord({ transactionalId }, KEY_VERSION)
    return typeof this.#topic.append(transactionalId, [{ key, value: null }], nowMs) === 'number'
  }

  /** Resolves when what was appended is on the disk; with false when the disk has not taken it. */
  written(transactionalId: string): Promise<boolean> {
    return this.#topic.written(transactionalId)
  }

  /** Reads one partition; the last word on each id counts, null says that it is no more. */
  load(
    partition: PartitionLog,
    visit: (transactionalId: string, transaction: Transaction | null) => void,
  ): Promise<void> {
    return this.#topic.load(partition, ({ isControl, records }) => {
      if (isControl) return
      for (const { key, value, offset } of records) {
        if (key === null) continue
        try {
          const { transactionalId } = transactionLogKey.decodeRecord(key)
          visit(transactionalId, value === null ? null : decodeTransaction(transactionalId, value))
        } catch (error) {
          // One record that nobody can read must not keep all the others of its partition away.
          if (!(error instanceof MalformedMessage)) throw error
          this.#log.warn(
            `record ${offset} of ${TRANSACTIONS_TOPIC} cannot be read and is passed over: ${error.message}`,
          )
        }
      }
    })
  }
}

function decodeTransaction(transactionalId: string, bytes: Uint8Array): Transaction {
  const value = transactionLogValue.decodeRecord(bytes)
  const state = TRANSACTION_STATES[value.transactionStatus]
  if (state === undefined) throw new MalformedMessage(`a transaction in state ${value.transactionStatus}`)
  return {
    transactionalId,
    producerId: value.producerId,
    producerEpoch: value.producerEpoch,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    lastProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    clientVersion: value.clientTransactionVersion,
    timeoutMs: value.transactionTimeoutMs,
    state,
    partitions: new Map(
      (value.transactionPartitions ?? []).map(({ topic, partitionIds }) => [topic, new Set(partitionIds)]),
    ),
    startMs: value.transactionStartTimestampMs,
    lastUpdateMs: value.transactionLastUpdateTimestampMs,
  }
}
