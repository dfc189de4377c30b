/**
 * What is known of a transactional id. Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing ..., or by abort.
 * Source: KIP-98.
 */
export const TRANSACTION_STATES = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
] as const
export type TransactionState = (typeof TRANSACTION_STATES)[number]

export const NO_PRODUCER_ID = -1
export const NO_PRODUCER_EPOCH = -1
/** The last epoch is for fencing alone. */
export const EPOCH_MAX = 32767

export interface Transaction {
  readonly transactionalId: string
  producerId: number
  producerEpoch: number
  /** The epoch before, when it was the producer itself that asked for the next: its retry may name it. */
  lastProducerEpoch: number
  /** The id before, when it was exchanged because its epochs were used up. */
  lastProducerId: number
  /** The id that follows when this transaction is over, because its epochs are used up. */
  nextProducerId: number
  /** The version of transactions that the producer has last ended one in. */
  clientVersion: number
  timeoutMs: number
  state: TransactionState
  /** Topic -> partitions that take part. */
  partitions: Map<string, Set<number>>
  /** -1: none has begun. */
  startMs: number
  lastUpdateMs: number
}

export function newTransaction(transactionalId: string, producerId: number, nowMs: number): Transaction {
  return {
    transactionalId,
    producerId,
    producerEpoch: NO_PRODUCER_EPOCH,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    lastProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    clientVersion: 0,
    timeoutMs: 0,
    state: 'Empty',
    partitions: new Map(),
    startMs: -1,
    lastUpdateMs: nowMs,
  }
}

/** After this epoch the producer gets a new id. */
export function isExhausted(epoch: number): boolean {
  return epoch >= EPOCH_MAX - 1
}

/** Markers are being written: nothing else can happen. */
export function isEnding({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

export function takesPart({ partitions }: Transaction, topic: string, partition: number): boolean {
  return partitions.get(topic)?.has(partition) === true
}

export function addPartition(partitions: Map<string, Set<number>>, topic: string, partition: number): void {
  const added = partitions.get(topic)
  if (added === undefined) partitions.set(topic, new Set([partition]))
  else added.add(partition)
}

/** Nobody with the epoch of before gets any further. */
export function fence(transaction: Transaction): void {
  transaction.producerEpoch = Math.min(transaction.producerEpoch + 1, EPOCH_MAX)
  transaction.lastProducerEpoch = NO_PRODUCER_EPOCH
}
