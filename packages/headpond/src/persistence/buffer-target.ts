import type { SnapshotTarget } from './snapshot.ts'

/** A snapshot in memory: for a server without a disk. */
export class BufferTarget implements SnapshotTarget {
  readonly pendingBytes = 0
  readonly hasFailed = false
  readonly chunks: Uint8Array[] = []

  room(sizeBytes: number): Uint8Array {
    return new Uint8Array(sizeBytes)
  }

  write(bytes: Uint8Array): void {
    this.chunks.push(bytes)
  }

  whenWritten(callback: () => void): void {
    setImmediate(callback)
  }

  writeNow(): void {}

  async finish(): Promise<void> {}

  finishNow(): void {}

  discard(): void {
    this.chunks.length = 0
  }

  /** Everything that was written, in one piece. */
  toBytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

/** Bytes in memory, to be read as a file is. */
export class BufferSource {
  readonly #bytes: Uint8Array
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  async read(bytes: Uint8Array, at: number): Promise<number> {
    return this.readNow(bytes, at)
  }

  readNow(bytes: Uint8Array, at: number): number {
    const part = this.#bytes.subarray(this.#position, this.#position + bytes.length - at)
    bytes.set(part, at)
    this.#position += part.length
    return part.length
  }
}
