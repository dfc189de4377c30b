/** What a record is, once it is out of its batch. */

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** A record as a producer has it. An empty value is not null; keys of headers may repeat, and their order counts. */
export interface NewRecord {
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
}

/** A record as a log has it. */
export interface LogRecord extends NewRecord {
  readonly offset: number
  readonly headers: readonly RecordHeader[]
}

/** Records that cannot be read. What it says is for people. */
export class RecordFormatError extends Error {}
