import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recompress } from '#src/log/recompression.ts'
import { CODECS, computeCrc, crcOf } from '#src/log/record-batch.ts'
import { decodeBatch, encodeBatch } from '#src/log/records/batch.ts'

const records = Array.from({ length: 50 }, (_, index) => ({
  timestampMs: 1000 + index,
  key: Buffer.from(`key ${index}`),
  value: Buffer.from('the same value again'),
}))

test('from every codec into every other, the header kept', () => {
  for (const from of CODECS) {
    for (const to of CODECS) {
      const batch = encodeBatch(records, {
        codec: from,
        producerId: 5,
        producerEpoch: 1,
        baseSequence: 9,
        baseOffset: 70,
      })
      const changed = recompress(batch, to === 'none' ? 'uncompressed' : to)
      assert.equal(crcOf(changed, 0), computeCrc(changed, 0))
      const { codec, crc, attributes, sizeBytes, ...decoded } = decodeBatch(changed)
      assert.equal(codec, to)
      assert.equal(sizeBytes, changed.length)
      const original = decodeBatch(batch)
      // Cloned, all arrays of bytes are of one kind.
      for (const name of Object.keys(decoded) as (keyof typeof decoded)[])
        assert.deepEqual(structuredClone(decoded[name]), structuredClone(original[name]))
      if (from === to) assert.equal(changed, batch)
      assert.equal(recompress(batch, 'producer'), batch)
    }
  }
})
