/**
 * Ziplists: what lists, hashes and sorted sets were packed in before listpacks (up to Redis 6.2). Read only.
 *
 *   | totalBytes u32 | tail u32 | count u16 | entry | ... | 0xff |     little-endian
 *
 *   entry    | size of the entry before: 1 byte, or 0xfe and a u32 | encoding | content |
 *
 *   00xxxxxx                      string of up to 63 bytes
 *   01xxxxxx xxxxxxxx             string of up to 16383 bytes (big-endian)
 *   10000000 + 4 bytes            longer string (big-endian)
 *   11000000, 11010000, 11100000  integer of 16, 32, 64 bits (little-endian)
 *   11110000, 11111110            integer of 24, 8 bits
 *   1111xxxx                      integer xxxx - 1, from 0 to 12
 */

import { RdbError } from './rdb-error.ts'

const TAIL_AT = 4
const HEADER_BYTES = 10
const END = 0xff
const LONG_PREVIOUS = 0xfe

const STRING_32 = 0x80
const INTEGER_16 = 0xc0
const INTEGER_32 = 0xd0
const INTEGER_64 = 0xe0
const INTEGER_24 = 0xf0
const INTEGER_8 = 0xfe

/** The elements of a ziplist as text; strings are views of its bytes. Throws RdbError when it is damaged. O(n). */
export function readZiplist(ziplist: Uint8Array, atByte: number): Uint8Array[] {
  const bytes = Buffer.from(ziplist.buffer, ziplist.byteOffset, ziplist.length)
  const damaged = (): never => {
    throw new RdbError('a ziplist is damaged', atByte)
  }
  if (bytes.length <= HEADER_BYTES || bytes.readUInt32LE(0) !== bytes.length) damaged()
  const end = bytes.length - 1
  if (bytes[end] !== END) damaged()
  const elements: Uint8Array[] = []
  let at = HEADER_BYTES
  /** Steps over `count` bytes, which must lie before the end, and returns where they begin. */
  const take = (count: number): number => {
    if (count > end - at) damaged()
    at += count
    return at - count
  }
  let entryAt = at
  let previousBytes = 0
  while (at < end) {
    entryAt = at
    const short = bytes[take(1)]
    if ((short === LONG_PREVIOUS ? bytes.readUInt32LE(take(4)) : short) !== previousBytes) damaged()
    const marker = bytes[take(1)]
    if (marker < 0x40) {
      const start = take(marker)
      elements.push(bytes.subarray(start, at))
    } else if (marker < 0x80) {
      const start = take(((marker & 0x3f) << 8) | bytes[take(1)])
      elements.push(bytes.subarray(start, at))
    } else if (marker === STRING_32) {
      const start = take(bytes.readUInt32BE(take(4)))
      elements.push(bytes.subarray(start, at))
    } else {
      elements.push(Buffer.from(integerText(bytes, marker, take) ?? damaged()))
    }
    previousBytes = at - entryAt
  }
  if (bytes.readUInt32LE(TAIL_AT) !== entryAt) damaged()
  const noted = bytes.readUInt16LE(8)
  if (noted !== 0xffff && noted !== elements.length) damaged()
  return elements
}

function integerText(bytes: Buffer, marker: number, take: (count: number) => number): string | undefined {
  if (marker === INTEGER_16) return String(bytes.readInt16LE(take(2)))
  if (marker === INTEGER_32) return String(bytes.readInt32LE(take(4)))
  if (marker === INTEGER_64) return String(bytes.readBigInt64LE(take(8)))
  if (marker === INTEGER_24) return String(bytes.readIntLE(take(3), 3))
  if (marker === INTEGER_8) return String(bytes.readInt8(take(1)))
  if (marker > INTEGER_24 && marker < INTEGER_8) return String((marker & 15) - 1)
  return undefined
}
