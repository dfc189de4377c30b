/**
 * Doubles as text: sorted set scores, coordinates, timeouts.
 *
 * Reading follows Redis's `getDoubleFromObject`. Writing has two forms, because Redis changed it:
 *
 *   formatDouble17         up to 7.0   `%.17g` of C: every double survives, most look odd    3.1000000000000001
 *   formatDoubleShortest   from 7.2    the fewest digits that read back as the same double   3.1
 *
 * Clients are answered in the first; the second is what packed scores are kept in, since it is shorter.
 */

import { type FloatText, readFloatText } from './float-text.ts'

const MINUS = 0x2d
const POINT = 0x2e
const DIGIT_0 = 0x30

/** With so many decimal digits an integer is below 2^53, hence exact. */
const EXACT_DIGITS = 15
/** The powers of ten that are exact as doubles, as far as EXACT_DIGITS can ask for them. */
const POWERS_OF_TEN = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]

/** Integers of a larger magnitude are printed with an exponent. Redis's test is against LLONG_MAX / 2. */
const INTEGER_MAGNITUDE_MAX = 2 ** 62

/**
 * The double in bytes[start, end), correctly rounded; NaN means: not a valid one. O(n).
 *
 * Takes what C's `strtod` takes (decimal, hexadecimal, `inf`, `infinity`, a leading plus), and refuses as Redis does: an
 * empty text, white space, NaN itself, and what overflows to infinity or underflows to zero.
 *
 * hot: once per score. Plain numbers of up to 15 digits allocate nothing: digits and power of ten are both exact, so
 * one division rounds correctly. The rest takes the long way.
 */
export function parseDouble(bytes: Uint8Array, start: number, end: number): number {
  const negative = start < end && bytes[start] === MINUS
  const digitsStart = negative ? start + 1 : start
  if (end - digitsStart > EXACT_DIGITS + 1) return parseAnyDouble(bytes, start, end)

  let value = 0
  let digitCount = 0
  let pointAt = -1
  for (let i = digitsStart; i < end; i++) {
    const digit = bytes[i] - DIGIT_0
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      digitCount++
    } else if (bytes[i] === POINT && pointAt < 0) {
      pointAt = i
    } else {
      return parseAnyDouble(bytes, start, end)
    }
  }
  if (digitCount === 0) return Number.NaN
  if (digitCount > EXACT_DIGITS) return parseAnyDouble(bytes, start, end)
  if (pointAt >= 0) value /= POWERS_OF_TEN[end - 1 - pointAt]
  return negative ? -value : value
}

/**
 * `n` as Redis 7.2 and later print it (`d2string`): integers up to 2^62 in full, everything else with the fewest digits
 * that read back as the same double, in plain notation as long as that stays short and with an exponent otherwise.
 *
 * Redis finds the digits with Grisu2, which in about one of a thousand doubles prints one digit more than needed; here
 * they are always the fewest.
 */
export function formatDoubleShortest(n: number): string {
  if (Number.isInteger(n) && Math.abs(n) < INTEGER_MAGNITUDE_MAX) {
    if (Object.is(n, -0)) return '-0'
    return Number.isSafeInteger(n) ? String(n) : BigInt(n).toString()
  }
  if (!Number.isFinite(n)) return formatNonFinite(n)

  const { sign, digits, exponent } = splitDigits(n.toExponential())
  const trailingZeroCount = exponent - digits.length + 1
  if (trailingZeroCount >= 0) {
    if (Math.abs(exponent) < digits.length + 7) return sign + digits + '0'.repeat(trailingZeroCount)
  } else if (trailingZeroCount > -7 || Math.abs(exponent) < 4) {
    return sign + placePoint(digits, exponent)
  }
  return sign + scientific(digits, exponent, 1)
}

/** `n` as C's `printf("%.17g")` prints it, and with it Redis up to 7.0: 17 significant digits, without trailing zeros. */
export function formatDouble17(n: number): string {
  if (!Number.isFinite(n)) return formatNonFinite(n)
  if (n === 0) return Object.is(n, -0) ? '-0' : '0'

  const { sign, digits: allDigits, exponent } = splitDigits(round17(n))
  const digits = allDigits.replace(/0+$/, '')
  if (exponent < -4 || exponent >= 17) return sign + scientific(digits, exponent, 2)
  if (digits.length <= exponent) return sign + digits.padEnd(exponent + 1, '0')
  return sign + placePoint(digits, exponent)
}

function parseAnyDouble(bytes: Uint8Array, start: number, end: number): number {
  const text = readFloatText(bytes, start, end)
  if (text === undefined) return Number.NaN

  let magnitude = Number.POSITIVE_INFINITY
  if (text.kind !== 'infinity') {
    magnitude = text.kind === 'decimal' ? Number(`${text.digits || '0'}e${text.exponent}`) : hexadecimalValue(text)
    if (magnitude === Number.POSITIVE_INFINITY || (magnitude === 0 && text.digits !== '')) return Number.NaN
  }
  return text.negative ? -magnitude : magnitude
}

/**
 * A hexadecimal number rounded to a double, half to even. The leading 53 bits (fewer for a subnormal) are kept, and a
 * last bit that says whether anything below is set, then Number() of the BigInt and one exact multiplication round.
 */
function hexadecimalValue({ digits, exponent }: FloatText): number {
  if (digits === '') return 0
  const mantissa = BigInt(`0x${digits}`)
  const bitCount = (digits.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(digits[0], 16)))
  const highestBit = bitCount - 1 + exponent
  if (highestBit > 1023) return Number.POSITIVE_INFINITY
  if (highestBit < -1075) return 0

  // The place of the last bit that the result can hold.
  const lastBit = Math.max(highestBit - 52, -1074)
  const shift = lastBit - exponent
  if (shift <= 0) return scale(Number(mantissa), exponent)
  const kept = mantissa >> BigInt(shift)
  const rest = mantissa - (kept << BigInt(shift))
  const half = 1n << BigInt(shift - 1)
  const roundsUp = rest > half || (rest === half && (kept & 1n) === 1n)
  return scale(Number(roundsUp ? kept + 1n : kept), lastBit)
}

/** value * 2^exponent for a result that needs no rounding; in two steps, as the power alone may not be a double. */
function scale(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2)
  return value * 2 ** half * 2 ** (exponent - half)
}

function formatNonFinite(n: number): string {
  return Number.isNaN(n) ? 'nan' : n > 0 ? 'inf' : '-inf'
}

/**
 * `n` with 17 significant digits as `toExponential` writes it, rounded half to even like C's printf. JavaScript rounds
 * half up, which differs where a double lies exactly in the middle: 1.00000762939453125 (1 + 2^-17).
 */
function round17(n: number): string {
  const halfUp = n.toExponential(16)
  const mantissaEnd = halfUp.indexOf('e')
  const lastDigit = halfUp.charCodeAt(mantissaEnd - 1) - DIGIT_0
  if (lastDigit % 2 === 0) return halfUp
  // Odd after rounding up from the middle: then the even neighbour is the one below. No double is within 10^-40 of a
  // middle without being on it, so 40 digits decide.
  const exact = n.toExponential(40)
  const pointAt = exact.indexOf('.')
  const isMiddle = /^50*e/.test(exact.slice(pointAt + 17))
  if (!isMiddle) return halfUp
  return exact.slice(0, pointAt + 17) + exact.slice(exact.indexOf('e'))
}

/** Takes '-1.25e-7' apart: digits '125', and the exponent of the first of them. */
function splitDigits(exponential: string): { sign: string; digits: string; exponent: number } {
  const sign = exponential.startsWith('-') ? '-' : ''
  const exponentAt = exponential.indexOf('e')
  const digits = exponential.slice(sign.length, exponentAt).replace('.', '')
  return { sign, digits, exponent: Number(exponential.slice(exponentAt + 1)) }
}

/** Plain notation of digits that reach below the point. */
function placePoint(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`
  if (digits.length === exponent + 1) return digits
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}

function scientific(digits: string, exponent: number, exponentDigitsMin: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
  const exponentText = String(Math.abs(exponent)).padStart(exponentDigitsMin, '0')
  return `${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${exponentText}`
}
