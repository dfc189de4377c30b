import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NONE } from '#src/memory/heap.ts'
import type { Database } from '#src/store/database.ts'
import { HyperLogLog, MergedRegisters, selfTest } from '#src/store/hyperloglog.ts'
import { NEVER } from '#src/store/record.ts'
import { Store } from '#src/store/store.ts'
import { stringBytes } from '#src/store/string.ts'

const KEY = Buffer.from('the log')
const REGISTER_COUNT = 16384
const SPARSE_BYTES_MAX = 3000

function openDatabase(): Database {
  return new Store({ databaseCount: 1, firstArenaBytes: 2 ** 22, random: () => 0.5 }).databases[0]
}

function openLog(database: Database): HyperLogLog {
  const handle = database.write(KEY, 0, KEY.length)
  const log = handle === NONE ? HyperLogLog.create(database, KEY, 0, KEY.length) : HyperLogLog.open(database, handle)
  assert.ok(log !== null)
  log.prepareToWrite()
  return log
}

function bytesOf(database: Database): Buffer {
  const { bytes, start, end } = stringBytes(database.store, database.peek(KEY, 0, KEY.length))
  return Buffer.from(bytes.subarray(start, end))
}

function assertRegisters(log: HyperLogLog, model: Uint8Array): void {
  const merged = new MergedRegisters()
  assert.ok(log.mergeInto(merged))
  assert.deepEqual(merged.values, model)
}

/** Registers close to each other, so that runs are cut and joined; now and then far away. */
const change = fc.tuple(
  fc.oneof(fc.nat(30), fc.nat(REGISTER_COUNT - 1)),
  fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 51 })),
)

test('registers are raised, never lowered, whatever the encoding', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 300 }),
      fc.constantFrom(0, 40, 200, SPARSE_BYTES_MAX),
      (changes, sparseBytesMax) => {
        const database = openDatabase()
        const model = new Uint8Array(REGISTER_COUNT)
        const log = openLog(database)
        for (const [index, value] of changes) {
          const outcome = log.set(index, value, sparseBytesMax)
          assert.equal(outcome, value > model[index] ? 'raised' : 'unchanged')
          model[index] = Math.max(model[index], value)
        }
        assertRegisters(log, model)
        // Opened anew, it is the same, and dense it is again the same.
        assertRegisters(openLog(database), model)
        const sparseSize = bytesOf(database).length
        assert.ok(log.isDense ? sparseSize === 12304 : sparseSize <= Math.max(sparseBytesMax, 18))
        const sparseCount = openLog(database).count()
        assert.ok(openLog(database).toDense())
        assert.equal(bytesOf(database).length, 12304)
        assertRegisters(openLog(database), model)
        assert.equal(openLog(database).count(), sparseCount)
        database.store.heap.verify()
      },
    ),
    { numRuns: 100 },
  )
})

test('estimates stay within three standard errors, and merging equals adding everything to one', () => {
  const databases = [openDatabase(), openDatabase(), openDatabase()]
  const logs = databases.map(openLog)
  let added = 0
  for (const target of [1, 10, 100, 1000, 10_000, 100_000]) {
    for (; added < target; added++) {
      const element = Buffer.from(`element ${added}`)
      logs[added % 2].add(element, 0, element.length, SPARSE_BYTES_MAX)
      logs[2].add(element, 0, element.length, SPARSE_BYTES_MAX)
    }
    const whole = Number(logs[2].count())
    assert.ok(Math.abs(whole - target) <= Math.ceil(target * 0.0081 * 3), `${whole} for ${target}`)
    const merged = new MergedRegisters()
    for (const log of logs.slice(0, 2)) assert.ok(log.mergeInto(merged))
    assert.equal(Number(merged.count()), whole)
  }
})

test('a long sparse value outgrows its record, and finds its way back when it turns dense', () => {
  const database = openDatabase()
  const model = new Uint8Array(REGISTER_COUNT)
  const log = openLog(database)
  for (let index = 0; index < REGISTER_COUNT; index++) {
    model[index] = 1 + (index % 32)
    log.set(index, model[index], 2 ** 20)
  }
  assert.ok(!log.isDense)
  assert.equal(bytesOf(database).length, 16 + REGISTER_COUNT)
  assertRegisters(log, model)
  assert.equal(log.set(0, 33, 2 ** 20), 'raised')
  model[0] = 33
  assert.ok(log.isDense)
  assert.equal(bytesOf(database).length, 12304)
  assertRegisters(openLog(database), model)
})

test('bytes that are no HyperLogLog, or a damaged one, do no harm', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.boolean(),
      fc.constantFrom(0, 1, 2, 255),
      fc.uint8Array({ minLength: 1, maxLength: 12 }),
      (tail, hasMagic, encoding, element) => {
        const database = openDatabase()
        const header = Buffer.alloc(16)
        header.write(hasMagic ? 'HYLL' : 'HYLM')
        header[4] = encoding
        const value = Buffer.concat([header, tail])
        database.putString(KEY, 0, KEY.length, value, 0, value.length, NEVER)
        const handle = database.peek(KEY, 0, KEY.length)
        const log = HyperLogLog.open(database, handle)
        assert.equal(log !== null, hasMagic && encoding === 1)
        if (log === null) return
        log.prepareToWrite()
        log.describeRuns()
        log.add(element, 0, element.length, SPARSE_BYTES_MAX)
        const isWhole = log.mergeInto(new MergedRegisters())
        assert.equal(log.count() !== undefined, isWhole)
        assert.equal(log.toDense(), isWhole)
        database.store.heap.verify()
      },
    ),
    { numRuns: 500 },
  )
})

test('the self-test passes', () => {
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state / 2 ** 32
  }
  assert.equal(selfTest(random), null)
})
