/** Compressed bytes that cannot be read: damaged, or larger than allowed. What it says is for people. */
export class CompressionError extends Error {}

/** They would become more than is allowed; nothing says that they are damaged. */
export class TooLargeError extends CompressionError {
  constructor(sizeBytesMax: number) {
    super(`would be larger than ${sizeBytesMax} bytes`)
  }
}
