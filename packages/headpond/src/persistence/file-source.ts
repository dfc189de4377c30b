import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs'
import { promisify } from 'node:util'

const readFile = promisify(read)

/** A file that is read from a byte on to its end. */
export class FileSource {
  readonly path: string
  readonly sizeBytes: number
  readonly #fd: number
  #position: number

  /** Throws when the file cannot be opened. */
  constructor(path: string, fromByte = 0) {
    this.path = path
    this.#fd = openSync(path, 'r')
    this.sizeBytes = fstatSync(this.#fd).size
    this.#position = fromByte
  }

  /** Fills bytes from `at` on as far as it goes. Returns how many bytes there were; 0 at the end. */
  async read(bytes: Uint8Array, at: number): Promise<number> {
    const { bytesRead } = await readFile(this.#fd, bytes, at, bytes.length - at, this.#position)
    this.#position += bytesRead
    return bytesRead
  }

  /** As `read`, before it returns. */
  readNow(bytes: Uint8Array, at: number): number {
    const count = readSync(this.#fd, bytes, at, bytes.length - at, this.#position)
    this.#position += count
    return count
  }

  /** Goes on reading at another byte. */
  seek(toByte: number): void {
    this.#position = toByte
  }

  close(): void {
    closeSync(this.#fd)
  }
}
