/**
 * The files of a partition that are about all of it: `leader-epoch-checkpoint`, `partition.metadata`, and snapshots of its
 * producers. The names and forms are Kafka's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  type Directory,
  isMissing,
  offsetName,
  readFileIfThere,
  renameIfThere,
  replaceFile,
  unlinkIfThere,
  unlinkSoon,
} from './files.ts'
import { formatLeaderEpochs, type LeaderEpoch, parseLeaderEpochs } from './leader-epochs.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts'
import type { ProducerState } from './producer-state.ts'
import { formatPartitionMetadata, parsePartitionMetadata } from './properties-file.ts'

const EPOCHS = 'leader-epoch-checkpoint'
const METADATA = 'partition.metadata'
const SNAPSHOT_PATTERN = /^(\d{20})\.snapshot$/

export class PartitionDirectory implements Directory {
  path: string

  constructor(path: string) {
    this.path = path
  }

  get parent(): string {
    return dirname(this.path)
  }

  create(topicId: string): void {
    mkdirSync(this.path, { recursive: true })
    writeFileSync(`${this.path}/${METADATA}`, formatPartitionMetadata(topicId))
  }

  list(): string[] {
    return readdirSync(this.path)
  }

  /** Null when there is none, or it is damaged. */
  readTopicId(): string | null {
    return parsePartitionMetadata(readFileIfThere(`${this.path}/${METADATA}`).toString('latin1'))
  }

  readEpochs(): readonly LeaderEpoch[] {
    return parseLeaderEpochs(readFileIfThere(`${this.path}/${EPOCHS}`).toString('latin1')) ?? []
  }

  writeEpochs(entries: readonly LeaderEpoch[]): void {
    replaceFile(`${this.path}/${EPOCHS}`, formatLeaderEpochs(entries), false)
  }

  // ---- Snapshots ----

  /** The offsets of the snapshots among these names, ascending. */
  snapshotOffsets(names: readonly string[]): number[] {
    return names
      .map((name) => SNAPSHOT_PATTERN.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((one, other) => one - other)
  }

  writeSnapshot(offset: number, producers: Iterable<ProducerState>): void {
    writeFileSync(this.snapshotPath(offset), encodeProducerSnapshot(producers))
  }

  /** Null when there is none, or it is damaged. */
  readSnapshot(offset: number): ProducerState[] | null {
    try {
      return decodeProducerSnapshot(readFileSync(this.snapshotPath(offset)))
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  removeSnapshot(offset: number): void {
    unlinkIfThere(this.snapshotPath(offset))
  }

  snapshotPath(offset: number): string {
    return `${this.path}/${offsetName(offset)}.snapshot`
  }

  // ---- As a whole ----

  /** Files in it that are open stay so. False when it was not there. */
  rename(path: string): boolean {
    const isRenamed = renameIfThere(this.path, path)
    this.path = path
    return isRenamed
  }

  remove(): void {
    if (!existsSync(this.path)) return
    for (const name of this.list()) void unlinkSoon(`${this.path}/${name}`)
    rmSync(this.path, { recursive: true, force: true })
  }
}
