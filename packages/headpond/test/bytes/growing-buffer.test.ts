import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GrowingBuffer } from '#src/bytes/growing-buffer.ts'

test('what was appended is what is there, however it grew', () => {
  const piece = fc.oneof(fc.nat(255), fc.uint8Array({ maxLength: 200 }))
  fc.assert(
    fc.property(fc.array(piece), fc.nat(40), (pieces, capacityBytes) => {
      const buffer = new GrowingBuffer(capacityBytes)
      const expected: number[] = []
      for (const piece of pieces) {
        if (typeof piece === 'number') {
          buffer.appendByte(piece)
          expected.push(piece)
        } else {
          buffer.append(piece, 0, piece.length)
          buffer.append(piece, piece.length >> 1)
          expected.push(...piece, ...piece.subarray(piece.length >> 1))
        }
      }
      assert.deepEqual([...buffer.toBytes()], expected)
      assert.equal(buffer.length, expected.length)
    }),
  )
})

test('reserved room is written in place, and clearing keeps it', () => {
  const buffer = new GrowingBuffer(16)
  buffer.appendByte(1)
  const at = buffer.reserve(100)
  assert.equal(at, 1)
  assert.ok(buffer.bytes.length >= 101)
  buffer.bytes[at] = 2
  buffer.length = at + 1
  assert.deepEqual([...buffer.toBytes()], [1, 2])

  const room = buffer.bytes
  buffer.clear()
  assert.equal(buffer.length, 0)
  buffer.reserve(room.length)
  assert.equal(buffer.bytes, room)
})
