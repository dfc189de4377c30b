import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as intset from '#src/memory/intset.ts'
import { Text } from '#src/memory/text.ts'

/** Where it lies in the array must not matter. */
const AT = 12

function parsed64(value: bigint): intset.Integer64 {
  const parsed = new intset.Integer64()
  const text = Buffer.from(String(value))
  assert.ok(parsed.parse(text, 0, text.length))
  return parsed
}

function contents(u8: Uint8Array): bigint[] {
  const text = new Text()
  return Array.from({ length: intset.count(u8, AT) }, (_, index) => {
    intset.locate(u8, AT, index, text)
    return BigInt(text.copy().toString())
  })
}

/** What Redis would have written. */
function expectedBytes(sorted: readonly bigint[], width: number): Buffer {
  const bytes = Buffer.alloc(8 + sorted.length * width)
  bytes.writeUInt32LE(width, 0)
  bytes.writeUInt32LE(sorted.length, 4)
  sorted.forEach((value, index) => {
    const at = 8 + index * width
    if (width === 8) bytes.writeBigInt64LE(value, at)
    else bytes.writeIntLE(Number(value), at, width)
  })
  return bytes
}

const integer = fc.oneof(
  fc.bigInt({ min: -20n, max: 20n }),
  fc.bigInt({ min: -40_000n, max: 40_000n }),
  fc.bigInt({ min: -(2n ** 33n), max: 2n ** 33n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(
    ...[-(2n ** 63n), 2n ** 63n - 1n, -(2n ** 31n), 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n],
    ...[-32768n, 32767n, -32769n, 32768n, 2n ** 53n, 2n ** 53n - 1n, -(2n ** 53n), -1n, 0n],
  ),
)

test('an intset holds what a Set holds, in order and in the bytes of Redis', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(integer, fc.boolean()), { maxLength: 80 }), (steps) => {
      const u8 = new Uint8Array(2048).fill(0xee)
      const model = new Set<bigint>()
      let width = 2
      intset.initialize(u8, AT)
      for (const [value, isRemoval] of steps) {
        const parsed = parsed64(value)
        const index = intset.search(u8, AT, parsed)
        assert.equal(index >= 0, model.has(value))
        if (isRemoval) {
          if (index >= 0) intset.remove(u8, AT, index)
          model.delete(value)
        } else if (index < 0) {
          width = Math.max(width, parsed.width)
          if (parsed.width > intset.width(u8, AT)) intset.widen(u8, AT, parsed.width)
          intset.insert(u8, AT, -1 - index, parsed)
          model.add(value)
        }
        const sorted = [...model].sort((first, second) => (first < second ? -1 : 1))
        assert.deepEqual(contents(u8), sorted)
        const end = AT + intset.totalBytes(u8, AT)
        assert.deepEqual(Buffer.from(u8.subarray(AT, end)), expectedBytes(sorted, width))
        assert.ok(intset.isValid(u8, AT, end))
      }
    }),
    { numRuns: 300 },
  )
})

test('texts that are no canonical integers of 64 bits are none', () => {
  const parsed = new intset.Integer64()
  for (const text of [
    '',
    '-',
    '01',
    '+1',
    '-0',
    ' 1',
    '1 ',
    '1.0',
    'a',
    '9223372036854775808',
    '-9223372036854775809',
  ]) {
    const bytes = Buffer.from(text)
    assert.ok(!parsed.parse(bytes, 0, bytes.length), text)
  }
})

test('damaged intsets are refused', () => {
  const good = expectedBytes([-5n, 3n, 70_000n], 4)
  assert.ok(intset.isValid(good, 0, good.length))
  assert.ok(!intset.isValid(good, 0, good.length - 1))
  assert.ok(!intset.isValid(good, 0, 7))
  const wrongWidth = Buffer.from(good)
  wrongWidth[0] = 3
  assert.ok(!intset.isValid(wrongWidth, 0, wrongWidth.length))
  const wrongCount = Buffer.from(good)
  wrongCount[4] = 2
  assert.ok(!intset.isValid(wrongCount, 0, wrongCount.length))
  for (const values of [
    [1n, 1n],
    [2n, 1n],
    [5n, -5n],
  ]) {
    for (const width of [2, 4, 8]) {
      const unsorted = expectedBytes(values, width)
      assert.ok(!intset.isValid(unsorted, 0, unsorted.length))
    }
  }
})
