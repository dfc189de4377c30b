// Short replies, while they wait for the end of the turn (see turn.ts): in slots of one buffer for all connections, each given to
// the system as a view that is made once for its slot and size. So a single request, which is what most clients
// send, makes no object on its way out. **(measured)**: a copy, a view of it and a list for them were a seventh of what a `GET`
// without a pipeline costs outside of the system.

import { copyBytes } from '../bytes/copy.ts'

/** Copied in a loop, without a view. */
export const SHORT_REPLY_BYTES_MAX = 96
/** Of one turn. Whoever comes later takes the long way. */
const SLOT_COUNT = 128

let buffer = Buffer.allocUnsafeSlow(SLOT_COUNT * SHORT_REPLY_BYTES_MAX)
let views = noViews()
let usedCount = 0
let isLent = false

function noViews(): (Buffer | null)[] {
  return new Array<Buffer | null>(SLOT_COUNT * SHORT_REPLY_BYTES_MAX).fill(null)
}

/** Copies bytes[start, end), 1 to SHORT_REPLY_BYTES_MAX of them, to a slot until the turn's end. -1 when all are taken. */
export function keepShortReply(bytes: Uint8Array, start: number, end: number): number {
  if (usedCount === SLOT_COUNT) return -1
  copyBytes(bytes, start, end, buffer, usedCount * SHORT_REPLY_BYTES_MAX)
  return usedCount++
}

/** What was kept. The bytes are another's after this turn, unless they are `lendShortReplies`. */
export function shortReply(slot: number, sizeBytes: number): Buffer {
  const start = slot * SHORT_REPLY_BYTES_MAX
  const index = start + sizeBytes - 1
  return (views[index] ??= buffer.subarray(start, start + sizeBytes))
}

/** Somebody needs what was kept in this turn for longer: the next turn's replies lie elsewhere. */
export function lendShortReplies(): void {
  isLent = true
}

/** The turn is over, and nobody refers to a slot any more. */
export function freeShortReplies(): void {
  usedCount = 0
  if (!isLent) return
  isLent = false
  buffer = Buffer.allocUnsafeSlow(SLOT_COUNT * SHORT_REPLY_BYTES_MAX)
  views = noViews()
}
