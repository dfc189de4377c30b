import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Heap, NONE } from '#src/memory/heap.ts'
import { verifyDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import { dumpObject, readObject } from '#src/persistence/rdb/objects.ts'
import { BloomFilter, bloomFilterOf, putBloomFilter } from '#src/store/bloom.ts'
import { readFilterHeader, writeFilterHeader } from '#src/store/bloom-header.ts'
import { NEVER } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'

function openHeap(): Heap {
  return new Heap(2 ** 22)
}

function createFilter(heap: Heap, errorRate: number, capacity: number, expansion = 2, isScaling = true): BloomFilter {
  const filter = BloomFilter.create(heap, errorRate, capacity, expansion, isScaling)
  assert.ok(filter !== null)
  return filter
}

function add(filter: BloomFilter, item: string): string {
  const bytes = Buffer.from(item)
  return filter.add(bytes, 0, bytes.length)
}

function has(filter: BloomFilter, item: string): boolean {
  const bytes = Buffer.from(item)
  return filter.has(bytes, 0, bytes.length)
}

test('what was added is found; copies, headers and dumps have the same contents', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 20 }), { maxLength: 200 }),
      fc.constantFrom(0.3, 0.01, 0.0001),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 4 }),
      (items, errorRate, capacity, expansion) => {
        const store = new Store({ databaseCount: 1, firstArenaBytes: 2 ** 22, random: () => 0.5 })
        const [database] = store.databases
        const emptyBytes = store.heap.usedBytes
        const filter = createFilter(store.heap, errorRate, capacity, expansion)
        let addedCount = 0
        for (const item of items) {
          const wasFound = has(filter, item)
          assert.equal(add(filter, item), wasFound ? 'present' : 'added')
          if (!wasFound) addedCount++
          assert.ok(has(filter, item))
        }
        assert.equal(filter.itemCount, addedCount)
        assert.ok(filter.capacity >= addedCount)
        for (const layer of filter.layers.slice(0, -1)) assert.equal(layer.itemCount, layer.capacity)

        const key = Buffer.from('filter')
        const handle = putBloomFilter(database, key, 0, key.length, filter, NEVER)
        const payload = verifyDumpPayload(
          Buffer.from(dumpObject(store, handle, true)),
          0,
          dumpObject(store, handle, true).length,
        )
        assert.ok(payload !== undefined)
        const restoredKey = Buffer.from('restored')
        const restored = readObject(payload.type, payload.reader, database)(
          database,
          restoredKey,
          0,
          restoredKey.length,
          NEVER,
        )
        const header = readFilterHeader(writeFilterHeader(filter))
        assert.ok(header !== null)
        const loaded = BloomFilter.ofFigures(store.heap, header)
        assert.ok(loaded !== null)
        for (const index of filter.layers.keys()) {
          const bits = Buffer.from(filter.bits(index))
          loaded.write(index, 0, bits, 0, bits.length)
        }
        const copy = filter.copy()
        const all = [copy, loaded, bloomFilterOf(store, restored)]
        for (const other of all) {
          assert.equal(other.itemCount, filter.itemCount)
          assert.deepEqual(figuresOf(other), figuresOf(filter))
          for (const index of filter.layers.keys()) assert.deepEqual(other.bits(index), filter.bits(index))
        }
        copy.free()
        loaded.free()
        for (const each of [key, restoredKey]) {
          const found = database.peek(each, 0, each.length)
          assert.notEqual(found, NONE)
          database.remove(found)
        }
        store.heap.verify()
        assert.ok(store.heap.usedBytes <= emptyBytes + 4096, 'all memory is given back but that of the empty dict')
      },
    ),
    { numRuns: 100 },
  )
})

function figuresOf({ options, expansion, layers }: BloomFilter): unknown {
  return {
    options,
    expansion,
    layers: layers.map(({ capacity, errorRate, bitsPerItem, hashCount, sizeBytes, itemCount }) => {
      return { capacity, errorRate, bitsPerItem, hashCount, sizeBytes, itemCount }
    }),
  }
}

// Figures that RedisBloom's own tests expect: which items collide depends on every bit of the hashes.
test('layers have the sizes of RedisBloom, and the same collisions', () => {
  const heap = openHeap()
  const small = createFilter(heap, 0.01, 10)
  for (let item = 0; item < 100; item++) add(small, String(item))
  assert.deepEqual(
    small.layers.map(({ sizeBytes, hashCount, capacity, itemCount, errorRate }) => [
      sizeBytes,
      hashCount,
      capacity,
      itemCount,
      errorRate,
    ]),
    [
      [16, 8, 10, 10, 0.005],
      [32, 9, 20, 20, 0.0025],
      [72, 10, 40, 40, 0.00125],
      [160, 11, 80, 29, 0.000625],
    ],
  )
  const medium = createFilter(heap, 0.001, 100)
  for (let item = 0; item < 4000; item++) add(medium, String(item))
  assert.equal(medium.itemCount, 3997)
  assert.deepEqual(
    medium.layers.map(({ sizeBytes, itemCount }) => [sizeBytes, itemCount]),
    [
      [200, 100],
      [432, 200],
      [936, 400],
      [2016, 800],
      [4320, 1600],
      [9216, 897],
    ],
  )
  for (const [expansion, layerCount] of [
    [1, 23],
    [2, 5],
    [4, 4],
  ]) {
    const filter = createFilter(heap, 0.01, 4, expansion)
    for (let item = 0; item < 100; item++) add(filter, String(item))
    assert.equal(filter.layers.length, layerCount)
  }
  assert.equal(createFilter(heap, 0.000001, 300_000_000).sizeBytes, 1_132_420_232)
})

/** The share of items never added that are found all the same. */
function falsePositiveRate(filter: BloomFilter, seed: number, askedCount: number): number {
  let foundCount = 0
  for (let index = 0; index < askedCount; index++) if (has(filter, `absent:${seed}:${index}`)) foundCount++
  return foundCount / askedCount
}

// Steps that share a factor with the size of a layer set fewer bits than they should: in layers of less than some
// thousand bits, such items alone are about one in a thousand. RedisBloom has the same limit.
for (const { errorRate, firstCapacity, askedCount } of [
  { errorRate: 0.1, firstCapacity: 100, askedCount: 100_000 },
  { errorRate: 0.01, firstCapacity: 100, askedCount: 300_000 },
  { errorRate: 0.001, firstCapacity: 1000, askedCount: 600_000 },
]) {
  const itemCount = 20_000

  test(`a filter of fixed size with as many items as it is made for errs as often as it was made to: ${errorRate}`, () => {
    const filter = createFilter(openHeap(), errorRate, itemCount, 2, false)
    for (let index = 0; index < itemCount; index++) add(filter, `item:${index}`)
    const rate = falsePositiveRate(filter, 1, askedCount)
    assert.ok(Math.abs(rate / errorRate - 1) <= 0.1, `${rate} where ${errorRate} was asked for`)
  })

  test(`a filter that has grown over and over errs no more than it was made to: ${errorRate}`, () => {
    const filter = createFilter(openHeap(), errorRate, firstCapacity)
    for (let index = 0; index < itemCount; index++) add(filter, `item:${index}`)
    assert.ok(filter.layers.length >= 5)
    const rate = falsePositiveRate(filter, 2, askedCount / 2)
    assert.ok(rate <= errorRate * 1.1, `${rate} where ${errorRate} was asked for`)
  })
}

test('a filter of fixed size takes no more new items than it is made for', () => {
  const filter = createFilter(openHeap(), 0.01, 3, 2, false)
  for (const item of ['a', 'b', 'c']) assert.equal(add(filter, item), 'added')
  assert.equal(add(filter, 'd'), 'full')
  assert.equal(add(filter, 'a'), 'present')
})

test('positions in large layers are exact', () => {
  // 4.1 billion bits: beyond 32-bit arithmetic. Bits that are set are those that whole 64-bit numbers tell.
  const filter = createFilter(openHeap(), 0.01, 430_000_000, 2, false)
  const { sizeBytes, hashCount } = filter.layers[0]
  assert.ok(sizeBytes * 8 > 2 ** 31)
  assert.equal(add(filter, 'item'), 'added')
  assert.ok(has(filter, 'item'))
  assert.ok(!has(filter, 'another'))
  const words = new BigUint64Array(filter.bits(0).buffer, filter.bits(0).byteOffset, sizeBytes / 8)
  assert.equal(words.filter((word) => word !== 0n).length, hashCount)
  filter.free()
})

test('damaged headers are refused or harmless', () => {
  const filter = createFilter(openHeap(), 0.01, 5)
  for (let item = 0; item < 50; item++) add(filter, String(item))
  const header = writeFilterHeader(filter)
  for (let at = 0; at < header.length; at++) {
    for (const value of [0, 1, 255]) {
      const damaged = Buffer.from(header)
      damaged[at] = value
      const figures = readFilterHeader(damaged)
      if (figures === null || figures.layers.some(({ sizeBytes }) => sizeBytes > 2 ** 20)) continue
      const loaded = BloomFilter.ofFigures(openHeap(), figures)
      if (loaded === null) continue
      add(loaded, 'x')
      assert.ok(has(loaded, 'x') || loaded.itemCount >= loaded.capacity)
    }
  }
  for (let size = 0; size < header.length; size++) assert.equal(readFilterHeader(header.subarray(0, size)), null)
})
