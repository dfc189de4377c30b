import type { ServerLog } from '../../config/server-log.ts'
import type { LogManager } from '../../log/log-manager.ts'
import { encodeMarker } from '../../log/records/control-record.ts'
import type { Topic } from '../../log/topic.ts'
import type { Clock, ScheduledCall } from '../../net/clock.ts'
import type { ErrorName } from '../errors.ts'
import type { GroupCoordinator } from '../groups/group-coordinator.ts'
import { OFFSETS_TOPIC } from '../groups/group-log.ts'
import { inTurns } from '../in-turns.ts'
import type { Producer } from '../internal-topic.ts'
import type { TransactionSettings } from './settings.ts'
import {
  addPartition,
  EPOCH_MAX,
  fence,
  isEnding,
  isExhausted,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  newTransaction,
  type Transaction,
  takesPart,
} from './transaction.ts'
import { TRANSACTIONS_TOPIC, TransactionLog } from './transaction-log.ts'

export interface TransactionCoordinatorParts {
  readonly logs: LogManager
  readonly clock: Clock
  readonly settings: TransactionSettings
  readonly groups: GroupCoordinator
  readonly log: ServerLog
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** After an error of a disk, the end of a transaction is tried again so often. */
const RETRY_MS = 1000
/** The version of transactions in which each has an epoch of its own. */
const EPOCHS_VERSION = 2

/**
 * All transactions of the broker (KIP-98). What becomes of one is decided by a record in `__transaction_state`; only once
 * that is safe are the markers written that tell it to the readers of each partition, and only then is the transaction
 * over. So a transaction that a crash interrupted between the two is finished at the next start.
 */
export class TransactionCoordinator {
  readonly #logs: LogManager
  readonly #clock: Clock
  readonly #settings: TransactionSettings
  readonly #groups: GroupCoordinator
  readonly #log: ServerLog
  readonly #transactionLog: TransactionLog
  readonly #transactions = new Map<string, Transaction>()
  /** Partitions of `__transaction_state` whose ids are not known yet. */
  readonly #loading = new Set<number>()
  readonly #scheduled = new Set<ScheduledCall>()
  #isClosed = false

  constructor({ logs, clock, settings, groups, log }: TransactionCoordinatorParts) {
    this.#logs = logs
    this.#clock = clock
    this.#settings = settings
    this.#groups = groups
    this.#log = log
    this.#transactionLog = new TransactionLog(logs, settings, log)
    logs.onTopicsChanged.add(this.#topicChanged)
  }

  /** Reads the transactions back once the groups are known, and ends those that were about to end. */
  async start(groupsLoaded: Promise<void>): Promise<void> {
    const { partitions } = this.#transactionLog
    for (const { partition } of partitions) this.#loading.add(partition)
    this.#every(
      () => this.#settings.timeoutCheckIntervalMs,
      () => this.#abortOverdue(),
    )
    this.#every(
      () => this.#settings.expirationCheckIntervalMs,
      () => this.#expire(),
    )
    await groupsLoaded
    let isComplete = true
    for (const partition of partitions) {
      try {
        await this.#transactionLog.load(partition, (transactionalId, transaction) => {
          if (transaction === null || transaction.state === 'Dead') this.#transactions.delete(transactionalId)
          else this.#transactions.set(transactionalId, transaction)
        })
      } catch (error) {
        // Its ids stay away: to begin with none would let their partitions wait for ever.
        const place = `${TRANSACTIONS_TOPIC}-${partition.partition}`
        this.#log.error({ err: error }, `the transactions of ${place} cannot be loaded`)
        isComplete = false
        continue
      }
      if (this.#isClosed) return
      this.#loading.delete(partition.partition)
    }
    if (isComplete) this.#abortUnknown()
    for (const transaction of this.#transactions.values()) if (isEnding(transaction)) void this.#complete(transaction)
  }

  /**
   * In the second version of transactions a partition and the note that it takes part are written together, and a crash may
   * leave the one without the other. Nobody would ever end such a transaction: no answer has told of it.
   */
  #abortUnknown(): void {
    const known = new Map([...this.#transactions.values()].map((transaction) => [transaction.producerId, transaction]))
    for (const { name, partitions } of this.#logs.topics.values()) {
      for (const log of partitions) {
        for (const {
          producerId,
          producerEpoch,
          coordinatorEpoch,
          currentTransactionStartOffset,
        } of log.activeProducers()) {
          if (currentTransactionStartOffset < 0) continue
          const transaction = known.get(producerId)
          const isOpen = transaction !== undefined && (transaction.state === 'Ongoing' || isEnding(transaction))
          if (isOpen && takesPart(transaction, name, log.partition)) continue
          this.#log.warn(
            `${name}-${log.partition} has a transaction of producer ${producerId} that nobody knows: aborted`,
          )
          this.mark(
            { topic: name, partition: log.partition },
            { producerId, producerEpoch },
            Math.max(coordinatorEpoch, 0),
            false,
          )
        }
      }
    }
  }

  close(): void {
    this.#isClosed = true
    this.#logs.onTopicsChanged.delete(this.#topicChanged)
    for (const call of this.#scheduled) call.cancel()
  }

  /** The topic where transactions are kept: clients are told where it is led. */
  prepare(): void {
    this.#transactionLog.ensureTopic()
  }

  // ---- What producers ask ----

  /**
   * The id and epoch to go on with: everybody who has an earlier epoch is fenced, what they left open is aborted. `current`
   * is what the producer has, if it has something. Resolves when it is safe.
   */
  async begin(transactionalId: string, timeoutMs: number, current: Producer): Promise<ErrorName | Producer> {
    const refusal = this.#refusal(transactionalId)
    if (refusal !== null) return refusal
    if (timeoutMs <= 0 || timeoutMs > this.#settings.timeoutMsMax) return 'INVALID_TRANSACTION_TIMEOUT'
    const known = this.#transactions.get(transactionalId)
    const transaction = known ?? newTransaction(transactionalId, this.#logs.allocateProducerId(), this.#clock.nowMs())
    // Whoever was forgotten may have had another id.
    if (known !== undefined && !isKnownProducer(transaction, current)) return 'PRODUCER_FENCED'
    if (isEnding(transaction)) return 'CONCURRENT_TRANSACTIONS'
    if (transaction.state === 'Ongoing') {
      this.#log.info(`the open transaction of ${transactionalId} is aborted: its producer begins anew`)
      void this.#abort(transaction)
      return 'CONCURRENT_TRANSACTIONS'
    }
    const next = this.#nextProducer(transaction, current)
    if (typeof next === 'string') return next
    this.#transactions.set(transactionalId, transaction)
    const begun = { ...next, timeoutMs, state: 'Empty', partitions: new Map(), startMs: -1 } as const
    if (!this.#change(transaction, begun)) return 'COORDINATOR_NOT_AVAILABLE'
    const { producerId, producerEpoch } = transaction
    if (!(await this.#transactionLog.written(transactionalId))) return 'COORDINATOR_NOT_AVAILABLE'
    return { producerId, producerEpoch }
  }

  /** Resolves when the partitions are known to be part of the transaction. */
  async add(
    transactionalId: string,
    producer: Producer,
    partitions: readonly TopicPartition[],
  ): Promise<ErrorName | null> {
    const transaction = this.#producersTransaction(transactionalId, producer)
    if (typeof transaction === 'string') return transaction
    if (isEnding(transaction)) return 'CONCURRENT_TRANSACTIONS'
    if (!this.#include(transaction, partitions)) return 'COORDINATOR_NOT_AVAILABLE'
    return (await this.#transactionLog.written(transactionalId)) ? null : 'COORDINATOR_NOT_AVAILABLE'
  }

  /** The same for the offsets of a group. */
  addOffsets(transactionalId: string, producer: Producer, groupId: string): Promise<ErrorName | null> {
    return this.add(transactionalId, producer, [{ topic: OFFSETS_TOPIC, partition: this.#groups.partitionOf(groupId) }])
  }

  /**
   * In the second version of transactions a partition becomes part of one by being written to (KIP-890). Null when it is
   * part. Synchronous, as `verify`.
   */
  include(transactionalId: string, producer: Producer, topic: string, partition: number): ErrorName | null {
    const transaction = this.#producersTransaction(transactionalId, producer)
    if (typeof transaction === 'string') return transaction
    if (isEnding(transaction)) return 'CONCURRENT_TRANSACTIONS'
    return this.#include(transaction, [{ topic, partition }]) ? null : 'COORDINATOR_NOT_AVAILABLE'
  }

  /** The same for the offsets of a group. */
  includeOffsets(transactionalId: string, producer: Producer, groupId: string): ErrorName | null {
    return this.include(transactionalId, producer, OFFSETS_TOPIC, this.#groups.partitionOf(groupId))
  }

  /** False when it cannot be written. */
  #include(transaction: Transaction, partitions: readonly TopicPartition[]): boolean {
    const isOngoing = transaction.state === 'Ongoing'
    if (isOngoing && partitions.every(({ topic, partition }) => takesPart(transaction, topic, partition))) return true
    const next = new Map(
      isOngoing ? [...transaction.partitions].map(([topic, numbers]) => [topic, new Set(numbers)]) : [],
    )
    for (const { topic, partition } of partitions) addPartition(next, topic, partition)
    const startMs = isOngoing ? transaction.startMs : this.#clock.nowMs()
    return this.#change(transaction, { state: 'Ongoing', partitions: next, startMs })
  }

  /** Commits or aborts. Resolves when the readers of all its partitions can see it. */
  async end(transactionalId: string, producer: Producer, isCommitted: boolean): Promise<ErrorName | null> {
    const transaction = this.#producersTransaction(transactionalId, producer)
    if (typeof transaction === 'string') return transaction
    switch (transaction.state) {
      case 'Ongoing':
        return this.#end(transaction, isCommitted, 'keeps')
      case 'PrepareCommit':
      case 'PrepareAbort':
        return (transaction.state === 'PrepareCommit') === isCommitted ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE'
      case 'CompleteCommit':
      case 'CompleteAbort':
        // The answer was lost: it is said again.
        return (transaction.state === 'CompleteCommit') === isCommitted ? null : 'INVALID_TXN_STATE'
      default:
        return 'INVALID_TXN_STATE'
    }
  }

  /**
   * The same in the second version of transactions: each has an epoch of its own, so that nothing of one that is over can
   * come into the next (KIP-890). Resolves with what the producer goes on with.
   */
  async endEpoch(transactionalId: string, producer: Producer, isCommitted: boolean): Promise<ErrorName | Producer> {
    const refusal = this.#refusal(transactionalId)
    if (refusal !== null) return refusal
    const transaction = this.#transactions.get(transactionalId)
    if (transaction === undefined) return 'INVALID_PRODUCER_ID_MAPPING'
    const { state } = transaction
    const isOfLastId =
      transaction.lastProducerId === producer.producerId &&
      isExhausted(producer.producerEpoch) &&
      transaction.producerEpoch === 0
    if (transaction.producerId !== producer.producerId && !isOfLastId) return 'INVALID_PRODUCER_ID_MAPPING'
    const isOfLastEpoch = isOfLastId || transaction.producerEpoch === producer.producerEpoch + 1
    const isOfThisEpoch = !isOfLastId && transaction.producerEpoch === producer.producerEpoch
    // The last epoch is for fencing: whoever has it asks for a new id first.
    const isUsedUp = transaction.producerEpoch >= EPOCH_MAX && !isEnding(transaction)
    if (isUsedUp || (!isOfThisEpoch && !isOfLastEpoch)) return 'PRODUCER_FENCED'
    if (isOfThisEpoch) {
      if (isEnding(transaction)) return 'PRODUCER_FENCED'
      // Without anything in it, a transaction can be aborted; its epoch is over all the same.
      if (state !== 'Ongoing' && isCommitted) return 'INVALID_TXN_STATE'
      return (await this.#end(transaction, isCommitted, 'next')) ?? goesOnWith(transaction)
    }
    switch (state) {
      case 'PrepareCommit':
      case 'PrepareAbort':
        return (state === 'PrepareCommit') === isCommitted ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE'
      case 'CompleteCommit':
      case 'CompleteAbort':
        // The answer was lost: it is said again.
        return (state === 'CompleteCommit') === isCommitted ? goesOnWith(transaction) : 'INVALID_TXN_STATE'
      default:
        return 'PRODUCER_FENCED'
    }
  }

  /** Null when a partition is part of the open transaction of this producer (KIP-890). Synchronous: nothing is between check and append. */
  verify(transactionalId: string, producer: Producer, topic: string, partition: number): ErrorName | null {
    const transaction = this.#producersTransaction(transactionalId, producer)
    if (typeof transaction === 'string') return transaction
    if (isEnding(transaction)) return 'CONCURRENT_TRANSACTIONS'
    const isPart = transaction.state === 'Ongoing' && takesPart(transaction, topic, partition)
    return isPart ? null : 'TRANSACTION_ABORTABLE'
  }

  /** The same for the offsets of a group. */
  verifyOffsets(transactionalId: string, producer: Producer, groupId: string): ErrorName | null {
    return this.verify(transactionalId, producer, OFFSETS_TOPIC, this.#groups.partitionOf(groupId))
  }

  // ---- Administration ----

  /** Why nothing can be told of an id; null when it can. */
  refusal(transactionalId: string): ErrorName | null {
    return this.#refusal(transactionalId)
  }

  get(transactionalId: string): Transaction | undefined {
    return this.#transactions.get(transactionalId)
  }

  get transactions(): Iterable<Transaction> {
    return this.#transactions.values()
  }

  get isLoading(): boolean {
    return this.#loading.size > 0
  }

  /** Ends a transaction in one partition, whatever its coordinator thinks: for transactions that hang. */
  mark(
    { topic, partition }: TopicPartition,
    { producerId, producerEpoch }: Producer,
    coordinatorEpoch: number,
    isCommitted: boolean,
  ): ErrorName | null {
    const log = this.#logs.partition(topic, partition)
    if (log === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
    const type = isCommitted ? 'COMMIT' : 'ABORT'
    const timestampMs = this.#clock.nowMs()
    const marker = encodeMarker({ type, producerId, producerEpoch, coordinatorEpoch, timestampMs })
    const { error } = log.append(marker, { origin: 'coordinator' })
    if (error === null && topic === OFFSETS_TOPIC) this.#groups.transactionEnded(partition, producerId, isCommitted)
    return error
  }

  // ---- The end of a transaction ----

  /**
   * Not by its producer, whose epoch is over by that. In the second version of transactions it may ask to go on with the next,
   * as long as nobody else has (KIP-360, KIP-588); in the first it is fenced for good.
   */
  #abort(transaction: Transaction): Promise<ErrorName | null> {
    return this.#end(transaction, false, this.#settings.version >= EPOCHS_VERSION ? 'next' : 'fenced')
  }

  /** @param epoch what becomes of the producer's: it keeps it, it goes on with the next, or somebody else will */
  async #end(
    transaction: Transaction,
    isCommitted: boolean,
    epoch: 'keeps' | 'next' | 'fenced',
  ): Promise<ErrorName | null> {
    const next = { ...transaction, clientVersion: 0 }
    if (epoch === 'fenced') fence(next)
    else if (epoch === 'next') {
      next.clientVersion = EPOCHS_VERSION
      if (isExhausted(next.producerEpoch)) next.nextProducerId = this.#logs.allocateProducerId()
      next.lastProducerEpoch = next.producerEpoch
      next.producerEpoch++
      if (next.state !== 'Ongoing') Object.assign(next, { partitions: new Map(), startMs: this.#clock.nowMs() })
    }
    next.state = isCommitted ? 'PrepareCommit' : 'PrepareAbort'
    if (!this.#change(transaction, next)) return 'COORDINATOR_NOT_AVAILABLE'
    // Before the decision is safe nobody may see it.
    if (!(await this.#transactionLog.written(transaction.transactionalId))) return 'COORDINATOR_NOT_AVAILABLE'
    await this.#complete(transaction)
    return null
  }

  /** Writes the markers of a transaction whose end is decided. */
  async #complete(transaction: Transaction): Promise<void> {
    const { transactionalId, state, partitions } = transaction
    const isCommitted = state === 'PrepareCommit'
    const coordinatorEpoch = this.#transactionLog.coordinatorEpochOf(transactionalId)
    let isMarked = true
    for (const [topic, numbers] of partitions) {
      await inTurns(numbers, (partition) => {
        if (this.#isClosed) return
        const error = this.mark({ topic, partition }, transaction, coordinatorEpoch, isCommitted)
        if (error === 'KAFKA_STORAGE_ERROR') isMarked = false
        // A topic that was deleted has no readers, and a newer producer's epoch says that its transaction is long over.
        else if (error !== null) {
          this.#log.warn(`${topic}-${partition} takes no marker of ${transactionalId}: ${error}`)
        }
      })
    }
    await this.#logs.written()
    for (const [topic, numbers] of partitions) {
      for (const partition of numbers) {
        if ((this.#logs.partition(topic, partition)?.storageProblem ?? null) !== null) isMarked = false
      }
    }
    if (this.#isClosed || this.#transactions.get(transactionalId) !== transaction) return
    const { producerId, nextProducerId } = transaction
    const exchange = { ...goesOnWith(transaction), lastProducerId: producerId, nextProducerId: NO_PRODUCER_ID }
    const complete = {
      state: isCommitted ? 'CompleteCommit' : 'CompleteAbort',
      partitions: new Map(),
      ...(nextProducerId === NO_PRODUCER_ID ? {} : exchange),
    } as const
    if (!isMarked || !this.#change(transaction, complete)) this.#after(RETRY_MS, () => void this.#complete(transaction))
  }

  /** A producer that has died must not hold up the readers of its partitions for ever. */
  #abortOverdue(): void {
    const nowMs = this.#clock.nowMs()
    for (const transaction of this.#transactions.values()) {
      const { transactionalId, state, startMs, timeoutMs } = transaction
      if (state !== 'Ongoing' || nowMs - startMs < timeoutMs) continue
      this.#log.info(`the transaction of ${transactionalId} is aborted: it has been open for ${nowMs - startMs} ms`)
      void this.#abort(transaction)
    }
  }

  /** Forgets ids that have not been used for long. */
  #expire(): void {
    const nowMs = this.#clock.nowMs()
    for (const transaction of [...this.#transactions.values()]) {
      const { transactionalId, state, lastUpdateMs } = transaction
      if (state === 'Ongoing' || isEnding(transaction)) continue
      if (nowMs - lastUpdateMs < this.#settings.idExpirationMs) continue
      if (this.#transactionLog.forget(transactionalId, nowMs)) this.#transactions.delete(transactionalId)
    }
  }

  // ---- Inside ----

  /** Written first: what cannot be written has not happened. */
  #change(transaction: Transaction, change: Partial<Transaction>): boolean {
    const nowMs = this.#clock.nowMs()
    const next = { ...transaction, ...change, lastUpdateMs: nowMs }
    this.#transactionLog.ensureTopic()
    if (!this.#transactionLog.append(next, nowMs)) return false
    Object.assign(transaction, next)
    return true
  }

  /** What a producer goes on with after all before it is over. */
  #nextProducer(transaction: Transaction, current: Producer): ErrorName | Partial<Transaction> {
    const { producerId, producerEpoch, lastProducerEpoch } = transaction
    const isUnknown = current.producerEpoch === NO_PRODUCER_EPOCH || producerEpoch === NO_PRODUCER_EPOCH
    if (isExhausted(producerEpoch) && (isUnknown || current.producerEpoch === producerEpoch)) {
      return {
        producerId: this.#logs.allocateProducerId(),
        producerEpoch: 0,
        lastProducerId: producerId,
        lastProducerEpoch: current.producerEpoch,
      }
    }
    if (isUnknown || current.producerEpoch === producerEpoch) {
      return { producerEpoch: producerEpoch + 1, lastProducerEpoch: isUnknown ? NO_PRODUCER_EPOCH : producerEpoch }
    }
    // The answer was lost: it is said again.
    return current.producerEpoch === lastProducerEpoch ? {} : 'PRODUCER_FENCED'
  }

  #producersTransaction(transactionalId: string, producer: Producer): ErrorName | Transaction {
    const refusal = this.#refusal(transactionalId)
    if (refusal !== null) return refusal
    const transaction = this.#transactions.get(transactionalId)
    if (transaction?.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
    return transaction.producerEpoch === producer.producerEpoch ? transaction : 'PRODUCER_FENCED'
  }

  #refusal(transactionalId: string): ErrorName | null {
    if (transactionalId === '') return 'INVALID_REQUEST'
    if (this.#isClosed) return 'COORDINATOR_NOT_AVAILABLE'
    if (this.#loading.size > 0 && this.#loading.has(this.#transactionLog.partitionOf(transactionalId))) {
      return 'COORDINATOR_LOAD_IN_PROGRESS'
    }
    return null
  }

  /** `__transaction_state` itself has been deleted. */
  readonly #topicChanged = ({ name }: Topic, change: 'created' | 'grown' | 'configured' | 'deleted'): void => {
    if (change !== 'deleted' || name !== TRANSACTIONS_TOPIC) return
    this.#transactions.clear()
    this.#loading.clear()
    this.#transactionLog.forgotten()
  }

  #after(delayMs: number, run: () => void): void {
    const call = this.#clock.schedule(delayMs, () => {
      this.#scheduled.delete(call)
      run()
    })
    this.#scheduled.add(call)
  }

  #every(intervalMs: () => number, run: () => void): void {
    this.#after(intervalMs(), () => {
      this.#every(intervalMs, run)
      run()
    })
  }
}

/** What a producer has when its transaction is over. */
function goesOnWith({ producerId, producerEpoch, nextProducerId }: Transaction): Producer {
  return nextProducerId === NO_PRODUCER_ID
    ? { producerId, producerEpoch }
    : { producerId: nextProducerId, producerEpoch: 0 }
}

function isKnownProducer({ producerId, lastProducerId }: Transaction, current: Producer): boolean {
  if (current.producerId === NO_PRODUCER_ID || current.producerId === producerId) return true
  return current.producerId === lastProducerId && isExhausted(current.producerEpoch)
}
