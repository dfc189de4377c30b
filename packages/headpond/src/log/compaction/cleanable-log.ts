/**
 * What compaction needs of a partition's log. Segments are in the order of their offsets; the last one is the active one.
 */
import type { LogSettings } from '../log-settings.ts'
import type { AbortedTransaction } from '../transaction-index.ts'

export interface CleanableLog {
  readonly topic: string
  readonly partition: number
  readonly settings: LogSettings
  readonly isDeleted: boolean
  readonly logStartOffset: number
  readonly lastStableOffset: number
  readonly segments: readonly CleanableSegment[]
  /** Aborted transactions with data or their marker in [startOffset, endOffset). */
  abortedTransactionsIn(startOffset: number, endOffset: number): readonly AbortedTransaction[]
  /** Of the producers that the log still knows. */
  lastRecordOfProducer(producerId: number): LastProducerRecord | undefined
  /** An empty segment aside, which nobody reads yet. */
  createCleanedSegment(baseOffset: number): CleanedSegment
  /**
   * Puts a finished segment in the place of others, for good once it resolves: after a crash either the old ones are there
   * or the new one is. False when an old one is no longer part of the log.
   */
  replaceSegments(cleaned: CleanedSegment, replaced: readonly CleanableSegment[]): Promise<boolean>
}

export interface CleanableSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Of the larger one of its indexes. */
  readonly indexSizeBytes: number
  /** -1 when it has no batch. */
  readonly largestTimestampMs: number
  /** Of the first batch; -1 when it has none. */
  readonly firstTimestampMs: number
  /** Whole batches from this byte on, at least one, and no more than `maxBytes` if it can be; none at the end. */
  readBatches(atByte: number, maxBytes: number): Promise<Uint8Array> | Uint8Array
}

export interface CleanedSegment {
  /** One whole batch; its bytes are copied. Throws when the disk refuses it. */
  append(batch: Uint8Array): void
  appendAborted(transaction: AbortedTransaction): void
  /** Everything that was appended is on the disk. Rejects when it refuses. */
  written(): Promise<void>
  /** Drops what was written so far. */
  discard(): void
}

/** What must stay of a producer, or it would be taken for a new one. */
export interface LastProducerRecord {
  /** The end of its last batch; null when all that is left of it is the marker of a transaction. */
  readonly lastDataOffset: number | null
  readonly producerEpoch: number
}
