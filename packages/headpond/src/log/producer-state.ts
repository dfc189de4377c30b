/**
 * What a partition knows of its producers: epoch, the last five batches (a retried one is recognised by them), and the
 * first offset of an open transaction. It follows from the batches in the log alone, so it is part of the log: rebuilt
 * from a snapshot and the batches after it.
 */
import type { LogRefusal } from './errors.ts'
import { addToSequence, isNextSequence, NO_SEQUENCE, subtractFromSequence } from './sequence.ts'
import type { AbortedTransaction } from './transaction-index.ts'

/** Producers may have as many requests in flight. */
const BATCHES_KEPT_MAX = 5
const NO_EPOCH = -1
export const NO_OFFSET = -1

/** One appended batch. */
export interface BatchMark {
  lastSequence: number
  lastOffset: number
  /** From the first record to the last. */
  offsetDelta: number
  timestampMs: number
}

export interface ProducerState {
  readonly producerId: number
  /** -1: nothing but a marker has been seen. */
  epoch: number
  /** Of the last marker. */
  coordinatorEpoch: number
  /** When it last wrote here. */
  lastTimestampMs: number
  /** -1: none is open. */
  transactionFirstOffset: number
  /** The oldest first. Only those of the epoch. */
  batches: BatchMark[]
}

/** A batch of a producer, as its header tells. */
export interface ProducerBatch {
  producerId: number
  epoch: number
  baseSequence: number
  offsetDelta: number
  timestampMs: number
  isTransactional: boolean
}

export interface Marker {
  readonly producerId: number
  readonly epoch: number
  readonly isAbort: boolean
  readonly coordinatorEpoch: number
  readonly timestampMs: number
}

interface EndedTransaction {
  readonly firstOffset: number
  readonly lastOffset: number
}

export class ProducerStates {
  readonly #describe: () => string
  readonly #producers = new Map<number, ProducerState>()
  /** Open transactions by their first offsets, ascending. */
  #open: ProducerState[] = []
  /** Ended by a marker that is not below the high watermark yet. */
  #ended: EndedTransaction[] = []

  /** `describe` names the partition in refusals. */
  constructor(describe: () => string) {
    this.#describe = describe
  }

  get size(): number {
    return this.#producers.size
  }

  get(producerId: number): ProducerState | undefined {
    return this.#producers.get(producerId)
  }

  values(): Iterable<ProducerState> {
    return this.#producers.values()
  }

  /** Where the oldest transaction begins that is open, or whose end consumers cannot see yet; Infinity when there is none. */
  get firstUnstableOffset(): number {
    const open = this.#open.length === 0 ? Number.POSITIVE_INFINITY : this.#open[0].transactionFirstOffset
    let ended = Number.POSITIVE_INFINITY
    for (const { firstOffset } of this.#ended) if (firstOffset < ended) ended = firstOffset
    return Math.min(open, ended)
  }

  // ---- Data ----

  /** The mark of the same batch when it was appended before. hot: once for each batch of an idempotent producer. */
  findDuplicate(batch: ProducerBatch): BatchMark | null {
    const producer = this.#producers.get(batch.producerId)
    if (producer === undefined || producer.epoch !== batch.epoch) return null
    const lastSequence = addToSequence(batch.baseSequence, batch.offsetDelta)
    for (const mark of producer.batches) {
      if (mark.lastSequence !== lastSequence) continue
      if (subtractFromSequence(mark.lastSequence, mark.offsetDelta) === batch.baseSequence) return mark
    }
    return null
  }

  /** Null when the batch may be appended at `offset`. hot: once for each batch of an idempotent producer. */
  check(batch: ProducerBatch, offset: number): LogRefusal | null {
    const producer = this.#producers.get(batch.producerId)
    // Somebody who was forgotten, by retention or for having been idle, goes on where he is.
    if (producer === undefined) return null
    if (batch.epoch < producer.epoch) return this.#refuseEpoch(batch.producerId, batch.epoch, producer, offset)
    if (batch.epoch !== producer.epoch) {
      if (batch.baseSequence !== 0 && producer.epoch !== NO_EPOCH) {
        return {
          error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
          message:
            `Invalid sequence number for new epoch of producer ${batch.producerId} at offset ${offset} in partition ` +
            `${this.#describe()}: ${batch.epoch} (request epoch), ${batch.baseSequence} (seq. number), ` +
            `${producer.epoch} (current producer epoch)`,
        }
      }
    } else {
      const lastSequence = lastSequenceOf(producer)
      if (!isNextSequence(lastSequence, batch.baseSequence)) {
        return {
          error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
          message:
            `Out of order sequence number for producer ${batch.producerId} at offset ${offset} in partition ` +
            `${this.#describe()}: ${batch.baseSequence} (incoming seq. number), ` +
            `${lastSequence} (current end sequence number)`,
        }
      }
    }
    if (producer.transactionFirstOffset !== NO_OFFSET && !batch.isTransactional) {
      return {
        error: 'INVALID_TXN_STATE',
        message:
          `Expected transactional write from producer ${batch.producerId} at offset ${offset} in partition ` +
          this.#describe(),
      }
    }
    return null
  }

  /**
   * Null when the batch may be the first of a transaction whose numbers begin with 0. What comes before it is on its way
   * again: it would never fit behind.
   */
  checkFirst(batch: ProducerBatch, offset: number): LogRefusal | null {
    if (batch.baseSequence === 0 || this.#producers.has(batch.producerId)) return null
    return {
      error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
      message:
        `Invalid sequence number for producer ${batch.producerId} at offset ${offset} in partition ` +
        `${this.#describe()}: ${batch.baseSequence} (incoming seq. number). Expected sequence 0 for transactions v2 ` +
        'idempotent producer with no existing state.',
    }
  }

  /** Whether a transaction of this producer is open here. */
  hasOpenTransaction(producerId: number, epoch: number): boolean {
    const producer = this.#producers.get(producerId)
    return producer !== undefined && producer.transactionFirstOffset !== NO_OFFSET && producer.epoch === epoch
  }

  /** A batch is in the log. What was not refused by `check`, or comes from the log itself. hot, as `check`. */
  add(batch: ProducerBatch, baseOffset: number): void {
    const producer = this.#producerOf(batch.producerId)
    if (batch.epoch !== producer.epoch) {
      producer.epoch = batch.epoch
      producer.batches = []
    }
    const { batches } = producer
    const mark =
      batches.length === BATCHES_KEPT_MAX
        ? (batches.shift() as BatchMark)
        : { lastSequence: 0, lastOffset: 0, offsetDelta: 0, timestampMs: 0 }
    mark.lastSequence = addToSequence(batch.baseSequence, batch.offsetDelta)
    mark.lastOffset = baseOffset + batch.offsetDelta
    mark.offsetDelta = batch.offsetDelta
    mark.timestampMs = batch.timestampMs
    batches.push(mark)
    producer.lastTimestampMs = batch.timestampMs
    if (batch.isTransactional && producer.transactionFirstOffset === NO_OFFSET) {
      producer.transactionFirstOffset = baseOffset
      this.#open.push(producer)
    }
  }

  // ---- The ends of transactions ----

  /** Null when the marker may be appended at `offset`. */
  checkMarker(marker: Marker, offset: number): LogRefusal | null {
    const producer = this.#producers.get(marker.producerId)
    if (producer === undefined) return null
    if (marker.epoch < producer.epoch) return this.#refuseEpoch(marker.producerId, marker.epoch, producer, offset)
    if (marker.coordinatorEpoch < producer.coordinatorEpoch) {
      return {
        error: 'TRANSACTION_COORDINATOR_FENCED',
        message:
          `Invalid coordinator epoch for producerId ${marker.producerId} at offset ${offset} in partition ` +
          `${this.#describe()}: ${marker.coordinatorEpoch} (zombie), ${producer.coordinatorEpoch} (current)`,
      }
    }
    return null
  }

  /**
   * A marker is in the log at `offset`. What readers have to know of a transaction that was aborted; null when it was
   * committed, or nothing was open.
   */
  addMarker(marker: Marker, offset: number): AbortedTransaction | null {
    const producer = this.#producerOf(marker.producerId)
    const firstOffset = producer.transactionFirstOffset
    if (marker.epoch !== producer.epoch) {
      producer.epoch = marker.epoch
      producer.batches = []
    }
    producer.coordinatorEpoch = marker.coordinatorEpoch
    producer.lastTimestampMs = marker.timestampMs
    producer.transactionFirstOffset = NO_OFFSET
    if (firstOffset === NO_OFFSET) return null
    this.#open = this.#open.filter((each) => each !== producer)
    this.#ended.push({ firstOffset, lastOffset: offset })
    if (!marker.isAbort) return null
    const lastStableOffset = this.#open.length === 0 ? offset + 1 : this.#open[0].transactionFirstOffset
    return { producerId: marker.producerId, firstOffset, lastOffset: offset, lastStableOffset }
  }

  /** Consumers can see what lies below. */
  setHighWatermark(highWatermark: number): void {
    if (this.#ended.length === 0) return
    this.#ended = this.#ended.filter(({ lastOffset }) => lastOffset >= highWatermark)
  }

  // ---- Forgetting and restoring ----

  /** Forgets producers that have not written since then. */
  expire(before: number): void {
    for (const [producerId, producer] of this.#producers) {
      if (producer.transactionFirstOffset === NO_OFFSET && producer.lastTimestampMs < before) {
        this.#producers.delete(producerId)
      }
    }
  }

  /** Takes over a producer from a snapshot. */
  restore(producer: ProducerState): void {
    this.#producers.set(producer.producerId, producer)
    if (producer.transactionFirstOffset === NO_OFFSET) return
    this.#open.push(producer)
    this.#open.sort((one, other) => one.transactionFirstOffset - other.transactionFirstOffset)
  }

  #producerOf(producerId: number): ProducerState {
    let producer = this.#producers.get(producerId)
    if (producer === undefined) {
      producer = {
        producerId,
        epoch: NO_EPOCH,
        coordinatorEpoch: NO_EPOCH,
        lastTimestampMs: -1,
        transactionFirstOffset: NO_OFFSET,
        batches: [],
      }
      this.#producers.set(producerId, producer)
    }
    return producer
  }

  #refuseEpoch(producerId: number, epoch: number, producer: ProducerState, offset: number): LogRefusal {
    return {
      error: 'INVALID_PRODUCER_EPOCH',
      message:
        `Epoch of producer ${producerId} at offset ${offset} in ${this.#describe()} is ${epoch}, ` +
        `which is smaller than the last seen epoch ${producer.epoch}`,
    }
  }
}

/** NO_SEQUENCE when nothing of the epoch is known: then it begins with 0. */
export function lastSequenceOf(producer: ProducerState): number {
  return producer.batches.length === 0 ? NO_SEQUENCE : producer.batches[producer.batches.length - 1].lastSequence
}
