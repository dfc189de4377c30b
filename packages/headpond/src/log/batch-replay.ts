/** What a batch that is in the log does to the state that follows from the log: producers, and the ends of transactions. */
import type { Marker, ProducerBatch, ProducerStates } from './producer-state.ts'
import {
  ATTRIBUTES_AT,
  baseOffsetOf,
  baseSequenceOf,
  CONTROL_BIT,
  LAST_OFFSET_DELTA_AT,
  maxTimestampOf,
  NO_PRODUCER_ID,
  producerEpochOf,
  producerIdOf,
  readInt16,
  readInt32,
  recordCountOf,
  TRANSACTIONAL_BIT,
} from './record-batch.ts'
import { openRecords } from './records/batch.ts'
import { controlTypeOf, coordinatorEpochOf } from './records/control-record.ts'
import type { AbortedTransaction } from './transaction-index.ts'

/** Fills `into` with what the header of the batch at `at` says of its producer. hot: once for each idempotent batch. */
export function readProducerBatch(bytes: Uint8Array, at: number, into: ProducerBatch): void {
  into.producerId = producerIdOf(bytes, at)
  into.epoch = producerEpochOf(bytes, at)
  into.baseSequence = baseSequenceOf(bytes, at)
  into.offsetDelta = readInt32(bytes, at + LAST_OFFSET_DELTA_AT)
  into.timestampMs = maxTimestampOf(bytes, at)
  into.isTransactional = (readInt16(bytes, at + ATTRIBUTES_AT) & TRANSACTIONAL_BIT) !== 0
}

export function newProducerBatch(): ProducerBatch {
  return { producerId: 0, epoch: 0, baseSequence: 0, offsetDelta: 0, timestampMs: 0, isTransactional: false }
}

export function isControlBatch(bytes: Uint8Array, at: number): boolean {
  return (readInt16(bytes, at + ATTRIBUTES_AT) & CONTROL_BIT) !== 0
}

/** The end of a transaction that the control batch at `at` is; null when it is something else. */
export function readMarker(bytes: Uint8Array, at: number): Marker | null {
  if (recordCountOf(bytes, at) === 0) return null
  const cursor = openRecords(bytes, at)
  cursor.next()
  const key = cursor.keyStart < 0 ? null : cursor.bytes.subarray(cursor.keyStart, cursor.keyEnd)
  const value = cursor.valueStart < 0 ? null : cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd)
  const type = controlTypeOf(key)
  if (type !== 'COMMIT' && type !== 'ABORT') return null
  return {
    producerId: producerIdOf(bytes, at),
    epoch: producerEpochOf(bytes, at),
    isAbort: type === 'ABORT',
    coordinatorEpoch: coordinatorEpochOf(value),
    timestampMs: maxTimestampOf(bytes, at),
  }
}

const scratch = newProducerBatch()

/** Takes a batch of the log in. What readers have to know when it aborts a transaction, else null. */
export function replayBatch(states: ProducerStates, bytes: Uint8Array, at: number): AbortedTransaction | null {
  if (producerIdOf(bytes, at) <= NO_PRODUCER_ID) return null
  if (isControlBatch(bytes, at)) {
    const marker = readMarker(bytes, at)
    return marker === null ? null : states.addMarker(marker, baseOffsetOf(bytes, at))
  }
  readProducerBatch(bytes, at, scratch)
  states.add(scratch, baseOffsetOf(bytes, at))
  return null
}
