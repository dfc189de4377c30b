import { parseInt32, parseUint32, parseUint64 } from './numbers.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const NUL = 0

/** A line that has not ended by now is no command, unless it asks for many keys. */
const LINE_BYTES_MAX = 2048
const LEADING_SPACES_MAX = 100

/** More words than this, the name included, no command but a `get` looks at. */
export const WORDS_MAX = 23

/**
 * One line of the text protocol, cut into words where it lies in the socket's chunk. Made once and used for every line;
 * valid until the next `read`.
 */
export class Line {
  chunk: Uint8Array = NOTHING
  /** Number of words. */
  count = 0
  /** Where the following line, or the data of this one, begins. */
  next = 0
  #places = new Int32Array(64)

  /**
   * Cuts the line at `at`. False when chunk[at, end) has no whole line: then `isTooLong` tells whether to wait for more.
   * O(n) in the line. hot: once for each command.
   */
  read(chunk: Uint8Array, at: number, end: number): boolean {
    this.chunk = chunk
    let places = this.#places
    let count = 0
    let index = at
    for (;;) {
      while (index < end && chunk[index] === SPACE) index++
      if (index === end) return false
      let byte = chunk[index]
      if (byte === LF) break
      if (byte === NUL) {
        index = chunk.indexOf(LF, index)
        if (index < 0 || index >= end) return false
        break
      }
      if (count * 2 + 2 > places.length) places = this.#grow()
      places[count * 2] = index
      do {
        if (++index === end) return false
        byte = chunk[index]
      } while (byte !== SPACE && byte !== LF && byte !== NUL)
      places[count * 2 + 1] = index
      count++
    }
    this.next = index + 1
    // A CR in front of the LF is part of the end, except in a line that has nothing else.
    if (count > 0 && chunk[index - 1] === CR && index - at > 1 && places[count * 2 - 1] === index) {
      places[count * 2 - 1]--
      if (places[count * 2 - 2] === places[count * 2 - 1]) count--
    }
    this.count = count
    return true
  }

  start(index: number): number {
    return this.#places[index * 2]
  }

  end(index: number): number {
    return this.#places[index * 2 + 1]
  }

  size(index: number): number {
    return this.#places[index * 2 + 1] - this.#places[index * 2]
  }

  is(index: number, word: string): boolean {
    const start = this.#places[index * 2]
    if (this.#places[index * 2 + 1] - start !== word.length) return false
    for (let at = 0; at < word.length; at++) {
      if (this.chunk[start + at] !== word.charCodeAt(at)) return false
    }
    return true
  }

  /** A word with a character for each byte. */
  text(index: number): string {
    return Buffer.from(this.chunk.buffer, this.chunk.byteOffset + this.start(index), this.size(index)).toString(
      'latin1',
    )
  }

  int32(index: number): number {
    return parseInt32(this.chunk, this.start(index), this.end(index))
  }

  uint32(index: number): number {
    return parseUint32(this.chunk, this.start(index), this.end(index))
  }

  uint64(index: number): bigint | undefined {
    return parseUint64(this.chunk, this.start(index), this.end(index))
  }

  /** Lets go of the chunk. */
  release(): void {
    this.chunk = NOTHING
  }

  #grow(): Int32Array<ArrayBuffer> {
    const grown = new Int32Array(this.#places.length * 2)
    grown.set(this.#places)
    this.#places = grown
    return grown
  }
}

/** Whether what has come of a line can only be noise: too long already, and no list of keys. */
export function isTooLong(chunk: Uint8Array, at: number, end: number): boolean {
  if (end - at <= LINE_BYTES_MAX) return false
  let start = at
  while (start < end && chunk[start] === SPACE) start++
  if (start - at > LEADING_SPACES_MAX) return true
  const word = Buffer.from(chunk.buffer, chunk.byteOffset + start, Math.min(5, end - start)).toString('latin1')
  return !word.startsWith('get ') && word !== 'gets '
}

const NOTHING = new Uint8Array(0)
