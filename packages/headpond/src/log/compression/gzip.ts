import { gunzipSync, gzipSync } from 'node:zlib'
import type { Compressor } from './codec.ts'
import { TooLargeError } from './compression-error.ts'

/** Plain gzip; several members in a row are read as one, as RFC 1952 has it. */
export const gzip: Compressor = {
  compress: (bytes) => gzipSync(bytes),
  decompress(bytes, sizeBytesMax) {
    try {
      return gunzipSync(bytes, { maxOutputLength: sizeBytesMax })
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? new TooLargeError(sizeBytesMax) : error
    }
  },
}
