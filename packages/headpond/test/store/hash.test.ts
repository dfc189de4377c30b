import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NONE } from '#src/memory/heap.ts'
import { verifyDumpPayload } from '#src/persistence/rdb/dump-payload.ts'
import { dumpObject, readObject } from '#src/persistence/rdb/objects.ts'
import type { Database } from '#src/store/database.ts'
import { encoding, NEVER } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'

const START_MS = 1_700_000_000_000
const KEY = Buffer.from('the hash')
const OTHER = Buffer.from('another')

interface Entry {
  value: string
  expireAtMs: number
}
type Model = Map<string, Entry>

function openStore(entriesMax: number, valueMax = 64): Store {
  let seed = 1
  const store = new Store({
    databaseCount: 2,
    firstArenaBytes: 2 ** 22,
    random: () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return seed / 2 ** 32
    },
    packedLimits: {
      hashMaxListpackEntries: entriesMax,
      hashMaxListpackValue: valueMax,
      listMaxListpackSize: -2,
      setMaxIntsetEntries: 512,
      setMaxListpackEntries: 128,
      setMaxListpackValue: 64,
      zsetMaxListpackEntries: 128,
      zsetMaxListpackValue: 64,
    },
  })
  store.setNow(START_MS)
  return store
}

function handleOf(database: Database, key = KEY): number {
  return database.peek(key, 0, key.length)
}

function contents(database: Database, key = KEY): Model {
  const found: Model = new Map()
  const handle = handleOf(database, key)
  if (handle === NONE) return found
  database.store.hashes.open(database, handle).forEach((field, value, expireAtMs) => {
    const name = field.copy().toString('latin1')
    assert.ok(!found.has(name), 'a field is visited twice')
    found.set(name, { value: value.copy().toString('latin1'), expireAtMs })
  })
  return found
}

const fieldName = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map((n) => `f${n}`),
  fc.integer({ min: -3, max: 5000 }).map(String),
  fc.constantFrom('', '9223372036854775807', 'x'.repeat(70), 'y'.repeat(3000), 'z'.repeat(40_000)),
)
const fieldValue = fc.oneof(
  fc.string({ maxLength: 10 }).map((text) => Buffer.from(text).toString('latin1')),
  fc.maxSafeInteger().map(String),
  fc.constantFrom('', 'v'.repeat(64), 'v'.repeat(65), 'w'.repeat(5000), 'w'.repeat(20_000), 'u'.repeat(50_000)),
)
const step = fc.record({
  kind: fc.constantFrom(
    ...(['set', 'set', 'set', 'keep', 'delete', 'expire', 'expire', 'persist', 'wait', 'active'] as const),
    ...(['rename', 'copy', 'keyExpiry', 'dump', 'swap'] as const),
  ),
  field: fieldName,
  value: fieldValue,
  ms: fc.integer({ min: 1, max: 500 }),
})

for (const entriesMax of [512, 4, 0]) {
  test(`a hash gives what a Map gives, packed up to ${entriesMax} fields`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const store = openStore(entriesMax)
        const model: Model = new Map()
        const forgetDue = () => {
          for (const [field, { expireAtMs }] of model) {
            if (expireAtMs !== NEVER && expireAtMs <= store.nowMs) model.delete(field)
          }
        }
        for (const { kind, field, value, ms } of steps) {
          const database = store.databases[0]
          const name = Buffer.from(field, 'latin1')
          const text = Buffer.from(value, 'latin1')
          const handle = handleOf(database)
          const isThere = model.has(field)
          if (kind === 'set' || kind === 'keep') {
            const hash =
              handle === NONE
                ? store.hashes.create(database, KEY, 0, KEY.length, 0)
                : store.hashes.open(database, handle)
            const isNew = hash.set(name, 0, name.length, text, 0, text.length, kind === 'keep')
            assert.equal(isNew, !isThere)
            const kept = kind === 'keep' && isThere ? model.get(field)!.expireAtMs : NEVER
            model.set(field, { value, expireAtMs: kept })
          } else if (handle === NONE) {
            assert.equal(model.size, 0)
          } else if (kind === 'delete') {
            const hash = store.hashes.open(database, handle)
            assert.equal(hash.delete(name, 0, name.length), isThere)
            model.delete(field)
            hash.close(KEY, 0, KEY.length)
          } else if (kind === 'expire') {
            const hash = store.hashes.open(database, handle)
            const result = hash.setExpiry(name, 0, name.length, store.nowMs + ms, 'always')
            assert.equal(result, isThere ? 1 : -2)
            if (isThere) model.get(field)!.expireAtMs = store.nowMs + ms
            hash.close(KEY, 0, KEY.length)
          } else if (kind === 'persist') {
            const hash = store.hashes.open(database, handle)
            if (hash.find(name, 0, name.length)) {
              assert.equal(hash.persistFound(), model.get(field)!.expireAtMs !== NEVER)
              model.get(field)!.expireAtMs = NEVER
            } else assert.ok(!isThere)
            hash.close(KEY, 0, KEY.length)
          } else if (kind === 'wait') {
            store.setNow(store.nowMs + ms)
            forgetDue()
          } else if (kind === 'active') {
            store.setNow(store.nowMs + ms)
            forgetDue()
            store.finishBackground()
            assert.equal(handleOf(database) === NONE, model.size === 0)
            if (model.size > 0) assert.equal(store.hashes.open(database, handleOf(database)).length, model.size)
          } else if (kind === 'rename') {
            database.moveTo(store.databases[1], handle, OTHER, 0, OTHER.length)
            assert.equal(handleOf(database), NONE)
            store.databases[1].moveTo(database, handleOf(store.databases[1], OTHER), KEY, 0, KEY.length)
          } else if (kind === 'copy') {
            database.copyTo(store.databases[1], handle, OTHER, 0, OTHER.length)
            database.remove(handle)
            store.databases[1].moveTo(database, handleOf(store.databases[1], OTHER), KEY, 0, KEY.length)
          } else if (kind === 'keyExpiry') {
            if (database.records.hasExpiry(handle)) database.clearExpiry(handle)
            else database.setExpiry(handle, store.nowMs + 10 ** 9)
          } else if (kind === 'swap') {
            store.swap(0, 1)
            store.swap(1, 0)
          } else if (kind === 'dump' && model.size > 0) {
            const { type, reader } = verifyDumpPayload(dumpObject(store, handle, true))!
            readObject(type, reader, database)(database, KEY, 0, KEY.length, NEVER)
          }
          assert.deepEqual(contents(store.databases[0]), model)
        }
        for (const [field, { value }] of model) {
          const hash = store.hashes.open(store.databases[0], handleOf(store.databases[0]))
          assert.ok(hash.get(Buffer.from(field, 'latin1'), 0, field.length))
          assert.equal(hash.value.copy().toString('latin1'), value)
        }
        store.heap.verify()
        for (const database of store.databases) {
          while (database.count > 0) database.remove(database.dict.random(store.random))
        }
        store.finishBackground()
        assert.equal(store.heap.large.usedBytes, 0)
        assert.ok(store.heap.usedBytes <= 128, 'an empty database keeps its smallest segment alone')
        assert.equal(store.structures.count, 0)
        assert.deepEqual(
          store.databases.map(({ fieldExpires }) => fieldExpires.count),
          [0, 0],
        )
        store.heap.verify()
      }),
      { numRuns: 150 },
    )
  })
}

/** A hash of `count` fields, each of which expires after so many milliseconds (0: never). */
function fill(store: Store, count: number, expiresAfterMs: (index: number) => number): void {
  const database = store.databases[0]
  const hash = store.hashes.create(database, KEY, 0, KEY.length, 0)
  for (let index = 0; index < count; index++) {
    const field = Buffer.from(`field ${index}`)
    hash.set(field, 0, field.length, field, 0, field.length)
    const ms = expiresAfterMs(index)
    if (ms > 0) hash.setExpiry(field, 0, field.length, store.nowMs + ms, 'always')
  }
}

test('a walk by cursor meets every field that is there all the time', () => {
  const store = openStore(0)
  fill(store, 5000, () => 0)
  const database = store.databases[0]
  const seen = new Set<string>()
  let cursor = 0
  let step = 0
  do {
    const hash = store.hashes.open(database, handleOf(database))
    cursor = hash.scan(cursor, 10, (field) => seen.add(field.copy().toString()))
    // Fields come and go while the walk lasts.
    const passing = Buffer.from(`passing ${step % 700}`)
    if (step++ % 3 === 0) hash.delete(passing, 0, passing.length)
    else hash.set(passing, 0, passing.length, passing, 0, 0)
  } while (cursor !== 0)
  for (let index = 0; index < 5000; index++) assert.ok(seen.has(`field ${index}`))
})

test('many fields that expire at once go in slices, each announced', () => {
  const store = openStore(0)
  fill(store, 20_000, (index) => (index % 2 === 0 ? 1000 : 5000))
  const database = store.databases[0]
  const events: string[] = []
  store.observe({
    keyChanged() {},
    flushed() {},
    event: (_class, name) => events.push(name),
  })
  store.setNow(START_MS + 999)
  while (store.background(() => true)) {}
  assert.deepEqual(events, [])
  store.setNow(START_MS + 1000)
  const lengths: number[] = []
  for (let isMore = true; isMore; ) {
    isMore = store.background(() => true)
    lengths.push(store.hashes.open(database, handleOf(database)).length)
  }
  assert.equal(lengths.at(-1), 10_000)
  assert.ok(lengths.every((length, index) => index === 0 || lengths[index - 1] - length <= 512))
  assert.equal(store.expiredFieldCount, 10_000)
  assert.ok(events.length > 10 && events.every((name) => name === 'hexpired'))
  store.setNow(START_MS + 5000)
  store.finishBackground()
  assert.equal(handleOf(database), NONE)
  assert.equal(events.at(-1), 'del')
})

test('a large hash is deleted at once, and its memory comes back in slices', () => {
  const store = openStore(0)
  // An empty table of keys keeps its smallest segment.
  fill(store, 1, () => 0)
  store.databases[0].remove(handleOf(store.databases[0]))
  const emptyBytes = store.heap.usedBytes
  fill(store, 100_000, (index) => (index % 10 === 0 ? 10_000 : 0))
  const database = store.databases[0]
  assert.equal(store.records.encoding(handleOf(database)), encoding.FIELD_TABLE)
  const fullBytes = store.heap.usedBytes
  database.remove(handleOf(database))
  assert.ok(store.heap.usedBytes > fullBytes * 0.9)
  assert.equal(store.lazyFree.pendingCount, 100_000)
  const left: number[] = []
  while (store.background(() => true)) left.push(store.lazyFree.pendingCount)
  assert.ok(left.length > 20)
  assert.equal(store.heap.usedBytes, emptyBytes)
  store.heap.verify()
})

test('a large hash takes less than 60 bytes for a field of 10 bytes with a value of 10', () => {
  const store = openStore(0)
  const database = store.databases[0]
  const hash = store.hashes.create(database, KEY, 0, KEY.length, 0)
  const before = store.heap.usedBytes
  for (let index = 0; index < 50_000; index++) {
    const text = Buffer.from(String(index).padStart(10, '_'))
    hash.set(text, 0, 10, text, 0, 10)
  }
  assert.ok((store.heap.usedBytes - before) / 50_000 < 60)
})

test('fields are picked at random, all of them', () => {
  for (const entriesMax of [512, 0]) {
    const store = openStore(entriesMax)
    fill(store, 20, () => 0)
    const hash = store.hashes.open(store.databases[0], handleOf(store.databases[0]))
    const counts = new Map<string, number>()
    for (let picked = 0; picked < 4000; picked++) {
      hash.pick()
      const field = hash.field.copy().toString()
      counts.set(field, (counts.get(field) ?? 0) + 1)
    }
    assert.equal(counts.size, 20)
    for (const count of counts.values()) assert.ok(count > 60 && count < 600, `${count} of 4000`)
  }
})

test('while expiry is kept back, fields whose time has come stay', () => {
  const store = openStore(512)
  fill(store, 3, () => 1000)
  store.setNow(START_MS + 2000)
  store.keepsExpired = true
  assert.equal(contents(store.databases[0]).size, 3)
  store.keepsExpired = false
  assert.equal(contents(store.databases[0]).size, 0)
})
