/**
 * LZ4's block format: sequences of literals and a match in what was decompressed before, at most 64 KiB back.
 *
 *   token (literal count | match length - 4, four bits each) | more of the count | literals
 *   | offset (little-endian) | more of the length
 *
 * A four-bit number of 15 goes on in bytes that are added, until one is not 255. The last sequence is literals alone.
 */
import { CompressionError } from './compression-error.ts'

const MATCH_BYTES_MIN = 4
/** The last match begins this far before the end at least, and the last bytes are literals: other decoders rely on it. */
const MATCH_START_BEFORE_END = 12
const LITERALS_AT_END = 5

const HASH_BITS = 13
const places = new Int32Array(1 << HASH_BITS)

/** The most that n bytes become. */
export function blockBytesMax(sizeBytes: number): number {
  return sizeBytes + Math.ceil(sizeBytes / 255) + 16
}

/**
 * Compresses source[start, end), at most 64 KiB, into `out` at `at`; returns the position after it. The caller leaves
 * `blockBytesMax` of room. The fast way: one candidate for each four bytes, longer steps where nothing matches.
 */
export function compressBlock(source: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  places.fill(-1)
  const matchStartEnd = end - MATCH_START_BEFORE_END
  const matchEnd = end - LITERALS_AT_END
  let literalsAt = start
  let position = start
  let missCount = 0
  while (position <= matchStartEnd) {
    const slot = Math.imul(word(source, position), 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = places[slot]
    places[slot] = position
    if (candidate < 0 || word(source, candidate) !== word(source, position) || position - candidate > 0xffff) {
      position += 1 + (missCount++ >> 6)
      continue
    }
    missCount = 0
    let matched = position + MATCH_BYTES_MIN
    let from = candidate + MATCH_BYTES_MIN
    while (matched < matchEnd && source[matched] === source[from]) {
      matched++
      from++
    }
    const matchBytes = matched - position - MATCH_BYTES_MIN
    at = writeLiterals(source, literalsAt, position, Math.min(matchBytes, 15), out, at)
    const offset = position - candidate
    out[at++] = offset
    out[at++] = offset >>> 8
    if (matchBytes >= 15) at = writeMore(out, at, matchBytes - 15)
    position = literalsAt = matched
  }
  return writeLiterals(source, literalsAt, end, 0, out, at)
}

/**
 * Decompresses source[start, end) into `out` at `at`; returns the position after it. Matches may reach back to
 * out[floor]. Throws a CompressionError when the block is damaged or `out` is too small.
 */
export function decompressBlock(
  source: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  floor: number,
): number {
  let position = start
  while (position < end) {
    const token = source[position++]
    let literalCount = token >>> 4
    if (literalCount === 15) {
      let more: number
      do {
        if (position >= end) throw damaged()
        literalCount += more = source[position++]
      } while (more === 255)
    }
    if (literalCount > end - position || literalCount > out.length - at) throw damaged()
    for (let index = 0; index < literalCount; index++) out[at++] = source[position++]
    if (position === end) return at

    if (end - position < 2) throw damaged()
    const offset = source[position] | (source[position + 1] << 8)
    position += 2
    let matchBytes = token & 15
    if (matchBytes === 15) {
      let more: number
      do {
        if (position >= end) throw damaged()
        matchBytes += more = source[position++]
      } while (more === 255)
    }
    matchBytes += MATCH_BYTES_MIN
    if (offset === 0 || offset > at - floor || matchBytes > out.length - at) throw damaged()
    // Byte by byte on purpose: a match may overlap what it writes.
    for (let from = at - offset, index = 0; index < matchBytes; index++) out[at++] = out[from++]
  }
  throw damaged()
}

function damaged(): CompressionError {
  return new CompressionError('a damaged block of lz4')
}

function writeLiterals(
  source: Uint8Array,
  start: number,
  end: number,
  matchBits: number,
  out: Uint8Array,
  at: number,
): number {
  const count = end - start
  out[at++] = (Math.min(count, 15) << 4) | matchBits
  if (count >= 15) at = writeMore(out, at, count - 15)
  for (let position = start; position < end; position++) out[at++] = source[position]
  return at
}

function writeMore(out: Uint8Array, at: number, rest: number): number {
  for (; rest >= 255; rest -= 255) out[at++] = 255
  out[at] = rest
  return at + 1
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
}
