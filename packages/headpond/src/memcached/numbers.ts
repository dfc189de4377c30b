/**
 * Numbers as memcached reads them: with C's `strtol` and its like. So white space and a sign may come first, what
 * follows white space is ignored, and what is too large for 32 bits loses its upper ones.
 */

const DIGIT_0 = 0x30
const PLUS = 0x2b
const MINUS = 0x2d
const UINT64_RANGE = 2n ** 64n
/** Longer ones may not be exact as JavaScript numbers. */
const PLAIN_DIGITS_MAX = 15

/**
 * The number that bytes[start, end) are, when these are nothing but digits, and few enough; else NaN, which decides
 * nothing. O(n). hot: for each number of a command.
 */
function parsePlain(bytes: Uint8Array, start: number, end: number): number {
  const digitCount = end - start
  if (digitCount < 1 || digitCount > PLAIN_DIGITS_MAX) return Number.NaN
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - DIGIT_0
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

/** A signed number of 32 bits, or NaN. */
export function parseInt32(bytes: Uint8Array, start: number, end: number): number {
  const plain = parsePlain(bytes, start, end)
  if (plain < 2 ** 31) return plain
  const value = parseWide(bytes, start, end)
  if (value === undefined || value >= 2n ** 63n || value < -(2n ** 63n)) return Number.NaN
  return Number(BigInt.asIntN(32, value))
}

/** An unsigned number of 32 bits, or NaN. */
export function parseUint32(bytes: Uint8Array, start: number, end: number): number {
  const plain = parsePlain(bytes, start, end)
  if (plain < 2 ** 32) return plain
  const value = parseUint64(bytes, start, end)
  return value === undefined ? Number.NaN : Number(BigInt.asUintN(32, value))
}

/** An unsigned number of 64 bits, or undefined. A negative one wraps around, and is refused where that shows. */
export function parseUint64(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const value = parseWide(bytes, start, end)
  if (value === undefined || value >= UINT64_RANGE || value <= -UINT64_RANGE) return undefined
  if (value >= 0n) return value
  const wrapped = BigInt.asUintN(64, value)
  return wrapped >= 2n ** 63n ? undefined : wrapped
}

/** A number with a fraction, as `strtod` reads it, or NaN. */
export function parseFraction(text: string): number {
  const match = /^\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)(\s|$)/i.exec(text)
  return match === null ? Number.NaN : Number(match[1])
}

function parseWide(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  let at = start
  while (at < end && isSpace(bytes[at])) at++
  const isNegative = at < end && bytes[at] === MINUS
  if (isNegative || (at < end && bytes[at] === PLUS)) at++
  const digitsStart = at
  while (at < end && bytes[at] >= DIGIT_0 && bytes[at] <= DIGIT_0 + 9) at++
  if (at === digitsStart) return undefined
  if (at < end && !isSpace(bytes[at]) && bytes[at] !== 0) return undefined
  let firstDigit = digitsStart
  while (firstDigit < at - 1 && bytes[firstDigit] === DIGIT_0) firstDigit++
  if (at - firstDigit > 20) return isNegative ? -UINT64_RANGE : UINT64_RANGE // out of every range
  let digits = ''
  for (let index = firstDigit; index < at; index++) digits += String.fromCharCode(bytes[index])
  return isNegative ? -BigInt(digits) : BigInt(digits)
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}
