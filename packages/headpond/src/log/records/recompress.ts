import { codecOf, compress, DECOMPRESSED_BYTES_MAX, decompress } from '../compression/codec.ts'
import {
  ATTRIBUTES_AT,
  attributesOf,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  CODEC_MASK,
  CODECS,
  type Codec,
  LOG_OVERHEAD_BYTES,
  sizeBytesOf,
  stampCrc,
} from '../record-batch.ts'
import { RecordFormatError } from './record.ts'

/**
 * The batch at `at` with its records in another codec: what a topic with a `compression.type` of its own keeps. The header
 * stays but for size, codec and CRC. A view of `bytes` when there is nothing to do. Throws a RecordFormatError or a
 * CompressionError. O(bytes).
 */
export function recompress(bytes: Uint8Array, at: number, codec: Codec): Uint8Array {
  const end = at + sizeBytesOf(bytes, at)
  const attributes = attributesOf(bytes, at)
  const before = codecOf(attributes)
  if (before === undefined) throw new RecordFormatError('a codec that does not exist')
  if (before === codec) return bytes.subarray(at, end)

  const body = decompress(before, bytes.subarray(at + BATCH_HEADER_BYTES, end), DECOMPRESSED_BYTES_MAX)
  const packed = compress(codec, body)
  const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + packed.length)
  batch.set(bytes.subarray(at, at + BATCH_HEADER_BYTES))
  batch.set(packed, BATCH_HEADER_BYTES)
  batch.writeInt32BE(batch.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT)
  batch.writeInt16BE((attributes & ~CODEC_MASK) | CODECS.indexOf(codec), ATTRIBUTES_AT)
  stampCrc(batch, 0)
  return batch
}
