import type { Isolation } from '../../log/partition-log.ts'
import type { Clock } from '../../net/clock.ts'
import { endOf, type PartitionReading } from './fetch-reader.ts'

/** `woken`: there may be enough now, so it is time for another look. */
export type WaitEnd = 'woken' | 'expired' | 'closed'

export interface WaitParts {
  readonly clock: Clock
  readonly isolation: Isolation
  readonly minBytes: number
  /** On the clock. */
  readonly deadlineMs: number
  /** Called when the client is gone. */
  readonly onClosed: Set<() => void>
}

/**
 * Waits until there may be more to read than there was. What a wait has hung up anywhere is taken down at its end,
 * whatever ends it: consumers connect and leave by the thousand.
 */
export function waitForBytes(partitions: readonly PartitionReading[], parts: WaitParts): Promise<WaitEnd> {
  const { clock, isolation, minBytes, deadlineMs, onClosed } = parts
  return new Promise((resolve) => {
    let isLooking = false
    const wake = () => {
      // What a turn has brought to many partitions comes at once: one look, and one answer, for all of it.
      if (isLooking) return
      isLooking = true
      queueMicrotask(() => {
        isLooking = false
        if (mayHaveEnough(partitions, isolation, minBytes)) end('woken')
      })
    }
    const close = () => end('closed')
    const end = (how: WaitEnd) => {
      for (const { log } of partitions) log?.waiters.delete(wake)
      onClosed.delete(close)
      timer.cancel()
      resolve(how)
    }
    for (const { log } of partitions) log?.waiters.add(wake)
    onClosed.add(close)
    const timer = clock.schedule(deadlineMs - clock.nowMs(), () => end('expired'))
    // Whatever came since the reading has woken nobody.
    if (mayHaveEnough(partitions, isolation, minBytes)) end('woken')
  })
}

/** Errs on the side of yes, since only reading tells what there is; but what has not changed since is not read again. */
function mayHaveEnough(partitions: readonly PartitionReading[], isolation: Isolation, minBytes: number): boolean {
  let readableBytes = 0
  let hasMoved = false
  for (const { target, log, sizeBytes, logSizeBytes, highWatermark, lastStableOffset } of partitions) {
    if (log === null) continue
    const { fetchOffset, partitionMaxBytes } = target.position
    // The topic is gone, or the log has lost its beginning or its end: the reader must hear of it.
    if (log.isDeleted || fetchOffset < log.logStartOffset || fetchOffset > log.logEndOffset) return true
    const end = endOf(log, isolation)
    if (end <= fetchOffset) continue
    const grownBytes = log.sizeBytes - logSizeBytes
    if (end !== (isolation === 'read_committed' ? lastStableOffset : highWatermark)) {
      if (minBytes <= 1 || grownBytes < 0) return true
      hasMoved = true
    }
    readableBytes += Math.min(sizeBytes + grownBytes, partitionMaxBytes)
  }
  return hasMoved && readableBytes >= minBytes
}
