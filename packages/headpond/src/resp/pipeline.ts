import type { Store } from '../store/store.ts'
import type { Client } from './client.ts'
import { type ParseLimits, ParseState, type RequestParser } from './parser.ts'
import { Request } from './request.ts'

/** As many misses as a core keeps in flight, and some. */
const REQUESTS_MAX = 32

/**
 * Requests that have arrived behind the one that is about to run, parsed ahead so that the memory of their keys can be
 * fetched together (see KeyPrefetch).
 *
 * Only whole and well-formed requests are taken. Where one is cut or broken, and when a command makes the client wait or
 * leave, what was taken is forgotten: the engine parses it again when its turn comes, from where the last command ended.
 */
export class Pipeline {
  readonly #store: Store
  readonly #parser: RequestParser
  readonly #requests = Array.from({ length: REQUESTS_MAX }, () => new Request())
  /** Where each request ends in the chunk. */
  readonly #ends = new Int32Array(REQUESTS_MAX)
  /** Of each request, the place of its key among those that are fetched. */
  readonly #keys = new Int32Array(REQUESTS_MAX)
  #count = 0
  #next = 0
  /** Of no use for what is cut, which is not parsed ahead. */
  readonly #state = new ParseState()

  constructor(store: Store, parser: RequestParser) {
    this.#store = store
    this.#parser = parser
  }

  get isEmpty(): boolean {
    return this.#next === this.#count
  }

  /** Parses what has arrived behind `first`, as far as there is room, and fetches the memory of all their keys. */
  gather(client: Client, first: Request, chunk: Uint8Array, start: number, end: number, limits: ParseLimits): void {
    const { database } = client
    const { prefetch } = this.#store
    prefetch.begin(chunk)
    this.#add(client, first, chunk)
    let at = start
    let count = 0
    while (count < REQUESTS_MAX && at < end) {
      const request = this.#requests[count]
      const next = this.#parser.parse(chunk, at, end, request, this.#state, limits)
      if (next < 0) {
        this.#state.reset()
        break
      }
      this.#keys[count] = prefetch.count
      this.#add(client, request, chunk)
      this.#ends[count] = next
      at = next
      count++
    }
    this.#count = count
    this.#next = 0
    if (count > 0) prefetch.fetch(database)
    else prefetch.end()
  }

  /** hot: once for each command of a pipeline. */
  #add(client: Client, request: Request, chunk: Uint8Array): void {
    if (request.count < 2) return
    const key = firstKeyOf(request, chunk)
    if (key < request.count) this.#store.prefetch.add(client.database, request.start(key), request.end(key))
  }

  /** The request whose turn has come. There must be one. */
  take(): Request {
    const index = this.#next++
    this.#store.prefetch.goTo(this.#keys[index])
    return this.#requests[index]
  }

  /** Where the request taken last ends. */
  get at(): number {
    return this.#ends[this.#next - 1]
  }

  /** Nothing of the chunk is needed any more. */
  end(): void {
    if (this.#count === 0) return
    for (let index = 0; index < this.#count; index++) this.#requests[index].release()
    this.#count = 0
    this.#next = 0
    this.#store.prefetch.end()
  }
}

/** Where a command has its first key, by the beginning of its name alone: nearly always it is the first argument. */
function firstKeyOf(request: Request, chunk: Uint8Array): number {
  const nameAt = request.start(0)
  const first = chunk[nameAt] | LOWER_CASE
  if (first === LETTER_E) return (chunk[nameAt + 1] | LOWER_CASE) === LETTER_V ? FIRST_KEY_OF_SCRIPTS : 1
  if (first === LETTER_F) return (chunk[nameAt + 1] | LOWER_CASE) === LETTER_C ? FIRST_KEY_OF_SCRIPTS : 1
  return 1
}

/** EVAL, EVALSHA, FCALL and their like have what they run, and the number of keys, before the keys. */
const FIRST_KEY_OF_SCRIPTS = 3
const LOWER_CASE = 0x20
const LETTER_C = 0x63
const LETTER_E = 0x65
const LETTER_F = 0x66
const LETTER_V = 0x76
