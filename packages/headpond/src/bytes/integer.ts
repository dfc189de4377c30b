/**
 * Integers written in decimal, as Redis's `string2ll` and `ll2string` read and write them.
 *
 * A *canonical* integer is what writing a signed 64-bit integer gives: `0`, or digits without a leading zero after an
 * optional minus. Only canonical integers are integers to Redis (`INCR` refuses ` 1`, `+1`, `01` and `-0`), so that
 * a value stored as a number and written again is the same bytes.
 *
 * Most numbers fit a JavaScript number; those that do not (beyond 2^53) take the BigInt functions, which allocate.
 */

const MINUS = 0x2d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** The longest canonical integer: `-9223372036854775808`. */
export const INTEGER_LENGTH_MAX = 20

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const UINT64_RANGE = 2n ** 64n

/** The digits of 2^63, as the limit of a negative integer; a positive one ends one earlier. */
const INT64_LIMIT_DIGITS = '9223372036854775808'

/**
 * The canonical integer in bytes[start, end), or NaN if it is not one or is beyond `Number.MAX_SAFE_INTEGER` either
 * way (then ask `parseBigInteger`). O(n), allocates nothing.
 *
 * hot: once per integer argument, and for every value that SET stores (to see whether it is an integer).
 */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  const negative = start < end && bytes[start] === MINUS
  const digitsStart = negative ? start + 1 : start
  const digitCount = end - digitsStart
  if (digitCount < 1 || digitCount > 16) return Number.NaN

  const first = bytes[digitsStart] - DIGIT_0
  if (first < 0 || first > 9) return Number.NaN
  if (first === 0) return digitCount === 1 && !negative ? 0 : Number.NaN

  let value = first
  for (let i = digitsStart + 1; i < end; i++) {
    const digit = bytes[i] - DIGIT_0
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  // 16 digits may pass 2^53 and be rounded, but never to below it: the comparison still tells.
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN
  return negative ? -value : value
}

/** The canonical integer in bytes[start, end), or undefined if it is not one or does not fit 64 signed bits. O(n). */
export function parseBigInteger(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  if (!isCanonicalInteger(bytes, start, end)) return undefined
  return BigInt(digitsText(bytes, start, end))
}

/**
 * Whether bytes[start, end) is a canonical integer of 64 signed bits. O(n), allocates nothing.
 *
 * hot: decides the encoding of each value that is stored (`OBJECT ENCODING` says `int`).
 */
export function isCanonicalInteger(bytes: Uint8Array, start: number, end: number): boolean {
  const negative = start < end && bytes[start] === MINUS
  const digitsStart = negative ? start + 1 : start
  const digitCount = end - digitsStart
  if (digitCount < 1 || digitCount > INT64_LIMIT_DIGITS.length) return false
  if (bytes[digitsStart] === DIGIT_0) return digitCount === 1 && !negative

  for (let i = digitsStart; i < end; i++) {
    if (bytes[i] < DIGIT_0 || bytes[i] > DIGIT_9) return false
  }
  if (digitCount < INT64_LIMIT_DIGITS.length) return true

  for (let i = 0; i < digitCount; i++) {
    const difference = bytes[digitsStart + i] - INT64_LIMIT_DIGITS.charCodeAt(i)
    if (difference !== 0) return difference < 0
  }
  return negative
}

/**
 * The unsigned 64-bit integer in bytes[start, end), or undefined. O(n). Used for the halves of stream ids.
 *
 * Follows Redis's `string2ull`, which is lenient where `string2ll` is not: what is no canonical integer goes to C's
 * `strtoull`, which skips leading white space, takes a sign and leading zeros, and wraps a negative number around
 * (`-01` is 2^64 - 1, although `-1` is refused).
 */
export function parseUnsigned64(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const canonical = parseBigInteger(bytes, start, end)
  if (canonical !== undefined) return canonical < 0n ? undefined : canonical

  let at = start
  while (at < end && isSpace(bytes[at])) at++
  const negative = at < end && bytes[at] === MINUS
  if (negative || (at < end && bytes[at] === 0x2b)) at++
  if (at === end) return undefined
  for (let i = at; i < end; i++) {
    if (bytes[i] < DIGIT_0 || bytes[i] > DIGIT_9) return undefined
  }
  while (at < end - 1 && bytes[at] === DIGIT_0) at++
  if (end - at > 20) return undefined // before BigInt sees it: the time it takes grows faster than the length

  const magnitude = BigInt(digitsText(bytes, at, end))
  if (magnitude >= UINT64_RANGE) return undefined
  return negative ? BigInt.asUintN(64, -magnitude) : magnitude
}

/** Whether `value` fits 64 signed bits: the check after an INCRBY done in BigInt. */
export function fitsInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX
}

/** How many bytes `writeInteger` needs for the safe integer `n`: its digits, and the minus. Allocates nothing. */
export function decimalLength(n: number): number {
  const magnitude = n < 0 ? -n : n
  return (
    (n < 0 ? 1 : 0) + (magnitude < 1e9 ? digitCountSmall(magnitude) : 9 + digitCountSmall(Math.floor(magnitude / 1e9)))
  )
}

/**
 * Writes the safe integer `n` in decimal at `at` and returns the position after it.
 * O(digits), makes no string. The caller leaves `decimalLength(n)` bytes of room, or INTEGER_LENGTH_MAX.
 *
 * hot: once per integer reply, and per length of a bulk reply.
 */
export function writeInteger(bytes: Uint8Array, at: number, n: number): number {
  if (n < 0) {
    bytes[at++] = MINUS
    n = -n
  }
  if (n < 10) {
    bytes[at] = DIGIT_0 + n
    return at + 1
  }
  if (n < 1e9) {
    const end = at + digitCountSmall(n)
    writeDigits(bytes, at, end, n)
    return end
  }
  // Two parts of at most nine digits each, so that the division below stays within 32 bits.
  const high = Math.floor(n / 1e9)
  const highEnd = at + digitCountSmall(high)
  writeDigits(bytes, at, highEnd, high)
  writeDigits(bytes, highEnd, highEnd + 9, n - high * 1e9)
  return highEnd + 9
}

/** Fills bytes[start, end) with the last digits of `n`, which is below 1e9, from the right. */
function writeDigits(bytes: Uint8Array, start: number, end: number, n: number): void {
  let rest = n | 0
  for (let i = end - 1; i >= start; i--) {
    const quotient = (rest / 10) | 0
    bytes[i] = DIGIT_0 + (rest - quotient * 10)
    rest = quotient
  }
}

/** The digits of an integer from 0 up to 1e9. */
function digitCountSmall(n: number): number {
  if (n < 1e4) return n < 100 ? (n < 10 ? 1 : 2) : n < 1e3 ? 3 : 4
  if (n < 1e6) return n < 1e5 ? 5 : 6
  return n < 1e8 ? (n < 1e7 ? 7 : 8) : 9
}

/** ASCII bytes as a string; short, so without a decoder. */
function digitsText(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i])
  return text
}

/** C's `isspace` in the "C" locale. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}
