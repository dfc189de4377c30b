/**
 * The 80-bit "long double" of x86-64, in which Redis does INCRBYFLOAT and HINCRBYFLOAT: a 64-bit mantissa, where a
 * double has 53. Results would differ in the last digits if they were computed in doubles (3.0 + 1.1 would not be 4.1),
 * and then an AOF or a replica of the other kind would disagree about the value.
 *
 *   value = mantissa * 2^exponent      |mantissa| <= 2^64, exponent >= -16445, |value| < 2^16384
 *
 * Every operation is done exactly, on BigInts, and rounded once, half to even, as the hardware does. Signs of zero are
 * not kept: no command shows them.
 */

import { readFloatText } from './float-text.ts'

const MANTISSA_BITS = 64
/** Of the last bit of the smallest subnormal, 2^-16445. */
const EXPONENT_MIN = -16445
/** Values from 2^16384 up are infinite. */
const BIT_COUNT_MAX = 16384

/** Redis copies the text to a buffer of this size and refuses longer ones. */
const TEXT_LENGTH_LIMIT = 5 * 1024

/** Digits after the point that INCRBYFLOAT prints at most. */
const FRACTION_DIGITS = 17
const FRACTION_SCALE = 10n ** BigInt(FRACTION_DIGITS)

export class LongDouble {
  readonly #mantissa: bigint
  /** Infinity makes the value infinite, with the sign of the mantissa, or NaN if that is 0. */
  readonly #exponent: number

  private constructor(mantissa: bigint, exponent: number) {
    this.#mantissa = mantissa
    this.#exponent = exponent
  }

  /**
   * The number in bytes[start, end), correctly rounded, or undefined if it is not one. It may be infinite, when the
   * text says so. O(n^2) in the digits, of which there are at most some thousands.
   *
   * Semantics: Redis's `string2ld`, which takes what C's `strtold` takes, without white space around it, and refuses
   * NaN and what overflows or underflows.
   */
  static parse(bytes: Uint8Array, start: number, end: number): LongDouble | undefined {
    if (end - start >= TEXT_LENGTH_LIMIT) return undefined
    const text = readFloatText(bytes, start, end)
    if (text === undefined) return undefined
    const { kind, negative, digits, exponent } = text
    if (kind === 'infinity') return new LongDouble(negative ? -1n : 1n, Number.POSITIVE_INFINITY)
    if (digits === '') return new LongDouble(0n, 0)

    const magnitude =
      kind === 'decimal' ? roundDecimal(BigInt(digits), exponent) : round(BigInt(`0x${digits}`), 1n, exponent)
    if (magnitude === undefined || magnitude.mantissa === 0n) return undefined
    return new LongDouble(negative ? -magnitude.mantissa : magnitude.mantissa, magnitude.exponent)
  }

  /** False for infinity and NaN: "increment would produce NaN or Infinity". */
  get isFinite(): boolean {
    return this.#exponent !== Number.POSITIVE_INFINITY
  }

  /** The rounded sum. Infinite when it overflows; NaN for infinities of different sign. */
  plus(other: LongDouble): LongDouble {
    if (!this.isFinite || !other.isFinite) {
      const sign = (this.isFinite ? 0n : this.#mantissa) + (other.isFinite ? 0n : other.#mantissa)
      return new LongDouble(sign, Number.POSITIVE_INFINITY)
    }
    const exponent = Math.min(this.#exponent, other.#exponent)
    const sum =
      (this.#mantissa << BigInt(this.#exponent - exponent)) + (other.#mantissa << BigInt(other.#exponent - exponent))
    const negative = sum < 0n
    const rounded = round(negative ? -sum : sum, 1n, exponent)
    if (rounded === undefined) return new LongDouble(negative ? -1n : 1n, Number.POSITIVE_INFINITY)
    return new LongDouble(negative ? -rounded.mantissa : rounded.mantissa, rounded.exponent)
  }

  /**
   * The number as INCRBYFLOAT answers and stores it: never an exponent, 17 digits after the point (the last one rounded
   * half to even) less the zeros at their end, and no `-0`. Semantics: Redis's `ld2string` with LD_STR_HUMAN.
   */
  toString(): string {
    if (!this.isFinite) return this.#mantissa === 0n ? 'nan' : this.#mantissa > 0n ? 'inf' : '-inf'
    const negative = this.#mantissa < 0n
    const magnitude = negative ? -this.#mantissa : this.#mantissa
    const sign = negative ? '-' : ''
    if (this.#exponent >= 0) return sign + (magnitude << BigInt(this.#exponent)).toString()

    const scaled = divideRounded(magnitude * FRACTION_SCALE, 1n, -this.#exponent)
    if (scaled === 0n) return '0'
    const digits = scaled.toString().padStart(FRACTION_DIGITS + 1, '0')
    const whole = digits.slice(0, -FRACTION_DIGITS)
    const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, '')
    return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`
  }
}

interface Magnitude {
  readonly mantissa: bigint
  readonly exponent: number
}

/** digits * 10^exponent, rounded; undefined if it overflows. */
function roundDecimal(digits: bigint, exponent: number): Magnitude | undefined {
  // Decided before any power is computed: the text `1e999999999` must cost nothing.
  const highestDigit = digits.toString().length + exponent
  if (highestDigit > 4940) return undefined
  if (highestDigit < -4960) return { mantissa: 0n, exponent: 0 }
  return exponent >= 0 ? round(digits * 10n ** BigInt(exponent), 1n, 0) : round(digits, 10n ** BigInt(-exponent), 0)
}

/** numerator / denominator * 2^exponent, rounded half to even to what a long double can hold; undefined if too large. */
function round(numerator: bigint, denominator: bigint, exponent: number): Magnitude | undefined {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 }
  // The place of the quotient's highest bit: 0 for a quotient from 1 to 2.
  let highestBit = bitCount(numerator) - bitCount(denominator)
  if (shiftLeft(numerator, -highestBit) < shiftLeft(denominator, highestBit)) highestBit--
  if (highestBit + exponent >= BIT_COUNT_MAX) return undefined
  if (highestBit + exponent < EXPONENT_MIN - 1) return { mantissa: 0n, exponent: 0 }

  const lastBit = Math.max(highestBit - MANTISSA_BITS + 1, EXPONENT_MIN - exponent)
  const mantissa = divideRounded(numerator, denominator, lastBit)
  // Rounding may have carried into one bit more.
  if (bitCount(mantissa) + lastBit + exponent > BIT_COUNT_MAX) return undefined
  return { mantissa, exponent: lastBit + exponent }
}

/** numerator / denominator in units of 2^lastBit, rounded half to even. */
function divideRounded(numerator: bigint, denominator: bigint, lastBit: number): bigint {
  const dividend = shiftLeft(numerator, -lastBit)
  const divisor = shiftLeft(denominator, lastBit)
  const quotient = dividend / divisor
  const twiceRest = (dividend - quotient * divisor) * 2n
  const roundsUp = twiceRest > divisor || (twiceRest === divisor && (quotient & 1n) === 1n)
  return roundsUp ? quotient + 1n : quotient
}

/** By a negative count: not at all. The other side of a comparison or division is then the one that is shifted. */
function shiftLeft(value: bigint, bits: number): bigint {
  return bits > 0 ? value << BigInt(bits) : value
}

/** The number of binary digits; 0 has one. */
function bitCount(value: bigint): number {
  const hex = value.toString(16)
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0], 16)))
}
