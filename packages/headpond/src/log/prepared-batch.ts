import { isLookedInto } from './batch-validation.ts'
import { compressAside, isSlowlyOpened, isSlowlyPacked } from './codec-thread.ts'
import { codecOf, decompress } from './compression/codec.ts'
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
  /** Its records; null when they are not looked at, or quickly opened. */
  readonly opened: OpenedBody | null
  /** Its records as its topic stores them; null when they stay as they are, or are quickly packed. */
  readonly packed: { readonly codec: Codec; readonly bytes: Uint8Array } | null
}

export const NOT_PREPARED: PreparedBatch = { opened: null, packed: null }

/**
 * Null when there is nothing to prepare, which is nearly always so. What is wrong with the batch is for its validation to
 * tell. The bytes are copied where they are needed for longer than this call. hot: once for each batch of a client.
 */
export function prepareBatch(batch: Uint8Array, settings: LogSettings, nowMs: number): Promise<PreparedBatch> | null {
  if (batch.length < BATCH_HEADER_BYTES || batch.length > settings.maxMessageBytes) return null
  if (magicOf(batch, 0) !== 2 || sizeBytesOf(batch, 0) !== batch.length) return null
  const codec = codecOf(readInt16(batch, ATTRIBUTES_AT))
  if (codec === undefined) return null
  const wanted = newCodecOf(batch, settings.compressionType)
  const sizeBytes = batch.length - BATCH_HEADER_BYTES
  const isPackedSlowly = wanted !== null && isSlowlyPacked(wanted, sizeBytes)
  if (!isPackedSlowly && !(isSlowlyOpened(codec, sizeBytes) && isLookedInto(batch, settings, nowMs))) return null
  return prepare(batch, codec, wanted)
}

async function prepare(batch: Uint8Array, codec: Codec, wanted: Codec | null): Promise<PreparedBatch> {
  const opened = await (openAside(batch, 0) ?? openNow(batch, codec))
  if (wanted === null || opened instanceof CompressionError) return { opened, packed: null }
  return { opened, packed: { codec: wanted, bytes: await compressAside(wanted, opened) } }
}

function openNow(batch: Uint8Array, codec: Codec): OpenedBody {
  try {
    const records = batch.subarray(BATCH_HEADER_BYTES)
    return codec === 'none' ? new Uint8Array(records) : decompress(codec, records)
  } catch (error) {
    if (error instanceof CompressionError) return error
    throw error
  }
}
