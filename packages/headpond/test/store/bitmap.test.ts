import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type BitOperation,
  bitAt,
  combineBits,
  countBits,
  findBit,
  fitBitInteger,
  readBitInteger,
  setBitAt,
  writeBitInteger,
} from '#src/store/bitmap.ts'

// The model is a string of '0' and '1'.

/** A string of bytes somewhere in an array, on a word boundary or not, with other bytes around it. */
const place = fc
  .tuple(
    fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 60, maxLength: 400 }), uniform(400)),
    fc.nat(9),
  )
  .map(([content, start]) => {
    const bytes = new Uint8Array(start + content.length + 9).fill(0x5a)
    bytes.set(content, start)
    return { bytes, start, end: start + content.length, bits: bitsOf(content) }
  })

/** Long runs of one byte, with an exception perhaps: what searching skips. */
function uniform(sizeMax: number): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.nat(sizeMax), fc.constantFrom(0, 255), fc.nat(sizeMax), fc.nat(255))
    .map(([size, byte, at, other]) => {
      const bytes = new Uint8Array(size).fill(byte)
      if (at < size) bytes[at] = other
      return bytes
    })
}

function bitsOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
}

function bytesOf(bits: string): Uint8Array {
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
}

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

test('bits are counted and found in any range', () => {
  fc.assert(
    fc.property(place, share, share, ({ bytes, start, end, bits }, firstShare, secondShare) => {
      if (start === end) return
      const places = [Math.floor(firstShare * bits.length), Math.floor(secondShare * bits.length)]
      const first = Math.min(...places)
      const last = Math.max(...places)
      const range = bits.slice(first, last + 1)
      assert.equal(countBits(bytes, start, first, last), range.split('1').length - 1)
      for (const value of [0, 1]) {
        const found = range.indexOf(String(value))
        assert.equal(findBit(bytes, start, first, last, value), found === -1 ? -1 : first + found)
      }
    }),
    { numRuns: 1000 },
  )
})

test('single bits are read and written', () => {
  fc.assert(
    fc.property(place, fc.nat(4000), fc.nat(1), ({ bytes, start, end, bits }, bit, value) => {
      assert.equal(bitAt(bytes, start, end, bit), Number(bits[bit] ?? '0'))
      if (bit >= bits.length) return
      assert.equal(setBitAt(bytes, start, bit, value), Number(bits[bit]))
      assert.equal(bitsOf(bytes.subarray(start, end)), bits.slice(0, bit) + value + bits.slice(bit + 1))
    }),
  )
})

/** Whether the result has a bit, given how many of the others have it and whether the first does. */
const rules: Record<BitOperation, (isInFirst: boolean, otherCount: number, sourceCount: number) => boolean> = {
  and: (isInFirst, otherCount, sourceCount) => isInFirst && otherCount === sourceCount - 1,
  or: (isInFirst, otherCount) => isInFirst || otherCount > 0,
  xor: (isInFirst, otherCount) => (Number(isInFirst) + otherCount) % 2 === 1,
  not: (isInFirst) => !isInFirst,
  diff: (isInFirst, otherCount) => isInFirst && otherCount === 0,
  diff1: (isInFirst, otherCount) => !isInFirst && otherCount > 0,
  andor: (isInFirst, otherCount) => isInFirst && otherCount > 0,
  one: (isInFirst, otherCount) => Number(isInFirst) + otherCount === 1,
}

for (const operation of Object.keys(rules) as BitOperation[]) {
  test(`strings of any length and place are combined: ${operation}`, () => {
    const countMax = operation === 'not' ? 1 : 4
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: countMax }), (sources) => {
        const length = Math.max(...sources.map(({ bits }) => bits.length))
        const [first, ...others] = sources.map(({ bits }) => bits.padEnd(length, '0'))
        let wanted = ''
        for (let bit = 0; bit < length; bit++) {
          const otherCount = others.filter((bits) => bits[bit] === '1').length
          wanted += rules[operation](first[bit] === '1', otherCount, sources.length) ? '1' : '0'
        }
        assert.deepEqual(Buffer.from(combineBits(operation, sources)), Buffer.from(bytesOf(wanted)))
      }),
    )
  })
}

const integerType = fc.oneof(
  fc.record({ isSigned: fc.constant(true), bits: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ isSigned: fc.constant(false), bits: fc.integer({ min: 1, max: 63 }) }),
)

test('integers of any width are read and written at any bit', () => {
  fc.assert(
    fc.property(
      place,
      integerType,
      fc.nat(700),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      ({ bytes, start, end, bits }, type, offset, value) => {
        const stored = BigInt(`0b${bits.slice(offset, offset + type.bits).padEnd(type.bits, '0')}`)
        const wanted = type.isSigned ? BigInt.asIntN(type.bits, stored) : stored
        assert.equal(readBitInteger(bytes, start, end, offset, type), wanted)
        if (offset + type.bits > bits.length) return
        writeBitInteger(bytes, start, end, offset, type.bits, value)
        const written = BigInt.asUintN(type.bits, value).toString(2).padStart(type.bits, '0')
        const after = bits.slice(0, offset) + written + bits.slice(offset + type.bits)
        assert.equal(bitsOf(bytes.subarray(start, end)), after)
        assert.deepEqual([...bytes.subarray(0, start), ...bytes.subarray(end)], Array(start + 9).fill(0x5a))
      },
    ),
    { numRuns: 500 },
  )
})

test('integers beyond their type wrap around, stop at its limits, or fail', () => {
  fc.assert(
    fc.property(integerType, fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }), (type, value) => {
      const range = 2n ** BigInt(type.bits)
      const min = type.isSigned ? -range / 2n : 0n
      const max = min + range - 1n
      const isWithin = value >= min && value <= max
      assert.equal(fitBitInteger(value, type, 'fail'), isWithin ? value : null)
      assert.equal(fitBitInteger(value, type, 'saturate'), isWithin ? value : value > max ? max : min)
      const wrapped = fitBitInteger(value, type, 'wrap')!
      assert.ok(wrapped >= min && wrapped <= max && (wrapped - value) % range === 0n)
    }),
  )
})
