import type { Database } from '../store/database.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const ZERO = 0x30
const LOWER_E = 0x65
const LOWER_G = 0x67
const LOWER_S = 0x73

/** As many misses as a core keeps in flight, and some. */
const REQUESTS_MAX = 32
/** Less than KeyPrefetch has room for: a list of keys may be long. */
const KEYS_MAX = 64
/** Fewer bytes than this are one request. */
const PIPELINE_BYTES_MIN = 64

/**
 * The keys of requests that have arrived behind the one that is about to run, so that their memory is fetched together (see
 * KeyPrefetch). Only a guess: it looks for `get`, `gets` and `set` as clients send them, and stops at all else.
 */
export class Lookahead {
  readonly #database: Database
  /** What lies before this place of the chunk has been looked at. */
  #seenTo = 0
  #isFetching = false
  #keyCount = 0

  constructor(database: Database) {
    this.#database = database
  }

  /** Looks at what has arrived, unless that was done. hot: once for each request. */
  look(chunk: Uint8Array, at: number, end: number): void {
    if (at < this.#seenTo || end - at < PIPELINE_BYTES_MIN) return
    const { prefetch } = this.#database.store
    if (!prefetch.isUseful(this.#database)) return
    prefetch.begin(chunk)
    this.#isFetching = true
    this.#keyCount = 0
    let seenTo = at
    for (let count = 0; count < REQUESTS_MAX && seenTo < end; count++) {
      const next = this.#add(chunk, seenTo, end)
      if (next < 0) break
      seenTo = next
    }
    this.#seenTo = seenTo
    if (this.#keyCount > 1) prefetch.fetch(this.#database)
  }

  /** The chunk is used up, or given back. */
  end(): void {
    this.#seenTo = 0
    if (!this.#isFetching) return
    this.#isFetching = false
    this.#database.store.prefetch.end()
  }

  /** Adds the keys of the request at `at`. Returns where the next one begins; -1 for one that is another, or cut. */
  #add(chunk: Uint8Array, at: number, end: number): number {
    const first = chunk[at]
    if (first === LOWER_G) return this.#addGet(chunk, at, end)
    return first === LOWER_S ? this.#addSet(chunk, at, end) : -1
  }

  /** `get <key>*\r\n` */
  #addGet(chunk: Uint8Array, at: number, end: number): number {
    let start = wordEnd(chunk, at, end)
    // Neither `gat` nor a command of meta: those have other words before their keys.
    if (chunk[at + 1] !== LOWER_E || start - at > 4) return -1
    while (start < end && chunk[start] === SPACE) {
      start++
      const keyEnd = wordEnd(chunk, start, end)
      if (keyEnd > start && this.#keyCount < KEYS_MAX) this.#addKey(start, keyEnd)
      start = keyEnd
    }
    return lineEnd(chunk, start, end)
  }

  /** `set <key> <flags> <exptime> <bytes> [noreply]\r\n<data>\r\n` */
  #addSet(chunk: Uint8Array, at: number, end: number): number {
    const nameEnd = wordEnd(chunk, at, end)
    if (nameEnd - at !== 3) return -1
    const keyEnd = wordEnd(chunk, nameEnd + 1, end)
    const flagsEnd = wordEnd(chunk, keyEnd + 1, end)
    let index = wordEnd(chunk, flagsEnd + 1, end) + 1
    let sizeBytes = 0
    for (; index < end; index++) {
      const digit = chunk[index] - ZERO
      if (!(digit >= 0 && digit <= 9) || sizeBytes > end) break
      sizeBytes = sizeBytes * 10 + digit
    }
    const dataStart = lineEnd(chunk, index, end)
    const next = dataStart + sizeBytes + 2
    if (dataStart < 0 || next > end || this.#keyCount === KEYS_MAX) return -1
    this.#addKey(nameEnd + 1, keyEnd)
    return next
  }

  #addKey(start: number, end: number): void {
    this.#keyCount++
    this.#database.store.prefetch.add(this.#database, start, end)
  }
}

/** The place of the byte that ends the word at `at`. */
function wordEnd(chunk: Uint8Array, at: number, end: number): number {
  let index = at
  while (index < end) {
    const byte = chunk[index]
    if (byte === SPACE || byte === CR || byte === LF) break
    index++
  }
  return index
}

/** Where the line behind the one of `at` begins, or -1. */
function lineEnd(chunk: Uint8Array, at: number, end: number): number {
  let index = at
  while (index < end && chunk[index] !== LF) index++
  return index < end ? index + 1 : -1
}
