/**
 * Glob patterns as Redis reads them: KEYS, SCAN MATCH, PSUBSCRIBE, ACL key patterns, CONFIG GET.
 *
 *   *        any run of bytes, the empty one too        ?        any one byte
 *   [abc]    one byte of the class                      [a-z]    a range; [z-a] means the same
 *   [^abc]   one byte outside the class                 \x       x itself, in a class too
 *
 * Damaged patterns have a meaning, because Redis gives them one: a class without its `]` ends with the pattern, `]`
 * may end a range (`[a-]` has no other end), and a backslash that is the last byte stands for itself.
 *
 * Two habits of the original are kept on purpose. An empty text matches an empty pattern only, so `*` does not match
 * it: commands whose pattern is exactly `*` skip the match. And range ends are compared as signed bytes (C's `char` on
 * x86-64): `[a-\xff]` is 0xff and 0x00 to 0x61, not 0x61 to 0xff.
 */

import { toLowerCase } from './ascii.ts'

const STAR = 0x2a
const QUESTION_MARK = 0x3f
const DASH = 0x2d
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const CARET = 0x5e

/**
 * Whether text[textStart, textEnd) as a whole matches pattern[patternStart, patternEnd).
 * O(pattern * text) at worst, usually O(text). Semantics: Redis 7.0's `stringmatchlen`.
 *
 * On a mismatch only the last star seen is retried, one byte further. Earlier stars need no retry: what follows them
 * already matched at the earliest place, and a later place leaves less text for the rest. Redis recurses for each star
 * and cuts the search by the same argument (`skipLongerMatches`); a loop gives the same answers without a stack to
 * overflow.
 *
 * hot: once per key for KEYS and SCAN MATCH, once per pattern for PUBLISH.
 */
export function globMatch(
  pattern: Uint8Array,
  patternStart: number,
  patternEnd: number,
  text: Uint8Array,
  textStart: number,
  textEnd: number,
  ignoreCase: boolean,
): boolean {
  if (textStart === textEnd) return patternStart === patternEnd

  let patternAt = patternStart
  let textAt = textStart
  // Where to resume after a mismatch: the pattern just past the last star, and the text that star has not swallowed.
  let retryPatternAt = -1
  let retryTextAt = 0

  for (;;) {
    let matches = false

    if (patternAt === patternEnd) {
      if (textAt === textEnd) return true
    } else if (textAt === textEnd) {
      while (patternAt < patternEnd && pattern[patternAt] === STAR) patternAt++
      // A longer run for the last star would only leave less text for a pattern that already wants more.
      return patternAt === patternEnd
    } else {
      const byte = text[textAt]
      const symbol = pattern[patternAt]
      if (symbol === STAR) {
        do patternAt++
        while (patternAt < patternEnd && pattern[patternAt] === STAR)
        if (patternAt === patternEnd) return true
        retryPatternAt = patternAt
        retryTextAt = textAt
        continue
      }
      if (symbol === QUESTION_MARK) {
        matches = true
        patternAt++
      } else if (symbol === OPEN_BRACKET) {
        const classEnd = endOfClass(pattern, patternAt, patternEnd)
        matches = classMatches(pattern, patternAt, classEnd, patternEnd, byte, ignoreCase)
        patternAt = classEnd
      } else {
        if (symbol === BACKSLASH && patternAt + 1 < patternEnd) patternAt++
        const wanted = pattern[patternAt]
        matches = wanted === byte || (ignoreCase && toLowerCase(wanted) === toLowerCase(byte))
        patternAt++
      }
    }

    if (matches) {
      textAt++
    } else {
      if (retryPatternAt < 0) return false
      patternAt = retryPatternAt
      textAt = ++retryTextAt
      if (textAt === textEnd) return false // what follows a star here is never empty
    }
  }
}

/** The position just past the class that opens at `classStart`: past its `]`, or the end of the pattern. */
function endOfClass(pattern: Uint8Array, classStart: number, patternEnd: number): number {
  let at = classStart + 1
  if (at < patternEnd && pattern[at] === CARET) at++
  while (at < patternEnd) {
    const symbol = pattern[at]
    if (symbol === BACKSLASH && at + 1 < patternEnd) at += 2
    else if (symbol === CLOSE_BRACKET) return at + 1
    else if (at + 2 < patternEnd && pattern[at + 1] === DASH) at += 3
    else at++
  }
  return patternEnd
}

/** Whether `byte` is matched by the class in pattern[classStart, classEnd). */
function classMatches(
  pattern: Uint8Array,
  classStart: number,
  classEnd: number,
  patternEnd: number,
  byte: number,
  ignoreCase: boolean,
): boolean {
  let at = classStart + 1
  const negated = at < patternEnd && pattern[at] === CARET
  if (negated) at++

  let found = false
  while (at < classEnd) {
    const symbol = pattern[at]
    if (symbol === BACKSLASH && at + 1 < patternEnd) {
      // An escaped byte keeps its case even when case is ignored, as in Redis.
      if (pattern[at + 1] === byte) found = true
      at += 2
    } else if (symbol === CLOSE_BRACKET) {
      break
    } else if (at + 2 < patternEnd && pattern[at + 1] === DASH) {
      if (rangeMatches(symbol, pattern[at + 2], byte, ignoreCase)) found = true
      at += 3
    } else {
      if (symbol === byte || (ignoreCase && toLowerCase(symbol) === toLowerCase(byte))) found = true
      at++
    }
  }
  return found !== negated
}

/** Both ends included, in either order. They change places before the case is folded, as in Redis. */
function rangeMatches(first: number, last: number, byte: number, ignoreCase: boolean): boolean {
  let low = asSigned(first)
  let high = asSigned(last)
  if (low > high) {
    const swapped = low
    low = high
    high = swapped
  }
  let signedByte = asSigned(byte)
  if (ignoreCase) {
    low = toLowerCase(low)
    high = toLowerCase(high)
    signedByte = toLowerCase(signedByte)
  }
  return signedByte >= low && signedByte <= high
}

function asSigned(byte: number): number {
  return (byte << 24) >> 24
}
