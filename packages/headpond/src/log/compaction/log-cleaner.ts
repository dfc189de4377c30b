/**
 * Which log is cleaned, and when: one at a time, the dirtiest first, as long as any is dirty enough; then a rest. What was
 * cleaned is kept in `cleaner-offset-checkpoint`, by partition the offset that the next cleaning begins at.
 */
import type { LogSettings } from '../log-settings.ts'
import type { CleanableLog, CleanableSegment } from './cleanable-log.ts'
import { type Cleaning, CleaningInterrupted, cleanLog } from './cleaner.ts'

export interface CleanerSettings {
  readonly isEnabled: boolean
  /** How long it rests when nothing is dirty enough. */
  readonly backoffMs: number
  /** What the keys of one cleaning may take. */
  readonly memoryBytes: number
}

/** Kafka's. */
export const DEFAULT_CLEANER_SETTINGS: CleanerSettings = {
  isEnabled: true,
  backoffMs: 15_000,
  memoryBytes: 128 * 2 ** 20,
}

export interface LogCleanerParts {
  readonly logs: () => Iterable<CleanableLog>
  readonly settings: () => CleanerSettings
  readonly nowMs: () => number
  readonly random: () => number
  /** Where the checkpoint is kept; nothing is when everything is in memory. */
  readonly checkpoint: CleanerCheckpoint | null
  readonly log: { info(message: string): void; error(details: object, message: string): void }
}

/** Offsets by `topic-partition`. */
export interface CleanerCheckpoint {
  read(): ReadonlyMap<string, number>
  write(offsets: Iterable<{ topic: string; partition: number; offset: number }>): Promise<void>
}

/** What there is to clean in a log. */
export interface CleanableRange {
  readonly firstDirtyOffset: number
  readonly firstUncleanableOffset: number
  /** Of what could be cleaned, the part that never was, from 0 to 1. */
  readonly dirtyRatio: number
  readonly dirtyBytes: number
  /** Something in it has waited longer than `max.compaction.lag.ms`. */
  readonly isOverdue: boolean
}

export class LogCleaner {
  readonly #parts: LogCleanerParts
  #firstDirtyOffsets = new Map<string, number>()
  /** Logs that could not be cleaned: they are not tried again. */
  readonly #uncleanable = new WeakSet<CleanableLog>()
  #run: Promise<void> | null = null
  #restsUntilMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(parts: LogCleanerParts) {
    this.#parts = parts
  }

  /** Reads how far earlier cleanings went. */
  start(): void {
    this.#firstDirtyOffsets = new Map(this.#parts.checkpoint?.read() ?? [])
  }

  /** Ends the cleaning that is under way, between two slices of it. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#run
  }

  /** Begins to clean when it is time. To be called a few times a second. */
  maintain(): void {
    if (this.#run !== null || this.#isClosed || !this.#parts.settings().isEnabled) return
    if (this.#parts.nowMs() < this.#restsUntilMs) return
    this.#restsUntilMs = this.#parts.nowMs() + this.#parts.settings().backoffMs
    this.#run = this.#cleanAll().finally(() => {
      this.#run = null
    })
  }

  /** Resolves when no cleaning is under way. */
  async idle(): Promise<void> {
    await this.#run
  }

  async #cleanAll(): Promise<void> {
    for (;;) {
      const next = this.#dirtiest()
      if (next === null || !(await this.#clean(next.log, next.range)) || this.#isClosed) return
    }
  }

  #dirtiest(): { log: CleanableLog; range: CleanableRange } | null {
    let dirtiest: { log: CleanableLog; range: CleanableRange } | null = null
    for (const log of this.#parts.logs()) {
      if (!log.settings.isCompacted || log.isDeleted || this.#uncleanable.has(log)) continue
      const range = cleanableRange(log, this.#firstDirtyOffsets.get(nameOf(log)), this.#parts.nowMs())
      if (range.dirtyBytes === 0) continue
      if (!range.isOverdue && range.dirtyRatio <= log.settings.minCleanableDirtyRatio) continue
      if (dirtiest === null || range.dirtyRatio > dirtiest.range.dirtyRatio) dirtiest = { log, range }
    }
    return dirtiest
  }

  /** False when there is no sense in going on right now. */
  async #clean(log: CleanableLog, range: CleanableRange): Promise<boolean> {
    const { nowMs, random, settings } = this.#parts
    try {
      const cleaning = await cleanLog(log, range.firstDirtyOffset, range.firstUncleanableOffset, {
        nowMs: nowMs(),
        memoryBytes: settings().memoryBytes,
        random,
        pause: () => this.#pause(),
      })
      this.#firstDirtyOffsets.set(nameOf(log), cleaning.endOffset)
      await this.#writeCheckpoint()
      this.#parts.log.info(describe(log, cleaning))
      // One that gets nowhere would be begun again at once.
      return cleaning.endOffset > range.firstDirtyOffset
    } catch (error) {
      if (error instanceof CleaningInterrupted) return log.isDeleted && !this.#isClosed
      if ((error as NodeJS.ErrnoException).code !== undefined) {
        // A full disk may have room again.
        this.#parts.log.error({ err: error }, `${nameOf(log)} could not be compacted: ${(error as Error).message}`)
        return false
      }
      this.#uncleanable.add(log)
      this.#parts.log.error(
        { err: error },
        `${nameOf(log)} cannot be compacted; it is left as it is until the next start`,
      )
      return true
    }
  }

  async #pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#isClosed) throw new CleaningInterrupted('the log is being closed')
  }

  async #writeCheckpoint(): Promise<void> {
    if (this.#parts.checkpoint === null) return
    const offsets: { topic: string; partition: number; offset: number }[] = []
    for (const log of this.#parts.logs()) {
      const offset = this.#firstDirtyOffsets.get(nameOf(log))
      if (offset !== undefined) offsets.push({ topic: log.topic, partition: log.partition, offset })
    }
    // What is no longer there is forgotten: a topic of this name that is made again begins anew.
    this.#firstDirtyOffsets = new Map(offsets.map((each) => [`${each.topic}-${each.partition}`, each.offset]))
    await this.#parts.checkpoint.write(offsets)
  }
}

/** What of a log could be cleaned now. `checkpoint`: where the last cleaning ended. */
export function cleanableRange(log: CleanableLog, checkpoint: number | undefined, nowMs: number): CleanableRange {
  const { segments, settings, logStartOffset } = log
  const active = segments[segments.length - 1]
  // A log may have been cut off or emptied since.
  const isUsable = checkpoint !== undefined && checkpoint >= logStartOffset && checkpoint <= log.lastStableOffset
  const firstDirtyOffset = isUsable ? checkpoint : logStartOffset
  const closed = segments.slice(0, -1)
  const dirty = closed.filter((_, index) => segments[index + 1].baseOffset > firstDirtyOffset)

  const tooYoung =
    settings.minCompactionLagMs > 0
      ? dirty.find((segment) => segment.largestTimestampMs > nowMs - settings.minCompactionLagMs)
      : undefined
  const limitOffset = Math.min(
    active.baseOffset,
    log.lastStableOffset,
    tooYoung?.baseOffset ?? Number.POSITIVE_INFINITY,
  )
  // A segment is cleaned when all of it may be: else one with an open transaction in its midst would be dirty, and be
  // cleaned again at once, for as long as that is open.
  const firstUncleanable = segments.findLast((segment) => segment.baseOffset <= limitOffset) ?? segments[0]
  const firstUncleanableOffset = Math.max(firstDirtyOffset, firstUncleanable.baseOffset)
  const cleanable = dirty.filter((segment) => segment.baseOffset < firstUncleanable.baseOffset)
  const cleanBytes = sizeOf(closed.slice(0, closed.length - dirty.length))
  const dirtyBytes = sizeOf(cleanable)
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    dirtyRatio: dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes),
    dirtyBytes,
    isOverdue: cleanable.some((segment) => isOverdue(segment, settings, nowMs)),
  }
}

function isOverdue(segment: CleanableSegment, { maxCompactionLagMs }: LogSettings, nowMs: number): boolean {
  return segment.firstTimestampMs >= 0 && nowMs - segment.firstTimestampMs > maxCompactionLagMs
}

function sizeOf(segments: readonly CleanableSegment[]): number {
  return segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`
}

function describe(log: CleanableLog, cleaning: Cleaning): string {
  const { recordsBefore, recordsAfter, bytesBefore, bytesAfter, endOffset } = cleaning
  return `${nameOf(log)} compacted up to offset ${endOffset}: ${recordsBefore} records in ${bytesBefore} bytes are now ${recordsAfter} in ${bytesAfter}`
}
