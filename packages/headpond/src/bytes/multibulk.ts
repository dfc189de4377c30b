import type { GrowingBuffer } from './growing-buffer.ts'
import { writeInteger } from './integer.ts'

/**
 * Commands as clients send them (`*<count>\r\n`, then `$<size>\r\n<bytes>\r\n` for each argument): the form in which
 * they also stand in append-only files and in what replicas are sent.
 */

export type CommandPart = string | number | Uint8Array

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const HEADER_BYTES_MAX = 24
const INT64_MAX = 2n ** 63n - 1n

/** Appends `*<count>\r\n`; as many calls of `appendBulk` follow. */
export function appendCount(to: GrowingBuffer, count: number): void {
  appendHeader(to, STAR, count)
}

/** Appends one argument, the bytes in source[start, end). */
export function appendBulk(to: GrowingBuffer, source: Uint8Array, start = 0, end = source.length): void {
  appendHeader(to, DOLLAR, end - start)
  to.append(source, start, end)
  to.appendByte(CR)
  to.appendByte(LF)
}

export function appendCommand(to: GrowingBuffer, parts: readonly CommandPart[]): void {
  appendCount(to, parts.length)
  for (const part of parts) appendBulk(to, part instanceof Uint8Array ? part : Buffer.from(textOf(part)))
}

/** Numbers are integers of 64 bits, moments mostly: to the nearest double beyond 2^53, but never past the end. */
function textOf(part: string | number): string {
  if (typeof part === 'string' || Number.isSafeInteger(part)) return String(part)
  const exact = BigInt(part)
  return String(exact > INT64_MAX ? INT64_MAX : exact)
}

function appendHeader(to: GrowingBuffer, marker: number, value: number): void {
  const start = to.reserve(HEADER_BYTES_MAX)
  const { bytes } = to
  bytes[start] = marker
  const end = writeInteger(bytes, start + 1, value)
  bytes[end] = CR
  bytes[end + 1] = LF
  to.length = end + 2
}
