import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NONE } from '#src/memory/heap.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { NO_HURRY, POLICIES, START_MS, storeWith } from './eviction-store.ts'

const DATABASES = 3
const NAMES = 400

/** Whatever happens to keys, the store is what it was but for those whose eviction was announced. */
for (const policy of POLICIES) {
  test(`${policy}: random commands under a tight limit, against a model`, () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
    const random = new SeededRandom(seed)
    const { store, settings } = storeWith(policy, { databaseCount: DATABASES, seed })
    let models = Array.from({ length: DATABASES }, () => new Map<string, { value: string; expireAtMs: number }>())
    let nowMs = START_MS
    store.onExpired = (database, key) => void models[database].delete(Buffer.from(key).toString())
    store.onEvicted = (database, key) => {
      const model = models[database]
      const name = Buffer.from(key).toString()
      assert.ok(model.has(name), `seed ${seed}: evicted ${name}, which was not there`)
      if (policy.startsWith('volatile'))
        assert.notEqual(model.get(name)!.expireAtMs, 0, `seed ${seed}: ${name} lives for ever`)
      model.delete(name)
    }
    settings.maxmemory = 60_000 + store.eviction.otherBytes() + store.heap.usedBytes
    for (let step = 0; step < 20_000; step++) {
      nowMs += random.below(20)
      store.setNow(nowMs)
      store.eviction.countOtherBytes()
      const room = store.eviction.makeRoom(NO_HURRY)
      if (room === 'full') {
        const hasMore =
          policy === 'noeviction' ||
          (policy.startsWith('volatile') && store.databases.every(({ expires }) => expires.count === 0))
        assert.ok(hasMore, `seed ${seed}: full though there is something to evict`)
        // What Redis's clients do then, in the end.
        for (const database of store.databases) store.flush(database)
        models = models.map(() => new Map())
      } else {
        assert.ok(store.eviction.excessBytes <= 0, `seed ${seed}`)
      }
      const index = random.below(DATABASES)
      const database = store.databases[index]
      const model = models[index]
      const name = `key:${random.below(NAMES)}`
      const key = Buffer.from(name)
      const handle = database.peek(key, 0, key.length)
      assert.equal(handle !== NONE, model.has(name), `seed ${seed}: ${name}`)
      switch (random.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: {
          const value = 'v'.repeat(random.once(30) ? 3000 : random.below(300))
          const expireAtMs = random.once(2) ? 0 : nowMs + 1 + random.below(100_000)
          database.putString(key, 0, key.length, Buffer.from(value), 0, value.length, expireAtMs)
          model.set(name, { value, expireAtMs })
          break
        }
        case 4:
        case 5:
        case 6:
          database.read(key, 0, key.length)
          break
        case 7:
          if (handle === NONE) break
          database.delete(handle, key, 0, key.length)
          model.delete(name)
          break
        case 8: {
          if (handle === NONE) break
          const other = `key:${random.below(NAMES)}`
          const target = random.below(DATABASES)
          if (other === name && target === index) break
          const otherKey = Buffer.from(other)
          const entry = model.get(name)!
          if (random.once(2)) {
            database.moveTo(store.databases[target], handle, otherKey, 0, otherKey.length)
            model.delete(name)
          } else {
            database.copyTo(store.databases[target], handle, otherKey, 0, otherKey.length)
          }
          models[target].set(other, { ...entry })
          break
        }
        case 9: {
          if (handle === NONE) break
          const expireAtMs = random.once(2) ? 0 : nowMs + 1 + random.below(100_000)
          if (expireAtMs === 0) database.clearExpiry(handle)
          else database.setExpiry(handle, expireAtMs)
          model.get(name)!.expireAtMs = expireAtMs
          break
        }
        case 10: {
          if (!random.once(20)) break
          const other = 1 + random.below(DATABASES - 1)
          store.swap(0, other)
          ;[models[0], models[other]] = [models[other], models[0]]
          break
        }
        default:
          if (!random.once(100)) break
          store.flush(database)
          models[index] = new Map()
      }
      if (step % 500 === 0) {
        store.heap.verify()
        for (const each of store.databases) each.dict.verify()
        store.eviction.adaptive?.history.verify()
      }
    }
    store.finishBackground()
    store.databases.forEach((database, index) => {
      assert.equal(database.count, models[index].size, `seed ${seed}`)
      for (const [name, { value, expireAtMs }] of models[index]) {
        const handle = database.peek(Buffer.from(name), 0, name.length)
        assert.notEqual(handle, NONE, `seed ${seed}: ${name}`)
        assert.equal(store.records.valueSize(handle), value.length, `seed ${seed}: ${name}`)
        assert.equal(store.records.expireAtMs(handle), expireAtMs, `seed ${seed}: ${name}`)
      }
    })
    for (const database of store.databases) {
      while (database.count > 0) database.remove(database.dict.random(store.random))
    }
    store.finishBackground()
    // A table that became empty keeps its smallest segment.
    const tableBytes = store.databases.reduce((sum, { dict }) => sum + dict.sizeBytes - dict.directoryBytes, 0)
    assert.equal(store.heap.usedBytes, tableBytes, `seed ${seed}: memory is lost`)
  })
}
