/**
 * Buffers whose bytes are never written a second time. Who stores most of one keeps it instead of a copy: a value of 512 MB
 * that a client has sent would take a second to copy, with the pages that the system has to clear for it.
 */
const buffers = new WeakSet<Uint8Array>()

/** So much of a buffer must be wanted for all of it to be kept. */
const KEPT_SHARE = 15 / 16

/** Whoever fills the buffer promises to write no byte twice. */
export function promiseWrittenOnce(buffer: Uint8Array): void {
  buffers.add(buffer)
}

/** bytes[start, end), to be kept: a copy, or a view of a buffer that is written once. */
export function keptBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const part = bytes.subarray(start, end)
  // Kept by one alone, who may change it.
  return part.length >= bytes.length * KEPT_SHARE && buffers.delete(bytes) ? part : Buffer.from(part)
}
