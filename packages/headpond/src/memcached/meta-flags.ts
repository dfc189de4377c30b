import { decodeBase64 } from './base64.ts'
import type { Items } from './items.ts'
import type { Line } from './line.ts'
import { parseInt32, parseUint32, parseUint64 } from './numbers.ts'
import { line as lineOf } from './text-reply.ts'

/**
 * The flags of a meta command: words of one character and, for some, a value. Made once and used for every command.
 * What they are and how they are refused is memcached's (proto_text.c, _meta_flag_preparse).
 */

const errors = {
  BAD_FORMAT: lineOf('CLIENT_ERROR bad command line format'),
  DUPLICATE: lineOf('CLIENT_ERROR duplicate flag'),
  INVALID: lineOf('CLIENT_ERROR invalid flag'),
  BAD_KEY: lineOf('CLIENT_ERROR error decoding key'),
  BAD_TOKEN: lineOf('CLIENT_ERROR bad token in command line format'),
  BAD_MODE: lineOf('CLIENT_ERROR incorrect length for M token'),
  BAD_INITIAL: lineOf('CLIENT_ERROR invalid numeric initial value'),
  BAD_DELTA: lineOf('CLIENT_ERROR invalid numeric delta value'),
} as const

/** The longest opaque with its `O`. */
const OPAQUE_BYTES_MAX = 32

export class MetaFlags {
  /** The key: in the chunk, or decoded. */
  key: Uint8Array = NOTHING
  keyStart = 0
  keyEnd = 0
  isKeyBinary = false
  /** The next fields are flags, in the order of the letters that set them: v q u I. */
  wantsValue = false
  isQuiet = false
  leavesNoTrace = false
  marksStale = false
  /** When N, T and R let an item expire; undefined where they are missing. */
  vivifyExpireAtMs: number | undefined
  expireAtMs: number | undefined
  recacheAtMs: number | undefined
  clientFlags = 0
  cas: bigint | undefined
  /** The letter of M; '' for none. */
  mode = ''
  initial = 0n
  delta = 1n
  /** In which reading a letter was seen last. */
  readonly #seenIn = new Float64Array(LETTERS_END)
  #reading = 0

  /** Reads the words of a line from `from` on. Returns the error to answer, or null. */
  read(line: Line, from: number, items: Items): Buffer | null {
    this.key = line.chunk
    this.keyStart = line.start(1)
    this.keyEnd = line.end(1)
    this.isKeyBinary = false
    this.wantsValue = false
    this.isQuiet = false
    this.leavesNoTrace = false
    this.marksStale = false
    this.vivifyExpireAtMs = undefined
    this.expireAtMs = undefined
    this.recacheAtMs = undefined
    this.clientFlags = 0
    this.cas = undefined
    this.mode = ''
    this.initial = 0n
    this.delta = 1n

    let error: Buffer | null = null
    const reading = ++this.#reading
    for (let index = from; index < line.count; index++) {
      const letter = line.chunk[line.start(index)]
      if (letter >= LETTERS_END || this.#seenIn[letter] === reading) return errors.DUPLICATE
      this.#seenIn[letter] = reading
      switch (LETTERS[letter]) {
        case 'b': {
          const key = decodeBase64(line.chunk, line.start(1), line.end(1))
          if (key === null) error = errors.BAD_KEY
          this.key = key ?? NOTHING
          this.keyStart = 0
          this.keyEnd = this.key.length
          this.isKeyBinary = true
          break
        }
        case 'N':
          this.vivifyExpireAtMs = momentOf(line, index, items)
          if (this.vivifyExpireAtMs === undefined) error = errors.BAD_TOKEN
          break
        case 'T':
          this.expireAtMs = momentOf(line, index, items)
          if (this.expireAtMs === undefined) error = errors.BAD_TOKEN
          break
        case 'R':
          this.recacheAtMs = momentOf(line, index, items)
          if (this.recacheAtMs === undefined) error = errors.BAD_TOKEN
          break
        case 'F': {
          const flags = uint32Of(line, index)
          if (Number.isNaN(flags)) error ??= errors.BAD_FORMAT
          this.clientFlags = flags
          break
        }
        case 'C':
          this.cas = uint64Of(line, index)
          if (this.cas === undefined) error = errors.BAD_TOKEN
          break
        case 'M':
          if (line.size(index) !== 2) error = errors.BAD_MODE
          else this.mode = line.text(index)[1]
          break
        case 'J':
          this.initial = uint64Of(line, index) ?? 0n
          if (uint64Of(line, index) === undefined) error = errors.BAD_INITIAL
          break
        case 'D':
          this.delta = uint64Of(line, index) ?? 0n
          if (uint64Of(line, index) === undefined) error = errors.BAD_DELTA
          break
        case 'v':
          this.wantsValue = true
          break
        case 'q':
          this.isQuiet = true
          break
        case 'u':
          this.leavesNoTrace = true
          break
        case 'I':
          this.marksStale = true
          break
        case 'l':
        case 'h':
        case 'O':
        case 'P':
        case 'L':
        case 'k':
        case 's':
        case 't':
        case 'c':
        case 'f':
          break
        default:
          return errors.INVALID
      }
    }
    return error
  }

  release(): void {
    this.key = NOTHING
  }
}

/** Whether the opaque of a command, if there is one, is longer than it may be. */
export function hasLongOpaque(line: Line, from: number): boolean {
  for (let index = from; index < line.count; index++) {
    if (line.chunk[line.start(index)] === 0x4f && line.size(index) > OPAQUE_BYTES_MAX) return true
  }
  return false
}

const NOTHING = new Uint8Array(0)
/** Bytes from here on are no letters of flags. */
const LETTERS_END = 127
const LETTERS = Array.from({ length: LETTERS_END }, (_, code) => String.fromCharCode(code))

/** When an item expires, as the number behind a flag's letter says; undefined when it is none. */
function momentOf(line: Line, index: number, items: Items): number | undefined {
  const exptime = int32Of(line, index)
  return Number.isNaN(exptime) ? undefined : items.expireAtMs(exptime)
}

/** The number behind a flag's letter, which C reads up to the end of the line's word. */
function int32Of(line: Line, index: number): number {
  return parseInt32(line.chunk, line.start(index) + 1, line.end(index))
}

function uint32Of(line: Line, index: number): number {
  return parseUint32(line.chunk, line.start(index) + 1, line.end(index))
}

function uint64Of(line: Line, index: number): bigint | undefined {
  return parseUint64(line.chunk, line.start(index) + 1, line.end(index))
}
