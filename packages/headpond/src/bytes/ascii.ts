/**
 * Bytes as text in the plainest sense: ASCII case, equality, order. Bytes from 0x80 up have no case here, as in C's
 * `tolower` under the "C" locale, which is what Redis runs with.
 */

/**
 * Whether bytes[start, end) is `upperCaseWord` in any case. The word is ASCII and in upper case: `'WITHSCORES'`.
 * O(n), allocates nothing.
 *
 * hot: once per option of a command.
 */
export function equalsIgnoreCase(bytes: Uint8Array, start: number, end: number, upperCaseWord: string): boolean {
  const length = upperCaseWord.length
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) {
    if (toUpperCase(bytes[start + i]) !== upperCaseWord.charCodeAt(i)) return false
  }
  return true
}

/** hot: per byte of command names and options. */
export function toUpperCase(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte
}

/** hot: per byte of a text that is compared without case. */
export function toLowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}

/**
 * Whether two ranges hold the same bytes. O(n), allocates nothing.
 *
 * hot: once per key looked up, for short ranges: `Buffer.compare` is faster only from a few hundred bytes on, and asks
 * for subarrays.
 */
export function bytesEqual(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = aEnd - aStart
  if (bEnd - bStart !== length) return false
  for (let i = 0; i < length; i++) {
    if (a[aStart + i] !== b[bStart + i]) return false
  }
  return true
}

/**
 * The order of two ranges as `memcmp` and then length give it: below, equal to or above 0.
 * O(n), allocates nothing. This is the order of sorted set members with equal scores, of ZRANGEBYLEX and SORT ALPHA.
 *
 * hot: O(log n) times per sorted set operation.
 */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const aLength = aEnd - aStart
  const bLength = bEnd - bStart
  const shared = Math.min(aLength, bLength)
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i] - b[bStart + i]
    if (difference !== 0) return difference
  }
  return aLength - bLength
}
