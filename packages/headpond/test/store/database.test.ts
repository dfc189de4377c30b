import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Handle, NONE } from '#src/memory/heap.ts'
import type { Database } from '#src/store/database.ts'
import { casOf, clientFlags, ensureItem, itemState, setState } from '#src/store/item.ts'
import { encoding, INLINE_BYTES_MAX, kindOf, NEVER, type } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'
import { stringBytes } from '#src/store/string.ts'
import { SeededRandom } from '../seeded-random.ts'

const START_MS = 1_700_000_000_000
const RAW_STRING = kindOf(type.STRING, encoding.INLINE_RAW)

interface Entry {
  value: Buffer
  expireAtMs: number
  /** Of an item of memcached's. */
  clientFlags?: number
}

/** Databases beside plain Maps. Every operation is made on both, and what is read is compared. */
class Pair {
  readonly store: Store
  readonly models: Map<string, Entry>[]
  readonly #random: SeededRandom
  readonly #keys: Buffer[]

  constructor(random: SeededRandom, keyCount: number) {
    this.#random = random
    this.store = new Store({
      databaseCount: 2,
      firstArenaBytes: 2 ** 18,
      random: () => random.below(2 ** 30) / 2 ** 30,
    })
    this.store.setNow(START_MS)
    this.models = this.store.databases.map(() => new Map())
    this.#keys = Array.from({ length: keyCount }, (_, index) => this.#newKey(index))
  }

  /** Short as most are, now and then too long for a record; sometimes empty. */
  #newKey(index: number): Buffer {
    if (index === 0) return Buffer.alloc(0)
    const padding = this.#random.once(50) ? 8150 + this.#random.below(100) : this.#random.below(30)
    return Buffer.concat([Buffer.from(`${index}:`), Buffer.alloc(padding, index)])
  }

  #newValue(sizeBytes = this.#newSize()): Buffer {
    const value = Buffer.alloc(sizeBytes, this.#random.below(256))
    if (sizeBytes > 8) value.writeDoubleLE(this.#random.below(2 ** 30), sizeBytes - 8)
    return value
  }

  #newSize(): number {
    if (this.#random.once(100)) return INLINE_BYTES_MAX - 50 + this.#random.below(100)
    if (this.#random.once(200)) return this.#random.below(100_000)
    return this.#random.below(this.#random.once(10) ? 3000 : 60)
  }

  #expireAtMs(): number {
    return this.#random.once(3) ? this.store.nowMs + 1 + this.#random.below(5000) : NEVER
  }

  /** A key, and what the model says of it at this moment. */
  #pick(): { database: Database; model: Map<string, Entry>; key: Buffer; id: string; entry: Entry | undefined } {
    const index = this.#random.below(2)
    const key = this.#random.pick(this.#keys)
    const id = key.toString('latin1')
    const model = this.models[index]
    let entry = model.get(id)
    if (entry !== undefined && entry.expireAtMs !== NEVER && entry.expireAtMs <= this.store.nowMs) {
      model.delete(id)
      entry = undefined
    }
    return { database: this.store.databases[index], model, key, id, entry }
  }

  step(): void {
    const { database, model, key, id, entry } = this.#pick()
    const handle = database.write(key, 0, key.length)
    assert.equal(handle !== NONE, entry !== undefined, 'presence')
    switch (this.#random.below(14)) {
      case 0:
      case 1:
      case 2: {
        const value = this.#newValue()
        const expireAtMs = this.#expireAtMs()
        // The value stands somewhere in a larger array, as in a socket's chunk.
        const chunk = Buffer.concat([Buffer.from('before'), value, Buffer.from('behind')])
        database.putString(key, 0, key.length, chunk, 6, 6 + value.length, expireAtMs)
        model.set(id, { value, expireAtMs })
        break
      }
      case 3: {
        const value = this.#newValue(this.#random.below(500))
        const expireAtMs = this.#expireAtMs()
        const made = database.put(key, 0, key.length, RAW_STRING, value.length, value.length, expireAtMs)
        this.store.heap.arenaOf(made).u8.set(value, database.records.valueAt(made))
        model.set(id, { value, expireAtMs })
        break
      }
      case 4:
        if (entry !== undefined) this.#resize(database, handle, entry)
        break
      case 5:
      case 6:
        if (entry === undefined) break
        entry.expireAtMs = this.store.nowMs + 1 + this.#random.below(5000)
        database.setExpiry(handle, entry.expireAtMs)
        break
      case 7:
        if (entry === undefined) break
        entry.expireAtMs = NEVER
        database.clearExpiry(handle)
        break
      case 8:
        if (entry === undefined) break
        database.delete(handle, key, 0, key.length)
        model.delete(id)
        break
      case 9:
      case 10: {
        const target = this.#pick()
        if (entry === undefined || (target.model === model && target.id === id)) break
        const isCopy = this.#random.once(2)
        if (isCopy) database.copyTo(target.database, handle, target.key, 0, target.key.length)
        else database.moveTo(target.database, handle, target.key, 0, target.key.length)
        target.model.set(target.id, { ...entry })
        if (!isCopy) model.delete(id)
        break
      }
      case 12: {
        const value = this.#newValue()
        const expireAtMs = this.#expireAtMs()
        const flags = this.#random.below(3) * 2_000_000_000
        const item = database.putItem(key, 0, key.length, value, 0, value.length, expireAtMs, flags)
        this.#checkNewCas(casOf(database.records, item))
        model.set(id, { value, expireAtMs, clientFlags: flags })
        break
      }
      case 13: {
        if (entry === undefined) break
        // `write` has just looked this key up, as for a change: what number it had is gone.
        const item = ensureItem(database, handle)
        this.#checkNewCas(casOf(database.records, item))
        setState(database.records, item, itemState.STALE)
        break
      }
      case 11:
        if (this.#random.once(20)) this.store.setNow(this.store.nowMs + this.#random.below(500))
        return // the key may have expired just now
    }
    this.check(database, model, key)
  }

  /** Numbers only grow: so no state of any item has that of another. */
  #checkNewCas(cas: number): void {
    assert.ok(cas > this.#casMax, 'a number that was never given')
    this.#casMax = cas
  }
  #casMax = 0

  /** A value that is kept in its record takes another size there, as APPEND or SETRANGE would make it. */
  #resize(database: Database, handle: Handle, entry: Entry): void {
    const { records } = database
    if (records.encoding(handle) === encoding.LARGE) return
    const sizeBytes = this.#random.once(20) ? this.#random.below(INLINE_BYTES_MAX + 1) : this.#random.below(300)
    const keptBytes = Math.min(sizeBytes, entry.value.length)
    const grown = database.resize(handle, sizeBytes)
    records.setValueSize(grown, sizeBytes)
    const added = this.#newValue(sizeBytes - keptBytes)
    this.store.heap.arenaOf(grown).u8.set(added, records.valueAt(grown) + keptBytes)
    entry.value = Buffer.concat([entry.value.subarray(0, keptBytes), added])
  }

  check(database: Database, model: Map<string, Entry>, key: Buffer): void {
    const entry = model.get(key.toString('latin1'))
    const handle = database.peek(key, 0, key.length)
    assert.equal(handle !== NONE, entry !== undefined)
    if (entry === undefined) return
    assert.equal(database.records.expireAtMs(handle), entry.expireAtMs)
    assert.equal(clientFlags(database.records, handle), entry.clientFlags ?? 0)
    assert.equal(database.records.valueSize(handle), entry.value.length)
    const { bytes, start, end } = stringBytes(this.store, handle)
    assert.ok(entry.value.equals(bytes.subarray(start, end)), 'value')
    assert.ok(database.records.keyCopy(handle).equals(key), 'key')
  }

  checkAll(): void {
    this.store.heap.verify()
    this.store.activeExpiry.finish()
    for (const [index, model] of this.models.entries()) {
      const database = this.store.databases[index]
      database.dict.verify()
      for (const [id, { expireAtMs }] of model) {
        if (expireAtMs !== NEVER && expireAtMs <= this.store.nowMs) model.delete(id)
      }
      assert.equal(database.count, model.size)
      const expiringCount = [...model.values()].filter(({ expireAtMs }) => expireAtMs !== NEVER).length
      assert.equal(database.expires.count, expiringCount)
      for (const id of model.keys()) this.check(database, model, Buffer.from(id, 'latin1'))
    }
  }

  /** One key at a time, so that every way of freeing is gone. */
  removeAll(): void {
    for (const [index, model] of this.models.entries()) {
      const database = this.store.databases[index]
      for (const id of model.keys()) {
        const key = Buffer.from(id, 'latin1')
        database.remove(database.peek(key, 0, key.length))
      }
      model.clear()
      assert.equal(database.count, 0)
      assert.equal(database.expires.count, 0)
      database.dict.clear()
    }
  }
}

// As Node does from 24 on: copies of up to 32 KB are parts of a pool there, beside buffers of everybody else.
Buffer.poolSize = 2 ** 16

test('databases hold what Maps hold, whatever is put, resized, moved, copied, expired and deleted', () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(5, 100, 3000), (seed, keyCount) => {
      const pair = new Pair(new SeededRandom(seed), keyCount)
      for (let step = 1; step <= 40_000; step++) {
        pair.step()
        if (step % 10_000 === 0) pair.checkAll()
      }
      pair.removeAll()
      pair.store.heap.verify()
      assert.equal(pair.store.heap.usedBytes, 0, 'every byte was given back')
    }),
    { numRuns: 20 },
  )
})

test('memory that deleted values give back serves values of other sizes', () => {
  const store = new Store({ databaseCount: 1, firstArenaBytes: 2 ** 26, random: Math.random })
  const [database] = store.databases
  const budgetBytes = 8 * 2 ** 20
  for (const sizeBytes of [20, 5000, 200, INLINE_BYTES_MAX, 1000, 20]) {
    const value = Buffer.alloc(sizeBytes)
    const keys = Array.from({ length: Math.floor(budgetBytes / (sizeBytes + 60)) }, (_, index) =>
      Buffer.from(`key:${index}`),
    )
    for (const key of keys) database.putString(key, 0, key.length, value, 0, value.length, NEVER)
    assert.equal(database.count, keys.length)
    for (const key of keys) database.remove(database.peek(key, 0, key.length))
    database.dict.verify()
  }
  store.heap.verify()
  assert.ok(store.heap.residentBytes <= budgetBytes * 1.7, `${store.heap.residentBytes} bytes for ${budgetBytes}`)
})

test('a value that fits in its record fits under the longest key too', () => {
  const store = new Store({ databaseCount: 2, firstArenaBytes: 2 ** 20, random: Math.random })
  const [first, second] = store.databases
  const short = Buffer.from('k')
  const long = Buffer.alloc(8192, 'k')
  const value = Buffer.alloc(INLINE_BYTES_MAX, 'v')
  const handle = first.putString(short, 0, 1, value, 0, value.length, NEVER)
  assert.equal(first.records.encoding(handle), encoding.INLINE)
  first.copyTo(second, handle, long, 0, long.length)
  first.moveTo(first, handle, long, 0, long.length)
  for (const database of store.databases) {
    const moved = database.setExpiry(database.peek(long, 0, long.length), 5000)
    const { bytes, start, end } = stringBytes(store, moved)
    assert.ok(value.equals(bytes.subarray(start, end)))
  }
  store.heap.verify()
})
