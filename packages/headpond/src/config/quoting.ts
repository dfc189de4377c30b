/**
 * The quoting of redis.conf lines and inline commands, byte for byte as Redis's sdssplitargs reads it and sdscatrepr
 * writes it.
 *
 *   plain words      cut at blanks
 *   "in double \x41\n quotes"   \xHH is a byte; \n \r \t \b \a are what they are in C; \ before any other is that one
 *   'in single quotes'          only \' is special
 *
 * A closing quote must be followed by a blank or the end. A NUL byte ends the line, as it ends a C string.
 */

const TAB = 0x09
const SPACE = 0x20
const NEWLINE = 0x0a
const RETURN = 0x0d
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const BACKSLASH = 0x5c
const LETTER_X = 0x78

/** C's isspace: what may stand between arguments. */
function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= RETURN)
}

/** What ends an unquoted argument. Narrower than `isBlank`: form feed and vertical tab do not, as in Redis. */
function endsWord(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === NEWLINE || byte === RETURN
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

function unescaped(byte: number): number {
  switch (byte) {
    case 0x6e:
      return NEWLINE
    case 0x72:
      return RETURN
    case 0x74:
      return TAB
    case 0x62:
      return 0x08
    case 0x61:
      return 0x07
    default:
      return byte
  }
}

/** The arguments of a line, or undefined when its quotes are unbalanced. O(n). */
export function splitArguments(line: Uint8Array): Uint8Array[] | undefined {
  const nulAt = line.indexOf(0)
  const end = nulAt < 0 ? line.length : nulAt
  const args: Uint8Array[] = []
  let at = 0
  for (;;) {
    while (at < end && isBlank(line[at])) at++
    if (at >= end) return args

    const word: number[] = []
    let quote = 0
    for (;;) {
      if (at >= end) {
        if (quote !== 0) return undefined
        break
      }
      const byte = line[at]
      if (quote === 0) {
        if (endsWord(byte)) break
        if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) quote = byte
        else word.push(byte)
        at++
      } else if (byte === quote) {
        if (at + 1 < end && !isBlank(line[at + 1])) return undefined
        at++
        break
      } else if (byte === BACKSLASH && quote === DOUBLE_QUOTE && at + 1 < end) {
        const high = line[at + 1] === LETTER_X && at + 3 < end ? hexDigit(line[at + 2]) : -1
        const low = high >= 0 ? hexDigit(line[at + 3]) : -1
        if (low >= 0) {
          word.push(high * 16 + low)
          at += 4
        } else {
          word.push(unescaped(line[at + 1]))
          at += 2
        }
      } else if (byte === BACKSLASH && quote === SINGLE_QUOTE && at + 1 < end && line[at + 1] === SINGLE_QUOTE) {
        word.push(SINGLE_QUOTE)
        at += 2
      } else {
        word.push(byte)
        at++
      }
    }
    args.push(Uint8Array.from(word))
  }
}

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [BACKSLASH, '\\\\'],
  [DOUBLE_QUOTE, '\\"'],
  [NEWLINE, '\\n'],
  [RETURN, '\\r'],
  [TAB, '\\t'],
  [0x07, '\\a'],
  [0x08, '\\b'],
])

/** One argument in double quotes, in ASCII alone: `splitArguments` gives the same bytes back. O(n). */
export function quoteBytes(bytes: Uint8Array): string {
  let quoted = '"'
  for (const byte of bytes) {
    const escaped = ESCAPES.get(byte)
    if (escaped !== undefined) quoted += escaped
    else if (byte >= 0x20 && byte < 0x7f) quoted += String.fromCharCode(byte)
    else quoted += '\\x' + byte.toString(16).padStart(2, '0')
  }
  return quoted + '"'
}

/** As `quoteBytes`, for a text. */
export function quoteText(text: string): string {
  return quoteBytes(Buffer.from(text))
}
