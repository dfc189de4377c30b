/** For topics with a `compression.type` of their own: the same records with another codec. */
import { codecOf, compress, decompress } from './compression/codec.ts'
import { CompressionError } from './compression/compression-error.ts'
import type { LogSettings } from './log-settings.ts'
import type { PreparedBatch } from './prepared-batch.ts'
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  CODEC_MASK,
  CODECS,
  type Codec,
  LOG_OVERHEAD_BYTES,
  readInt16,
  stampCrc,
  writeInt32,
} from './record-batch.ts'

/** Whether a batch has another codec than its topic stores. */
export function isRecompressed(batch: Uint8Array, type: LogSettings['compressionType']): boolean {
  return newCodecOf(batch, type) !== null
}

/**
 * The batch itself when it is so already. Only the records' bytes change; offsets and times in them stay. `prepared` is
 * what was done of it before.
 */
export function recompress(
  batch: Uint8Array,
  type: LogSettings['compressionType'],
  prepared: PreparedBatch | null = null,
): Uint8Array {
  const actual = codecOf(readInt16(batch, ATTRIBUTES_AT))
  const wanted = newCodecOf(batch, type)
  if (actual === undefined || wanted === null) return batch
  let records: Uint8Array
  if (prepared?.packed?.codec === wanted) {
    records = prepared.packed.bytes
  } else {
    const opened = prepared?.opened ?? decompress(actual, batch.subarray(BATCH_HEADER_BYTES))
    if (opened instanceof CompressionError) throw opened
    records = compress(wanted, opened)
  }
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + records.length)
  bytes.set(batch.subarray(0, BATCH_HEADER_BYTES))
  bytes.set(records, BATCH_HEADER_BYTES)
  writeInt32(bytes, BATCH_LENGTH_AT, bytes.length - LOG_OVERHEAD_BYTES)
  bytes[ATTRIBUTES_AT + 1] = (bytes[ATTRIBUTES_AT + 1] & ~CODEC_MASK) | CODECS.indexOf(wanted)
  stampCrc(bytes, 0)
  return bytes
}

/** Null when it stays as it is. */
export function newCodecOf(batch: Uint8Array, type: LogSettings['compressionType']): Codec | null {
  if (type === 'producer') return null
  const wanted = type === 'uncompressed' ? 'none' : type
  return codecOf(readInt16(batch, ATTRIBUTES_AT)) === wanted ? null : wanted
}
