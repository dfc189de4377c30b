import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TrackingTable } from '#src/resp/tracking-table.ts'
import { SeededRandom } from '../seeded-random.ts'

/** Poor on purpose: many keys share a hash. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  return end === start ? 0 : (bytes[start] * 0x01000193 + (end - start)) | 0
}

const key = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 30 }).map((number) => `key:${number}`) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
  { weight: 1, arbitrary: fc.integer({ min: 4090, max: 4100 }).map((size) => 'k'.repeat(size)) },
)

test('the table against a map of sets', () => {
  const step = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ kind: fc.constant('add' as const), key, reader: fc.integer({ min: 1, max: 90 }) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), key }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('random' as const),
        seed: fc.nat(),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('go' as const), reader: fc.integer({ min: 1, max: 90 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), (steps) => {
      const gone = new Set<number>()
      const table = new TrackingTable({ hash, isPresent: (reader) => !gone.has(reader) })
      const model = new Map<string, Set<number>>()
      const present = (readers: Iterable<number>) => [...readers].filter((reader) => !gone.has(reader)).sort()
      for (const each of steps) {
        if (each.kind === 'add') {
          const bytes = Buffer.from(`<${each.key}>`)
          if (gone.has(each.reader)) continue
          table.add(bytes, 1, bytes.length - 1, each.reader)
          const name = bytes.toString('latin1', 1, bytes.length - 1)
          model.set(name, (model.get(name) ?? new Set()).add(each.reader))
        } else if (each.kind === 'take') {
          const bytes = Buffer.from(each.key)
          const readers = table.take(bytes, 0, bytes.length)
          const expected = model.get(bytes.toString('latin1'))
          model.delete(bytes.toString('latin1'))
          assert.equal(readers === null, expected === undefined)
          assert.deepEqual(present(readers ?? []), present(expected ?? []))
        } else if (each.kind === 'random') {
          const chance = new SeededRandom(each.seed)
          const chosen = table.randomKey(() => chance.below(2 ** 20) / 2 ** 20)
          assert.ok(chosen === null ? model.size === 0 : model.has(chosen.toString('latin1')))
        } else if (each.kind === 'go') {
          // One that has gone does not come back: its number is given to another, later.
          gone.add(each.reader)
          for (const readers of model.values()) readers.delete(each.reader)
        } else {
          table.clear()
          model.clear()
        }
        assert.equal(table.keyCount, model.size)
      }
      table.verify()
      const entries = table.entries()
      assert.deepEqual(
        new Map(entries.map(([name, readers]) => [name, present(readers)])),
        new Map([...model].map(([name, readers]) => [name, present(readers)])),
      )
      assert.equal(
        table.itemCount,
        entries.reduce((sum, [, readers]) => sum + readers.length, 0),
      )
    }),
    { numRuns: 150 },
  )
})

test('a key that many have read in turn keeps those who are still there', () => {
  let oldest = 0
  const table = new TrackingTable({ hash, isPresent: (reader) => reader > oldest })
  const bytes = Buffer.from('popular')
  for (let reader = 1; reader <= 100_000; reader++) {
    oldest = reader - 50
    table.add(bytes, 0, bytes.length, reader)
  }
  assert.ok(table.itemCount >= 50 && table.itemCount < 250, `${table.itemCount} readers`)
  const readers = new Set(table.take(bytes, 0, bytes.length))
  for (let reader = 99_951; reader <= 100_000; reader++) assert.ok(readers.has(reader))
  assert.equal(table.itemCount, 0)
})

test('a key with one reader takes less than 64 bytes, and everything is given back', () => {
  const table = new TrackingTable({ hash: hashWell, isPresent: () => true })
  const keyCount = 100_000
  for (let number = 0; number < keyCount; number++) {
    const bytes = Buffer.from(`key:${String(number).padStart(12, '0')}`)
    table.add(bytes, 0, bytes.length, 1)
  }
  assert.equal(table.keyCount, keyCount)
  assert.ok(table.sizeBytes / keyCount < 64, `${table.sizeBytes / keyCount} bytes a key`)
  const grownBytes = table.sizeBytes
  for (let number = 0; number < keyCount; number++) {
    const bytes = Buffer.from(`key:${String(number).padStart(12, '0')}`)
    assert.deepEqual([...(table.take(bytes, 0, bytes.length) ?? [])], [1])
  }
  assert.ok(table.sizeBytes < grownBytes / 10)
})

function hashWell(bytes: Uint8Array, start: number, end: number): number {
  let state = 0x811c9dc5
  for (let index = start; index < end; index++) state = Math.imul(state ^ bytes[index], 0x01000193)
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
  return (state ^ (state >>> 13)) | 0
}
