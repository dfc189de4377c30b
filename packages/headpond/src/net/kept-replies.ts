// Replies, while they wait for the end of the turn (see turn.ts): one behind the other in one area for all connections, each given
// to the system as a view that is made once for its place and size. So a single request, which is what most clients send, makes
// no object on its way out. **(measured)**: a copy of its own, two views and a list for it were a seventh of what a `GET` of 20
// bytes costs outside of the system, and more of longer values: copies that are made and left are memory to be found and collected.

import { copyBytes } from '../bytes/copy.ts'

/** Of one turn. Whoever comes later takes the long way. */
const AREA_BYTES = 128 * 1024
/** Replies begin at multiples of this, so that those of the next turn begin where those of this one did. */
const LINE_BYTES = 64
/** Views for a line, one for sizes that are the same in their last bits: of values and of nil, say. */
const VIEWS_PER_LINE = 4

let area = Buffer.allocUnsafeSlow(AREA_BYTES)
let views = noViews()
let usedBytes = 0
let isLent = false

function noViews(): (Buffer | null)[] {
  return new Array<Buffer | null>((AREA_BYTES / LINE_BYTES) * VIEWS_PER_LINE).fill(null)
}

/** Copies bytes[start, end) until the turn's end. Returns where they lie, -1 when there is no room. */
export function keepReply(bytes: Uint8Array, start: number, end: number): number {
  const at = usedBytes
  if (at + end - start > AREA_BYTES) return -1
  copyBytes(bytes, start, end, area, at)
  usedBytes = (at + end - start + LINE_BYTES - 1) & -LINE_BYTES
  return at
}

/** What was kept. The bytes are another's after this turn, unless they are lent. */
export function keptReply(at: number, sizeBytes: number): Buffer {
  const index = (at / LINE_BYTES) * VIEWS_PER_LINE + (sizeBytes % VIEWS_PER_LINE)
  const view = views[index]
  if (view !== null && view.length === sizeBytes) return view
  return (views[index] = area.subarray(at, at + sizeBytes))
}

/** Somebody needs what was kept in this turn for longer: the next turn's replies lie elsewhere. */
export function lendReplies(): void {
  isLent = true
}

/** The turn is over, and nobody refers to a kept reply any more. */
export function freeReplies(): void {
  usedBytes = 0
  if (!isLent) return
  isLent = false
  area = Buffer.allocUnsafeSlow(AREA_BYTES)
  views = noViews()
}
