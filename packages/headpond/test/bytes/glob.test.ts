import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatch } from '#src/bytes/glob.ts'

/** Latin-1, so that a test can write any byte: 'ÿ' is 0xff. */
function match(pattern: string, text: string, ignoreCase = false): boolean {
  // Both lie inside larger buffers, among bytes that would change the answer if they were read.
  const patternBytes = Buffer.from(`]*${pattern}*]`, 'latin1')
  const textBytes = Buffer.from(`a*${text}a`, 'latin1')
  return globMatch(patternBytes, 2, patternBytes.length - 2, textBytes, 2, textBytes.length - 1, ignoreCase)
}

function check(pattern: string, matching: string[], others: string[], ignoreCase = false): void {
  for (const text of matching) assert.ok(match(pattern, text, ignoreCase), `${pattern} should match ${text}`)
  for (const text of others) assert.ok(!match(pattern, text, ignoreCase), `${pattern} should not match ${text}`)
}

test('letters match themselves, ? any byte, * any run', () => {
  check('hello', ['hello'], ['', 'hell', 'hello!', 'Hello'])
  check('h?llo', ['hello', 'hallo', 'h\0llo', 'hÿllo'], ['hllo', 'heello'])
  check('h*llo', ['hllo', 'heeeello', 'hllollo'], ['ello', 'hllo!'])
  check('*', ['a', 'anything'], [])
  check('a**', ['a', 'ab'], ['b'])
  check('*a*b*c', ['abc', 'xaxbxc', 'abcabc'], ['acb', 'ab', 'abcx'])
  check('*?', ['a', 'ab'], [])
})

test('a class is a choice of bytes, ranges and escapes', () => {
  check('h[ae]llo', ['hello', 'hallo'], ['hillo', 'hllo'])
  check('h[^e]llo', ['hallo', 'hbllo'], ['hello'])
  check('h[a-b]llo', ['hallo', 'hbllo'], ['hcllo'])
  check('h[b-a]llo', ['hallo', 'hbllo'], ['hcllo'])
  check('[^a-z]', ['A', '0'], ['a', 'z'])
  check('[-a]', ['a', '-'], ['b'])
  check('[\\]]', [']'], ['\\', 'a'])
  check('[\\a-c]', ['a', '-', 'c'], ['b', '\\'])
  check('[]', [], ['a', ']'])
  check('[^]', ['a', ']'], [])
  check('[a^]', ['a', '^'], ['b'])
})

test('a damaged pattern has the meaning that Redis gives it', () => {
  check('[abc', ['a', 'c'], ['d', '[abc'])
  check('[', [], ['['])
  check('[^', ['a'], [])
  check('[a-', ['a', '-'], ['b'])
  check('[a-]x', [']', '^', 'a', 'x'], ['-', 'b', 'ax']) // a range from ] to a, and x, unterminated
  check('[a-c', ['b'], ['d'])
  check('[\\', ['\\'], ['a'])
  check('a\\', ['a\\'], ['a'])
  check('\\*', ['*'], ['a', '\\*'])
  check('\\\\', ['\\'], ['\\\\'])
})

test('an empty text matches only an empty pattern', () => {
  check('', [''], ['a'])
  check('*', [], [''])
  check('**', [], [''])
})

test('case is ignored on demand, but not for an escape in a class', () => {
  check('HeLLo', ['hello', 'HELLO'], ['hellp'], true)
  check('[A-C]x', ['ax', 'Bx'], ['dx'], true)
  check('[abc]', ['A', 'b'], ['D'], true)
  check('\\A', ['a', 'A'], [], true)
  check('[\\A]', ['A'], ['a'], true)
  check('[Z-a]', [], ['z', 'a', '^'], true) // folded to z-a after the ends were put in order, hence empty
  check('É', ['É'], ['é'], true)
})

test('range ends are signed bytes', () => {
  check('[a-ÿ]', ['ÿ', '\0', '0', 'a'], ['b', 'z', '\x80'])
  check('[\x80-ÿ]', ['\x80', 'é', 'ÿ'], ['a', '\0'])
})

test('many stars do not blow up', () => {
  assert.equal(match(`${'a*'.repeat(50)}b`, 'a'.repeat(1000)), false)
  assert.equal(match('*a'.repeat(20_000), 'a'.repeat(40_000)), true)
})

test('any pattern gives the answer of a naive matcher', () => {
  const anyOf = (alphabet: string, lengthMax: number) =>
    fc.array(fc.constantFrom(...alphabet), { maxLength: lengthMax }).map((letters) => letters.join(''))
  fc.assert(
    fc.property(anyOf('ab*?[]^-\\cCÿ', 10), anyOf('abcC-]\\ÿ', 7), fc.boolean(), (pattern, text, ignoreCase) => {
      const expected = text === '' ? pattern === '' : naiveMatch(pattern, text, ignoreCase)
      assert.equal(match(pattern, text, ignoreCase), expected)
    }),
    { numRuns: 5000 },
  )
})

/** Tries every length of every star. */
function naiveMatch(pattern: string, text: string, ignoreCase: boolean): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') {
    for (let i = 0; i <= text.length; i++) if (naiveMatch(pattern.slice(1), text.slice(i), ignoreCase)) return true
    return false
  }
  if (text === '') return false
  const [accepts, rest] = readSymbol(pattern, ignoreCase)
  return accepts(text.charCodeAt(0)) && naiveMatch(rest, text.slice(1), ignoreCase)
}

/** The first symbol of a pattern that does not start with a star, and the pattern after it. */
function readSymbol(pattern: string, ignoreCase: boolean): [accepts: (byte: number) => boolean, rest: string] {
  const fold = (byte: number) => (ignoreCase && byte >= 65 && byte <= 90 ? byte + 32 : byte)
  const signed = (byte: number) => (byte > 127 ? byte - 256 : byte)
  const literal = (letter: string) => (byte: number) => fold(byte) === fold(letter.charCodeAt(0))

  if (pattern[0] === '?') return [() => true, pattern.slice(1)]
  if (pattern[0] === '\\' && pattern.length > 1) return [literal(pattern[1]), pattern.slice(2)]
  if (pattern[0] !== '[') return [literal(pattern[0]), pattern.slice(1)]

  let rest = pattern.slice(1)
  const negated = rest.startsWith('^')
  if (negated) rest = rest.slice(1)
  const members: ((byte: number) => boolean)[] = []
  while (rest !== '' && rest[0] !== ']') {
    if (rest[0] === '\\' && rest.length > 1) {
      const escaped = rest.charCodeAt(1)
      members.push((byte) => byte === escaped)
      rest = rest.slice(2)
    } else if (rest[1] === '-' && rest.length > 2) {
      const [low, high] = [signed(rest.charCodeAt(0)), signed(rest.charCodeAt(2))].sort((a, b) => a - b)
      members.push((byte) => fold(signed(byte)) >= fold(low) && fold(signed(byte)) <= fold(high))
      rest = rest.slice(3)
    } else {
      members.push(literal(rest[0]))
      rest = rest.slice(1)
    }
  }
  return [(byte) => members.some((member) => member(byte)) !== negated, rest.slice(1)]
}
