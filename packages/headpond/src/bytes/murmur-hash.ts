/**
 * MurmurHash64A: Austin Appleby's 64-bit hash, with the constants that HyperLogLogs and Bloom filters of Redis rely on.
 * The 64 bits are kept as two signed 32-bit halves, because BigInts would allocate at every step.
 */

const MULTIPLIER_LOW = 0x5bd1e995
const MULTIPLIER_HIGH = 0xc6a4a793 | 0
const MULTIPLIER_LOW_0 = MULTIPLIER_LOW & 0xffff
const MULTIPLIER_LOW_1 = MULTIPLIER_LOW >>> 16

export class MurmurHash64 {
  /** The halves of the hash that was computed last, signed. */
  low = 0
  high = 0

  /**
   * Hashes bytes[start, end) into `low` and `high`. O(n), allocates nothing.
   * hot: once for each element of PFADD, twice for each item of BF.ADD.
   */
  hash(bytes: Uint8Array, start: number, end: number, seedLow: number, seedHigh: number): void {
    const size = end - start
    let low = seedLow ^ Math.imul(size, MULTIPLIER_LOW)
    let high = seedHigh ^ highOfProduct(size, 0)
    let at = start
    for (const wordsEnd = end - (size & 7); at < wordsEnd; at += 8) {
      const wordLow = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
      const wordHigh = bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24)
      const mixedHigh = highOfProduct(wordLow, wordHigh)
      // Shifting right by 47 leaves the upper half's upper bits in the lower half.
      const mixedLow = Math.imul(wordLow, MULTIPLIER_LOW) ^ (mixedHigh >>> 15)
      const foldedHigh = high ^ highOfProduct(mixedLow, mixedHigh)
      const foldedLow = low ^ Math.imul(mixedLow, MULTIPLIER_LOW)
      high = highOfProduct(foldedLow, foldedHigh)
      low = Math.imul(foldedLow, MULTIPLIER_LOW)
    }
    if (at < end) {
      for (let index = 0; at < end; index++, at++) {
        if (index < 4) low ^= bytes[at] << (8 * index)
        else high ^= bytes[at] << (8 * index - 32)
      }
      high = highOfProduct(low, high)
      low = Math.imul(low, MULTIPLIER_LOW)
    }
    low ^= high >>> 15
    high = highOfProduct(low, high)
    low = Math.imul(low, MULTIPLIER_LOW)
    this.low = low ^ (high >>> 15)
    this.high = high
  }
}

/** The upper half of the lower 64 bits of (low, high) times the multiplier: long multiplication in 16-bit digits. */
function highOfProduct(low: number, high: number): number {
  const low0 = low & 0xffff
  const low1 = low >>> 16
  const middle = Math.imul(low1, MULTIPLIER_LOW_0) + (Math.imul(low0, MULTIPLIER_LOW_0) >>> 16)
  const carried = Math.imul(low0, MULTIPLIER_LOW_1) + (middle & 0xffff)
  return (
    (Math.imul(low1, MULTIPLIER_LOW_1) +
      (middle >>> 16) +
      (carried >>> 16) +
      Math.imul(low, MULTIPLIER_HIGH) +
      Math.imul(high, MULTIPLIER_LOW)) |
    0
  )
}
