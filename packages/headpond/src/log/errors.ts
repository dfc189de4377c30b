/**
 * What the log refuses, by Kafka's names. The protocol floor knows their codes.
 */
const logErrors = [
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'TRANSACTION_COORDINATOR_FENCED',
  'TRANSACTION_ABORTABLE',
  // From those who verify transactions.
  'INVALID_PRODUCER_ID_MAPPING',
  'NOT_ENOUGH_REPLICAS',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'KAFKA_STORAGE_ERROR',
] as const
export type LogError = (typeof logErrors)[number]

/** A refusal: nothing was appended, nothing has changed. */
export interface LogRefusal {
  readonly error: LogError
  readonly message: string
  /** Which records of the batch are to blame, by their place in it; only when single records are. */
  readonly recordErrors?: readonly { readonly index: number; readonly message: string }[]
}
