import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GrowingBuffer } from '#src/bytes/growing-buffer.ts'
import { RdbReader, RdbWriter } from '#src/persistence/rdb/encoding.ts'
import { RdbError } from '#src/persistence/rdb/rdb-error.ts'

function written(write: (writer: RdbWriter) => void, compresses = true): Buffer {
  const writer = new RdbWriter(new GrowingBuffer(16), compresses)
  write(writer)
  return Buffer.from(writer.buffer.toBytes())
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

test('a length takes as many bytes as it needs', () => {
  const lengths: [length: number, bytes: string][] = [
    [0, '00'],
    [63, '3f'],
    [64, '4040'],
    [16383, '7fff'],
    [16384, '80 00004000'],
    [2 ** 32 - 1, '80 ffffffff'],
    [2 ** 32, '81 0000000100000000'],
    [Number.MAX_SAFE_INTEGER, '81 001fffffffffffff'],
  ]
  for (const [length, bytes] of lengths) {
    assert.deepEqual(
      written((writer) => writer.writeLength(length)),
      hex(bytes),
    )
    assert.equal(new RdbReader(hex(bytes)).readLength(), length)
  }
})

test('a reader reads what a writer wrote, in order', () => {
  const text = fc.oneof(fc.uint8Array({ maxLength: 100, max: 2 }), fc.uint8Array())
  const item = fc.oneof(fc.record({ length: fc.maxSafeNat() }), fc.record({ score: fc.double() }), fc.record({ text }))
  fc.assert(
    fc.property(fc.array(item), fc.boolean(), (items, compresses) => {
      const bytes = written((writer) => {
        for (const item of items) {
          if ('length' in item) writer.writeLength(item.length)
          else if ('score' in item) writer.writeDouble(item.score)
          else writer.writeString(item.text)
        }
      }, compresses)
      const reader = new RdbReader(Buffer.concat([bytes, bytes]), bytes.length)
      for (const item of items) {
        if ('length' in item) assert.equal(reader.readLength(), item.length)
        else if ('score' in item) assert.equal(reader.readDouble(), item.score)
        else assert.deepEqual(Buffer.from(reader.readString()), Buffer.from(item.text))
      }
      assert.equal(reader.left, 0)
    }),
  )
})

test('bytes go in and out as they are', () => {
  const bytes = written((writer) => {
    writer.writeByte(0x1ff)
    writer.writeBytes(Buffer.from('REDIS0010'), 5)
  })
  assert.equal(bytes.toString('latin1'), 'ÿ0010')
  const reader = new RdbReader(bytes)
  assert.equal(reader.readByte(), 0xff)
  assert.equal(Buffer.from(reader.readBytes(4)).toString(), '0010')
})

test('compression can be switched off', () => {
  const text = Buffer.alloc(100, 'a')
  assert.ok(written((writer) => writer.writeString(text)).length < 20)
  assert.equal(written((writer) => writer.writeString(text), false).length, 102)
})

test('longer forms than needed are read too', () => {
  assert.equal(new RdbReader(hex('4005')).readLength(), 5)
  assert.equal(new RdbReader(hex('80 00000005')).readLength(), 5)
  assert.equal(Buffer.from(new RdbReader(hex('c2 05000000')).readString()).toString(), '5')
  assert.equal(Buffer.from(new RdbReader(hex('4001 61')).readString()).toString(), 'a')
})

test('any bytes are read, or refused with a place', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (garbage) => {
      const reader = new RdbReader(garbage)
      try {
        while (reader.left > 0) reader.readString()
      } catch (error) {
        assert.ok(error instanceof RdbError)
        assert.ok(error.atByte <= garbage.length)
      }
    }),
    { numRuns: 5000 },
  )
  assert.throws(() => new RdbReader(hex('c0 05')).readLength(), /expected a length.*at byte 0/)
  assert.throws(() => new RdbReader(hex('81 ffffffffffffffff')).readLength(), /beyond any file/)
  assert.throws(() => new RdbReader(hex('80 ffffffff 00')).readString(), /4294967295 more bytes/)
})
