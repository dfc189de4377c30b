/** Compressed bytes that cannot be read: damaged, or larger than allowed. What it says is for people. */
export class CompressionError extends Error {}

export function tooLarge(sizeBytesMax: number): CompressionError {
  return new CompressionError(`would be larger than ${sizeBytesMax} bytes`)
}
