import { ownCopy, SPARE_BYTES_MAX } from './spare-buffers.ts'

/**
 * The buffer with the input that is being consumed, for whoever stores most of it: it is kept then instead of a copy. A value
 * of 512 MB that a client has sent would take a second to copy, with the pages that the system has to clear for it.
 */
let offered: Uint8Array | null = null
let offeredEnd = 0

/** So much of a buffer must be wanted for all of it to be kept. */
export const KEPT_SHARE = 4 / 5
/** What may stand behind a value that is the last of its request. */
const LINE_END_BYTES = 2

/** The input ends at `end`; until `withdrawBuffer`, one alone may keep the buffer. */
export function offerBuffer(buffer: Uint8Array, end: number): void {
  offered = buffer
  offeredEnd = end
}

/** Whether nobody has kept the buffer that was offered. */
export function withdrawBuffer(buffer: Uint8Array): boolean {
  const isLeft = offered === buffer
  offered = null
  return isLeft
}

/** bytes[start, end) as a view of the buffer that they are in, which is the caller's from now on. Null: it has to copy them. */
export function keptWhole(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  if (bytes !== offered || end - start < bytes.length * KEPT_SHARE) return null
  // Given back and used again, it would be written to while what follows there is still read.
  if (bytes.length <= SPARE_BYTES_MAX && end < offeredEnd - LINE_END_BYTES) return null
  offered = null
  return bytes.subarray(start, end)
}

/** bytes[start, end), to be kept: a copy, or a view of the buffer that was offered. */
export function keptBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return keptWhole(bytes, start, end) ?? ownCopy(bytes, start, end)
}
