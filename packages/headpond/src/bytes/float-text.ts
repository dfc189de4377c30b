/**
 * Floating point numbers as C's `strtod` and `strtold` read them, before they are rounded to any width:
 *
 *   number    = [ "+" | "-" ] ( decimal | hexadecimal | "inf" | "infinity" )              in any case
 *   decimal   = digits with at most one "." [ "e" [ "+" | "-" ] digits ]                  -12.5e3  .5  1.
 *   hexadecimal = "0x" hex digits with at most one "." [ "p" [ "+" | "-" ] digits ]       0x1.8p-2
 *
 * NaN is not in the list: C reads it, but Redis refuses it everywhere, as it refuses white space around the number,
 * which C would skip.
 */

import { equalsIgnoreCase, toLowerCase } from './ascii.ts'

/** The number is (negative ? -1 : 1) * digits * base^exponent, with the digits as an integer; or it is infinite. */
export interface FloatText {
  readonly kind: 'decimal' | 'hexadecimal' | 'infinity'
  readonly negative: boolean
  /** Without a point, without leading zeros; '' is zero. Digits of the kind's base. */
  readonly digits: string
  /** Of 10 for a decimal, of 2 for a hexadecimal. Kept within EXPONENT_MAX either way. */
  readonly exponent: number
}

/** Far past what any format can hold, and still an exact number after the length of the digits is added. */
const EXPONENT_MAX = 1e12

const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e

/** The number in bytes[start, end), or undefined if the whole range is not one. O(n); allocates. */
export function readFloatText(bytes: Uint8Array, start: number, end: number): FloatText | undefined {
  let at = start
  const negative = at < end && bytes[at] === MINUS
  if (negative || (at < end && bytes[at] === PLUS)) at++

  if (equalsIgnoreCase(bytes, at, end, 'INF') || equalsIgnoreCase(bytes, at, end, 'INFINITY')) {
    return { kind: 'infinity', negative, digits: '', exponent: 0 }
  }
  const hexadecimal = at + 1 < end && bytes[at] === 0x30 && toLowerCase(bytes[at + 1]) === 0x78
  if (hexadecimal) at += 2
  const base = hexadecimal ? 16 : 10

  const digitsStart = at
  let pointAt = -1
  for (; at < end; at++) {
    if (bytes[at] === POINT && pointAt < 0) pointAt = at
    else if (digitValue(bytes[at]) >= base) break
  }
  const digitsEnd = at
  const fractionLength = pointAt < 0 ? 0 : digitsEnd - pointAt - 1
  if (digitsEnd - digitsStart - (pointAt < 0 ? 0 : 1) === 0) return undefined

  let exponent = 0
  if (at < end) {
    if (toLowerCase(bytes[at]) !== (hexadecimal ? 0x70 : 0x65)) return undefined
    const parsed = readExponent(bytes, at + 1, end)
    if (parsed === undefined) return undefined
    exponent = parsed
  }

  let digits = Buffer.from(bytes.buffer, bytes.byteOffset + digitsStart, digitsEnd - digitsStart).toString('latin1')
  if (pointAt >= 0) digits = digits.replace('.', '')
  digits = digits.replace(/^0+/, '')
  exponent -= fractionLength * (hexadecimal ? 4 : 1)
  return { kind: hexadecimal ? 'hexadecimal' : 'decimal', negative, digits, exponent }
}

/** An optional sign and at least one digit, up to the end; undefined otherwise. */
function readExponent(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start
  const negative = at < end && bytes[at] === MINUS
  if (negative || (at < end && bytes[at] === PLUS)) at++
  if (at === end) return undefined
  let exponent = 0
  for (; at < end; at++) {
    const digit = digitValue(bytes[at])
    if (digit > 9) return undefined
    exponent = Math.min(exponent * 10 + digit, EXPONENT_MAX)
  }
  return negative ? -exponent : exponent
}

/** The value of a digit of base 16, or 99. */
function digitValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = toLowerCase(byte)
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : 99
}
