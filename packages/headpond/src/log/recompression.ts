/** For topics with a `compression.type` of their own: the same records with another codec. */
import { codecOf, compress, decompress } from './compression/codec.ts'
import type { LogSettings } from './log-settings.ts'
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  CODEC_MASK,
  CODECS,
  LOG_OVERHEAD_BYTES,
  readInt16,
  stampCrc,
  writeInt32,
} from './record-batch.ts'

/** The batch itself when it is so already. Only the records' bytes change; offsets and times in them stay. */
export function recompress(batch: Uint8Array, type: LogSettings['compressionType']): Uint8Array {
  const wanted = type === 'uncompressed' ? 'none' : type
  const actual = codecOf(readInt16(batch, ATTRIBUTES_AT))
  if (type === 'producer' || actual === undefined || actual === wanted || wanted === 'producer') return batch
  const records = compress(wanted, decompress(actual, batch.subarray(BATCH_HEADER_BYTES)))
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + records.length)
  bytes.set(batch.subarray(0, BATCH_HEADER_BYTES))
  bytes.set(records, BATCH_HEADER_BYTES)
  writeInt32(bytes, BATCH_LENGTH_AT, bytes.length - LOG_OVERHEAD_BYTES)
  bytes[ATTRIBUTES_AT + 1] = (bytes[ATTRIBUTES_AT + 1] & ~CODEC_MASK) | CODECS.indexOf(wanted)
  stampCrc(bytes, 0)
  return bytes
}
