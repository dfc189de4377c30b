/**
 * xxHash32 with the seed 0: the checksum of LZ4 frames. That of nothing is 02cc5d05.
 */

const PRIME_1 = 0x9e3779b1 | 0
const PRIME_2 = 0x85ebca77 | 0
const PRIME_3 = 0xc2b2ae3d | 0
const PRIME_4 = 0x27d4eb2f
const PRIME_5 = 0x165667b1

/** The hash of bytes[start, end), unsigned. O(n), allocates nothing. */
export function xxHash32(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  let hash: number
  if (end - start >= 16) {
    let first = (PRIME_1 + PRIME_2) | 0
    let second = PRIME_2
    let third = 0
    let fourth = -PRIME_1 | 0
    for (; at + 16 <= end; at += 16) {
      first = round(first, word(bytes, at))
      second = round(second, word(bytes, at + 4))
      third = round(third, word(bytes, at + 8))
      fourth = round(fourth, word(bytes, at + 12))
    }
    hash = rotate(first, 1) + rotate(second, 7) + rotate(third, 12) + rotate(fourth, 18)
  } else hash = PRIME_5

  hash = (hash + (end - start)) | 0
  for (; at + 4 <= end; at += 4) hash = Math.imul(rotate((hash + Math.imul(word(bytes, at), PRIME_3)) | 0, 17), PRIME_4)
  for (; at < end; at++) hash = Math.imul(rotate((hash + Math.imul(bytes[at], PRIME_5)) | 0, 11), PRIME_1)

  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(accumulator: number, input: number): number {
  return Math.imul(rotate((accumulator + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1)
}

function rotate(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count))
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
}
