import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDouble17, formatDoubleShortest, parseDouble } from '#src/bytes/double.ts'

function parse(text: string): number {
  const bytes = Buffer.from(`1${text}1`, 'latin1')
  return parseDouble(bytes, 1, bytes.length - 1)
}

const anyDouble = fc.double({ noNaN: true })

test('what strtod takes is taken', () => {
  const values: [text: string, value: number][] = [
    ['0', 0],
    ['-0', -0],
    ['+1', 1],
    ['1.', 1],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['00012.50', 12.5],
    ['123456789012345', 123456789012345],
    ['0.00000000000001', 1e-14],
    ['1234567890123456789', 1234567890123456800],
    ['1e3', 1000],
    ['1E-3', 0.001],
    ['0e999999999999', 0],
    ['inf', Infinity],
    ['+INF', Infinity],
    ['-Infinity', -Infinity],
    ['0x10', 16],
    ['-0X1.8P-2', -0.375],
    ['0x.8', 0.5],
    ['0x1fffffffffffff8', 2 ** 57 - 8],
    ['0x1.00000000000008', 1], // in the middle: half to even
    ['0x1.000000000000080001', 1 + 2 ** -52],
    ['0x1.00000000000018', 1 + 2 ** -51],
    ['0x1.fffffffffffffp1023', Number.MAX_VALUE],
    ['0x1p-1074', 5e-324],
    ['0x1.1p-1075', 5e-324],
    ['4.9e-324', 5e-324],
    ['3e-324', 5e-324],
  ]
  for (const [text, value] of values) assert.ok(Object.is(parse(text), value), `${text} gave ${parse(text)}`)
})

test('what Redis refuses is NaN', () => {
  const refused =
    ',nan,-nan,nan(1), 1,1 ,1\t,.,-,+,-.,e5,.e5,1e,1e+,1e1.5,1d3,1_0,++1,0x,0x.,0x1p,0x1p+,infinit,inf ,1.2.3,1e400,1e-400'
  const ranges = [
    '0x1p1024',
    '0x1.fffffffffffff8p1023',
    '0x1p-1075',
    '2e-324',
    '1e99999999999999999999',
    '0x1p9999999999',
  ]
  for (const text of [...refused.split(','), ...ranges, '1\0'])
    assert.ok(Number.isNaN(parse(text)), `${text} was taken`)
})

test('%.17g is that of redis-server 7.0.15', () => {
  const forms: [value: number, text: string][] = [
    [3.1, '3.1000000000000001'],
    [0.1, '0.10000000000000001'],
    [-2.5e-7, '-2.4999999999999999e-07'],
    [1e-5, '1.0000000000000001e-05'],
    [0.0001, '0.0001'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [1e22, '1e+22'],
    [12345678901234567000, '1.2345678901234567e+19'],
    [-1234.5678, '-1234.5678'],
    [100, '100'],
    [5e-324, '4.9406564584124654e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [1 + 2 ** -17, '1.0000076293945312'], // in the middle: half to even, here down
    [1 + 3 * 2 ** -17, '1.0000228881835938'], // and here up
    [0, '0'],
    [-0, '-0'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [NaN, 'nan'],
  ]
  for (const [value, text] of forms) assert.equal(formatDouble17(value), text)
})

test('the shortest form is that of Redis 7.2', () => {
  const forms: [value: number, text: string][] = [
    [3.1, '3.1'],
    [0.1, '0.1'],
    [0.30000000000000004, '0.30000000000000004'],
    [-1234.5678, '-1234.5678'],
    [100, '100'],
    [1e17, '100000000000000000'], // integers of 63 bits are printed in full
    [2 ** 61 + 2 ** 10, '2305843009213694976'],
    [2 ** 62, '4611686018427388000'],
    [1e21, '1e+21'],
    [1.5e20, '1.5e+20'],
    [12345678901234567000, '12345678901234567000'],
    [0.0001, '0.0001'],
    [0.000001, '0.000001'],
    [1e-7, '1e-7'],
    [1.25e-7, '1.25e-7'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [0, '0'],
    [-0, '-0'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [NaN, 'nan'],
  ]
  for (const [value, text] of forms) assert.equal(formatDoubleShortest(value), text)
})

test('both forms read back as the same double', () => {
  fc.assert(
    fc.property(fc.oneof(anyDouble, fc.integer(), fc.maxSafeInteger()), (value) => {
      assert.ok(Object.is(parse(formatDouble17(value)), value))
      assert.ok(Object.is(parse(formatDoubleShortest(value)), value))
    }),
    { numRuns: 5000 },
  )
})

test('decimals are read as JavaScript reads them', () => {
  const digits = (lengthMax: number) =>
    fc.array(fc.nat(9), { minLength: 1, maxLength: lengthMax }).map((list) => list.join(''))
  const exponent = fc.oneof(
    fc.constant(''),
    fc.integer({ min: -340, max: 300 }).map((n) => `e${n}`),
  )
  fc.assert(
    fc.property(fc.constantFrom('', '-'), digits(12), digits(22), exponent, (sign, whole, fraction, exponent) => {
      const text = `${sign}${whole}.${fraction}${exponent}`
      const expected = Number(text)
      const underflows = expected === 0 && /[1-9]/.test(whole + fraction)
      assert.ok(Object.is(parse(text), Number.isFinite(expected) && !underflows ? expected : Number.NaN), text)
    }),
    { numRuns: 5000 },
  )
})
