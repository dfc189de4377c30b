import { syncPaths } from './files.ts'
import type { LogSettings } from './log-settings.ts'
import type { PartitionDirectory } from './partition-directory.ts'
import type { LogPlace, Segment } from './segment.ts'

/** What a writer asks of its partition. */
export interface WritableLog {
  readonly segments: readonly Segment[]
  readonly settings: LogSettings
  /** Null: nothing is kept on disk. */
  readonly directory: PartitionDirectory | null
  readonly end: LogPlace
  readonly logEndOffset: number
  readonly highWatermark: number
  readonly isDeleted: boolean
  readonly storageProblem: string | null
}

export interface WriterParts {
  readonly nowMs: () => number
  /** What is below is written, and synced where that is asked for: it becomes the high watermark. */
  readonly advanced: (target: LogPlace) => void
  /** Readers see more than before. */
  readonly wake: () => void
  /** The disk has refused. */
  readonly failed: (error: Error) => void
}

interface WriteWait {
  readonly offset: number
  readonly done: () => void
}

/**
 * Brings what was appended to one partition into its files: one write for all that a turn brought, a sync where `flush.*` asks
 * for one, and only then is it shown to readers.
 */
export class PartitionWriter {
  readonly #log: WritableLog
  readonly #parts: WriterParts
  /** Segments with something to write, in order. */
  #unwritten: Segment[] = []
  /** Segments that have been written to since they were synced. */
  #unsynced: Segment[] = []
  #isWriting = false
  /** A sync that nobody waits for. */
  #syncAsideRun: Promise<void> | null = null
  #waits: WriteWait[] = []
  /** What lies below is synced. */
  #recoveryPoint = 0
  #syncedAtMs: number
  /** The names of the directory, in its parent. */
  #isDirectorySynced = false

  constructor(log: WritableLog, parts: WriterParts) {
    this.#log = log
    this.#parts = parts
    this.#syncedAtMs = parts.nowMs()
  }

  /** Up to there everything is synced. */
  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  /** Nothing is waiting to be written, or on its way. */
  get isIdle(): boolean {
    return this.#unwritten.length === 0 && !this.#isWriting
  }

  get isWriting(): boolean {
    return this.#isWriting
  }

  /** The segment has something that its file has not. hot: once for each batch. */
  add(segment: Segment): void {
    const { length } = this.#unwritten
    if (length === 0 || this.#unwritten[length - 1] !== segment) this.#unwritten.push(segment)
  }

  /** They are no part of the log any more. */
  forget(segments: readonly Segment[]): void {
    this.#unsynced = this.#unsynced.filter((segment) => !segments.includes(segment))
  }

  /** Everything that is there was read from the disk. */
  loaded(recoveryPoint: number): void {
    this.#isDirectorySynced = true
    this.#recoveryPoint = recoveryPoint
  }

  /** What was not written will not be. */
  reset(): void {
    this.#unwritten = []
    this.#unsynced = []
  }

  /**
   * Writes what the end of the turn finds, and syncs it where the settings ask for it. True when that is done; else it goes on
   * beside the event loop (`whenWritten`).
   */
  write(): boolean {
    if (!this.#isWriting) this.#proceed()
    return !this.#isWriting
  }

  /** Calls when everything that is appended by now is written, or will never be. */
  whenWritten(done: () => void): void {
    if (this.#isWriting) this.#waits.push({ offset: this.#log.logEndOffset, done })
    else done()
  }

  /** The steps of one round: write, sync, show to readers. Then the next, when something came meanwhile. */
  #proceed(): void {
    while (!this.#isWriting && this.#log.storageProblem === null && !this.#log.isDeleted) {
      const target = this.#log.end
      if (this.#unwritten.length === 0 && target.offset === this.#log.highWatermark) return
      try {
        if (!this.#writeAll(target)) return
      } catch (error) {
        this.#parts.failed(error as Error)
        return
      }
      if (!this.#syncWhenAsked(target)) return
      this.#advanceTo(target)
    }
  }

  /** False when it goes on beside the event loop. */
  #writeAll(target: LogPlace): boolean {
    while (this.#unwritten.length > 0) {
      const segment = this.#unwritten[0]
      if (this.#unsynced[this.#unsynced.length - 1] !== segment) this.#unsynced.push(segment)
      const { file } = segment
      if (file?.isSlowFor(segment.unwrittenBytes)) {
        this.#isWriting = true
        segment.write((error) => {
          this.#isWriting = false
          if (this.#log.storageProblem !== null || this.#log.isDeleted) return
          if (error !== null) return this.#parts.failed(error)
          if (segment.unwrittenBytes === 0) this.#unwritten.shift()
          if (segment === target.segment && this.#syncWhenAsked(target)) this.#advanceTo(target)
          this.#proceed()
        })
        return false
      }
      segment.writeSync()
      this.#unwritten.shift()
    }
    return true
  }

  /** False when a sync is under way that readers and writers wait for. */
  #syncWhenAsked(target: LogPlace): boolean {
    if (this.#log.directory === null || target.offset - this.#recoveryPoint < this.#log.settings.flushMessages) {
      if (this.#log.segments.length > 1 && this.#unsynced[0] !== target.segment) this.#syncAside()
      return true
    }
    this.#isWriting = true
    this.#sync(target, () => {
      this.#isWriting = false
      if (this.#log.storageProblem !== null || this.#log.isDeleted) return
      this.#advanceTo(target)
      this.#proceed()
    })
    return false
  }

  /** Without anybody who waits for it. A write that is under way is for the next time. */
  #syncAside(): void {
    if (this.#syncAsideRun !== null || this.#unsynced.length === 0 || this.#log.directory === null) return
    if (this.#isWriting || this.#unwritten.length > 0) return
    this.#syncAsideRun = new Promise((resolve) => {
      this.#sync(this.#log.end, () => {
        this.#syncAsideRun = null
        resolve()
      })
    })
  }

  /** Makes what is written up to `target` safe: the segments, their names, and the indexes of those that are sealed. */
  #sync(target: LogPlace, done: () => void): void {
    const segments = this.#unsynced
    this.#unsynced = []
    const directory = this.#log.directory as PartitionDirectory
    const paths = segments.filter((segment) => segment !== target.segment).flatMap((segment) => segment.pathsToSync())
    const unnamed = this.#log.segments.filter(({ isNameSynced }) => !isNameSynced)
    if (unnamed.length > 0) paths.push(directory.path)
    if (!this.#isDirectorySynced) paths.push(directory.parent)
    const finish = (error: Error | null) => {
      if (error !== null && !this.#log.isDeleted && this.#log.storageProblem === null) this.#parts.failed(error)
      if (error === null) {
        for (const segment of unnamed) segment.isNameSynced = true
        this.#isDirectorySynced = true
        this.#recoveryPoint = Math.max(this.#recoveryPoint, target.offset)
        this.#syncedAtMs = this.#parts.nowMs()
      }
      done()
    }
    const next = (index: number) => {
      const segment = segments[index]
      if (segment === undefined) return syncPaths(paths, finish)
      segment.file?.sync((error) => {
        // One that has been removed meanwhile need not be safe.
        finishOrNext(error !== null && this.#log.segments.includes(segment) ? error : null, index)
      })
    }
    const finishOrNext = (error: Error | null, index: number) => (error === null ? next(index + 1) : finish(error))
    next(0)
  }

  #advanceTo(target: LogPlace): void {
    const hasMoved = target.offset > this.#log.highWatermark
    this.#parts.advanced(target)
    while (this.#waits.length > 0 && this.#waits[0].offset <= target.offset) this.#waits.shift()?.done()
    if (hasMoved) this.#parts.wake()
  }

  /** Nobody waits any longer: there is an answer, even if it is an error. */
  endWaits(): void {
    const waits = this.#waits
    this.#waits = []
    for (const { done } of waits) done()
  }

  /** `flush.ms`: whether there may be something to sync, so that it is worth to ask again. */
  syncWhenDue(nowMs: number): boolean {
    if (this.#log.isDeleted || this.#log.storageProblem !== null || this.#unsynced.length === 0) return false
    if (nowMs - this.#syncedAtMs >= this.#log.settings.flushMs) this.#syncAside()
    return this.#log.settings.flushMs !== Number.POSITIVE_INFINITY
  }

  /** Writes what is left. */
  async finish(): Promise<void> {
    this.#proceed()
    await new Promise<void>((resolve) => this.whenWritten(resolve))
    await this.#syncAsideRun
  }

  /** Syncs what is not, once everything is written. */
  async syncAll(): Promise<void> {
    if (this.#recoveryPoint >= this.#log.logEndOffset && this.#unsynced.length === 0) return
    await new Promise<void>((resolve) => this.#sync(this.#log.end, resolve))
  }
}
