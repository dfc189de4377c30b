import { attributesOf, CODEC_MASK, CODECS, sizeBytesOf } from '../../log/record-batch.ts'

const ZSTD = CODECS.indexOf('zstd')

/** The batches before the first one that is compressed with zstd; the same array when there is none. */
export function cutBeforeZstd(records: readonly Uint8Array[]): readonly Uint8Array[] {
  for (const [index, batches] of records.entries()) {
    for (let at = 0; at < batches.length; at += sizeBytesOf(batches, at)) {
      if ((attributesOf(batches, at) & CODEC_MASK) !== ZSTD) continue
      const before = records.slice(0, index)
      if (at > 0) before.push(batches.subarray(0, at))
      return before
    }
  }
  return records
}
