/** Files of a partition, written by hand: what tools are to look into. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OffsetIndex } from '#src/log/offset-index.ts'
import { lastOffsetOf, maxTimestampOf, writeInt64 } from '#src/log/record-batch.ts'
import { TimeIndex } from '#src/log/time-index.ts'

export function segmentName(baseOffset: number, kind: string): string {
  return `${String(baseOffset).padStart(20, '0')}.${kind}`
}

/** Writes a segment of these batches, stamped with their offsets, with an entry in the indexes for all but the first. */
export function writeSegment(directory: string, baseOffset: number, batches: readonly Buffer[]): number {
  mkdirSync(directory, { recursive: true })
  const offsets = new OffsetIndex(baseOffset)
  const times = new TimeIndex(baseOffset)
  let position = 0
  let nextOffset = baseOffset
  for (const batch of batches) {
    writeInt64(batch, 0, nextOffset)
    if (position > 0) offsets.append(lastOffsetOf(batch, 0), position)
    times.append(maxTimestampOf(batch, 0), lastOffsetOf(batch, 0))
    nextOffset = lastOffsetOf(batch, 0) + 1
    position += batch.length
  }
  writeFileSync(join(directory, segmentName(baseOffset, 'log')), Buffer.concat(batches))
  writeFileSync(join(directory, segmentName(baseOffset, 'index')), offsets.toBytes())
  writeFileSync(join(directory, segmentName(baseOffset, 'timeindex')), times.toBytes())
  return nextOffset
}
