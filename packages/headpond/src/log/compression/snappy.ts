/**
 * Snappy, in the two framings that are in the wild. Java's clients write xerial's: a header, then blocks of at most 32 KiB,
 * each a big-endian size and raw Snappy. librdkafka, Go and the Node clients write one bare block. Every client reads
 * both; xerial's is written, since it bounds the memory that a reader needs.
 */
import { createRequire } from 'node:module'
import type { Compressor } from './codec.ts'
import { CompressionError, TooLargeError } from './compression-error.ts'

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, the version, and the oldest version that can read it. */
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
const XERIAL_BLOCK_BYTES = 32 * 1024

type SnappyLibrary = typeof import('snappyjs')

/** Loads the library. */
export function createSnappy(): Compressor {
  const { compress, uncompress } = createRequire(import.meta.url)('snappyjs') as SnappyLibrary

  function decompressBlock(block: Buffer, roomBytes: number, sizeBytesMax: number): Uint8Array {
    try {
      return uncompress(block, roomBytes)
    } catch (error) {
      throw (error as Error).message.includes('too big') ? new TooLargeError(sizeBytesMax) : error
    }
  }

  return {
    compress(bytes) {
      const parts: Uint8Array[] = [XERIAL_HEADER]
      for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
        const block = compress(bytes.subarray(at, at + XERIAL_BLOCK_BYTES))
        const size = Buffer.alloc(4)
        size.writeInt32BE(block.length)
        parts.push(size, block)
      }
      return Buffer.concat(parts)
    },

    decompress(bytes, sizeBytesMax) {
      const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      if (!input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
        return decompressBlock(input, sizeBytesMax, sizeBytesMax)
      }
      const blocks: Uint8Array[] = []
      let sizeBytes = 0
      for (let at = XERIAL_HEADER.length; at < input.length; ) {
        const blockBytes = at + 4 <= input.length ? input.readInt32BE(at) : -1
        at += 4
        if (blockBytes < 0 || blockBytes > input.length - at) {
          throw new CompressionError('a block of snappy beyond its end')
        }
        const block = decompressBlock(input.subarray(at, at + blockBytes), sizeBytesMax - sizeBytes, sizeBytesMax)
        sizeBytes += block.length
        blocks.push(block)
        at += blockBytes
      }
      return blocks.length === 1 ? blocks[0] : Buffer.concat(blocks, sizeBytes)
    },
  }
}
