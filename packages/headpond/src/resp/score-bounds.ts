import { parseDouble } from '../bytes/double.ts'
import { readFloatText } from '../bytes/float-text.ts'
import type { Bound } from '../memory/ordered-tree.ts'
import type { Request } from './request.ts'

/** The ends of ranges as commands write them: `(1.5`, `-inf` for scores, `[a`, `(b`, `-`, `+` for members. */

const PARENTHESIS = 0x28
const BRACKET = 0x5b
const PLUS = 0x2b
const MINUS = 0x2d

/** Which end of a range an argument is: it decides on which side of equal elements the bound lies. */
export type RangeEnd = 'least' | 'greatest'

/** Sets a bound to a score argument; false when it is none. */
export function readScoreBound(request: Request, index: number, end: RangeEnd, bound: Bound): boolean {
  if (request.is(index, '-INF') || request.is(index, '+INF') || request.is(index, 'INF')) {
    // The most common bounds, without a string.
    const isLeast = request.is(index, '-INF')
    bound.byScore(isLeast ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY, end === 'greatest')
    return true
  }
  const { chunk } = request
  const isExclusive = request.size(index) > 0 && chunk[request.start(index)] === PARENTHESIS
  const start = request.start(index) + (isExclusive ? 1 : 0)
  const limit = request.end(index)
  let score = parseBoundScore(chunk, start, limit)
  if (Number.isNaN(score)) {
    const nulAt = chunk.indexOf(0, start)
    if (nulAt >= 0 && nulAt < limit) score = parseBoundScore(chunk, start, nulAt)
  }
  if (Number.isNaN(score)) return false
  bound.byScore(score, end === 'least' ? isExclusive : !isExclusive)
  return true
}

/**
 * As C's strtod reads it (up to the first NUL, which is the caller's to look for), and more leniently than scores elsewhere:
 * nothing at all is 0, white space may lead, and what is too large is infinite.
 */
function parseBoundScore(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] === 0x20 || (bytes[at] >= 9 && bytes[at] <= 13))) at++
  if (at === end) return at === start ? 0 : Number.NaN
  const score = parseDouble(bytes, at, end)
  if (!Number.isNaN(score)) return score
  const text = readFloatText(bytes, at, end)
  if (text?.kind !== 'decimal') return Number.NaN
  const magnitude = Number(`${text.digits || '0'}e${text.exponent}`)
  return text.negative ? -magnitude : magnitude
}

/** Sets a bound to a member argument; false when it is none. */
export function readMemberBound(request: Request, index: number, end: RangeEnd, bound: Bound): boolean {
  const { chunk } = request
  const start = request.start(index)
  const size = request.size(index)
  const first = size > 0 ? chunk[start] : 0
  if (size === 1 && first === MINUS) {
    bound.byScore(Number.NEGATIVE_INFINITY, false)
    return true
  }
  if (size === 1 && first === PLUS) {
    bound.byScore(Number.POSITIVE_INFINITY, true)
    return true
  }
  if (first !== PARENTHESIS && first !== BRACKET) return false
  const isExclusive = first === PARENTHESIS
  bound.byMember(chunk, start + 1, request.end(index), end === 'least' ? isExclusive : !isExclusive)
  return true
}
