/**
 * Bits of strings, as BITCOUNT, BITPOS, BITOP and BITFIELD see them: bit 0 is the highest bit of the first byte. Whatever
 * lies behind the end of a string is zeros.
 *
 * A string is bytes[start, end); bit numbers are relative to `start` and may be beyond 2^32. Long strings are read as
 * 32-bit words where they lie on word boundaries, which records and large values do.
 */

/** Shorter strings are not worth a view of their words. */
const WORDS_BYTES_MIN = 64

const BIT_COUNTS = Uint8Array.from({ length: 256 }, (_, byte) => countOfWord(byte))

export function bitAt(bytes: Uint8Array, start: number, end: number, bit: number): number {
  const at = start + Math.floor(bit / 8)
  return at < end ? (bytes[at] >>> (7 - (bit % 8))) & 1 : 0
}

/** Sets or clears a bit within the string, and returns what it was. */
export function setBitAt(bytes: Uint8Array, start: number, bit: number, value: number): number {
  const at = start + Math.floor(bit / 8)
  const shift = 7 - (bit % 8)
  const before = (bytes[at] >>> shift) & 1
  bytes[at] = (bytes[at] & ~(1 << shift)) | (value << shift)
  return before
}

// ---- Counting ----

/** Bits that are set from `firstBit` to `lastBit`, both included and both within the string. O(n), in words. */
export function countBits(bytes: Uint8Array, start: number, firstBit: number, lastBit: number): number {
  const firstAt = start + Math.floor(firstBit / 8)
  const lastAt = start + Math.floor(lastBit / 8)
  const outsideBefore = BIT_COUNTS[bytes[firstAt] & ~(0xff >>> (firstBit % 8))]
  const outsideAfter = BIT_COUNTS[bytes[lastAt] & (0x7f >>> (lastBit % 8))]
  return countBytes(bytes, firstAt, lastAt + 1) - outsideBefore - outsideAfter
}

function countBytes(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  let at = start
  if (end - start >= WORDS_BYTES_MIN) {
    while (!isOnWord(bytes, at)) count += BIT_COUNTS[bytes[at++]]
    const words = wordsOf(bytes, at, end)
    count += countWords(words)
    at += words.length * 4
  }
  while (at < end) count += BIT_COUNTS[bytes[at++]]
  return count
}

/**
 * Harley and Seal's way (Warren, Hacker's Delight, 5-1): carry-save adders sum eight words bit by bit into words of
 * ones, twos and fours, so that only the carried eights need counting.
 */
function countWords(words: Int32Array): number {
  let ones = 0
  let twos = 0
  let fours = 0
  let eightCount = 0
  let at = 0
  for (const wholeEnd = words.length - (words.length % 8); at < wholeEnd; at += 8) {
    let half = ones ^ words[at]
    const twosA = (ones & words[at]) | (half & words[at + 1])
    ones = half ^ words[at + 1]
    half = ones ^ words[at + 2]
    const twosB = (ones & words[at + 2]) | (half & words[at + 3])
    ones = half ^ words[at + 3]
    half = twos ^ twosA
    const foursA = (twos & twosA) | (half & twosB)
    twos = half ^ twosB
    half = ones ^ words[at + 4]
    const twosC = (ones & words[at + 4]) | (half & words[at + 5])
    ones = half ^ words[at + 5]
    half = ones ^ words[at + 6]
    const twosD = (ones & words[at + 6]) | (half & words[at + 7])
    ones = half ^ words[at + 7]
    half = twos ^ twosC
    const foursB = (twos & twosC) | (half & twosD)
    twos = half ^ twosD
    half = fours ^ foursA
    const eights = (fours & foursA) | (half & foursB)
    fours = half ^ foursB
    eightCount += countOfWord(eights)
  }
  let count = eightCount * 8 + countOfWord(fours) * 4 + countOfWord(twos) * 2 + countOfWord(ones)
  for (; at < words.length; at++) count += countOfWord(words[at])
  return count
}

function countOfWord(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

// ---- Searching ----

/**
 * The first bit with this value from `firstBit` to `lastBit`, both included and both within the string, or -1.
 * O(n), in words.
 */
export function findBit(bytes: Uint8Array, start: number, firstBit: number, lastBit: number, value: number): number {
  const flip = value === 1 ? 0 : 0xff // turns the bits that are looked for into ones
  const firstAt = start + Math.floor(firstBit / 8)
  const lastAt = start + Math.floor(lastBit / 8)
  const lastMask = 0xff & ~(0x7f >>> (lastBit % 8))
  let at = firstAt
  let candidates = (bytes[at] ^ flip) & (0xff >>> (firstBit % 8))
  if (candidates === 0 && at < lastAt) {
    at = skipBytes(bytes, firstAt + 1, lastAt, flip)
    candidates = bytes[at] ^ flip
  }
  if (at === lastAt) candidates &= lastMask
  return candidates === 0 ? -1 : (at - start) * 8 + Math.clz32(candidates) - 24
}

/** The first place in bytes[start, end) that holds something else than `byte` (0 or 255), or `end`. */
function skipBytes(bytes: Uint8Array, start: number, end: number, byte: number): number {
  let at = start
  if (end - start >= WORDS_BYTES_MIN) {
    while (!isOnWord(bytes, at)) {
      if (bytes[at] !== byte) return at
      at++
    }
    const words = wordsOf(bytes, at, end)
    const skipped = byte === 0 ? 0 : -1
    let index = 0
    while (index < words.length && words[index] === skipped) index++
    at += index * 4
  }
  while (at < end && bytes[at] === byte) at++
  return at
}

// ---- Combining ----

export type BitOperation = 'and' | 'or' | 'xor' | 'not' | 'diff' | 'diff1' | 'andor' | 'one'

export interface BitSource {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/**
 * The strings combined bit by bit, as long as the longest of them. O(sum of sizes), in words.
 *
 *   diff   in the first and in none of the others         andor  in the first and in one of the others at least
 *   diff1  in one of the others at least, not in the first    one    in exactly one of all
 */
export function combineBits(operation: BitOperation, sources: readonly BitSource[]): Uint8Array {
  const sizeBytes = sources.reduce((max, { start, end }) => Math.max(max, end - start), 0)
  const [first, ...others] = sources
  if (operation === 'one') return exactlyOne(sources, sizeBytes).result
  const startsWithFirst = operation !== 'diff1' && operation !== 'andor'
  const bits = new Bits(sizeBytes)
  if (startsWithFirst) bits.set(first)
  else for (const source of others) bits.or(source)
  switch (operation) {
    case 'and':
      for (const source of others) bits.and(source)
      break
    case 'or':
      for (const source of others) bits.or(source)
      break
    case 'xor':
      for (const source of others) bits.xor(source)
      break
    case 'not':
      bits.invert()
      break
    case 'diff':
      for (const source of others) bits.andNot(source)
      break
    case 'diff1':
      bits.andNot(first)
      break
    case 'andor':
      bits.and(first)
  }
  return bits.result
}

function exactlyOne(sources: readonly BitSource[], sizeBytes: number): Bits {
  const seen = new Bits(sizeBytes)
  const seenTwice = new Bits(sizeBytes)
  const again = new Bits(sizeBytes)
  for (const source of sources) {
    again.result.fill(0)
    again.set(source)
    again.and(seen.source)
    seenTwice.or(again.source)
    seen.or(source)
  }
  seen.andNot(seenTwice.source)
  return seen
}

/** A result being computed: zeroed at first, and changed by one source after another. */
class Bits {
  readonly result: Uint8Array
  readonly #words: Int32Array

  constructor(sizeBytes: number) {
    const buffer = new ArrayBuffer(Math.ceil(sizeBytes / 4) * 4)
    this.result = Buffer.from(buffer, 0, sizeBytes)
    this.#words = new Int32Array(buffer)
  }

  get source(): BitSource {
    return { bytes: this.result, start: 0, end: this.result.length }
  }

  /** For the first source: all is still zeros. */
  set({ bytes, start, end }: BitSource): void {
    this.result.set(bytes.subarray(start, end))
  }

  or(source: BitSource): void {
    const words = this.#words
    const from = sourceWords(source)
    for (let index = 0; index < from.length; index++) words[index] |= from[index]
    this.#tail(source, from, (byte, other) => byte | other)
  }

  xor(source: BitSource): void {
    const words = this.#words
    const from = sourceWords(source)
    for (let index = 0; index < from.length; index++) words[index] ^= from[index]
    this.#tail(source, from, (byte, other) => byte ^ other)
  }

  and(source: BitSource): void {
    const words = this.#words
    const from = sourceWords(source)
    for (let index = 0; index < from.length; index++) words[index] &= from[index]
    this.#tail(source, from, (byte, other) => byte & other)
    this.result.fill(0, source.end - source.start)
  }

  andNot(source: BitSource): void {
    const words = this.#words
    const from = sourceWords(source)
    for (let index = 0; index < from.length; index++) words[index] &= ~from[index]
    this.#tail(source, from, (byte, other) => byte & ~other)
  }

  invert(): void {
    const words = this.#words
    for (let index = 0; index < words.length; index++) words[index] = ~words[index]
  }

  /** The last bytes of a source, which do not fill a word. */
  #tail({ bytes, start, end }: BitSource, done: Int32Array, combine: (byte: number, other: number) => number): void {
    for (let index = done.length * 4; index < end - start; index++) {
      this.result[index] = combine(this.result[index], bytes[start + index])
    }
  }
}

/** The whole words of a source; a copy of them when they lie across word boundaries. */
function sourceWords({ bytes, start, end }: BitSource): Int32Array {
  return isOnWord(bytes, start)
    ? wordsOf(bytes, start, end)
    : wordsOf(new Uint8Array(bytes.subarray(start, end)), 0, end - start)
}

function isOnWord(bytes: Uint8Array, at: number): boolean {
  return (bytes.byteOffset + at) % 4 === 0
}

function wordsOf(bytes: Uint8Array, start: number, end: number): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset + start, Math.floor((end - start) / 4))
}

// ---- Integers in bits ----

export interface BitIntegerType {
  readonly isSigned: boolean
  /** 1 to 64, to 63 when unsigned. */
  readonly bits: number
}

export type OverflowRule = 'wrap' | 'saturate' | 'fail'

/** The integer at a bit offset; what lies behind the string's end reads as zeros. */
export function readBitInteger(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
  { isSigned, bits }: BitIntegerType,
): bigint {
  const { firstByte, byteCount, shift } = windowOf(offset, bits)
  const value = readWindow(bytes, start + firstByte, end, byteCount) >> shift
  return isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}

/** Writes the lower bits of an integer at a bit offset; the string is long enough. */
export function writeBitInteger(
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
  bits: number,
  value: bigint,
): void {
  const { firstByte, byteCount, shift } = windowOf(offset, bits)
  const mask = ((1n << BigInt(bits)) - 1n) << shift
  const at = start + firstByte
  let window = (readWindow(bytes, at, end, byteCount) & ~mask) | (BigInt.asUintN(bits, value) << shift)
  for (let index = byteCount - 1; index >= 0; index--) {
    bytes[at + index] = Number(window & 0xffn)
    window >>= 8n
  }
}

/**
 * What an integer becomes that may be out of its type's range; null when it is, and the rule is to fail.
 */
export function fitBitInteger(value: bigint, { isSigned, bits }: BitIntegerType, rule: OverflowRule): bigint | null {
  const wrapped = isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
  if (wrapped === value || rule === 'wrap') return wrapped
  if (rule === 'fail') return null
  const max = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n
  if (value > max) return max
  return isSigned ? -max - 1n : 0n
}

/** The bytes, up to nine, that an integer touches, and how far it is from the end of the last one. */
function windowOf(offset: number, bits: number): { firstByte: number; byteCount: number; shift: bigint } {
  const firstByte = Math.floor(offset / 8)
  const bitEnd = (offset % 8) + bits
  const byteCount = Math.ceil(bitEnd / 8)
  return { firstByte, byteCount, shift: BigInt(byteCount * 8 - bitEnd) }
}

function readWindow(bytes: Uint8Array, at: number, end: number, byteCount: number): bigint {
  let window = 0n
  for (let index = 0; index < byteCount; index++) {
    window = (window << 8n) | BigInt(at + index < end ? bytes[at + index] : 0)
  }
  return window
}
