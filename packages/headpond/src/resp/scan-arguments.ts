import { globMatch } from '../bytes/glob.ts'
import { errors } from './errors.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

/** What SCAN, HSCAN, SSCAN and ZSCAN have in common. */
export interface ScanOptions {
  /** Elements to look at. */
  readonly countHint: number
  /** The bytes of MATCH, or null when everything matches. */
  readonly pattern: Uint8Array | null
  /** The word of TYPE in lower case, or null. */
  readonly typeName: string | null
  /** Fields without their values, members without their scores (NOVALUES, NOSCORES). */
  readonly isBare: boolean
}

const COUNT_DEFAULT = 10
const CURSOR_MAX = 2n ** 64n - 1n

/** The cursor of a request, or NaN when it is none: an error has been written then. */
export function scanCursor(request: Request, reply: Reply, index: number): number {
  // As C's strtoul reads it: up to the first NUL; a sign is taken, and nothing at all is 0.
  const [text] = request.text(index).split('\0', 1)
  const isCursor = /^([+-]?\d+)?$/.test(text) && text.length < 64
  const value = isCursor ? BigInt(text.replace('+', '')) : CURSOR_MAX + 1n
  if (value > CURSOR_MAX || value < -CURSOR_MAX) {
    reply.error(errors.INVALID_CURSOR)
    return Number.NaN
  }
  return Number(BigInt.asUintN(64, value))
}

/**
 * The options from argument `first` on, or null: an error has been written then. TYPE is an option of SCAN alone.
 * @param bareWord the word of the option for half of each pair only, where the command has it
 */
export function scanOptions(
  request: Request,
  reply: Reply,
  first: number,
  takesType: boolean,
  bareWord: string | null = null,
): ScanOptions | null {
  let countHint = COUNT_DEFAULT
  let pattern: Uint8Array | null = null
  let typeName: string | null = null
  let isBare = false
  for (let index = first; index < request.count; index += 2) {
    const hasValue = index + 1 < request.count
    if (hasValue && request.is(index, 'COUNT')) {
      countHint = request.integer(index + 1)
      if (Number.isNaN(countHint)) {
        reply.error(errors.NOT_AN_INTEGER)
        return null
      }
      if (countHint < 1) {
        reply.error(errors.SYNTAX)
        return null
      }
    } else if (hasValue && request.is(index, 'MATCH')) {
      const bytes = request.bytes(index + 1)
      pattern = bytes.length === 1 && bytes[0] === STAR ? null : bytes
    } else if (hasValue && takesType && request.is(index, 'TYPE')) {
      typeName = request.text(index + 1).toLowerCase()
    } else if (bareWord !== null && request.is(index, bareWord)) {
      isBare = true
      index--
    } else {
      reply.error(errors.SYNTAX)
      return null
    }
  }
  return { countHint, pattern, typeName, isBare }
}

/** Whether an element is one that MATCH wants. */
export function scanMatches(options: ScanOptions, bytes: Uint8Array, start: number, end: number): boolean {
  const { pattern } = options
  return pattern === null || globMatch(pattern, 0, pattern.length, bytes, start, end, false)
}

const STAR = 0x2a
