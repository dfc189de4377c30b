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
    if (first.count > 1) prefetch.add(database, first.start(1), first.end(1))
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
      if (request.count > 1) prefetch.add(database, request.start(1), request.end(1))
      this.#ends[count] = next
      at = next
      count++
    }
    this.#count = count
    this.#next = 0
    if (count > 0) prefetch.fetch(database)
    else prefetch.end()
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
