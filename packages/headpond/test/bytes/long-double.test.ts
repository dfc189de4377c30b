import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LongDouble } from '#src/bytes/long-double.ts'

function parse(text: string): LongDouble | undefined {
  const bytes = Buffer.from(`1${text}1`, 'latin1')
  return LongDouble.parse(bytes, 1, bytes.length - 1)
}

/** SET key a, INCRBYFLOAT key b. */
function incrementByFloat(a: string, b: string): string {
  return parse(a)!.plus(parse(b)!).toString()
}

test('sums are those of redis-server 7.0.15 on x86-64', () => {
  const sums: [a: string, b: string, sum: string][] = [
    ['3.0', '1.1', '4.1'],
    ['10.5', '0.1', '10.6'],
    ['10.6', '-5', '5.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['0.1', '0.2', '0.3'],
    ['-0.1', '-0.7', '-0.8'],
    ['100', '-100.5', '-0.5'],
    ['187.18', '0', '187.17999999999999999'],
    ['.5', '5.', '5.5'],
    ['1E2', '1e+2', '200'],
    ['0000012', '000.5000', '12.5'],
    ['0x10', '0x.8p1', '17'],
    ['0xAp-1', '1', '6'],
    ['3.14159265358979323846', '2.71828182845904523536', '5.85987448204883847'],
    ['1.00000762939453125', '0', '1.00000762939453125'],
    ['123456789012345678', '0.123456789012345678', '123456789012345678.125'],
    // Seventeen digits after the point, the last one rounded.
    ['1', '0.00000000000000001', '1.00000000000000001'],
    ['0', '1e-17', '0.00000000000000001'],
    ['0', '5e-18', '0'],
    ['0', '0.000000000000000005000001', '0.00000000000000001'],
    ['0', '0.000000000000000015', '0.00000000000000002'],
    ['1e-4000', '1', '1'],
    // Zero has no sign.
    ['-1e-18', '-1e-18', '0'],
    ['-0', '-0', '0'],
    ['1', '-1', '0'],
    // Where 64 bits of mantissa end.
    ['9007199254740993', '1', '9007199254740994'],
    ['18446744073709551615', '1', '18446744073709551616'],
    ['18446744073709551615', '2', '18446744073709551616'],
    ['18446744073709551617', '2', '18446744073709551618'],
    ['36893488147419103231', '0.5', '36893488147419103232'],
    ['1e19', '1e-1', '10000000000000000000'],
    ['1e22', '-1e22', '0'],
    ['1e30', '1', '1000000000000000000024696061952'],
    ['79228162514264337593543950336', '-1', '79228162514264337593543950336'],
    ['1e4932', '-1e4932', '0'],
  ]
  for (const [a, b, sum] of sums) assert.equal(incrementByFloat(a, b), sum, `${a} + ${b}`)
})

test('numbers beyond a double are printed in full', () => {
  const sum = incrementByFloat('1.7976931348623157e308', '1.7976931348623157e308')
  assert.equal(sum.length, 309)
  assert.ok(sum.startsWith('35953862697246313999184209354820886809677289388865'))
})

test('what is no number is refused, and so is what a long double cannot hold', () => {
  const refused = ['', ' 1', '1 ', 'x', 'nan', '-nan', '0x', '1e', '--1', '1e4933', '1e-4960', '1e99999999999999999999']
  for (const text of refused) assert.equal(parse(text), undefined, text)
  assert.equal(parse(`1.${'0'.repeat(5117)}`)!.toString(), '1')
  assert.equal(parse(`1.${'0'.repeat(5118)}`), undefined, 'longer than the buffer of Redis')
  assert.equal(parse('0x1p16383')!.isFinite, true)
  assert.equal(parse('0x1p16384'), undefined)
  assert.equal(parse('0xffffffffffffffffp16320')!.isFinite, true)
  assert.equal(parse('0x1ffffffffffffffffp16319'), undefined, 'rounds up to 2^16384')
  assert.ok(parse('0x1p-16445'))
  assert.equal(parse('0x1p-16446'), undefined, 'half of the smallest number rounds to even, which is 0')
  assert.ok(parse('0x1.8p-16446'))
})

test('infinity is read, and every sum with it is not finite', () => {
  const infinity = parse('+Infinity')!
  assert.equal(infinity.isFinite, false)
  assert.equal(infinity.toString(), 'inf')
  assert.equal(parse('-inf')!.plus(parse('1')!).toString(), '-inf')
  assert.equal(parse('-inf')!.plus(infinity).toString(), 'nan')
  assert.equal(parse('1e4932')!.plus(parse('1.1e4932')!).isFinite, false)
})

test('a sum is off by less than the rounding of its parts and of itself', () => {
  const cents = fc.integer({ min: -99_999_999, max: 99_999_999 })
  const decimal = (n: number) => (n < 0 ? '-' : '') + (Math.abs(n) / 100).toFixed(2)
  /** In units of 10^-17, exactly. */
  const scaled = (text: string) => {
    const [whole, fraction = ''] = text.replace('-', '').split('.')
    return BigInt(whole + fraction.padEnd(17, '0')) * (text.startsWith('-') ? -1n : 1n)
  }
  // Below 2^20 half of the last of 64 bits is 2^-45, and the sum is below 2^21; then the printed form rounds once more.
  const errorMax = 10n ** 17n / 2n ** 43n + 1n
  fc.assert(
    fc.property(cents, cents, (a, b) => {
      const error = scaled(incrementByFloat(decimal(a), decimal(b))) - BigInt(a + b) * 10n ** 15n
      assert.ok(error <= errorMax && error >= -errorMax, `${decimal(a)} + ${decimal(b)}`)
    }),
  )
})

test('integers of up to 64 bits are exact', () => {
  const signed = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n })
  fc.assert(fc.property(signed, signed, (a, b) => assert.equal(incrementByFloat(`${a}`, `${b}`), `${a + b}`)))
})
