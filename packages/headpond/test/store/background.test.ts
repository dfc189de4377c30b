import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '#src/store/database.ts'
import { NEVER } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'

const START_MS = 1_700_000_000_000

function newStore(): Store {
  const store = new Store({ databaseCount: 16, firstArenaBytes: 2 ** 22, random: Math.random })
  store.setNow(START_MS)
  return store
}

function fill(database: Database, count: number, expireAtMs: (index: number) => number, sizeBytes = 20): void {
  const value = Buffer.alloc(sizeBytes)
  for (let index = 0; index < count; index++) {
    const key = Buffer.from(`key:${index}`)
    database.putString(key, 0, key.length, value, 0, value.length, expireAtMs(index))
  }
}

/** Out of time at once: what one call of the background work does at least. */
const atOnce = () => true

test('keys that are due go in small steps, and the next run goes on where the last one stopped', () => {
  const store = newStore()
  fill(store.databases[0], 10_000, () => START_MS + 1000)
  fill(store.databases[3], 5_000, (index) => (index % 2 === 0 ? START_MS + 1000 : NEVER))
  fill(store.databases[9], 1_000, () => START_MS + 2000)
  while (store.activeExpiry.run(atOnce)) {}
  assert.equal(store.keyCount, 16_000)
  store.setNow(START_MS + 1000)
  let runs = 0
  let mostAtOnce = 0
  for (let hasMore = true; hasMore; runs++) {
    const before = store.keyCount
    hasMore = store.activeExpiry.run(atOnce)
    mostAtOnce = Math.max(mostAtOnce, before - store.keyCount)
  }
  assert.ok(mostAtOnce <= 64, `${mostAtOnce} keys at once`)
  assert.ok(runs > 150)
  assert.deepEqual(
    [0, 3, 9].map((index) => store.databases[index].count),
    [0, 2500, 1000],
  )
  assert.equal(store.expiredCount, 12_500)
  assert.equal(store.dirtyCount, 0)
})

test('all that is due goes at once when a clock is moved, whatever round was under way', () => {
  const store = newStore()
  fill(store.databases[0], 20_000, (index) => START_MS + (index % 10) * 1000)
  store.setNow(START_MS + 2000)
  store.activeExpiry.run(atOnce)
  store.setNow(START_MS + 5000)
  store.finishBackground()
  assert.equal(store.databases[0].count, 8000)
})

test('nothing expires by itself while active expiry is off or expired keys are kept; a lookup still sees', () => {
  const store = newStore()
  fill(store.databases[0], 10, () => START_MS + 1000)
  store.setNow(START_MS + 1000)
  store.activeExpiry.isEnabled = false
  store.finishBackground()
  assert.equal(store.databases[0].count, 10)
  const key = Buffer.from('key:0')
  assert.equal(store.databases[0].peek(key, 0, key.length), 0)
  assert.equal(store.databases[0].count, 9)
  store.activeExpiry.isEnabled = true
  store.keepsExpired = true
  store.finishBackground()
  assert.notEqual(store.databases[0].peek(Buffer.from('key:1'), 0, 5), 0)
  store.keepsExpired = false
  store.finishBackground()
  assert.equal(store.databases[0].count, 0)
})

test('each key that expires is told of once, after it has gone', () => {
  const store = newStore()
  const told: string[] = []
  fill(store.databases[2], 500, () => START_MS + 1000)
  store.observe({
    keyChanged(database, bytes, start, end) {
      assert.equal(database, 2)
      assert.equal(store.databases[2].peek(bytes, start, end), 0)
    },
    event: (_eventClass, name, _database, bytes, start, end) =>
      void told.push(`${name} ${Buffer.from(bytes.subarray(start, end))}`),
    flushed() {},
  })
  store.setNow(START_MS + 1000)
  store.finishBackground()
  assert.equal(told.length, 500)
  assert.equal(new Set(told).size, 500)
  assert.ok(told.includes('expired key:499'))
})

test('a database that is flushed while others hold keys is empty at once, and its memory comes back in slices', () => {
  const store = newStore()
  store.lazyFree.asked = true
  const [kept, flushed] = store.databases
  fill(kept, 1000, () => NEVER)
  const usedBytes = store.heap.usedBytes
  fill(flushed, 30_000, (index) => (index % 2 === 0 ? START_MS + 1000 : NEVER))
  fill(flushed, 10, () => NEVER, 100_000)
  store.flush(flushed)
  assert.equal(flushed.count, 0)
  assert.equal(flushed.expires.count, 0)
  assert.equal(store.keyCount, 1000)
  assert.equal(store.dirtyCount, 30_000)
  assert.equal(store.lazyFree.pendingCount, 30_000)

  // Clients go on with the same database while its former keys are still being freed.
  fill(flushed, 100, () => NEVER)
  let runs = 0
  let mostAtOnce = 0
  for (let hasMore = true; hasMore; runs++) {
    const before = store.lazyFree.pendingCount
    hasMore = store.lazyFree.run(atOnce)
    mostAtOnce = Math.max(mostAtOnce, before - store.lazyFree.pendingCount)
  }
  assert.ok(mostAtOnce < 2048 && runs > 15, `${mostAtOnce} keys at once, in ${runs} runs`)
  assert.equal(store.lazyFree.freedObjectCount, 30_000)
  assert.equal(flushed.count, 100)
  store.heap.verify()
  store.flush(flushed)
  store.lazyFree.finish()
  assert.equal(store.heap.usedBytes, usedBytes)
  for (const database of store.databases) database.dict.verify()
})

test('a flush of everything drops what waits to be freed', () => {
  const store = newStore()
  fill(store.databases[0], 5000, () => NEVER)
  fill(store.databases[1], 5000, () => NEVER)
  store.flush(store.databases[0])
  store.lazyFree.run(atOnce)
  store.flushAll()
  assert.equal(store.lazyFree.pendingCount, 0)
  assert.equal(store.heap.usedBytes, 0)
  fill(store.databases[0], 5000, () => NEVER)
  store.finishBackground()
  store.heap.verify()
  assert.equal(store.databases[0].count, 5000)
})

test('expiring and freeing take turns, so that neither holds up the other', () => {
  const store = newStore()
  store.lazyFree.asked = true
  fill(store.databases[0], 20_000, () => START_MS + 1000)
  fill(store.databases[1], 20_000, () => NEVER)
  store.flush(store.databases[1])
  store.setNow(START_MS + 1000)
  for (let run = 0; run < 4; run++) assert.equal(store.background(atOnce), true)
  assert.ok(store.expiredCount > 0)
  assert.ok(store.lazyFree.freedObjectCount > 0)
  while (store.background(atOnce)) {}
  assert.equal(store.keyCount, 0)
  assert.equal(store.lazyFree.pendingCount, 0)
})
