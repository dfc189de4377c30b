const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

/** MurmurHash2 as Kafka's Java client computes it over keys: 32 bits, signed. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    word = Math.imul(word, MULTIPLIER)
    word ^= word >>> 24
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  const rest = length - at
  if (rest > 2) hash ^= bytes[at + 2] << 16
  if (rest > 1) hash ^= bytes[at + 1] << 8
  if (rest > 0) hash = Math.imul(hash ^ bytes[at], MULTIPLIER)
  hash ^= hash >>> 13
  hash = Math.imul(hash, MULTIPLIER)
  return hash ^ (hash >>> 15)
}
