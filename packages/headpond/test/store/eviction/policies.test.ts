import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '#src/store/database.ts'
import type { Store } from '#src/store/store.ts'
import { has, NO_HURRY, POLICIES, put, read, START_MS, storeWith } from './eviction-store.ts'

/** Lets so many keys go. */
function evict(store: Store, settings: { maxmemory: number }, count: number): string[] {
  const evicted: string[] = []
  store.onEvicted = (_database, key) => void evicted.push(Buffer.from(key).toString())
  for (let left = count; left > 0; left--) {
    settings.maxmemory = store.heap.usedBytes + store.eviction.otherBytes() - 1
    store.eviction.countOtherBytes()
    if (store.eviction.makeRoom(NO_HURRY) === 'full') break
  }
  settings.maxmemory = 0
  store.onEvicted = null
  return evicted
}

function fill(database: Database, count: number, expireAtMs: (index: number) => number = () => 0): void {
  for (let index = 0; index < count; index++) put(database, `key:${index}`, 20, expireAtMs(index))
}

/** Of 100 keys that go out of 1000 in order, how many are of the first 300: by chance about 30. */
function earlyOnes(evicted: readonly string[]): number {
  return evicted.filter((name) => Number(name.slice(4)) < 300).length
}

test('lru: keys go that were not used for long', () => {
  for (const policy of ['allkeys-lru', 'volatile-lru'] as const) {
    const { store, settings } = storeWith(policy)
    const [database] = store.databases
    fill(database, 1000, () => START_MS + 1e9)
    for (let index = 0; index < 1000; index++) {
      store.setNow(START_MS + index * 1000)
      read(database, `key:${index}`)
    }
    const evicted = evict(store, settings, 100)
    assert.equal(evicted.length, 100)
    assert.ok(earlyOnes(evicted) >= 90, `${policy}: ${earlyOnes(evicted)}`)
  }
})

test('lfu: keys go that were used seldom', () => {
  for (const policy of ['allkeys-lfu', 'volatile-lfu'] as const) {
    const { store, settings } = storeWith(policy)
    const [database] = store.databases
    fill(database, 1000, () => START_MS + 1e9)
    for (let round = 0; round < 100; round++) {
      for (let index = 300; index < 1000; index++) read(database, `key:${index}`)
    }
    const evicted = evict(store, settings, 100)
    assert.ok(earlyOnes(evicted) >= 95, `${policy}: ${earlyOnes(evicted)}`)
  }
})

test('ttl: keys go that would go soon', () => {
  const { store, settings } = storeWith('volatile-ttl')
  fill(store.databases[0], 1000, (index) => START_MS + 1e6 + index * 1000)
  const evicted = evict(store, settings, 100)
  assert.ok(earlyOnes(evicted) >= 90, String(earlyOnes(evicted)))
})

test('ttl: the nearest of all, when all are looked at', () => {
  const { store, settings } = storeWith('volatile-ttl')
  settings.maxmemorySamples = 1000
  fill(store.databases[0], 20, (index) => START_MS + 1e6 + ((index * 7) % 20) * 1000)
  const order = evict(store, settings, 20).map((name) => (Number(name.slice(4)) * 7) % 20)
  assert.deepEqual(order.slice(0, 3), [0, 1, 2])
})

test('ttl: a candidate whose expiry was moved is judged anew', () => {
  const { store, settings } = storeWith('volatile-ttl')
  settings.maxmemorySamples = 1000
  const [database] = store.databases
  fill(database, 10, (index) => START_MS + 1e6 + index * 1000)
  evict(store, settings, 1) // the others are candidates now
  const key = Buffer.from('key:1')
  database.setExpiry(database.peek(key, 0, key.length), START_MS + 1e8)
  assert.deepEqual(evict(store, settings, 1), ['key:2'])
})

test('fifo: keys go in the order in which they came, used or not', () => {
  const { store, settings } = storeWith('allkeys-fifo')
  const [database] = store.databases
  fill(database, 1000)
  for (let index = 0; index < 300; index++) {
    read(database, `key:${index}`)
    put(database, `key:${index}`, 21)
  }
  const evicted = evict(store, settings, 100)
  assert.ok(earlyOnes(evicted) >= 90, String(earlyOnes(evicted)))
})

test('random: any key may go', () => {
  const { store, settings } = storeWith('allkeys-random')
  fill(store.databases[0], 1000)
  const early = earlyOnes(evict(store, settings, 200))
  assert.ok(early > 30 && early < 100, String(early))
})

test('adaptive: keys that come back stay, those of a scan go', () => {
  for (const policy of ['allkeys-adaptive', 'volatile-adaptive'] as const) {
    const { store, settings } = storeWith(policy)
    const [database] = store.databases
    const expireAtMs = START_MS + 1e9
    fill(database, 1000, () => expireAtMs)
    for (let round = 0; round < 20; round++) {
      for (let index = 300; index < 1000; index++) read(database, `key:${index}`)
      for (let index = 0; index < 15; index++) put(database, `key:${round * 15 + index}`, 20, expireAtMs)
    }
    const evicted = evict(store, settings, 100)
    assert.ok(earlyOnes(evicted) >= 90, `${policy}: ${earlyOnes(evicted)}`)
  }
})

test('volatile policies leave alone what lives for ever', () => {
  for (const policy of POLICIES.filter((name) => name.startsWith('volatile-'))) {
    const { store, settings } = storeWith(policy, { databaseCount: 3 })
    fill(store.databases[0], 50)
    fill(store.databases[2], 100, (index) => (index % 2 === 0 ? START_MS + 1e6 : 0))
    const evicted = evict(store, settings, 1000)
    assert.equal(evicted.length, 50, policy)
    assert.equal(store.databases[0].count, 50, policy)
    assert.equal(store.databases[2].count, 50, policy)
    assert.equal(store.databases[2].expires.count, 0, policy)
  }
})

test('a key that is no longer volatile is no candidate any more', () => {
  for (const policy of POLICIES.filter((name) => name.startsWith('volatile-'))) {
    const { store, settings } = storeWith(policy)
    const [database] = store.databases
    fill(database, 40, () => START_MS + 1e6)
    evict(store, settings, 10)
    for (let index = 0; index < 40; index++) {
      const key = Buffer.from(`key:${index}`)
      const handle = database.peek(key, 0, key.length)
      if (handle !== 0) database.clearExpiry(handle)
    }
    assert.deepEqual(evict(store, settings, 10), [], policy)
    assert.equal(database.count, 30, policy)
  }
})

test('all databases give', () => {
  for (const policy of POLICIES.filter((name) => name !== 'noeviction')) {
    const { store, settings } = storeWith(policy, { databaseCount: 4 })
    for (const index of [0, 1, 3]) fill(store.databases[index], 100, () => START_MS + 1e6)
    assert.equal(evict(store, settings, 400).length, 300, policy)
    assert.equal(store.eviction.evictedCount, 300, policy)
    assert.equal(store.keyCount, 0, policy)
  }
})

test('noeviction: nothing goes', () => {
  const { store, settings } = storeWith('noeviction')
  fill(store.databases[0], 10)
  assert.deepEqual(evict(store, settings, 10), [])
})

test('it stops when time is up, and goes on from there', () => {
  const { store, settings } = storeWith('allkeys-lru')
  fill(store.databases[0], 1000)
  settings.maxmemory = 1
  store.eviction.countOtherBytes()
  let turns = 0
  while (store.eviction.makeRoom(() => true) === 'more') turns++
  assert.ok(turns > 50, String(turns))
  assert.equal(store.keyCount, 0)
})

test('what a large value gives back counts before another key goes', () => {
  for (const isLazy of [false, true]) {
    const { store, settings } = storeWith('allkeys-fifo')
    settings.lazyfreeLazyEviction = isLazy
    settings.maxmemorySamples = 1000 // so that it is the first one that goes
    const [database] = store.databases
    const name = Buffer.from('key:large')
    const set = store.sets.create(database, name, 0, name.length, 20_000, name, 0, name.length)
    for (let index = 0; index < 20_000; index++) {
      const member = Buffer.from(`member:${index}`)
      set.add(member, 0, member.length)
    }
    fill(database, 100)
    settings.maxmemory = store.heap.usedBytes + store.eviction.otherBytes() - 1000
    store.eviction.countOtherBytes()
    assert.equal(store.eviction.makeRoom(NO_HURRY), 'enough')
    assert.equal(store.eviction.evictedCount, 1)
    assert.equal(has(database, 'key:large'), false)
  }
})

test('going from one policy to another keeps the keys, and evicts by the new one', () => {
  const { store, settings } = storeWith('noeviction')
  const [database] = store.databases
  fill(database, 500, () => START_MS + 1e6)
  for (const policy of [...POLICIES, ...POLICIES.toReversed()]) {
    settings.maxmemoryPolicy = policy
    store.eviction.applySettings()
    const before = database.count
    evict(store, settings, 5)
    assert.equal(database.count, policy === 'noeviction' ? before : before - 5, policy)
    for (let index = 0; index < 500; index += 3) read(database, `key:${index}`)
  }
})

test('the adaptive policies take their memory as keys come, not when evictions begin', () => {
  const { store, settings } = storeWith('allkeys-adaptive')
  const [database] = store.databases
  const emptyBytes = store.eviction.sizeBytes
  assert.ok(emptyBytes < 48 * 1024, String(emptyBytes))
  fill(database, 20_000)
  const fullBytes = store.eviction.sizeBytes
  assert.ok(fullBytes - emptyBytes <= 24 * 20_000 + 72 * 1024, String(fullBytes))
  settings.maxmemory = store.heap.usedBytes + store.eviction.otherBytes()
  for (let index = 0; index < 60_000; index++) {
    put(database, `other:${index}`)
    if (store.eviction.isOver) store.eviction.makeRoom(NO_HURRY)
  }
  assert.ok(database.count > 19_000, String(database.count))
  store.flushAll()
  assert.ok(store.eviction.excessBytes < 0)
})
