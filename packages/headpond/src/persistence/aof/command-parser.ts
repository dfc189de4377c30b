import { parseInteger } from '../../bytes/integer.ts'

/**
 * The content of an append-only file: commands in RESP one after the other, and annotations, lines that begin with '#'
 * (`#TS:<seconds>`: what follows was written at that time or later).
 */
export const parsedAof = {
  /** The bytes end before the command does. */
  INCOMPLETE: -1,
  /** These are no commands: `problem` says what is wrong, at `problemAt`. */
  BROKEN: -2,
} as const

/** Where the arguments of a command lie: as in a request. */
export interface CommandPlaces {
  chunk: Uint8Array
  places: Int32Array
  count: number
  reserve(count: number): void
}

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const HASH = 0x23
/** The longest line: Redis reads annotations of up to 1024 bytes. */
const LINE_BYTES_MAX = 1024
const BULK_BYTES_MAX = 2 ** 31 - 1

export class CommandParser {
  problem = ''
  problemAt = 0

  /**
   * Reads what begins at `start` of bytes[0, end) into `command`: a command, or an annotation, for which `count` is 0 and
   * the only place is its text. Returns where the next one begins, INCOMPLETE or BROKEN. A cut command is read again from
   * its beginning, which costs a look at each of its headers.
   */
  parse(bytes: Uint8Array, start: number, end: number, command: CommandPlaces): number {
    command.chunk = bytes
    command.count = 0
    if (start >= end) return parsedAof.INCOMPLETE
    if (bytes[start] === HASH) return this.#annotation(bytes, start, end, command)
    if (bytes[start] !== STAR) return this.#broken(start, 'neither a command nor an annotation')
    let lineEnd = endOfLine(bytes, start, end)
    if (lineEnd < 0) return this.#cutLine(start, end)
    const count = parseInteger(bytes, start + 1, lineEnd)
    if (!(count >= 1 && count < 2 ** 29)) return this.#broken(start, 'a command without a number of arguments')
    let at = lineEnd + 2
    for (let index = 0; index < count; index++) {
      if (at >= end) return parsedAof.INCOMPLETE
      if (bytes[at] !== DOLLAR) return this.#broken(at, 'an argument without a size')
      lineEnd = endOfLine(bytes, at, end)
      if (lineEnd < 0) return this.#cutLine(at, end)
      const size = parseInteger(bytes, at + 1, lineEnd)
      if (!(size >= 0 && size <= BULK_BYTES_MAX)) return this.#broken(at, 'an argument without a size')
      at = lineEnd + 2
      if (end - at < size + 2) return parsedAof.INCOMPLETE
      if (bytes[at + size] !== CR || bytes[at + size + 1] !== LF) {
        return this.#broken(at, 'an argument that is not as long as its size says')
      }
      command.reserve(index + 1)
      command.places[index * 2] = at
      command.places[index * 2 + 1] = at + size
      at += size + 2
    }
    command.count = count
    return at
  }

  #annotation(bytes: Uint8Array, start: number, end: number, command: CommandPlaces): number {
    const lineEnd = endOfLine(bytes, start, end)
    if (lineEnd < 0) return this.#cutLine(start, end)
    command.places[0] = start + 1
    command.places[1] = lineEnd
    return lineEnd + 2
  }

  #cutLine(start: number, end: number): number {
    return end - start > LINE_BYTES_MAX ? this.#broken(start, 'a line without an end') : parsedAof.INCOMPLETE
  }

  #broken(at: number, problem: string): number {
    this.problem = problem
    this.problemAt = at
    return parsedAof.BROKEN
  }
}

/** Where the CR of the line is, or -1 when the line is cut or too long. */
function endOfLine(bytes: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end - 1, start + LINE_BYTES_MAX)
  for (let at = start; at < limit; at++) if (bytes[at] === CR && bytes[at + 1] === LF) return at
  return -1
}
