/**
 * A partition's directory, read at the start. After a clean shutdown its files are as they were left. After a crash,
 * everything from the recovery point on (up to there it was synced) is looked at batch by batch: the log ends where the first
 * batch is not whole, indexes are built anew, and producers follow from the last snapshot before it.
 */
import { statSync } from 'node:fs'
import { replayBatch } from './batch-replay.ts'
import { LogFile, unlinkIfThere } from './files.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { PartitionDirectory } from './partition-directory.ts'
import { ProducerStates } from './producer-state.ts'
import {
  baseOffsetOf,
  indexedTimestampOf,
  LAST_OFFSET_DELTA_AT,
  lastOffsetOf,
  leaderEpochOf,
  readInt32,
  sizeBytesOf,
} from './record-batch.ts'
import { scanBatches } from './recovery.ts'
import { Segment, type SegmentHost } from './segment.ts'

export interface LoadOptions {
  readonly host: SegmentHost
  readonly describe: () => string
  readonly warn: (message: string) => void
  readonly nextJitterMs: () => number
  readonly nowMs: number
  readonly indexIntervalBytes: number
  /** Everything was written and synced when it was closed. */
  readonly isClean: boolean
  /** Up to there everything is synced; after a clean shutdown the end of the log. Null: nobody knows. */
  readonly recoveryPoint: number | null
  readonly logStartOffset: number | null
}

export interface LoadedPartition {
  /** At least one. */
  readonly segments: Segment[]
  readonly states: ProducerStates
  readonly epochs: LeaderEpochs
  readonly snapshotOffsets: number[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly recoveryPoint: number
  /** What was not whole at the end and is gone. */
  readonly truncatedBytes: number
}

/** A log that is older than what is read here. */
class OldLogFormatError extends Error {}

const LOG_PATTERN = /^(\d{20})\.log$/
/** What a roll, a deletion or a cleaning left behind when it was interrupted. */
const LEFTOVER_PATTERN = /\.(deleted|cleaned|swap|tmp)$/
const SWAP_PATTERN = /^(\d{20})\.log\.swap$/

/** Rejects with the system's errors, or an OldLogFormatError. */
export async function loadPartition(directory: PartitionDirectory, options: LoadOptions): Promise<LoadedPartition> {
  let names = directory.list()
  if (names.some((name) => name.endsWith('.swap'))) {
    await finishSwap(directory, names, options)
    names = directory.list()
  }
  for (const name of names) if (LEFTOVER_PATTERN.test(name)) unlinkIfThere(`${directory.path}/${name}`)
  const present = new Set(names)
  const baseOffsets = names
    .map((name) => LOG_PATTERN.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .sort()
  const segments = baseOffsets.map((digits) => {
    const { size, mtimeMs } = statSync(`${directory.path}/${digits}.log`)
    return new Segment(options.host, directory, Number(digits), {
      createdAtMs: Math.floor(mtimeMs),
      rollJitterMs: options.nextJitterMs(),
      existing: { sizeBytes: size, hasTransactionIndex: present.has(`${digits}.txnindex`) },
    })
  })
  if (segments.length === 0) {
    segments.push(
      new Segment(options.host, directory, options.logStartOffset ?? 0, {
        createdAtMs: options.nowMs,
        rollJitterMs: options.nextJitterMs(),
      }),
    )
  }
  const load = new PartitionLoad(directory, segments, directory.snapshotOffsets(names), options)
  return load.run(present.has('leader-epoch-checkpoint'))
}

class PartitionLoad {
  readonly #directory: PartitionDirectory
  readonly #segments: Segment[]
  readonly #options: LoadOptions
  #snapshotOffsets: number[]
  readonly #states: ProducerStates
  #epochs = new LeaderEpochs()
  #areEpochsChanged = false
  #logEndOffset = 0
  #truncatedBytes = 0

  constructor(directory: PartitionDirectory, segments: Segment[], snapshotOffsets: number[], options: LoadOptions) {
    this.#directory = directory
    this.#segments = segments
    this.#options = options
    this.#snapshotOffsets = snapshotOffsets
    this.#states = new ProducerStates(options.describe)
  }

  async run(hasEpochs: boolean): Promise<LoadedPartition> {
    if (hasEpochs) this.#epochs = new LeaderEpochs(this.#directory.readEpochs())
    const { recoveryPoint, isClean } = this.#options
    const last = this.#segments[this.#segments.length - 1]
    if (isClean && recoveryPoint !== null && isPlausibleEnd(last, recoveryPoint)) {
      this.#logEndOffset = recoveryPoint
      await this.#restoreStates()
    } else await this.#recover(recoveryPoint)
    const logStartOffset = Math.min(
      Math.max(this.#options.logStartOffset ?? 0, this.#segments[0].baseOffset),
      this.#logEndOffset,
    )
    if (this.#epochs.truncateFromEnd(this.#logEndOffset)) this.#areEpochsChanged = true
    if (this.#epochs.truncateFromStart(logStartOffset)) this.#areEpochsChanged = true
    if (this.#areEpochsChanged) this.#directory.writeEpochs(this.#epochs.entries)
    this.#removeStraySnapshots()
    return {
      segments: this.#segments,
      states: this.#states,
      epochs: this.#epochs,
      snapshotOffsets: this.#snapshotOffsets,
      logStartOffset,
      logEndOffset: this.#logEndOffset,
      recoveryPoint: Math.min(recoveryPoint ?? 0, this.#logEndOffset),
      truncatedBytes: this.#truncatedBytes,
    }
  }

  /** After a clean shutdown: the last snapshot has all, as a rule. Without one there were no producers. */
  async #restoreStates(): Promise<void> {
    const from = this.#restoreSnapshot(this.#logEndOffset)
    if (from === null || from >= this.#logEndOffset) return
    for (const [index, segment] of this.#segments.entries()) {
      const next = this.#segments[index + 1]
      if (next !== undefined && next.baseOffset <= from) continue
      await this.#replay(segment, from)
    }
  }

  /** The producers as they were at the last sound snapshot that is not beyond `offset`. Its offset; null: none. */
  #restoreSnapshot(offset: number): number | null {
    for (const snapshotOffset of this.#snapshotOffsets.filter((each) => each <= offset).reverse()) {
      const producers = this.#directory.readSnapshot(snapshotOffset)
      if (producers !== null) {
        for (const producer of producers) this.#states.restore(producer)
        return snapshotOffset
      }
      this.#options.warn(`${this.#directory.snapshotPath(snapshotOffset)} is damaged; an earlier one is used`)
      this.#directory.removeSnapshot(snapshotOffset)
      this.#snapshotOffsets = this.#snapshotOffsets.filter((each) => each !== snapshotOffset)
    }
    return null
  }

  async #replay(segment: Segment, from: number): Promise<void> {
    if (segment.file === null || segment.sizeBytes === 0) return
    const visit = (bytes: Uint8Array, at: number) => {
      if (baseOffsetOf(bytes, at) >= from) replayBatch(this.#states, bytes, at)
    }
    await scanBatches(segment.file, 0, segment.sizeBytes, segment.baseOffset, visit)
  }

  async #recover(recoveryPoint: number | null): Promise<void> {
    const segments = this.#segments
    // Without a recovery point everything is suspect; with one, the segment that it lies in and those after it.
    let first = 0
    while (
      recoveryPoint !== null &&
      segments[first + 1] !== undefined &&
      segments[first + 1].baseOffset <= recoveryPoint
    )
      first++
    const from = this.#restoreSnapshot(segments[first].baseOffset) ?? 0
    for (let index = 0; index < first; index++) {
      if (segments[index + 1].baseOffset > from) await this.#replay(segments[index], from)
    }
    this.#logEndOffset = segments[first].baseOffset
    for (let index = first; index < segments.length; index++) {
      const isWhole = await this.#recoverSegment(segments[index])
      // The next one was begun before this one was written to its end, or at all. (Compaction leaves no such gaps.)
      const isCutShort = segments[index + 1]?.baseOffset > this.#logEndOffset
      if (isWhole && !isCutShort) continue
      for (const segment of segments.splice(index + 1)) {
        this.#options.warn(`${segment.file?.path}: what follows a segment that is not whole is removed`)
        this.#truncatedBytes += segment.sizeBytes
        segment.remove()
      }
    }
    // A file of a segment whose beginning was never written.
    while (segments.length > 1 && segments[segments.length - 1].sizeBytes === 0) {
      const empty = segments[segments.length - 1]
      if (empty.baseOffset === this.#logEndOffset) break
      segments.pop()
      empty.remove()
    }
  }

  /** Builds its indexes anew and cuts off what is not whole. False when something was cut off. */
  async #recoverSegment(segment: Segment): Promise<boolean> {
    const { file } = segment
    const fileBytes = segment.sizeBytes
    segment.resetForRecovery()
    this.#logEndOffset = Math.max(this.#logEndOffset, segment.baseOffset)
    if (file === null || fileBytes === 0) return true
    const visit = (bytes: Uint8Array, at: number) => {
      segment.commit(
        sizeBytesOf(bytes, at),
        lastOffsetOf(bytes, at),
        indexedTimestampOf(bytes, at),
        this.#options.indexIntervalBytes,
      )
      const aborted = replayBatch(this.#states, bytes, at)
      if (aborted !== null) segment.addAbortedTransaction(aborted)
      if (this.#epochs.assign(leaderEpochOf(bytes, at), baseOffsetOf(bytes, at))) this.#areEpochsChanged = true
      this.#logEndOffset = baseOffsetOf(bytes, at) + readInt32(bytes, at + LAST_OFFSET_DELTA_AT) + 1
    }
    const { end, problem } = await scanBatches(file, 0, fileBytes, segment.baseOffset, visit)
    if (problem?.startsWith('a batch of magic') && end === 0) {
      throw new OldLogFormatError(`${file.path} begins with ${problem}; only logs of record batches v2 are read`)
    }
    if (problem !== null) {
      this.#options.warn(
        `${file.path}: ${problem} at byte ${end}; the ${fileBytes - end} bytes from there on are removed`,
      )
      this.#truncatedBytes += fileBytes - end
      segment.truncateFile(end)
    }
    // Those of the last one will change, or be written when it turns out to be idle.
    if (segment !== this.#segments[this.#segments.length - 1]) {
      segment.saveIndexes()
      segment.releaseIndexes()
    }
    return problem === null
  }

  /** Those at the beginning of a segment are kept for recovery, and the last one; others would never be read. */
  #removeStraySnapshots(): void {
    const baseOffsets = new Set(this.#segments.map(({ baseOffset }) => baseOffset))
    const kept = this.#snapshotOffsets.filter((offset) => offset <= this.#logEndOffset)
    const last = kept.at(-1)
    const isKept = (offset: number) => offset <= this.#logEndOffset && (offset === last || baseOffsets.has(offset))
    for (const offset of this.#snapshotOffsets) if (!isKept(offset)) this.#directory.removeSnapshot(offset)
    this.#snapshotOffsets = this.#snapshotOffsets.filter(isKept)
  }
}

/** An empty segment ends where it begins, another one behind that. */
function isPlausibleEnd(last: Segment, endOffset: number): boolean {
  return last.sizeBytes === 0 ? endOffset === last.baseOffset : endOffset > last.baseOffset
}

/**
 * A cleaning was interrupted after its new segments were complete (`.swap`), before they had taken the places of the old
 * ones: this is done now.
 */
async function finishSwap(
  directory: PartitionDirectory,
  names: readonly string[],
  options: LoadOptions,
): Promise<void> {
  for (const name of names) {
    const digits = SWAP_PATTERN.exec(name)?.[1]
    if (digits === undefined) continue
    const baseOffset = Number(digits)
    let endOffset = baseOffset
    const file = new LogFile(options.host.files, directory, name)
    const { size } = statSync(file.path)
    await scanBatches(file, 0, size, baseOffset, (bytes, at) => {
      endOffset = lastOffsetOf(bytes, at) + 1
    })
    file.close()
    for (const other of names) {
      const otherBase = Number(LOG_PATTERN.exec(other)?.[1] ?? Number.NaN)
      if (!(otherBase >= baseOffset && otherBase < Math.max(endOffset, baseOffset + 1))) continue
      new Segment(options.host, directory, otherBase, {
        createdAtMs: 0,
        rollJitterMs: 0,
        existing: { sizeBytes: 0, hasTransactionIndex: false },
      }).remove()
    }
    const swapped = new Segment(options.host, directory, baseOffset, {
      createdAtMs: 0,
      rollJitterMs: 0,
      existing: { sizeBytes: size, hasTransactionIndex: false },
      suffix: '.swap',
    })
    swapped.rename('')
  }
}
