/**
 * CRC-16/XMODEM (polynomial 0x1021, not reflected, starts from 0), and the cluster slot of a key, which is made of it.
 */

const POLYNOMIAL = 0x1021
const TABLE = buildTable()

/** Keys of a cluster are spread over this many slots; a power of two. */
export const SLOT_COUNT = 16384

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** The CRC of bytes[start, end), 16 bits. O(n), allocates nothing. */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0
  for (let i = start; i < end; i++) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ bytes[i]]
  return crc
}

/**
 * The cluster slot of the key in bytes[start, end). O(n), allocates nothing.
 *
 * Keys that must live together share a hash tag: if there is a `}` after the first `{` and something in between, only
 * that counts. Source: the Redis Cluster specification.
 *
 * hot: once per key of a command in cluster mode.
 */
export function keySlot(bytes: Uint8Array, start: number, end: number): number {
  for (let open = start; open < end; open++) {
    if (bytes[open] !== OPEN_BRACE) continue
    let close = open + 1
    while (close < end && bytes[close] !== CLOSE_BRACE) close++
    if (close === end || close === open + 1) break
    return crc16(bytes, open + 1, close) & (SLOT_COUNT - 1)
  }
  return crc16(bytes, start, end) & (SLOT_COUNT - 1)
}

function buildTable(): Uint16Array {
  const table = new Uint16Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1
    table[byte] = crc
  }
  return table
}
