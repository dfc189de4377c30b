import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_PACKED_LIMITS } from '#src/store/packed-limits.ts'
import { sorted } from '#src/store/sort.ts'
import { Store } from '#src/store/store.ts'

test('texts are sorted by their bytes, whatever they have in common', () => {
  const store = new Store({
    databaseCount: 1,
    firstArenaBytes: 2 ** 20,
    random: () => 0.5,
    packedLimits: DEFAULT_PACKED_LIMITS,
  })
  const bytes = fc.uint8Array({ maxLength: 10, min: 0, max: 255 })
  // Few different ones, so that many are equal, or one the beginning of another.
  const narrow = fc.array(fc.constantFrom(0, 1, 255), { maxLength: 9 }).map((each) => Uint8Array.from(each))
  fc.assert(
    fc.property(
      fc.string({ maxLength: 8 }),
      fc.array(fc.oneof(bytes, narrow), { maxLength: 40 }),
      fc.boolean(),
      (shared, rests, isDescending) => {
        const elements = rests.map((rest) => Buffer.concat([Buffer.from(shared), rest]))
        const expected = [...elements].sort(Buffer.compare)
        const order = { isAlphabetic: true, isDescending, by: null }
        assert.deepEqual(sorted(store.databases[0], elements, order), isDescending ? expected.reverse() : expected)
      },
    ),
  )
})
