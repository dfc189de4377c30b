/**
 * A partition against a plain model: a list of batches. Random appends of all sizes, rolls, reads from anywhere with any
 * limits, retention, deletions of records, restarts clean and not.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { baseOffsetOf, computeCrc, crcOf, lastOffsetOf } from '#src/log/record-batch.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'
import { makeBatch } from './batches.ts'
import { EVERYTHING, LogFixture, readToEnd, splitBatches, temporaryDirectory } from './log-fixture.ts'

interface ModelBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly sizeBytes: number
  readonly timestampMs: number
}

class Model {
  batches: ModelBatch[] = []
  logStartOffset = 0
  logEndOffset = 0

  append(recordCount: number, sizeBytes: number, timestampMs: number): void {
    const lastOffset = this.logEndOffset + recordCount - 1
    this.batches.push({ baseOffset: this.logEndOffset, lastOffset, sizeBytes, timestampMs })
    this.logEndOffset = lastOffset + 1
  }
}

for (const kind of ['ephemeral', 'disk', 'disk with a small tail'] as const) {
  test(`random operations: ${kind}`, async (context) => {
    const seed = chooseSeed()
    const random = new SeededRandom(seed)
    try {
      const directory = kind === 'ephemeral' ? null : temporaryDirectory(context)
      const parts = kind === 'disk with a small tail' ? { tailBytesMax: 20_000 } : {}
      const fixture = new LogFixture(directory, { segmentBytes: 40_000, indexIntervalBytes: 512 }, parts)
      await play(fixture, random)
    } catch (error) {
      ;(error as Error).message += ` (SEED=${seed})`
      throw error
    }
  })
}

async function play(fixture: LogFixture, random: SeededRandom): Promise<void> {
  await fixture.start()
  let log = fixture.logs.createTopic('t', { partitionCount: 1 }).partitions[0]
  const model = new Model()
  for (let step = 0; step < 1500; step++) {
    const choice = random.below(100)
    if (choice < 50) {
      const batchCount = 1 + random.below(5)
      for (let i = 0; i < batchCount; i++) {
        const recordCount = 1 + random.below(4)
        const valueBytes = random.once(20) ? 5000 + random.below(3000) : random.below(300)
        fixture.nowMs += random.below(50)
        const batch = makeBatch({ recordCount, valueBytes, timestampMs: fixture.nowMs })
        const appended = log.append(batch, { origin: 'client' })
        assert.equal(appended.error, null, `${JSON.stringify(appended)} ${fixture.lines.slice(-3).join('; ')}`)
        assert.ok(appended.error === null && appended.baseOffset === model.logEndOffset, `${appended.baseOffset}`)
        model.append(recordCount, batch.length, fixture.nowMs)
      }
      if (random.once(2)) await fixture.logs.written()
    } else if (choice < 90) {
      await fixture.logs.written()
      await checkRead(log, model, random)
    } else if (choice < 93) {
      await fixture.logs.written()
      await checkTimestamp(log, model, random)
    } else if (choice < 95) {
      const offset = random.below(model.logEndOffset + 1)
      await fixture.logs.written()
      assert.equal(log.deleteRecordsBefore(offset), null)
      model.logStartOffset = Math.max(model.logStartOffset, offset)
    } else if (choice < 97) {
      await fixture.logs.written()
      fixture.logs.configure('t', new Map([['retention.bytes', String(50_000 + random.below(100_000))]]))
      fixture.advance(301_000)
      assert.ok(log.logStartOffset >= model.logStartOffset)
      model.logStartOffset = log.logStartOffset
    } else if (choice < 99 && fixture.directory !== null) {
      await fixture.logs.written()
      // A clean shutdown, or a process that is gone: what was written is there.
      if (random.once(2)) await fixture.logs.close()
      await fixture.start()
      log = fixture.logs.partition('t', 0) as PartitionLog
    } else if (choice === 99) {
      await fixture.logs.written()
      fixture.advance(61_000)
      assert.ok(log.logStartOffset >= model.logStartOffset)
      model.logStartOffset = log.logStartOffset
    }
    assert.equal(log.logEndOffset, model.logEndOffset)
  }
  await fixture.logs.written()
  assert.deepEqual([log.logEndOffset, log.highWatermark], [model.logEndOffset, model.logEndOffset])
  await fixture.logs.close()
}

async function checkRead(log: PartitionLog, model: Model, random: SeededRandom): Promise<void> {
  assert.equal(log.logStartOffset, model.logStartOffset)
  const offset = random.below(model.logEndOffset + 2)
  const maxBytes = random.pick([1, 100, 1000, 10_000, 100_000])
  const takesOneBatchAtLeast = random.once(2)
  const read = await log.read(offset, maxBytes, { isolation: 'read_uncommitted', takesOneBatchAtLeast })
  if (offset < model.logStartOffset || offset > model.logEndOffset) {
    assert.equal(read.error, 'OFFSET_OUT_OF_RANGE')
    return
  }
  assert.equal(read.error, null)
  assert.deepEqual([read.highWatermark, read.logStartOffset], [model.logEndOffset, model.logStartOffset])
  const batches = splitBatches(read)
  const expected = model.batches.filter(({ lastOffset }) => lastOffset >= offset)
  const sizeBytes = batches.reduce((sum, batch) => sum + batch.length, 0)
  assert.equal(read.sizeBytes, sizeBytes)
  assert.ok(sizeBytes <= maxBytes || (takesOneBatchAtLeast && batches.length === 1))
  if (batches.length === 0) {
    assert.ok(expected.length === 0 || (!takesOneBatchAtLeast && expected[0].sizeBytes > maxBytes))
  }
  for (const [index, batch] of batches.entries()) {
    const { baseOffset, lastOffset } = expected[index]
    assert.deepEqual([baseOffsetOf(batch, 0), lastOffsetOf(batch, 0)], [baseOffset, lastOffset])
    assert.equal(batch.length, expected[index].sizeBytes)
    assert.equal(computeCrc(batch, 0), crcOf(batch, 0))
  }
}

async function checkTimestamp(log: PartitionLog, model: Model, random: SeededRandom): Promise<void> {
  if (model.batches.length === 0) return
  const timestampMs = random.pick(model.batches).timestampMs + random.below(3) - 1
  const expected = model.batches.find(
    (batch) => batch.timestampMs >= timestampMs && batch.lastOffset >= model.logStartOffset,
  )
  const found = await log.offsetForTimestamp(timestampMs)
  if (expected === undefined) assert.equal(found, null)
  else {
    assert.deepEqual(
      [found?.offset, found?.timestampMs],
      [Math.max(expected.baseOffset, model.logStartOffset), expected.timestampMs],
    )
  }
  const latest = await log.offsetOfMaxTimestamp()
  const alive = model.batches.filter(({ lastOffset }) => lastOffset >= model.logStartOffset)
  if (alive.length > 0) assert.equal(latest?.timestampMs, alive.at(-1)?.timestampMs)
}

test('every read of everything is what was appended', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context), { segmentBytes: 3000 }, { tailBytesMax: 8192 })
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1 }).partitions
  const sent = Array.from({ length: 100 }, (_, i) => makeBatch({ recordCount: 1 + (i % 3), valueBytes: i * 7 }))
  for (const batch of sent) assert.equal(log.append(batch, { origin: 'client' }).error, null)
  await logs.written()
  assert.ok(log.segments.length > 5)
  const read: Uint8Array[] = []
  for (let offset = 0; offset < log.logEndOffset; ) {
    const batches = splitBatches(await log.read(offset, 500, EVERYTHING))
    read.push(...batches)
    offset = lastOffsetOf(batches[batches.length - 1], 0) + 1
  }
  // All but the base offset and the leader epoch, which are the log's to give.
  assert.deepEqual(
    read.map((batch) => Buffer.from(batch.subarray(16))),
    sent.map((batch) => Buffer.from(batch.subarray(16))),
  )
  await logs.close()
})

test('large batches are written beside the event loop, and small ones behind them in order', async (context) => {
  const fixture = new LogFixture(
    temporaryDirectory(context),
    { segmentBytes: 8 * 2 ** 20 },
    { tailBytesMax: 4 * 2 ** 20 },
  )
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1 }).partitions
  const large = makeBatch({ recordCount: 9, valueBytes: 100_000 })
  const small = makeBatch({ valueBytes: 50 })
  let highWatermark = 0
  for (let turn = 0; turn < 25; turn++) {
    for (const batch of turn % 3 === 0 ? [small] : [large, small, large]) {
      assert.equal(log.append(batch, { origin: 'client' }).error, null)
    }
    // Some turns come while earlier ones are on their way to the disk.
    if (turn % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
    else await logs.written()
    assert.ok(log.highWatermark >= highWatermark && log.highWatermark <= log.logEndOffset)
    highWatermark = log.highWatermark
  }
  await logs.written()
  assert.equal(log.highWatermark, log.logEndOffset)
  const before = await readToEnd(log, 0, 2 ** 20)
  const again = (await fixture.start()).partition('t', 0) as PartitionLog
  assert.equal(again.logEndOffset, log.logEndOffset)
  assert.deepEqual(
    (await readToEnd(again, 0, 2 ** 20)).map((batch) => crcOf(batch, 0)),
    before.map((batch) => crcOf(batch, 0)),
  )
  await fixture.logs.close()
})
