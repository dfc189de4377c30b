import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesEqual, compareBytes, equalsIgnoreCase, toLowerCase, toUpperCase } from '#src/bytes/ascii.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

test('a word is recognised in any case, as a whole', () => {
  const line = bytes('xWithScoresx')
  assert.ok(equalsIgnoreCase(line, 1, 11, 'WITHSCORES'))
  assert.ok(!equalsIgnoreCase(line, 1, 10, 'WITHSCORES'))
  assert.ok(!equalsIgnoreCase(line, 1, 12, 'WITHSCORES'))
  assert.ok(!equalsIgnoreCase(line, 1, 11, 'WITHSCOREZ'))
  assert.ok(equalsIgnoreCase(line, 1, 1, ''))
  assert.ok(!equalsIgnoreCase(bytes('`'), 0, 1, '@')) // 0x60 and 0x40 differ by 0x20 too, and are no letters
})

test('only ASCII letters have a case', () => {
  for (let byte = 0; byte < 256; byte++) {
    const letter = String.fromCharCode(byte)
    assert.equal(toUpperCase(byte), byte < 0x80 ? letter.toUpperCase().charCodeAt(0) : byte)
    assert.equal(toLowerCase(byte), byte < 0x80 ? letter.toLowerCase().charCodeAt(0) : byte)
  }
})

test('equality and order are those of Buffer.compare', () => {
  const shortBytes = fc.uint8Array({ maxLength: 4, max: 3 })
  fc.assert(
    fc.property(shortBytes, shortBytes, shortBytes, (before, a, b) => {
      const left = Buffer.concat([before, a, Uint8Array.of(9)])
      const right = Buffer.concat([Uint8Array.of(9, 9), b, before])
      const range = [left, before.length, before.length + a.length, right, 2, 2 + b.length] as const
      assert.equal(Math.sign(compareBytes(...range)), Buffer.compare(a, b))
      assert.equal(bytesEqual(...range), Buffer.compare(a, b) === 0)
    }),
    { numRuns: 2000 },
  )
})
