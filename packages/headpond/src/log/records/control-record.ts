/**
 * Control records: what a coordinator writes into a log for those who read it, one in a batch of its own. A transaction
 * ends with a marker. Key: int16 version, int16 type. Value of a marker: int16 version, int32 coordinatorEpoch.
 */
import { readInt16, readInt32 } from '../record-batch.ts'
import { encodeBatch, openRecords } from './batch.ts'

/** In the order of their numbers. All but the first two stand in the log of Kafka's own metadata alone. */
const CONTROL_TYPES = [
  'ABORT',
  'COMMIT',
  'LEADER_CHANGE',
  'SNAPSHOT_HEADER',
  'SNAPSHOT_FOOTER',
  'KRAFT_VERSION',
  'KRAFT_VOTERS',
] as const
export type ControlType = (typeof CONTROL_TYPES)[number]

export interface TransactionMarker {
  readonly type: 'COMMIT' | 'ABORT'
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly timestampMs: number
}

/** The batch that ends a transaction. */
export function encodeMarker(marker: TransactionMarker): Buffer {
  const key = Buffer.alloc(4)
  key.writeInt16BE(CONTROL_TYPES.indexOf(marker.type), 2)
  const value = Buffer.alloc(6)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  return encodeBatch([{ timestampMs: marker.timestampMs, key, value }], {
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    isTransactional: true,
    isControl: true,
  })
}

/** The type that the key of a control record says; undefined when it is unknown or the key is none. */
export function controlTypeOf(key: Uint8Array | null): ControlType | undefined {
  return key === null || key.length < 4 ? undefined : CONTROL_TYPES[readInt16(key, 2)]
}

/** The type of the control batch at `at`, which has a record. */
export function controlTypeAt(bytes: Uint8Array, at: number): ControlType | undefined {
  const cursor = openRecords(bytes, at)
  cursor.next()
  return controlTypeOf(cursor.keyStart < 0 ? null : cursor.bytes.subarray(cursor.keyStart, cursor.keyEnd))
}

/** The epoch of the coordinator that wrote a marker; -1 when its value is none. */
export function coordinatorEpochOf(value: Uint8Array | null): number {
  return value === null || value.length < 6 ? -1 : readInt32(value, 2)
}
