/**
 * Integers of one to ten bytes, as records have them: zigzag (0, -1, 1, -2 ... become 0, 1, 2, 3 ...), then seven bits
 * in each byte, low ones first, the top bit saying that more follow.
 *
 * `varlong` holds 64 bits; as elsewhere they are numbers here, exact to 2^53.
 */

export const VARLONG_BYTES_MAX = 10

/** How many bytes `writeVarlong` needs for the safe integer `value`. */
export function varlongLength(value: number): number {
  let rest = zigzag(value)
  let length = 1
  while (rest >= 128) {
    rest = Math.floor(rest / 128)
    length++
  }
  return length
}

/** Writes the safe integer `value` at `at`; returns the position after it. Right for `varint` as well. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value)
  // Division only as long as the number does not fit the 32 bits that the operators on bits have.
  while (rest >= 2 ** 31) {
    bytes[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest >= 128) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at] = rest
  return at + 1
}

/** Beyond 2^52 the doubled number is no longer exact, but even, and so is what is read back from it: the nearest. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
