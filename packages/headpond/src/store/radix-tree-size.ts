import type { IdTable } from './id-table.ts'
import { StreamId } from './stream-id.ts'

const ID_BYTES = 16

/**
 * How many nodes Redis's radix tree of these ids has (XINFO tells): one for each id, one for each place where ids part,
 * and one for each run of bytes in between. O(n).
 */
export function radixTreeNodeCount(ids: IdTable): number {
  if (ids.count === 0) return 1
  let nodeCount = ids.count
  /** Depths of the places where ids part, above the id that is looked at. */
  const partings: number[] = []
  const countRun = (from: number, to: number): void => {
    if (to > from) nodeCount++
  }
  const previous = new StreamId()
  const id = new StreamId()
  ids.toFirst()
  ids.readId(previous)
  while (ids.next()) {
    ids.readId(id)
    const common = commonBytes(previous, id)
    // The id before hangs from the deeper of its two partings.
    countRun(Math.max(partings.at(-1) ?? -1, common) + 1, ID_BYTES)
    while (partings.length > 0 && partings[partings.length - 1] > common) {
      const depth = partings.pop()!
      countRun(Math.max(partings.at(-1) ?? -1, common) + 1, depth)
    }
    if (partings.at(-1) !== common) {
      partings.push(common)
      nodeCount++
    }
    previous.set(id)
  }
  countRun((partings.at(-1) ?? -1) + 1, ID_BYTES)
  while (partings.length > 0) {
    const depth = partings.pop()!
    countRun((partings.at(-1) ?? -1) + 1, depth)
  }
  return nodeCount
}

/** With how many equal bytes two ids begin. */
function commonBytes(a: StreamId, b: StreamId): number {
  if (a.msHigh !== b.msHigh) return Math.clz32(a.msHigh ^ b.msHigh) >>> 3
  if (a.msLow !== b.msLow) return 4 + (Math.clz32(a.msLow ^ b.msLow) >>> 3)
  if (a.seqHigh !== b.seqHigh) return 8 + (Math.clz32(a.seqHigh ^ b.seqHigh) >>> 3)
  return 12 + (Math.clz32(a.seqLow ^ b.seqLow) >>> 3)
}
