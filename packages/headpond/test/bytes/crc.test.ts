import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc16, keySlot } from '#src/bytes/crc16.ts'
import { Crc64 } from '#src/bytes/crc64.ts'

const digits = Buffer.from('x123456789x')

/** Bit by bit, as the textbook has it. */
function naiveCrc64(bytes: Uint8Array): bigint {
  let crc = 0n
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n
  }
  return crc
}

function crc64(...pieces: Uint8Array[]): Crc64 {
  const crc = new Crc64()
  for (const piece of pieces) crc.update(piece, 0, piece.length)
  return crc
}

test('the check values of both CRCs', () => {
  const crc = new Crc64()
  crc.update(digits, 1, 10)
  assert.equal(crc.toString(), 'e9c6d914c4b8d9ca')
  assert.equal(crc16(digits, 1, 10), 0x31c3)
})

test('a CRC-64 is the same in one piece, in two, and bit by bit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (first, second) => {
      const expected = naiveCrc64(Buffer.concat([first, second]))
      const crc = crc64(first, second)
      assert.equal(crc.toString(), expected.toString(16).padStart(16, '0'))
      assert.equal(crc64(Buffer.concat([first, second])).toString(), crc.toString())

      const footer = Buffer.alloc(10)
      crc.writeTo(footer, 1)
      assert.equal(footer.readBigUInt64LE(1), expected)
      assert.ok(crc.equals(footer, 1))
      footer[1 + (first.length % 8)] ^= 0x80
      assert.ok(!crc.equals(footer, 1))
    }),
  )
})

test('reset starts anew', () => {
  const crc = crc64(digits)
  crc.reset()
  assert.equal(crc.toString(), '0000000000000000')
})

test('key slots, as CLUSTER KEYSLOT gives them', () => {
  const slots: [key: string, slot: number][] = [
    ['', 0],
    ['foo', 12182],
    ['123456789', 12739],
    ['{user1000}.following', 3443],
    ['{user1000}.followers', 3443],
    ['user1000', 3443],
    ['foo{}{bar}', 8363], // an empty tag does not count, and the search ends there
    ['foo{{bar}}zap', 4015], // the tag is `{bar`
    ['foo{bar}{zap}', 5061],
    ['bar', 5061],
    ['foo{bar', 15278],
    ['}{', 12793],
  ]
  for (const [key, slot] of slots) {
    const bytes = Buffer.from(`{a}${key}}`)
    assert.equal(keySlot(bytes, 3, bytes.length - 1), slot, key)
  }
})
