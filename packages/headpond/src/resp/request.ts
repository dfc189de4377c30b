import { equalsIgnoreCase } from '../bytes/ascii.ts'
import { parseDouble } from '../bytes/double.ts'
import { decimalLength, parseBigInteger, parseInteger } from '../bytes/integer.ts'
import type { Database } from '../store/database.ts'

/**
 * The arguments of one command, as places in the chunk that they came in: no strings, no copies. The parser fills one
 * Request again and again; a handler that needs an argument after it has returned takes a copy (`bytes`).
 *
 * Argument 0 is the command's name.
 */
export class Request {
  chunk: Uint8Array = EMPTY
  /** start and end of each argument in the chunk. */
  places = new Int32Array(64)
  count = 0

  /** Where argument `index` begins and ends in the chunk. */
  start(index: number): number {
    return this.places[index * 2]
  }

  end(index: number): number {
    return this.places[index * 2 + 1]
  }

  size(index: number): number {
    return this.places[index * 2 + 1] - this.places[index * 2]
  }

  /** The size of the request in RESP, however it came. */
  get wireBytes(): number {
    let bytes = '*\r\n'.length + decimalLength(this.count)
    for (let index = 0; index < this.count; index++) {
      const size = this.size(index)
      bytes += '$\r\n\r\n'.length + decimalLength(size) + size
    }
    return bytes
  }

  /** What `wireBytes` is not above. hot: once for each command. */
  get wireBytesMax(): number {
    return this.places[this.count * 2 - 1] - this.places[0] + (this.count + 1) * HEADER_BYTES_MAX
  }

  /** A copy of an argument. */
  bytes(index: number): Buffer {
    return Buffer.from(this.chunk.subarray(this.start(index), this.end(index)))
  }

  /** An argument without a copy, valid until the handler returns. Allocates a view. */
  view(index: number): Uint8Array {
    return this.chunk.subarray(this.start(index), this.end(index))
  }

  /** An argument as text. Cut at 256 MB, longer than any that is meant as text, where V8 has no longer strings. */
  text(index: number): string {
    const size = Math.min(this.size(index), TEXT_BYTES_MAX)
    return Buffer.from(this.chunk.buffer, this.chunk.byteOffset + this.start(index), size).toString()
  }

  /** An argument as a string of one character for each byte: for the keys of maps. */
  latin1(index: number, sizeMax = LATIN1_BYTES_MAX): string {
    const size = Math.min(this.size(index), sizeMax)
    return Buffer.from(this.chunk.buffer, this.chunk.byteOffset + this.start(index), size).toString('latin1')
  }

  /** An argument as an error quotes it (`errorOfBytes`): a character for each byte, and cut at the first NUL, as in Redis. */
  quoted(index: number, sizeMax = LATIN1_BYTES_MAX): string {
    return this.latin1(index, sizeMax).split('\0', 1)[0]
  }

  /** Whether an argument is this word (given in upper case) in any case. Allocates nothing. */
  is(index: number, upperCaseWord: string): boolean {
    return equalsIgnoreCase(this.chunk, this.start(index), this.end(index), upperCaseWord)
  }

  /**
   * An argument as an integer as Redis reads one, or NaN when it is none. Beyond 2^53 the nearest double: right for
   * ranges, limits and counts, where such numbers only mean "very many". Allocates nothing up to 2^53.
   */
  integer(index: number): number {
    const start = this.start(index)
    const end = this.end(index)
    const value = parseInteger(this.chunk, start, end)
    if (!Number.isNaN(value)) return value
    const big = parseBigInteger(this.chunk, start, end)
    return big === undefined ? Number.NaN : Number(big)
  }

  /** An argument as an exact 64-bit integer, or undefined when it is none. */
  bigInteger(index: number): bigint | undefined {
    return parseBigInteger(this.chunk, this.start(index), this.end(index))
  }

  /** An argument as a double as Redis reads one (inf allowed), or NaN when it is none. */
  double(index: number): number {
    return parseDouble(this.chunk, this.start(index), this.end(index))
  }

  /**
   * Fetches the memory of keys that a loop over arguments comes to next (see KeyPrefetch). Returns the first argument
   * for which it has to be called again.
   */
  prefetchKeys(database: Database, index: number, step: number): number {
    return database.store.prefetch.fetchArguments(database, this.chunk, this.places, index, this.count, step)
  }

  /** Room for so many arguments. */
  reserve(count: number): void {
    if (count * 2 <= this.places.length) return
    const grown = new Int32Array(Math.max(count * 2, this.places.length * 1.5))
    grown.set(this.places)
    this.places = grown
  }

  /** Lets go of the chunk, and of room that only a giant command needs. */
  release(): void {
    this.chunk = EMPTY
    if (this.places.length > PLACES_KEPT_MAX) this.places = new Int32Array(64)
  }

  /** A request of its own, for a command that runs later (MULTI, a blocked client). */
  copy(): Request {
    const copy = new Request()
    const first = this.start(0)
    const last = this.end(this.count - 1)
    copy.chunk = Buffer.from(this.chunk.subarray(first, last))
    copy.places = new Int32Array(this.count * 2)
    for (let index = 0; index < this.count * 2; index++) copy.places[index] = this.places[index] - first
    copy.count = this.count
    return copy
  }

  /** A request made of arguments, for commands that come from no socket. */
  static of(args: readonly (string | Uint8Array)[]): Request {
    const request = new Request()
    request.assign(args)
    return request
  }

  assign(args: readonly (string | Uint8Array)[]): void {
    const parts = args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg))
    this.chunk = Buffer.concat(parts)
    this.reserve(parts.length)
    this.count = parts.length
    let at = 0
    for (let index = 0; index < parts.length; index++) {
      this.places[index * 2] = at
      at += parts[index].length
      this.places[index * 2 + 1] = at
    }
  }

  /** The arguments as copies, for logs. */
  toArray(): Buffer[] {
    return Array.from({ length: this.count }, (_, index) => this.bytes(index))
  }
}

const EMPTY = Buffer.alloc(0)
/** Of what stands before and behind an argument in RESP, and before all of them. */
const HEADER_BYTES_MAX = 16
const PLACES_KEPT_MAX = 2 ** 16
const TEXT_BYTES_MAX = 2 ** 28
/** V8's longest string. */
const LATIN1_BYTES_MAX = 2 ** 29 - 24
