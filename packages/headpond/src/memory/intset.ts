import { parseBigInteger, parseInteger } from '../bytes/integer.ts'
import type { Text } from './text.ts'

/**
 * Intsets: sets of 64-bit integers, sorted, in Redis's own format (intset.c), so that one can be dumped, restored and
 * saved as it is.
 *
 *   | width u32 | count u32 | element | element | ... |        little-endian
 *
 *   width      bytes of each element: 2, 4 or 8, whatever the widest needs; it never shrinks
 *   element    signed, in ascending order
 *
 * An intset lies in `u8` at `at`. Editing happens in place: the caller sees to it that there is room behind it.
 *
 * Use as a namespace: `import * as intset from '../memory/intset.ts'`.
 */
export const HEADER_BYTES = 8

const COUNT_AT = 4

/** A 64-bit integer in halves, to be filled again and again: beyond 2^53 a number is not exact, and a bigint is garbage. */
export class Integer64 {
  /** The upper half, signed. */
  high = 0
  /** The lower half, its bits as a signed number. */
  low = 0

  /**
   * Takes the integer in bytes[start, end); false when that is no canonical one of 64 bits.
   * hot: once for each member of SADD or SISMEMBER.
   */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    const value = parseInteger(bytes, start, end)
    if (!Number.isNaN(value)) {
      this.low = value | 0
      this.high = Math.floor(value / 2 ** 32)
      return true
    }
    const big = parseBigInteger(bytes, start, end)
    if (big === undefined) return false
    this.low = Number(BigInt.asIntN(32, big))
    this.high = Number(big >> 32n)
    return true
  }

  /** Bytes that an element takes which holds it. */
  get width(): number {
    if (this.high !== this.low >> 31) return 8
    return this.low === (this.low << 16) >> 16 ? 2 : 4
  }
}

// ---- Reading ----

export function width(u8: Uint8Array, at: number): number {
  return u8[at]
}

export function count(u8: Uint8Array, at: number): number {
  return readUint32(u8, at + COUNT_AT)
}

/** Size of the whole intset. */
export function totalBytes(u8: Uint8Array, at: number): number {
  return HEADER_BYTES + count(u8, at) * u8[at]
}

/**
 * Where a value is, or -1 - index when it is not there, index being where it belongs. O(log n).
 * hot: once for each member of SADD or SISMEMBER.
 */
export function search(u8: Uint8Array, at: number, value: Integer64): number {
  let low = 0
  let high = count(u8, at) - 1
  // Many sets are filled in ascending order.
  if (high >= 0 && compare(u8, at, high, value) < 0) return -2 - high
  while (low <= high) {
    const middle = (low + high) >>> 1
    const difference = compare(u8, at, middle, value)
    if (difference === 0) return middle
    if (difference < 0) low = middle + 1
    else high = middle - 1
  }
  return -1 - low
}

/** Tells the text of an element. Allocates nothing, but for integers beyond 2^53. */
export function locate(u8: Uint8Array, at: number, index: number, found: Text): void {
  const elementWidth = u8[at]
  const elementAt = at + HEADER_BYTES + index * elementWidth
  if (elementWidth < 8) return found.setInteger(readNarrow(u8, elementAt, elementWidth))
  const high = readUint32(u8, elementAt + 4) | 0
  const low = readUint32(u8, elementAt)
  const value = high * 2 ** 32 + low
  if (Number.isSafeInteger(value)) found.setInteger(value)
  else found.setBigInteger((BigInt(high) << 32n) | BigInt(low))
}

// ---- Editing ----

/** Writes an empty intset of HEADER_BYTES. */
export function initialize(u8: Uint8Array, at: number): void {
  writeUint32(u8, at, 2)
  writeUint32(u8, at + COUNT_AT, 0)
}

/** Gives every element more room. O(n). */
export function widen(u8: Uint8Array, at: number, toWidth: number): void {
  const fromWidth = u8[at]
  for (let index = count(u8, at) - 1; index >= 0; index--) {
    const value = readNarrow(u8, at + HEADER_BYTES + index * fromWidth, fromWidth)
    write(u8, at + HEADER_BYTES + index * toWidth, toWidth, value, value >> 31)
  }
  u8[at] = toWidth
}

/** Inserts a value that is no wider than the elements are, at the index where it belongs. O(n). */
export function insert(u8: Uint8Array, at: number, index: number, value: Integer64): void {
  const elementWidth = u8[at]
  const elementCount = count(u8, at)
  const elementAt = at + HEADER_BYTES + index * elementWidth
  if (index < elementCount) {
    u8.copyWithin(elementAt + elementWidth, elementAt, at + HEADER_BYTES + elementCount * elementWidth)
  }
  write(u8, elementAt, elementWidth, value.low, value.high)
  writeUint32(u8, at + COUNT_AT, elementCount + 1)
}

/** Takes an element out. O(n). */
export function remove(u8: Uint8Array, at: number, index: number): void {
  const elementWidth = u8[at]
  const elementCount = count(u8, at)
  const elementAt = at + HEADER_BYTES + index * elementWidth
  u8.copyWithin(elementAt, elementAt + elementWidth, at + HEADER_BYTES + elementCount * elementWidth)
  writeUint32(u8, at + COUNT_AT, elementCount - 1)
}

// ---- Intsets from elsewhere ----

/**
 * Whether bytes[start, end) is an intset throughout: width, count and order. What comes from outside (RESTORE, files) is
 * read only after this. O(n).
 */
export function isValid(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES) return false
  const elementWidth = readUint32(bytes, start)
  if (elementWidth !== 2 && elementWidth !== 4 && elementWidth !== 8) return false
  const elementCount = count(bytes, start)
  if (HEADER_BYTES + elementCount * elementWidth !== end - start) return false
  const value = new Integer64()
  for (let index = 1; index < elementCount; index++) {
    read(bytes, start, index, value)
    if (compare(bytes, start, index - 1, value) >= 0) return false
  }
  return true
}

/** Negative, 0 or positive, as an element is less than, equal to or greater than a value. */
function compare(u8: Uint8Array, at: number, index: number, value: Integer64): number {
  const elementWidth = u8[at]
  const elementAt = at + HEADER_BYTES + index * elementWidth
  let low: number
  let high: number
  if (elementWidth < 8) {
    low = readNarrow(u8, elementAt, elementWidth)
    high = low >> 31
  } else {
    low = readUint32(u8, elementAt) | 0
    high = readUint32(u8, elementAt + 4) | 0
  }
  if (high !== value.high) return high < value.high ? -1 : 1
  if (low === value.low) return 0
  return low >>> 0 < value.low >>> 0 ? -1 : 1
}

function read(u8: Uint8Array, at: number, index: number, value: Integer64): void {
  const elementWidth = u8[at]
  const elementAt = at + HEADER_BYTES + index * elementWidth
  value.low = elementWidth < 8 ? readNarrow(u8, elementAt, elementWidth) : readUint32(u8, elementAt) | 0
  value.high = elementWidth < 8 ? value.low >> 31 : readUint32(u8, elementAt + 4) | 0
}

/** An element of 2 or 4 bytes. */
function readNarrow(u8: Uint8Array, elementAt: number, elementWidth: number): number {
  if (elementWidth === 2) return ((u8[elementAt] | (u8[elementAt + 1] << 8)) << 16) >> 16
  return readUint32(u8, elementAt) | 0
}

function write(u8: Uint8Array, elementAt: number, elementWidth: number, low: number, high: number): void {
  u8[elementAt] = low
  u8[elementAt + 1] = low >> 8
  if (elementWidth === 2) return
  u8[elementAt + 2] = low >> 16
  u8[elementAt + 3] = low >> 24
  if (elementWidth === 8) writeUint32(u8, elementAt + 4, high)
}

function readUint32(u8: Uint8Array, at: number): number {
  return (u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)) >>> 0
}

function writeUint32(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value
  u8[at + 1] = value >>> 8
  u8[at + 2] = value >>> 16
  u8[at + 3] = value >>> 24
}
