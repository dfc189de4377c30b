/**
 * The codecs of record batches. Libraries are loaded when a codec is first used, since most logs need at most one;
 * loading and running are synchronous, because an append is.
 */
import { CODEC_MASK, CODECS, type Codec } from '../record-batch.ts'
import { CompressionError } from './compression-error.ts'
import { gzip } from './gzip.ts'
import { lz4 } from './lz4.ts'
import { createSnappy } from './snappy.ts'
import { webAssemblyZstd } from './zstd.ts'

export interface Compressor {
  /** The bytes in the framing that Java's clients write. */
  compress(bytes: Uint8Array): Uint8Array
  /** Throws when the bytes are damaged, or would become more than `sizeBytesMax`. */
  decompress(bytes: Uint8Array, sizeBytesMax: number): Uint8Array
}

/**
 * What a batch may become at most: far above what producers send (they count bytes before compression), far below what
 * would hurt the process. A kilobyte of a hostile batch could ask for gigabytes.
 */
export const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

const LOADERS: Record<Exclude<Codec, 'none'>, () => Compressor> = {
  gzip: () => gzip,
  snappy: createSnappy,
  lz4: () => lz4,
  zstd: webAssemblyZstd,
}
const loaded = new Map<Codec, Compressor>()

/** The name of the codec that the attributes of a batch speak of; undefined for a number that nobody has assigned. */
export function codecOf(attributes: number): Codec | undefined {
  return CODECS[attributes & CODEC_MASK]
}

/** A new array; the bytes themselves for `none`. */
export function compress(codec: Codec, bytes: Uint8Array): Uint8Array {
  return codec === 'none' ? bytes : load(codec).compress(bytes)
}

/** A new array; the bytes themselves for `none`. Throws a CompressionError. */
export function decompress(codec: Codec, bytes: Uint8Array, sizeBytesMax = DECOMPRESSED_BYTES_MAX): Uint8Array {
  if (codec === 'none') return bytes
  const compressor = load(codec)
  try {
    return compressor.decompress(bytes, sizeBytesMax)
  } catch (error) {
    if (error instanceof CompressionError) throw error
    throw new CompressionError(`damaged ${codec} data: ${(error as Error).message}`)
  }
}

function load(codec: Exclude<Codec, 'none'>): Compressor {
  let compressor = loaded.get(codec)
  if (compressor === undefined) loaded.set(codec, (compressor = LOADERS[codec]()))
  return compressor
}
