/**
 * LZF, the compression of strings in RDB files: fast, byte by byte, without a header of its own.
 *
 * A compressed text is a row of two kinds of items; the first byte tells which:
 *
 *   000lllll  then l + 1 bytes                a run of literal bytes, 1 to 32
 *   lllooooo  oooooooo                        a match: l + 2 bytes (l from 1 to 6, so 3 to 8) that stand
 *                                             o + 1 bytes back in the output
 *   111ooooo  llllllll  oooooooo              a longer match: l + 9 bytes, 9 to 264
 *
 * A match may overlap what it writes: three bytes back and nine long repeats them three times.
 *
 * The compressor makes the same choices as liblzf with the settings that Redis builds it with, so that a DUMP here and
 * there are normally the same bytes. Any LZF reader can read it; that alone is what correctness asks.
 */

const LITERALS_MAX = 32
const OFFSET_LIMIT = 8192
const MATCH_LENGTH_MAX = 264

const HASH_BITS = 16
const HASH_MASK = (1 << HASH_BITS) - 1

/**
 * Where each hash of three bytes was last seen. Shared by all calls and never cleared in between: positions are stored
 * as `epoch + position`, and each call starts with an epoch past all that earlier calls have stored. So compressing a
 * short string costs no 256 KiB of clearing.
 */
const lastSeen = new Uint32Array(1 << HASH_BITS)
let epoch = 0

/**
 * Compresses input[inputStart, inputEnd) to output[outputStart, outputEnd) and returns the compressed length, or 0 if
 * it does not fit (the caller then stores the text as it is: Redis asks for a gain of at least 4 bytes).
 * O(n), allocates nothing. Needs at least one byte of room.
 */
export function lzfCompress(
  input: Uint8Array,
  inputStart: number,
  inputEnd: number,
  output: Uint8Array,
  outputStart: number,
  outputEnd: number,
): number {
  if (inputEnd <= inputStart || outputEnd <= outputStart) return 0
  if (epoch + (inputEnd - inputStart) >= 0xffffffff) {
    lastSeen.fill(0)
    epoch = 0
  }
  // An entry is stale, or is position 0 (which liblzf never refers to), exactly when it is not above this.
  const base = epoch
  epoch += inputEnd - inputStart
  const toEntry = base - inputStart

  let from = inputStart
  let to = outputStart + 1 // leaves room for the length of the first literal run
  let literalCount = 0
  const lastTriple = inputEnd - 2

  while (from < lastTriple) {
    const slot = hashAt(input, from)
    const entry = lastSeen[slot]
    lastSeen[slot] = from + toEntry
    const match = entry - toEntry
    const offset = from - match - 1
    if (
      entry > base &&
      offset < OFFSET_LIMIT &&
      input[match] === input[from] &&
      input[match + 1] === input[from + 1] &&
      input[match + 2] === input[from + 2]
    ) {
      if (to - (literalCount === 0 ? 1 : 0) + 4 >= outputEnd) return 0
      if (literalCount === 0) to--
      else output[to - literalCount - 1] = literalCount - 1
      literalCount = 0

      const lengthLimit = matchLengthLimit(inputEnd - from)
      let length = 3
      while (length < lengthLimit && input[match + length] === input[from + length]) length++

      const lengthCode = length - 2
      if (lengthCode < 7) {
        output[to++] = (lengthCode << 5) | (offset >>> 8)
      } else {
        output[to++] = (7 << 5) | (offset >>> 8)
        output[to++] = lengthCode - 7
      }
      output[to++] = offset & 0xff
      to++ // the length of the next literal run

      from += length
      if (from >= lastTriple) break
      // Of the bytes that a match covers only the last two places are remembered: a trade of liblzf's, for speed.
      lastSeen[hashAt(input, from - 2)] = from - 2 + toEntry
      lastSeen[hashAt(input, from - 1)] = from - 1 + toEntry
    } else {
      if (to >= outputEnd) return 0
      output[to++] = input[from++]
      if (++literalCount === LITERALS_MAX) {
        output[to - LITERALS_MAX - 1] = LITERALS_MAX - 1
        literalCount = 0
        to++
      }
    }
  }

  if (to + 3 > outputEnd) return 0
  while (from < inputEnd) {
    output[to++] = input[from++]
    if (++literalCount === LITERALS_MAX) {
      output[to - LITERALS_MAX - 1] = LITERALS_MAX - 1
      literalCount = 0
      to++
    }
  }
  if (literalCount === 0) to--
  else output[to - literalCount - 1] = literalCount - 1
  return to - outputStart
}

/** Room in which `lzfCompress` never fails, however little there is to gain. */
export function lzfRoomBytes(inputBytes: number): number {
  return inputBytes + Math.ceil(inputBytes / LITERALS_MAX) + 8
}

/**
 * Decompresses input[inputStart, inputEnd) to output[outputStart, outputEnd) and returns the length written, or -1 if
 * the input is damaged: cut short, referring back past the start of its output, or too long for the room.
 * O(length written), allocates nothing; never reads or writes outside the two ranges.
 */
export function lzfDecompress(
  input: Uint8Array,
  inputStart: number,
  inputEnd: number,
  output: Uint8Array,
  outputStart: number,
  outputEnd: number,
): number {
  let from = inputStart
  let to = outputStart
  while (from < inputEnd) {
    const control = input[from++]
    if (control < LITERALS_MAX) {
      const count = control + 1
      if (from + count > inputEnd || to + count > outputEnd) return -1
      for (let i = 0; i < count; i++) output[to++] = input[from++]
    } else {
      let lengthCode = control >>> 5
      if (lengthCode === 7) {
        if (from >= inputEnd) return -1
        lengthCode += input[from++]
      }
      if (from >= inputEnd) return -1
      let match = to - (((control & 0x1f) << 8) | input[from++]) - 1
      const matchTo = to + lengthCode + 2
      if (match < outputStart || matchTo > outputEnd) return -1
      while (to < matchTo) output[to++] = output[match++]
    }
  }
  return to - outputStart
}

/** No LZF text grows to more than this many times its size: three bytes make at most 264. */
export const LZF_EXPANSION_MAX = MATCH_LENGTH_MAX / 3

/**
 * How long a match may get when `left` bytes of input are left. The last two bytes are usually not taken; the exception
 * comes from liblzf comparing the first 16 bytes unrolled, and is kept for the sake of equal output.
 */
function matchLengthLimit(left: number): number {
  const limit = Math.min(left - 2, MATCH_LENGTH_MAX)
  return Math.max(limit, limit > 16 ? 19 : 3)
}

function hashAt(bytes: Uint8Array, at: number): number {
  const triple = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]
  return ((triple >>> (24 - HASH_BITS)) - triple * 5) & HASH_MASK
}
