import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decimalLength,
  fitsInt64,
  INTEGER_LENGTH_MAX,
  isCanonicalInteger,
  parseBigInteger,
  parseInteger,
  parseUnsigned64,
  writeInteger,
} from '#src/bytes/integer.ts'

/** Calls `parse` on the text between digits that it must not read. */
function between<Result>(parse: (bytes: Uint8Array, start: number, end: number) => Result, text: string): Result {
  const bytes = Buffer.from(`1${text}1`, 'latin1')
  return parse(bytes, 1, bytes.length - 1)
}

const notCanonical = [
  '',
  '-',
  '+1',
  ' 1',
  '1 ',
  '01',
  '-01',
  '-0',
  '00',
  '1.0',
  '1e3',
  '0x10',
  '1-',
  '--1',
  ':',
  '/',
  '1:',
]

test('what is not canonical is no integer', () => {
  for (const text of notCanonical) {
    assert.ok(Number.isNaN(between(parseInteger, text)), text)
    assert.equal(between(parseBigInteger, text), undefined, text)
    assert.equal(between(isCanonicalInteger, text), false, text)
  }
})

test('a number ends where JavaScript counts exactly, a big integer at 64 bits', () => {
  const cases: [text: string, number: number, bigint: bigint | undefined][] = [
    ['0', 0, 0n],
    ['-1', -1, -1n],
    ['9007199254740991', Number.MAX_SAFE_INTEGER, 9007199254740991n],
    ['-9007199254740991', Number.MIN_SAFE_INTEGER, -9007199254740991n],
    ['9007199254740992', Number.NaN, 9007199254740992n],
    ['9007199254740993', Number.NaN, 9007199254740993n],
    ['-9007199254740993', Number.NaN, -9007199254740993n],
    ['9999999999999999', Number.NaN, 9999999999999999n],
    ['9223372036854775807', Number.NaN, 9223372036854775807n],
    ['9223372036854775808', Number.NaN, undefined],
    ['-9223372036854775808', Number.NaN, -9223372036854775808n],
    ['-9223372036854775809', Number.NaN, undefined],
    ['18446744073709551615', Number.NaN, undefined],
    ['99999999999999999999999', Number.NaN, undefined],
  ]
  for (const [text, number, bigint] of cases) {
    assert.ok(Object.is(between(parseInteger, text), number), text)
    assert.equal(between(parseBigInteger, text), bigint)
    assert.equal(between(isCanonicalInteger, text), bigint !== undefined)
  }
})

test('64 bits have two ends', () => {
  assert.ok(fitsInt64(2n ** 63n - 1n) && fitsInt64(-(2n ** 63n)))
  assert.ok(!fitsInt64(2n ** 63n) && !fitsInt64(-(2n ** 63n) - 1n))
})

test('an unsigned integer is read as leniently as strtoull reads it', () => {
  const cases: [text: string, value: bigint | undefined][] = [
    ['0', 0n],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['18446744073709551616', undefined],
    ['99999999999999999999', undefined],
    ['007', 7n],
    [`${'0'.repeat(90)}18446744073709551615`, 2n ** 64n - 1n],
    ['+7', 7n],
    [' \t7', 7n],
    ['7 ', undefined],
    ['-7', undefined],
    ['-07', 2n ** 64n - 7n],
    ['-0', 0n],
    ['', undefined],
    [' ', undefined],
    ['+', undefined],
    ['+-7', undefined],
    ['0x7', undefined],
  ]
  for (const [text, value] of cases) assert.equal(between(parseUnsigned64, text), value, JSON.stringify(text))
})

test('what is written is what JavaScript prints, and is read back', () => {
  const edges = [0, -0, 9, 10, 99, 100, 999_999_999, 1e9, 1e9 + 1, 1e15, 1e15 - 1, Number.MAX_SAFE_INTEGER]
  for (let power = 1; power < 1e16; power *= 10) edges.push(power, power - 1, power + 1)
  const safeIntegers = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(...edges, ...edges.map((n) => -n)))
  fc.assert(
    fc.property(safeIntegers, fc.nat(3), (n, at) => {
      const bytes = Buffer.alloc(INTEGER_LENGTH_MAX + 4, 'x')
      const end = writeInteger(bytes, at, n)
      assert.equal(bytes.toString('latin1', at, end), String(n))
      assert.equal(bytes.toString('latin1', 0, at) + bytes.toString('latin1', end), 'x'.repeat(bytes.length - end + at))
      assert.equal(decimalLength(n), end - at)
      assert.ok(parseInteger(bytes, at, end) === n)
      assert.equal(parseBigInteger(bytes, at, end), BigInt(n))
    }),
    { numRuns: 3000 },
  )
})

test('near integers are accepted exactly when BigInt prints them the same', () => {
  const letters = fc.array(fc.constantFrom(...'0123456789-+ .'), { maxLength: 5 }).map((list) => list.join(''))
  const big = fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String)
  fc.assert(
    fc.property(fc.oneof(letters, big), (text) => {
      const canonical = /^(0|-?[1-9][0-9]*)$/.test(text) && fitsInt64(BigInt(text))
      assert.equal(between(isCanonicalInteger, text), canonical)
      assert.equal(between(parseBigInteger, text), canonical ? BigInt(text) : undefined)
      const number = canonical && Number.isSafeInteger(Number(text)) ? Number(text) : Number.NaN
      assert.ok(Object.is(between(parseInteger, text), number))
    }),
    { numRuns: 5000 },
  )
})
