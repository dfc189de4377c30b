/**
 * CRC-32C (Castagnoli), reflected, as record batches carry it. The CRC of "123456789" is e3069283.
 *
 * Eight bytes are taken at once ("slicing by eight"): table k says what a byte does to the CRC when k more bytes follow.
 */
const POLYNOMIAL = 0x82f63b78 | 0
const TABLE_COUNT = 8
/** Table k lies at k * 256. */
const TABLES = new Int32Array(TABLE_COUNT * 256)
buildTables()

/** The CRC of bytes[start, end), unsigned. hot: every byte that is produced goes through here. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1
  let at = start
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24))
    crc =
      TABLES[1792 + (low & 255)] ^
      TABLES[1536 + ((low >>> 8) & 255)] ^
      TABLES[1280 + ((low >>> 16) & 255)] ^
      TABLES[1024 + (low >>> 24)] ^
      TABLES[768 + bytes[at + 4]] ^
      TABLES[512 + bytes[at + 5]] ^
      TABLES[256 + bytes[at + 6]] ^
      TABLES[bytes[at + 7]]
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]) & 255]
  return ~crc >>> 0
}

function buildTables(): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    TABLES[byte] = crc
  }
  for (let at = 256; at < TABLE_COUNT * 256; at++) {
    const before = TABLES[at - 256]
    TABLES[at] = (before >>> 8) ^ TABLES[before & 255]
  }
}
