import type { LogManager } from '../../log/log-manager.ts'
import type { Isolation, LogRead, PartitionLog } from '../../log/partition-log.ts'
import type { ErrorName } from '../errors.ts'
import { TurnShare } from '../in-turns.ts'
import type { FetchTarget } from './fetch-target.ts'

export interface FetchLimits {
  /** Soft: the first batch of an answer is given whole, however large, or a consumer would never get past it. */
  readonly maxBytes: number
  readonly isolation: Isolation
}

/** One partition of a round. */
export interface PartitionReading {
  readonly target: FetchTarget
  /** Null when there is no such partition. */
  readonly log: PartitionLog | null
  /** Of the log, when it was read. */
  readonly logSizeBytes: number
  readonly error: ErrorName | null
  readonly records: readonly Uint8Array[]
  readonly sizeBytes: number
  readonly abortedTransactions: LogRead['abortedTransactions']
  /** The last epoch that the reader's log has in common with ours, and where it ended here. */
  readonly divergingEpoch: EpochEnd | null
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
}

interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

/** One round over all partitions of a request. */
export interface Reading {
  /** In the order of the targets. */
  readonly partitions: readonly PartitionReading[]
  readonly sizeBytes: number
  /** The client is not to wait for more: there is something that it should know, or there will not be more in one answer. */
  readonly isUrgent: boolean
}

const NO_RECORDS: readonly Uint8Array[] = []
const NO_TRANSACTIONS: readonly never[] = []

/**
 * So much of files goes into one answer; partitions behind it have their turn in the next one, as when the answer is full.
 * Consumers ask for 50 MB at once, and what comes from files is memory of ours until it is sent: a few that read old records
 * of many partitions would take half a gigabyte.
 */
const FILES_BYTES_MAX = 8 * 2 ** 20

/**
 * Reads from each partition in turn, until the answer is full. A partition whose reader is at its end, as nearly all in a
 * large session are, is not read at all.
 */
export async function readTargets(
  logs: LogManager,
  targets: Iterable<FetchTarget>,
  { maxBytes, isolation }: FetchLimits,
): Promise<Reading> {
  const partitions: PartitionReading[] = []
  let sizeBytes = 0
  let filesBytes = 0
  let isUrgent = false
  const share = new TurnShare()
  for (const target of targets) {
    const log = target.find(logs)
    let partition: PartitionReading
    if (typeof log === 'string') {
      partition = failed(target, null, log)
    } else {
      partition = checkEpochs(target, log, isolation) ?? empty(target, log, isolation)
      const { fetchOffset, partitionMaxBytes } = target.position
      const hasMore = fetchOffset !== endOf(log, isolation) && filesBytes < FILES_BYTES_MAX
      if (partition.error === null && partition.divergingEpoch === null && hasMore) {
        const leftBytes = Math.max(0, Math.min(partitionMaxBytes, maxBytes - sizeBytes))
        // A first read opens files: of thousands of partitions that takes long.
        if (partitions.length > 0 && share.isOver) await share.next()
        const pending = log.read(fetchOffset, leftBytes, { isolation, takesOneBatchAtLeast: sizeBytes === 0 })
        partition = readingOf(target, log, pending instanceof Promise ? await pending : pending)
        if (pending instanceof Promise) filesBytes += partition.sizeBytes
      }
    }
    partitions.push(partition)
    sizeBytes += partition.sizeBytes
    isUrgent ||= partition.error !== null || partition.divergingEpoch !== null
  }
  return { partitions, sizeBytes, isUrgent: isUrgent || filesBytes >= FILES_BYTES_MAX }
}

/** Where a reader's world ends. */
export function endOf(log: PartitionLog, isolation: Isolation): number {
  return isolation === 'read_committed' ? log.lastStableOffset : log.highWatermark
}

/** Null: what the client knows of the leader is right, or it does not say. */
export function checkLeaderEpoch(log: PartitionLog, currentLeaderEpoch: number): ErrorName | null {
  if (currentLeaderEpoch === -1 || currentLeaderEpoch === log.leaderEpoch) return null
  return currentLeaderEpoch < log.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH'
}

/** Null: reader and log agree on the past. */
function checkEpochs(target: FetchTarget, log: PartitionLog, isolation: Isolation): PartitionReading | null {
  const { currentLeaderEpoch, lastFetchedEpoch, fetchOffset } = target.position
  const error = checkLeaderEpoch(log, currentLeaderEpoch)
  if (error !== null) return failed(target, log, error)
  if (lastFetchedEpoch === -1) return null
  const { epoch, endOffset } = log.endOffsetForEpoch(lastFetchedEpoch)
  if (epoch === -1 || endOffset === -1 || fetchOffset < log.logStartOffset) {
    return failed(target, log, 'OFFSET_OUT_OF_RANGE')
  }
  if (epoch === lastFetchedEpoch && endOffset >= fetchOffset) return null
  return { ...empty(target, log, isolation), divergingEpoch: { epoch, endOffset } }
}

function readingOf(target: FetchTarget, log: PartitionLog, read: LogRead): PartitionReading {
  if (read.error !== null) return failed(target, log, read.error)
  return {
    target,
    log,
    logSizeBytes: log.sizeBytes,
    error: null,
    records: read.records,
    sizeBytes: read.sizeBytes,
    abortedTransactions: read.abortedTransactions,
    divergingEpoch: null,
    highWatermark: read.highWatermark,
    lastStableOffset: read.lastStableOffset,
    logStartOffset: read.logStartOffset,
  }
}

function empty(target: FetchTarget, log: PartitionLog, isolation: Isolation): PartitionReading {
  return {
    target,
    log,
    logSizeBytes: log.sizeBytes,
    error: null,
    records: NO_RECORDS,
    sizeBytes: 0,
    abortedTransactions: isolation === 'read_committed' ? NO_TRANSACTIONS : null,
    divergingEpoch: null,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logStartOffset: log.logStartOffset,
  }
}

export function failed(target: FetchTarget, log: PartitionLog | null, error: ErrorName): PartitionReading {
  return {
    target,
    log,
    logSizeBytes: 0,
    error,
    records: NO_RECORDS,
    sizeBytes: 0,
    abortedTransactions: null,
    divergingEpoch: null,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
  }
}
