import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LogManager } from '#src/log/log-manager.ts'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { CODECS, type Codec, lastOffsetOf } from '#src/log/record-batch.ts'
import { decodeBatch, encodeBatch } from '#src/log/records/batch.ts'
import { controlTypeOf, encodeMarker } from '#src/log/records/control-record.ts'
import { COMMITTED, LogFixture, readToEnd, splitBatches, temporaryDirectory } from '../log-fixture.ts'

// Transactions, idempotent producers and plain ones write to one compacted log, in all codecs, while it is cleaned again and
// again. Beside it stands a list of what was written, and of what became of it.

const DELETE_RETENTION_MS = 60_000
const CONFIG = new Map([
  ['cleanup.policy', 'compact'],
  ['segment.bytes', '700'],
  ['min.cleanable.dirty.ratio', '0'],
  ['delete.retention.ms', String(DELETE_RETENTION_MS)],
  ['file.delete.delay.ms', '0'],
])
const PRODUCER_IDS = [11, 12, 13]
const CLEANED_EVERY_MS = 20_000

interface Written {
  readonly key: string
  readonly value: string | null
  readonly codec: Codec
  /** Null: of no transaction. */
  readonly transaction: { outcome: 'open' | 'COMMIT' | 'ABORT' } | null
}

interface Producer {
  sequence: number
  transaction: { outcome: 'open' | 'COMMIT' | 'ABORT' } | null
  lastBatch: Buffer | null
  lastBaseOffset: number
}

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())

const pair = fc.tuple(
  fc.constantFrom<string>('a', 'b', 'c', 'd'),
  fc.option(fc.string({ maxLength: 4 }), { nil: null }),
)
const pairs = fc.array(pair, { minLength: 1, maxLength: 4 })
const producer = fc.constantFrom(...PRODUCER_IDS)
const codec = fc.constantFrom(...CODECS)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('plain' as const), pairs, codec }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('idempotent' as const), producer, pairs, codec }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('transactional' as const), producer, pairs, codec }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('end' as const), producer, type: fc.constantFrom('COMMIT', 'ABORT') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retry' as const), producer }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('clean' as const), waitsMs: fc.constantFrom(0, DELETE_RETENTION_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

class World {
  readonly fixture: LogFixture
  readonly written: (Written | null)[] = []
  readonly producers = new Map<number, Producer>()
  logs!: LogManager
  log!: PartitionLog

  constructor(directory: string | null) {
    this.fixture = new LogFixture(directory)
    for (const id of PRODUCER_IDS) {
      this.producers.set(id, { sequence: 0, transaction: null, lastBatch: null, lastBaseOffset: -1 })
    }
  }

  async start(): Promise<void> {
    this.logs = await this.fixture.start()
    this.log =
      this.logs.partition('table', 0) ??
      (this.logs.createTopic('table', { partitionCount: 1, config: CONFIG }).partitions[0] as PartitionLog)
    await this.logs.written()
  }

  async take(each: Step): Promise<void> {
    const { fixture } = this
    fixture.nowMs += 1
    switch (each.kind) {
      case 'plain':
        return this.#append(each.pairs, each.codec, null)
      case 'idempotent':
        // A producer with an open transaction writes nothing beside it.
        if (this.producers.get(each.producer)!.transaction !== null) return
        return this.#append(each.pairs, each.codec, each.producer)
      case 'transactional': {
        const producer = this.producers.get(each.producer)!
        producer.transaction ??= { outcome: 'open' }
        return this.#append(each.pairs, each.codec, each.producer)
      }
      case 'end': {
        const producer = this.producers.get(each.producer)!
        if (producer.transaction === null) return
        const type = each.type as 'COMMIT' | 'ABORT'
        const marker = { type, producerId: each.producer, producerEpoch: 0, coordinatorEpoch: 0 }
        const appended = this.log.append(encodeMarker({ ...marker, timestampMs: fixture.nowMs }), {
          origin: 'coordinator',
        })
        assert.equal(appended.error, null)
        producer.transaction.outcome = type
        producer.transaction = null
        this.written.push(null)
        await this.logs.written()
        return
      }
      case 'retry': {
        // Whatever cleaning has left of it: the last batch of a producer is known.
        const { lastBatch, lastBaseOffset } = this.producers.get(each.producer)!
        if (lastBatch === null) return
        const appended = this.log.append(lastBatch, { origin: 'client' })
        assert.deepEqual([appended.error, (appended as { isDuplicate: boolean }).isDuplicate], [null, true])
        assert.equal((appended as { baseOffset: number }).baseOffset, lastBaseOffset)
        return
      }
      case 'clean':
        fixture.advance(each.waitsMs)
        await this.logs.cleaner.idle()
        fixture.advance(CLEANED_EVERY_MS)
        await this.logs.cleaner.idle()
        return
      case 'restart':
        if (fixture.directory === null) return
        await this.logs.close()
        forgetCleanEnd(fixture.directory)
        await this.start()
        for (const producer of PRODUCER_IDS) await this.take({ kind: 'retry', producer })
    }
  }

  async #append(pairs: readonly (readonly [string, string | null])[], codec: Codec, id: number | null): Promise<void> {
    const producer = id === null ? null : this.producers.get(id)!
    const transaction = producer?.transaction ?? null
    const records = pairs.map(([key, value]) => ({
      timestampMs: this.fixture.nowMs,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    }))
    const batch = encodeBatch(records, {
      codec,
      ...(id === null || producer === null
        ? {}
        : { producerId: id, producerEpoch: 0, baseSequence: producer.sequence, isTransactional: transaction !== null }),
    })
    const appended = this.log.append(batch, { origin: 'client' })
    assert.equal(appended.error, null)
    const { baseOffset } = appended as { baseOffset: number }
    assert.equal(baseOffset, this.written.length)
    if (producer !== null) {
      producer.sequence += pairs.length
      producer.lastBatch = batch
      producer.lastBaseOffset = baseOffset
    }
    for (const [key, value] of pairs) this.written.push({ key, value, codec, transaction })
    await this.logs.written()
  }

  /** Of each key, the last value below an offset that a reader of committed data may see. */
  expected(endOffset: number): Record<string, string> {
    const table = new Map<string, string>()
    for (const record of this.written.slice(0, endOffset)) {
      if (record === null || (record.transaction !== null && record.transaction.outcome !== 'COMMIT')) continue
      if (record.value === null) table.delete(record.key)
      else table.set(record.key, record.value)
    }
    return Object.fromEntries([...table].sort())
  }

  /** As a consumer of committed data does: it passes over what the list of aborted transactions tells. */
  async readCommitted(): Promise<{ table: Record<string, string>; offsets: number[] }> {
    const table = new Map<string, string>()
    const offsets: number[] = []
    for (let offset = 0; ; ) {
      const read = await this.log.read(offset, 500, COMMITTED)
      assert.equal(read.error, null)
      if (read.sizeBytes === 0) return { table: Object.fromEntries([...table].sort()), offsets }
      const toCome = [...read.abortedTransactions!]
      const aborted = new Set<number>()
      for (const bytes of splitBatches(read)) {
        const batch = decodeBatch(bytes)
        offset = lastOffsetOf(bytes, 0) + 1
        while (toCome.length > 0 && toCome[0].firstOffset <= lastOffsetOf(bytes, 0))
          aborted.add(toCome.shift()!.producerId)
        if (batch.isControl) {
          if (batch.records.length > 0 && controlTypeOf(batch.records[0].key) === 'ABORT')
            aborted.delete(batch.producerId)
          continue
        }
        if (batch.isTransactional && aborted.has(batch.producerId)) continue
        for (const record of batch.records) {
          offsets.push(record.offset)
          if (record.value === null) table.delete(text(record.key)!)
          else table.set(text(record.key)!, text(record.value)!)
        }
      }
    }
  }

  async check(): Promise<void> {
    const { table, offsets } = await this.readCommitted()
    assert.deepEqual(table, this.expected(this.log.lastStableOffset))
    for (const offset of offsets)
      assert.notEqual(this.written[offset]?.transaction?.outcome, 'ABORT', `offset ${offset}`)
    for (const bytes of await readToEnd(this.log)) {
      const batch = decodeBatch(bytes)
      for (const { offset, key, value } of batch.records) {
        const original = this.written[offset]
        if (batch.isControl) assert.equal(original, null)
        else {
          assert.deepEqual([text(key), text(value)], [original?.key, original?.value])
          assert.equal(batch.codec, original?.codec)
        }
      }
    }
  }

  /** Once nothing is open, twice the retention has passed and it was cleaned then: what has to be gone is gone. */
  async finish(): Promise<void> {
    for (const [id, { transaction }] of this.producers) {
      if (transaction !== null) await this.take({ kind: 'end', producer: id, type: 'ABORT' })
    }
    const end = this.written.length
    // Something large behind it each time, so that there is something to clean, and all of this lies in segments that may be.
    for (let round = 0; round < 4; round++) {
      await this.take({ kind: 'restart' })
      for (let count = 0; count < 2; count++) {
        await this.take({ kind: 'plain', pairs: [['end', `${count}`.repeat(500)]], codec: 'none' })
      }
      await this.take({ kind: 'clean', waitsMs: DELETE_RETENTION_MS })
    }
    await this.check()
    const keys = new Set<string>()
    const markers = new Set<number>()
    for (const bytes of await readToEnd(this.log)) {
      const batch = decodeBatch(bytes)
      if (lastOffsetOf(bytes, 0) >= end) continue
      if (batch.isControl) {
        // The last one of a producer stays when the log has no data of it.
        if (batch.records.length > 0) markers.add(batch.producerId)
        continue
      }
      for (const { offset, key, value } of batch.records) {
        assert.notEqual(this.written[offset]?.transaction?.outcome, 'ABORT', 'aborted data goes')
        assert.notEqual(value, null, 'tombstones go')
        assert.equal(keys.has(text(key)!), false, 'one record for each key')
        keys.add(text(key)!)
      }
    }
    assert.ok(markers.size <= PRODUCER_IDS.length)
  }
}

/** As after a crash: what producers have done has to be found in the log itself. */
function forgetCleanEnd(directory: string): void {
  rmSync(join(directory, '.kafka_cleanshutdown'))
  rmSync(join(directory, 'recovery-point-offset-checkpoint'), { force: true })
  if (!existsSync(join(directory, 'table-0'))) return
  for (const name of readdirSync(join(directory, 'table-0'))) {
    if (name.endsWith('.snapshot')) rmSync(join(directory, 'table-0', name))
  }
}

for (const where of ['disk', 'memory'] as const) {
  test(`${where}: transactions and plain records in every codec, cleaned again and again, are what a list says`, async (context) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const world = new World(where === 'disk' ? temporaryDirectory(context) : null)
        await world.start()
        for (const each of steps) {
          await world.take(each)
          if (each.kind === 'clean' || each.kind === 'restart') await world.check()
        }
        await world.finish()
        await world.logs.close()
      }),
      { numRuns: where === 'disk' ? 12 : 60 },
    )
  })
}
