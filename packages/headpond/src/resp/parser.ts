import { isCanonicalInteger, parseInteger } from '../bytes/integer.ts'
import { splitArguments } from '../config/quoting.ts'
import type { Request } from './request.ts'

/**
 * The request side of RESP: `*<count>\r\n$<size>\r\n<bytes>\r\n...`, or a line of words (inline command).
 *
 * `parse` works on the socket's own chunk and records where each argument lies. A request that the chunk cuts is
 * resumed, not scanned again, when the chunk comes back longer: what was found is kept in the client's ParseState,
 * relative to the request's start.
 *
 * Source: the RESP specification; limits and error texts as Redis 7 (networking.c).
 */
export const parsed = {
  /** The chunk ends before the request does. */
  INCOMPLETE: -1,
  /** The stream cannot be understood from here on: `error` says why, and the connection is to be closed. */
  BROKEN: -2,
} as const

export interface ParseLimits {
  /** Size of one argument at most (`proto-max-bulk-len`). */
  bulkBytesMax: number
  /** Before authentication, strangers get only this much. */
  authenticated: boolean
}

/** What is known of a request that is not complete yet. */
export class ParseState {
  /** Arguments expected, 0 when nothing is known yet. */
  count = 0
  /** Arguments complete. */
  done = 0
  /** Where these lie, relative to the request's start. */
  places: Int32Array = NO_PLACES
  /** Where scanning goes on, relative to the request's start. */
  at = 0
  /** Size of the argument being read, -1 while its header is. */
  bulkSize = -1

  reset(): void {
    this.count = 0
    this.places = NO_PLACES
    this.bulkSize = -1
  }

  /** Of a request cut short, what has been understood: all before the argument, or the size, that is not complete. */
  get readBytes(): number {
    return this.count === 0 ? 0 : this.at
  }

  /** Of a request cut short, the arguments that are complete. */
  get argumentBytes(): number {
    let sum = 0
    if (this.count > 0)
      for (let index = 0; index < this.done; index++) sum += this.places[index * 2 + 1] - this.places[index * 2]
    return sum
  }

  /** Bytes that the request will have at least, as far as known: for making room once. */
  get expectedBytes(): number {
    return this.bulkSize < 0 ? 0 : this.at + this.bulkSize + 2
  }
}

const NO_PLACES = new Int32Array(0)
const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const MINUS = 0x2d
const STAR = 0x2a
const DOLLAR = 0x24
const LINE_BYTES_MAX = 65536
const COUNT_MAX = 2 ** 31 - 1
const UNAUTHENTICATED_COUNT_MAX = 10
const UNAUTHENTICATED_BULK_BYTES_MAX = 16384
/** Of cut requests that are complete: so many lists of places are kept for the next ones, none larger than this. */
const SPARE_PLACES_COUNT_MAX = 8
const SPARE_PLACES_LENGTH_MAX = 8192

export class RequestParser {
  /** Why the last `parse` returned BROKEN: a character for each byte, since it may quote what the client sent. */
  error = ''
  /**
   * Requests of some kilobytes are cut more often than not. **(measured)**: a list of places made for each of them is memory
   * outside of V8's heap, which waits for its collector: five million elements in commands of 500 left 14 MB of it.
   */
  readonly #sparePlaces: Int32Array[] = []

  /**
   * Reads one request from chunk[start, end) into `request`. Returns where the next one begins, INCOMPLETE or BROKEN.
   * An empty request (an empty line, `*0`) leaves `request.count` 0.
   * hot: once for each command.
   */
  parse(
    chunk: Uint8Array,
    start: number,
    end: number,
    request: Request,
    state: ParseState,
    limits: ParseLimits,
  ): number {
    let at = start
    let count = 0
    let done = 0
    let bulkSize = -1
    /** What `places` are relative to. */
    let base = 0
    let places: Int32Array
    request.chunk = chunk
    if (state.count === 0) {
      request.count = 0
      if (chunk[at] !== STAR) return this.#parseInline(chunk, start, end, request)
      // The count line. One or two digits are by far the most common.
      const lineEnd = findCarriageReturn(chunk, at + 1, end)
      if (lineEnd < 0 || lineEnd + 2 > end) {
        if (end - at > LINE_BYTES_MAX) return this.#broken('too big mbulk count string')
        return parsed.INCOMPLETE
      }
      count = parseInteger(chunk, at + 1, lineEnd)
      if (!(count <= COUNT_MAX)) {
        if (!isHugeNegative(chunk, at + 1, lineEnd)) return this.#broken('invalid multibulk length')
        count = -1
      }
      if (count > UNAUTHENTICATED_COUNT_MAX && !limits.authenticated) {
        return this.#broken('unauthenticated multibulk length')
      }
      at = lineEnd + 2
      if (count <= 0) return at
      // Memory follows what has arrived, not what a header claims.
      request.reserve(Math.min(count, 1024))
      places = request.places
    } else {
      // What a cut request has so far stays where it is, so that many small chunks cost no more than one large one.
      count = state.count
      done = state.done
      bulkSize = state.bulkSize
      at = start + state.at
      base = start
      places = state.places
    }

    while (done < count) {
      if (bulkSize < 0) {
        if (at >= end) return this.#suspend(request, state, start, at, count, done, bulkSize)
        if (chunk[at] !== DOLLAR) return this.#broken(`expected '$', got '${String.fromCharCode(chunk[at])}'`)
        const lineEnd = findCarriageReturn(chunk, at + 1, end)
        if (lineEnd < 0 || lineEnd + 2 > end) {
          if (end - at > LINE_BYTES_MAX) return this.#broken('too big bulk count string')
          return this.#suspend(request, state, start, at, count, done, bulkSize)
        }
        bulkSize = parseInteger(chunk, at + 1, lineEnd)
        if (!(bulkSize >= 0 && bulkSize <= limits.bulkBytesMax)) return this.#broken('invalid bulk length')
        if (bulkSize > UNAUTHENTICATED_BULK_BYTES_MAX && !limits.authenticated) {
          return this.#broken('unauthenticated bulk length')
        }
        at = lineEnd + 2
      }
      if (end - at < bulkSize + 2) return this.#suspend(request, state, start, at, count, done, bulkSize)
      if (done * 2 + 2 > places.length) places = this.#makeRoom(request, state, done + 1)
      places[done * 2] = at - base
      places[done * 2 + 1] = at + bulkSize - base
      done++
      at += bulkSize + 2
      bulkSize = -1
    }
    request.count = count
    if (state.count !== 0) this.#complete(request, state, start)
    return at
  }

  /** Room for one place more, in the request or, when it was cut, in its state. */
  #makeRoom(request: Request, state: ParseState, count: number): Int32Array {
    if (state.count === 0) {
      request.reserve(count)
      return request.places
    }
    const { places } = state
    const grown = this.#takePlaces(count * 2) ?? new Int32Array(Math.max(16, count * 2, places.length * 1.5))
    grown.set(places)
    this.#leavePlaces(places)
    state.places = grown
    return grown
  }

  /** A spare list with room for so many numbers, or null. */
  #takePlaces(length: number): Int32Array | null {
    const spares = this.#sparePlaces
    for (let index = spares.length - 1; index >= 0; index--) {
      if (spares[index].length >= length) return spares.splice(index, 1)[0]
    }
    return null
  }

  /** What nobody uses any more; the oldest makes room for it. */
  #leavePlaces(places: Int32Array): void {
    if (places.length === 0 || places.length > SPARE_PLACES_LENGTH_MAX) return
    this.#sparePlaces.push(places)
    if (this.#sparePlaces.length > SPARE_PLACES_COUNT_MAX) this.#sparePlaces.shift()
  }

  /** Keeps what was found of a cut request. */
  #suspend(
    request: Request,
    state: ParseState,
    start: number,
    at: number,
    count: number,
    done: number,
    bulkSize: number,
  ): number {
    if (state.count === 0) {
      const places = this.#takePlaces(done * 2) ?? new Int32Array(Math.min(count * 2, Math.max(16, done * 4)))
      for (let index = 0; index < done * 2; index++) places[index] = request.places[index] - start
      state.places = places
    }
    state.count = count
    state.done = done
    state.at = at - start
    state.bulkSize = bulkSize
    request.count = 0
    return parsed.INCOMPLETE
  }

  /** The last piece of a cut request has come: its places, from all pieces, in the chunk that has it whole. */
  #complete(request: Request, state: ParseState, start: number): void {
    const size = request.count * 2
    request.reserve(request.count)
    for (let index = 0; index < size; index++) request.places[index] = state.places[index] + start
    this.#leavePlaces(state.places)
    state.reset()
  }

  #parseInline(chunk: Uint8Array, start: number, end: number, request: Request): number {
    const lineFeed = findLineFeed(chunk, start, end)
    if (lineFeed < 0) {
      if (end - start > LINE_BYTES_MAX) return this.#broken('too big inline request')
      return parsed.INCOMPLETE
    }
    const lineEnd = lineFeed > start && chunk[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed
    if (this.#placeWords(chunk, start, lineEnd, request)) return lineFeed + 1
    const words = splitArguments(chunk.subarray(start, lineEnd))
    if (words === undefined) return this.#broken('unbalanced quotes in request')
    request.assign(words)
    return lineFeed + 1
  }

  /** Records the words of a line where they lie. False, with nothing decided, when quotes or odd bytes stand among them. */
  #placeWords(chunk: Uint8Array, start: number, end: number, request: Request): boolean {
    let count = 0
    let at = start
    while (at < end) {
      while (at < end && chunk[at] === SPACE) at++
      const wordStart = at
      while (at < end && isPlain(chunk[at])) at++
      if (at < end && chunk[at] !== SPACE) return false
      if (at === wordStart) break
      request.reserve(count + 1)
      request.places[count * 2] = wordStart
      request.places[count * 2 + 1] = at
      count++
    }
    request.chunk = chunk
    request.count = count
    return true
  }

  #broken(error: string): number {
    this.error = `Protocol error: ${error}`
    return parsed.BROKEN
  }
}

/** The next CR, or -1. Header lines are a few bytes long: a plain loop beats a native search. */
function findCarriageReturn(chunk: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end, start + LINE_BYTES_MAX + 1)
  for (let at = start; at < limit; at++) {
    if (chunk[at] === CR) return at
  }
  return -1
}

/** Any negative count of 64 bits is an empty request to Redis. */
function isHugeNegative(chunk: Uint8Array, start: number, end: number): boolean {
  return chunk[start] === MINUS && isCanonicalInteger(chunk, start, end)
}

/** A byte that means itself in an inline request. */
function isPlain(byte: number): boolean {
  return byte > SPACE && byte !== DOUBLE_QUOTE && byte !== SINGLE_QUOTE
}

/** The next LF before any NUL, or -1: to Redis a NUL hides the rest of an inline request. */
function findLineFeed(chunk: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    if (chunk[at] === LF) return at
    if (chunk[at] === 0) return -1
  }
  return -1
}
