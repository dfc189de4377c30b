import type { CleanedSegment } from './compaction/cleanable-log.ts'
import { type Directory, syncPaths } from './files.ts'
import type { LogSettings } from './log-settings.ts'
import { baseOffsetOf, indexedTimestampOf, lastOffsetOf, leaderEpochOf } from './record-batch.ts'
import { Segment, type SegmentHost } from './segment.ts'
import { TailMemory } from './tail-memory.ts'
import type { AbortedTransaction } from './transaction-index.ts'

/** So much is gathered before it is written. */
const WRITE_BYTES = 2 ** 20

/**
 * What a cleaning makes of segments: files with the ending `.cleaned`, which a start removes, until they are complete. Its
 * memory is its own, so that a cleaning does not drive the ends of all logs out of theirs.
 */
export class CleanedSegmentWriter implements CleanedSegment {
  readonly segment: Segment
  readonly #directory: Directory | null
  readonly #settings: LogSettings

  constructor(
    host: SegmentHost,
    directory: Directory | null,
    baseOffset: number,
    settings: LogSettings,
    nowMs: number,
  ) {
    this.#directory = directory
    this.#settings = settings
    const memory = directory === null ? host.memory : new TailMemory(Number.POSITIVE_INFINITY)
    this.segment = new Segment({ files: host.files, memory }, directory, baseOffset, {
      createdAtMs: nowMs,
      rollJitterMs: 0,
      suffix: '.cleaned',
    })
    // Of an interrupted cleaning that nobody has cleared away.
    this.segment.remove()
    this.segment.file?.create()
  }

  append(batch: Uint8Array): void {
    const { segment } = this
    segment.append(batch, baseOffsetOf(batch, 0), leaderEpochOf(batch, 0))
    segment.commit(
      batch.length,
      lastOffsetOf(batch, 0),
      indexedTimestampOf(batch, 0),
      this.#settings.indexIntervalBytes,
    )
    if (this.#directory !== null && segment.unwrittenBytes >= WRITE_BYTES) this.#write()
  }

  appendAborted(transaction: AbortedTransaction): void {
    this.segment.addAbortedTransaction(transaction)
  }

  #write(): void {
    this.segment.writeSync()
    if (this.#directory !== null) this.segment.forgetTail()
  }

  async written(): Promise<void> {
    this.#write()
    const directory = this.#directory
    const { file } = this.segment
    if (directory === null || file === null) return
    this.segment.saveIndexes()
    await new Promise<void>((resolve, reject) => {
      const finish = (error: Error | null) => (error === null ? resolve() : reject(error))
      file.sync((error) => (error === null ? syncPaths(this.segment.paths(), finish) : reject(error)))
    })
    this.segment.isNameSynced = true
  }

  discard(): void {
    this.segment.remove()
  }
}
