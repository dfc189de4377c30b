/**
 * The codecs of record batches. One is loaded when it is first
 * used, since most logs need at most one; loading and running are synchronous, because an append is.
 */
import { CODEC_MASK, CODECS, type Codec } from '../record-batch.ts'
import { CompressionError } from './compression-error.ts'
import { gzip } from './gzip.ts'

export interface Compressor {
  /** The bytes in the framing that Kafka's own clients write. */
  compress(bytes: Uint8Array): Uint8Array
  /** Throws a CompressionError when the bytes are damaged, or would become more than `sizeBytesMax`. */
  decompress(bytes: Uint8Array, sizeBytesMax: number): Uint8Array
}

/**
 * What a batch may become at most: far above what producers send (they count bytes before compression), far below what
 * would hurt the process. A kilobyte of a hostile batch could ask for gigabytes.
 */
export const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

const LOADERS: Partial<Record<Codec, () => Compressor>> = {
  gzip: () => gzip,
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
  try {
    return load(codec).decompress(bytes, sizeBytesMax)
  } catch (error) {
    if (error instanceof CompressionError) throw error
    throw new CompressionError(`damaged ${codec} data: ${(error as Error).message}`)
  }
}

function load(name: Exclude<Codec, 'none'>): Compressor {
  let codec = loaded.get(name)
  if (codec === undefined) {
    codec = LOADERS[name]?.()
    if (codec === undefined) throw new CompressionError(`${name} is not known here`)
    loaded.set(name, codec)
  }
  return codec
}
