import { parseInteger, parseUnsigned64, writeInteger } from '../bytes/integer.ts'

/**
 * The id of a stream's entry: two unsigned 64-bit numbers, a time in milliseconds and a sequence within it, in the order
 * of which entries stand. Kept as four words, so that comparing and counting need no BigInt; nearly always both numbers
 * are safe integers, and then reading and writing needs none either.
 */
const WORD = 2 ** 32
const WORD_MAX = WORD - 1
/** Upper words below this make a safe integer. */
const SAFE_HIGH_END = 2 ** 21
const DASH = 0x2d
const STAR = 0x2a

/** The longest id as text. */
export const STREAM_ID_TEXT_MAX = 41
/** Longer texts are no ids to Redis, whatever they are. */
const TEXT_READ_MAX = 127

export class StreamId {
  msHigh = 0
  msLow = 0
  seqHigh = 0
  seqLow = 0

  static min(): StreamId {
    return new StreamId()
  }

  static max(): StreamId {
    return new StreamId().setMax()
  }

  static of(ms: number, seq: number): StreamId {
    return new StreamId().setNumbers(ms, seq)
  }

  copy(): StreamId {
    return new StreamId().set(this)
  }

  set(other: StreamId): this {
    return this.setWords(other.msHigh, other.msLow, other.seqHigh, other.seqLow)
  }

  setWords(msHigh: number, msLow: number, seqHigh: number, seqLow: number): this {
    this.msHigh = msHigh
    this.msLow = msLow
    this.seqHigh = seqHigh
    this.seqLow = seqLow
    return this
  }

  /** For safe integers. */
  setNumbers(ms: number, seq: number): this {
    return this.setWords(Math.floor(ms / WORD), ms >>> 0, Math.floor(seq / WORD), seq >>> 0)
  }

  setMax(): this {
    return this.setWords(WORD_MAX, WORD_MAX, WORD_MAX, WORD_MAX)
  }

  /** The time; beyond 2^53 the nearest double. */
  get ms(): number {
    return this.msHigh * WORD + this.msLow
  }

  get bigMs(): bigint {
    return (BigInt(this.msHigh) << 32n) | BigInt(this.msLow)
  }

  set bigMs(ms: bigint) {
    this.msHigh = Number(ms >> 32n)
    this.msLow = Number(ms & 0xffffffffn)
  }

  get bigSeq(): bigint {
    return (BigInt(this.seqHigh) << 32n) | BigInt(this.seqLow)
  }

  set bigSeq(seq: bigint) {
    this.seqHigh = Number(seq >> 32n)
    this.seqLow = Number(seq & 0xffffffffn)
  }

  get isZero(): boolean {
    return this.msHigh === 0 && this.msLow === 0 && this.seqHigh === 0 && this.seqLow === 0
  }

  get isMax(): boolean {
    return this.hasLastSeq && this.msHigh === WORD_MAX && this.msLow === WORD_MAX
  }

  /** No sequence follows within the same millisecond. */
  get hasLastSeq(): boolean {
    return this.seqHigh === WORD_MAX && this.seqLow === WORD_MAX
  }

  hasMsOf(other: StreamId): boolean {
    return this.msLow === other.msLow && this.msHigh === other.msHigh
  }

  /** Negative, 0 or positive. hot: several times for each entry. */
  compare(other: StreamId): number {
    if (this.msHigh !== other.msHigh) return this.msHigh - other.msHigh
    if (this.msLow !== other.msLow) return this.msLow - other.msLow
    if (this.seqHigh !== other.seqHigh) return this.seqHigh - other.seqHigh
    return this.seqLow - other.seqLow
  }

  /** Becomes the next id; false, staying as it is, when there is none. */
  increment(): boolean {
    if (this.isMax) return false
    if (this.seqLow < WORD_MAX) {
      this.seqLow++
      return true
    }
    this.seqLow = 0
    if (this.seqHigh < WORD_MAX) {
      this.seqHigh++
      return true
    }
    this.seqHigh = 0
    if (this.msLow < WORD_MAX) {
      this.msLow++
      return true
    }
    this.msLow = 0
    this.msHigh++
    return true
  }

  /** Becomes the id before; false, staying as it is, when there is none. */
  decrement(): boolean {
    if (this.isZero) return false
    if (this.seqLow > 0) {
      this.seqLow--
      return true
    }
    this.seqLow = WORD_MAX
    if (this.seqHigh > 0) {
      this.seqHigh--
      return true
    }
    this.seqHigh = WORD_MAX
    if (this.msLow > 0) {
      this.msLow--
      return true
    }
    this.msLow = WORD_MAX
    this.msHigh--
    return true
  }

  /** Becomes `base` with signed differences added to its halves, wrapping around. hot: once for each entry read. */
  setSum(base: StreamId, msDifference: number, seqDifference: number): this {
    const ms = base.ms + msDifference
    const seq = base.seqHigh * WORD + base.seqLow + seqDifference
    if (ms >= 0 && ms <= Number.MAX_SAFE_INTEGER && seq >= 0 && seq <= Number.MAX_SAFE_INTEGER) {
      return this.setNumbers(ms, seq)
    }
    return this.setBigSum(base, BigInt(msDifference), BigInt(seqDifference))
  }

  setBigSum(base: StreamId, msDifference: bigint, seqDifference: bigint): this {
    this.bigMs = BigInt.asUintN(64, base.bigMs + msDifference)
    this.bigSeq = BigInt.asUintN(64, base.bigSeq + seqDifference)
    return this
  }

  // ---- As text ----

  /** Writes `<ms>-<seq>` at `at`, and returns the position behind it. Needs STREAM_ID_TEXT_MAX bytes of room. */
  write(target: Uint8Array, at: number): number {
    let to = writeHalf(target, at, this.msHigh, this.msLow)
    target[to++] = DASH
    return writeHalf(target, to, this.seqHigh, this.seqLow)
  }

  toString(): string {
    return `${this.bigMs}-${this.bigSeq}`
  }

  /**
   * Reads `<ms>-<seq>` or `<ms>`, which stands for `<ms>-<missingSeq>`: 0 or the largest. Returns false when
   * bytes[start, end) is no id.
   */
  parse(bytes: Uint8Array, start: number, end: number, missingSeq: 'first' | 'last'): boolean {
    if (end - start > TEXT_READ_MAX) return false
    let dash = start
    while (dash < end && bytes[dash] !== DASH) dash++
    const ms = parseHalf(bytes, start, dash)
    if (ms === undefined) return false
    if (dash === end) {
      this.#setMs(ms)
      this.seqHigh = missingSeq === 'first' ? 0 : WORD_MAX
      this.seqLow = this.seqHigh
      return true
    }
    const seq = parseHalf(bytes, dash + 1, end)
    if (seq === undefined) return false
    this.#setMs(ms)
    if (typeof seq === 'bigint') this.bigSeq = seq
    else {
      this.seqHigh = Math.floor(seq / WORD)
      this.seqLow = seq >>> 0
    }
    return true
  }

  /** Reads `<ms>-*`, with 0 as the sequence; false when bytes[start, end) is not that. */
  parsePartial(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < 3 || bytes[end - 1] !== STAR || bytes[end - 2] !== DASH) return false
    return this.parse(bytes, start, end - 2, 'first') && !bytes.subarray(start, end - 2).includes(DASH)
  }

  #setMs(ms: number | bigint): void {
    if (typeof ms === 'bigint') this.bigMs = ms
    else {
      this.msHigh = Math.floor(ms / WORD)
      this.msLow = ms >>> 0
    }
  }
}

function parseHalf(bytes: Uint8Array, start: number, end: number): number | bigint | undefined {
  const value = parseInteger(bytes, start, end)
  return value >= 0 ? value : parseUnsigned64(bytes, start, end)
}

function writeHalf(target: Uint8Array, at: number, high: number, low: number): number {
  if (high < SAFE_HIGH_END) return writeInteger(target, at, high * WORD + low)
  const text = String((BigInt(high) << 32n) | BigInt(low))
  for (let index = 0; index < text.length; index++) target[at + index] = text.charCodeAt(index)
  return at + text.length
}
