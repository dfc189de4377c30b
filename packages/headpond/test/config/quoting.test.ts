import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { quoteBytes, quoteText, splitArguments } from '#src/config/quoting.ts'

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const split = (line: string) => splitArguments(Buffer.from(line, 'latin1'))?.map(latin1)

test('words are cut at blanks of all kinds', () => {
  assert.deepEqual(split('save 3600  1\t300\r\n'), ['save', '3600', '1', '300'])
  assert.deepEqual(split(''), [])
  assert.deepEqual(split(' \t\v\f '), [])
  assert.deepEqual(split('a\vb'), ['a\vb'], 'a vertical tab stands between words, but does not end one')
})

test('double quotes know the escapes of C, single quotes only themselves', () => {
  assert.deepEqual(split(String.raw`"\x41\x7a\n\r\t\b\a\"\\\q"`), ['Az\n\r\t\b\x07"\\q'])
  assert.deepEqual(split(String.raw`"\x4" "\xzz"`), ['x4', 'xzz'])
  assert.deepEqual(split(String.raw`'it\'s' 'a\n'`), ["it's", 'a\\n'])
  assert.deepEqual(split('"" \'\''), ['', ''])
  assert.deepEqual(split('foo"bar baz"'), ['foobar baz'])
})

test('a quote that is open at the end, or closed inside a word, is refused', () => {
  for (const line of ['"', "'", '"a', "'a", '"a"b', "'a'b", '"a\\"', '"\\', '"a""b"']) {
    assert.equal(split(line), undefined, line)
  }
})

test('a NUL byte ends the line', () => {
  assert.deepEqual(split('a b\0 c'), ['a', 'b'])
  assert.equal(split('"a\0"'), undefined)
})

test('what is quoted is read back to the byte', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (args) => {
      const line = args.map(quoteBytes).join(' ')
      assert.deepEqual(
        splitArguments(Buffer.from(line))?.map((arg) => [...arg]),
        args.map((arg) => [...arg]),
      )
    }),
  )
})

test('quoted texts are printable ASCII, and read back as they were', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const quoted = quoteText(text)
      assert.match(quoted, /^"[\x20-\x7e]*"$/)
      assert.equal(Buffer.from(splitArguments(Buffer.from(quoted))![0]).toString(), text)
    }),
  )
})

test('any bytes are either cut or refused', () => {
  const alphabet = fc.constantFrom(...Buffer.from('ab x4\\"\'\n\t'))
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 30 }), (bytes) => {
      const args = splitArguments(Uint8Array.from(bytes))
      if (args !== undefined) assert.ok(args.length <= bytes.length)
    }),
    { numRuns: 2000 },
  )
})
