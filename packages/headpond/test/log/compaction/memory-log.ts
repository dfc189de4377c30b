/** A log in arrays, as compaction sees one: the fake world of its tests. */
import type {
  CleanableLog,
  CleanableSegment,
  CleanedSegment,
  LastProducerRecord,
} from '#src/log/compaction/cleanable-log.ts'
import { DEFAULT_LOG_SETTINGS, type LogSettings } from '#src/log/log-settings.ts'
import { maxTimestampOf, writeInt64 } from '#src/log/record-batch.ts'
import { type DecodedBatch, decodeBatch } from '#src/log/records/batch.ts'
import type { AbortedTransaction } from '#src/log/transaction-index.ts'

export class MemorySegment implements CleanableSegment, CleanedSegment {
  readonly baseOffset: number
  readonly batches: Uint8Array[] = []
  readonly aborted: AbortedTransaction[] = []

  constructor(baseOffset: number) {
    this.baseOffset = baseOffset
  }

  get sizeBytes(): number {
    return this.batches.reduce((sum, batch) => sum + batch.length, 0)
  }

  get indexSizeBytes(): number {
    return 8 * this.batches.length
  }

  get largestTimestampMs(): number {
    return Math.max(-1, ...this.batches.map((batch) => maxTimestampOf(batch, 0)))
  }

  get firstTimestampMs(): number {
    return this.batches.length === 0 ? -1 : maxTimestampOf(this.batches[0], 0)
  }

  readBatches(atByte: number, maxBytes: number): Uint8Array {
    const taken: Uint8Array[] = []
    let at = 0
    let sizeBytes = 0
    for (const batch of this.batches) {
      if (at >= atByte) {
        if (sizeBytes > 0 && sizeBytes + batch.length > maxBytes) break
        taken.push(batch)
        sizeBytes += batch.length
      }
      at += batch.length
    }
    return Buffer.concat(taken)
  }

  append(batch: Uint8Array): void {
    this.batches.push(Buffer.from(batch))
  }

  appendAborted(transaction: AbortedTransaction): void {
    this.aborted.push(transaction)
  }

  async written(): Promise<void> {}

  discard(): void {
    this.batches.length = 0
  }
}

export class MemoryLog implements CleanableLog {
  readonly topic = 'topic'
  readonly partition = 0
  readonly settings: LogSettings
  isDeleted = false
  logStartOffset = 0
  lastStableOffset = 0
  logEndOffset = 0
  segments: MemorySegment[] = [new MemorySegment(0)]
  readonly producers = new Map<number, LastProducerRecord>()

  constructor(settings: Partial<LogSettings> = {}) {
    this.settings = { ...DEFAULT_LOG_SETTINGS, isCompacted: true, isDeleted: false, ...settings }
  }

  /** Stamps the batch's offset; returns it. */
  append(batch: Buffer): number {
    const baseOffset = this.logEndOffset
    writeInt64(batch, 0, baseOffset)
    this.segments[this.segments.length - 1].append(batch)
    this.logEndOffset = decodeBatch(batch).lastOffset + 1
    return baseOffset
  }

  roll(): void {
    this.segments = [...this.segments, new MemorySegment(this.logEndOffset)]
  }

  get batches(): DecodedBatch[] {
    return this.segments.flatMap((segment) => segment.batches.map((batch) => decodeBatch(batch)))
  }

  abortedTransactionsIn(startOffset: number, endOffset: number): AbortedTransaction[] {
    return this.segments
      .flatMap((segment) => segment.aborted)
      .filter((each) => each.lastOffset >= startOffset && each.firstOffset < endOffset)
  }

  lastRecordOfProducer(producerId: number): LastProducerRecord | undefined {
    return this.producers.get(producerId)
  }

  createCleanedSegment(baseOffset: number): MemorySegment {
    return new MemorySegment(baseOffset)
  }

  async replaceSegments(cleaned: MemorySegment, replaced: readonly MemorySegment[]): Promise<boolean> {
    const at = this.segments.indexOf(replaced[0])
    if (at < 0) return false
    this.segments = [...this.segments.slice(0, at), cleaned, ...this.segments.slice(at + replaced.length)]
    return true
  }
}
