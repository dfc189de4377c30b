/**
 * The flags that memcached's clients keep with a string, on disk. Redis has no place for them; so they stand before the key
 * where Redis passes over what it does not know: as a field of an RDB file, as an annotation of an append-only file. Without
 * them, clients that mark compressed or encoded values would give out bytes that mean nothing.
 */

/** The field's name in an RDB file. */
export const CLIENT_FLAGS_FIELD = 'memcached-flags'
const ANNOTATION = 'MEMCACHED-FLAGS:'

/** The annotation before a SET. */
export function clientFlagsAnnotation(flags: number): Buffer {
  return Buffer.from(`#${ANNOTATION}${flags}\r\n`)
}

/** What an annotation without its '#' says; 0 when it speaks of something else. */
export function readClientFlagsAnnotation(text: string): number {
  return text.startsWith(ANNOTATION) ? readClientFlags(text.slice(ANNOTATION.length)) : 0
}

/** Flags are 32 bits; what is none is taken for 0. */
export function readClientFlags(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) >>> 0 : 0
}
