/**
 * The LZ4 frame format, little-endian:
 *
 *   magic 184d2204 | flags | block size | [content size: 8 bytes] | [dictionary id: 4 bytes] | header checksum (1 byte)
 *   | blocks: size (top bit: stored as it is) | bytes | [checksum] ... | 0 | [content checksum]
 *
 * Flags: 6-7 version (1), 5 independent blocks, 4 block checksums, 3 content size, 2 content checksum, 0 dictionary.
 * What is written is what Java's clients write: independent blocks of 64 KiB, no checksums (the batch has its own).
 */
import { GrowingBuffer } from '../../bytes/growing-buffer.ts'
import type { Compressor } from './codec.ts'
import { CompressionError, TooLargeError } from './compression-error.ts'
import { blockBytesMax, compressBlock, decompressBlock } from './lz4-block.ts'
import { xxHash32 } from './xx-hash.ts'

const MAGIC = 0x184d2204
/** Sixteen magics, of frames that are to be skipped. */
const SKIPPABLE_MAGIC = 0x184d2a50
const VERSION_MASK = 0xc0
const VERSION_1 = 0x40
const INDEPENDENT_BIT = 0x20
const BLOCK_CHECKSUM_BIT = 0x10
const CONTENT_SIZE_BIT = 0x08
const CONTENT_CHECKSUM_BIT = 0x04
const DICTIONARY_BIT = 0x01
const STORED_BIT = 0x80000000
const BLOCK_BYTES = 64 * 1024
const BLOCK_SIZE_64_KIB = 4 << 4

export const lz4: Compressor = {
  compress(bytes) {
    const blockCount = Math.ceil(bytes.length / BLOCK_BYTES)
    const out = Buffer.allocUnsafe(blockBytesMax(bytes.length) + 20 * blockCount + 11)
    out.writeUInt32LE(MAGIC, 0)
    out[4] = VERSION_1 | INDEPENDENT_BIT
    out[5] = BLOCK_SIZE_64_KIB
    out[6] = xxHash32(out, 4, 6) >>> 8
    let at = 7
    for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
      const end = Math.min(start + BLOCK_BYTES, bytes.length)
      const blockEnd = compressBlock(bytes, start, end, out, at + 4)
      if (blockEnd - at - 4 < end - start) {
        out.writeUInt32LE(blockEnd - at - 4, at)
        at = blockEnd
      } else {
        out.writeUInt32LE((STORED_BIT | (end - start)) >>> 0, at)
        out.set(bytes.subarray(start, end), at + 4)
        at += 4 + end - start
      }
    }
    out.writeUInt32LE(0, at)
    return out.subarray(0, at + 4)
  },

  decompress: (bytes, sizeBytesMax) => readFrames(bytes, sizeBytesMax, true),
}

/**
 * As in messages of magic 0, whose writers computed the header's checksum over the magic as well: readers do not look
 * at it there.
 */
export function decompressLz4OfMagic0(bytes: Uint8Array, sizeBytesMax: number): Uint8Array {
  return readFrames(bytes, sizeBytesMax, false)
}

function readFrames(bytes: Uint8Array, sizeBytesMax: number, verifiesHeader: boolean): Uint8Array {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const out = new GrowingBuffer(Math.min(Math.max(4 * bytes.length, 1024), sizeBytesMax))
  if (input.length === 0) throw new CompressionError('no frame of lz4')
  for (let at = 0; at < input.length; ) at = readFrame(input, at, out, sizeBytesMax, verifiesHeader)
  return out.bytes.subarray(0, out.length)
}

/** Returns the position after the frame. */
function readFrame(
  input: Buffer,
  start: number,
  out: GrowingBuffer,
  sizeBytesMax: number,
  verifiesHeader: boolean,
): number {
  const magic = uint32(input, start)
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
    const end = start + 8 + uint32(input, start + 4)
    if (end > input.length) throw new CompressionError('a frame of lz4 beyond its end')
    return end
  }
  if (magic !== MAGIC || input.length - start < 7) throw new CompressionError('not a frame of lz4')
  const flags = input[start + 4]
  if ((flags & VERSION_MASK) !== VERSION_1) throw new CompressionError('a frame of lz4 of an unknown version')
  if (flags & DICTIONARY_BIT) throw new CompressionError('a frame of lz4 with a dictionary')
  const blockSizeCode = (input[start + 5] >>> 4) & 7
  if (blockSizeCode < 4) throw new CompressionError('a frame of lz4 with an unknown size of blocks')
  const blockBytesMost = 2 ** (8 + 2 * blockSizeCode)
  const contentSizeBytes = flags & CONTENT_SIZE_BIT ? uint64(input, start + 6) : null
  if (contentSizeBytes !== null && contentSizeBytes > sizeBytesMax - out.length) throw new TooLargeError(sizeBytesMax)
  let at = start + (contentSizeBytes === null ? 6 : 14)
  if (at >= input.length) throw new CompressionError('a frame of lz4 beyond its end')
  if (verifiesHeader && input[at] !== ((xxHash32(input, start + 4, at) >>> 8) & 0xff)) {
    throw new CompressionError('a frame of lz4 whose header is damaged')
  }
  at++

  const contentStart = out.length
  for (;;) {
    const field = uint32(input, at)
    at += 4
    if (field === 0) break
    const sizeBytes = field & ~STORED_BIT
    const end = at + sizeBytes
    if (sizeBytes > blockBytesMost || end > input.length) throw new CompressionError('a block of lz4 beyond its end')
    if (field >= STORED_BIT) out.append(input, at, end)
    else {
      const outAt = out.reserve(blockBytesMost)
      // Blocks that are not independent go on with what was decompressed before.
      const floor = flags & INDEPENDENT_BIT ? outAt : contentStart
      out.length = decompressBlock(input, at, end, out.bytes.subarray(0, outAt + blockBytesMost), outAt, floor)
    }
    if (out.length > sizeBytesMax) throw new TooLargeError(sizeBytesMax)
    at = end
    if (flags & BLOCK_CHECKSUM_BIT) {
      if (uint32(input, at) !== xxHash32(input, end - sizeBytes, end)) {
        throw new CompressionError('a block of lz4 whose checksum is wrong')
      }
      at += 4
    }
  }
  if (flags & CONTENT_CHECKSUM_BIT) {
    if (uint32(input, at) !== xxHash32(out.bytes, contentStart, out.length)) {
      throw new CompressionError('a frame of lz4 whose checksum is wrong')
    }
    at += 4
  }
  if (contentSizeBytes !== null && contentSizeBytes !== out.length - contentStart) {
    throw new CompressionError('a frame of lz4 of another size than it says')
  }
  return at
}

function uint32(input: Buffer, at: number): number {
  if (at + 4 > input.length) throw new CompressionError('a frame of lz4 beyond its end')
  return input.readUInt32LE(at)
}

function uint64(input: Buffer, at: number): number {
  return uint32(input, at) + uint32(input, at + 4) * 2 ** 32
}
