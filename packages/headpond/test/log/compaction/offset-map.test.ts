import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OffsetMap } from '#src/log/compaction/offset-map.ts'
import { SeededRandom } from '../../seeded-random.ts'

function chance(): () => number {
  const random = new SeededRandom(7)
  return () => random.below(2 ** 32) / 2 ** 32
}

test('it notes what a Map notes, until it is full', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 12 }), fc.nat(2 ** 40)), { maxLength: 100 }),
      fc.integer({ min: 1, max: 60 }),
      (puts, countMax) => {
        const map = new OffsetMap(countMax, 2 ** 16, chance())
        const model = new Map<string, number>()
        for (const [key, offset] of puts) {
          const bytes = Buffer.from(`..${key}..`)
          const isNoted = map.put(bytes, 2, bytes.length - 2, offset)
          if (isNoted) model.set(key, offset)
          else assert.ok(!model.has(key) && model.size >= countMax)
          assert.equal(map.count, model.size)
        }
        for (const [key] of puts) {
          const bytes = Buffer.from(key)
          assert.equal(map.get(bytes, 0, bytes.length), model.get(key) ?? -1)
        }
      },
    ),
  )
})

test('memory is bounded: about 27 bytes for each key', () => {
  const map = new OffsetMap(1e9, 27_000, chance())
  let count = 0
  while (map.put(Buffer.from(`key ${count}`), 0, `key ${count}`.length, count)) count++
  assert.equal(count, 1012)
})
