import { isLookedInto } from './batch-validation.ts'
import { compressAside, isSlowlyPacked } from './codec-thread.ts'
import { codecOf } from './compression/codec.ts'
import { CompressionError } from './compression/compression-error.ts'
import type { LogSettings } from './log-settings.ts'
import { newCodecOf } from './recompression.ts'
import { ATTRIBUTES_AT, BATCH_HEADER_BYTES, type Codec, magicOf, readInt16, sizeBytesOf } from './record-batch.ts'
import { type OpenedBody, openAside } from './records/batch.ts'

/**
 * What of a client's batch takes so long that everybody would feel it: to open it where its topic asks for a look at each
 * record, and to pack it as its topic wants. It is done in another thread, before the batch is appended in one step.
 */
export interface PreparedBatch {
  /** Its records; null when they are not compressed. */
  readonly opened: OpenedBody | null
  /** Its records as its topic stores them; null when they stay as they are, or are quickly packed. */
  readonly packed: { readonly codec: Codec; readonly bytes: Uint8Array } | null
}

export const NOT_PREPARED: PreparedBatch = { opened: null, packed: null }

/**
 * Null when there is nothing to prepare, which is nearly always so; a promise when another thread does it. What is wrong with
 * the batch is for its validation to tell. The bytes are not needed after this call. hot: once for each batch of a client.
 */
export function prepareBatch(
  batch: Uint8Array,
  settings: LogSettings,
  nowMs: number,
): PreparedBatch | Promise<PreparedBatch> | null {
  if (batch.length < BATCH_HEADER_BYTES || batch.length > settings.maxMessageBytes) return null
  if (magicOf(batch, 0) !== 2 || sizeBytesOf(batch, 0) !== batch.length) return null
  const codec = codecOf(readInt16(batch, ATTRIBUTES_AT))
  if (codec === undefined) return null
  const wanted = newCodecOf(batch, settings.compressionType)
  if (codec === 'none') return wanted === null ? null : pack(batch.subarray(BATCH_HEADER_BYTES), wanted, null)
  if (!isLookedInto(batch, settings, nowMs)) return null
  const opened = openAside(batch, 0)
  return opened instanceof Promise ? opened.then((body) => prepareOpened(body, wanted)) : prepareOpened(opened, wanted)
}

function prepareOpened(opened: OpenedBody | null, wanted: Codec | null): PreparedBatch | Promise<PreparedBatch> {
  const isPacked = opened !== null && !(opened instanceof CompressionError) && wanted !== null
  return (isPacked ? pack(opened, wanted, opened) : null) ?? { opened, packed: null }
}

/** Null when it is done quickly where the batch is appended. */
function pack(records: Uint8Array, codec: Codec, opened: Uint8Array | null): Promise<PreparedBatch> | null {
  if (!isSlowlyPacked(codec, records.length)) return null
  return compressAside(codec, records).then((bytes) => ({ opened, packed: { codec, bytes } }))
}
