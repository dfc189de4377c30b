import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LZF_EXPANSION_MAX, lzfCompress, lzfDecompress } from '#src/bytes/lzf.ts'

/** Compresses with room for everything, or for `sizeMax` bytes; undefined if it does not fit. */
function compress(text: Uint8Array, sizeMax = text.length + 100): Buffer | undefined {
  const padded = Buffer.concat([Buffer.from('abc'), text, Buffer.from('abc')])
  const output = Buffer.alloc(sizeMax + 10, 0xee)
  const size = lzfCompress(padded, 3, 3 + text.length, output, 5, 5 + sizeMax)
  assert.ok(
    output.subarray(0, 5).every((byte) => byte === 0xee) && output.subarray(5 + sizeMax).every((b) => b === 0xee),
  )
  return size === 0 ? undefined : output.subarray(5, 5 + size)
}

/** Decompresses to exactly `sizeMax` bytes of room; undefined if the input is refused. */
function decompress(compressed: Uint8Array, sizeMax: number): Buffer | undefined {
  const output = Buffer.alloc(sizeMax + 10, 0xee)
  const padded = Buffer.concat([Buffer.from([31, 31]), compressed, Buffer.from([31, 31])])
  const size = lzfDecompress(padded, 2, 2 + compressed.length, output, 5, 5 + sizeMax)
  assert.ok(
    output.subarray(0, 5).every((byte) => byte === 0xee) && output.subarray(5 + sizeMax).every((b) => b === 0xee),
  )
  return size < 0 ? undefined : output.subarray(5, 5 + size)
}

/** Bytes with repetitions near and far: pieces drawn from few. */
const repetitive = fc
  .tuple(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 4 }), fc.array(fc.nat(3)))
  .map(([pieces, order]) => Buffer.concat(order.map((i) => pieces[i % pieces.length])))

test('what is compressed comes back, for any bytes', () => {
  fc.assert(
    fc.property(fc.oneof(repetitive, fc.uint8Array({ minLength: 1, maxLength: 200 })), (text) => {
      if (text.length === 0) return
      assert.deepEqual(decompress(compress(text)!, text.length), Buffer.from(text))
    }),
    { numRuns: 2000 },
  )
})

test('a long text with far matches comes back', () => {
  const words = Array.from({ length: 20_000 }, (_, i) => `word${(i * 7919) % 501} `)
  const text = Buffer.from(words.join(''))
  const compressed = compress(text)!
  assert.ok(compressed.length < text.length / 2)
  assert.deepEqual(decompress(compressed, text.length), text)

  const zeros = Buffer.alloc(1_000_000)
  assert.ok(compress(zeros)!.length < zeros.length / 80)
  assert.deepEqual(decompress(compress(zeros)!, zeros.length), zeros)
})

test('what does not fit its room is refused, and nothing is written past the room', () => {
  fc.assert(
    fc.property(repetitive, fc.nat(60), (text, sizeMax) => {
      const compressed = compress(text, sizeMax)
      if (compressed !== undefined) assert.deepEqual(decompress(compressed, text.length), text)
    }),
  )
  assert.equal(compress(Buffer.from('nothing repeats'), 11), undefined)
  assert.equal(compress(Buffer.alloc(0)), undefined)
})

test('damaged input is refused, or gives other bytes, but never leaves its ranges', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(300), (garbage, sizeMax) => {
      const text = decompress(garbage, sizeMax)
      if (text !== undefined) assert.ok(text.length <= garbage.length * LZF_EXPANSION_MAX)
    }),
    { numRuns: 3000 },
  )
  const damages: [why: string, bytes: number[]][] = [
    ['a literal run that is cut short', [3, 1, 2]],
    ['a match without its offset', [0, 1, 0x20]],
    ['a long match without its length', [0, 1, 0xe0]],
    ['a long match without its offset', [0, 1, 0xe0, 5]],
    ['a match before the start', [0, 1, 0x20, 1]],
    ['a match at the very start', [0x20, 0]],
  ]
  for (const [why, bytes] of damages) assert.equal(decompress(Uint8Array.from(bytes), 100), undefined, why)
  assert.equal(decompress(Uint8Array.of(1, 65, 66), 1), undefined, 'literals past the room')
  assert.equal(decompress(Uint8Array.of(0, 65, 0x20, 0), 3), undefined, 'a match past the room')
  assert.deepEqual(decompress(Uint8Array.of(0, 65, 0x20, 0), 4), Buffer.from('AAAA'))
})
