import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { LogSettings } from '#src/log/log-settings.ts'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { makeBatch } from './batches.ts'
import { EVERYTHING, LogFixture, offsetRanges, temporaryDirectory } from './log-fixture.ts'

const CLIENT = { origin: 'client' } as const
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

async function open(
  context: TestContext,
  settings: Partial<LogSettings>,
): Promise<{ fixture: LogFixture; log: PartitionLog; directory: string }> {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory, settings)
  const logs = await fixture.start()
  return { fixture, directory, log: logs.createTopic('t', { partitionCount: 1 }).partitions[0] }
}

const starts = (log: PartitionLog) => log.segments.map(({ baseOffset }) => baseOffset)

test('segments roll by size', async (context) => {
  const { log } = await open(context, { segmentBytes: 400 })
  const batch = makeBatch({ valueBytes: 100 })
  for (let i = 0; i < 7; i++) log.append(batch, CLIENT)
  assert.equal(batch.length * 2 < 400 && batch.length * 3 > 400, true)
  assert.deepEqual(starts(log), [0, 2, 4, 6])
})

test('segments roll by the time between their first record and the next', async (context) => {
  const { log, fixture } = await open(context, { segmentMs: 1000 })
  const append = (timestampMs: number) => log.append(makeBatch({ timestampMs }), CLIENT)
  append(fixture.nowMs)
  append(fixture.nowMs + 1000)
  append(fixture.nowMs + 1001)
  assert.deepEqual(starts(log), [0, 2])
  // Records without a time go by the clock.
  append(-1)
  log.roll()
  append(-1)
  fixture.nowMs += 1001
  append(-1)
  assert.deepEqual(starts(log), [0, 2, 4, 5])
})

test('segments roll when an index is full', async (context) => {
  const { log } = await open(context, { segmentIndexBytes: 36, indexIntervalBytes: 0 })
  for (let i = 0; i < 8; i++) log.append(makeBatch({ timestampMs: 1000 + i }), CLIENT)
  // Room for three times: with two of them the time index is full, as its last entry is kept for the roll.
  assert.deepEqual(starts(log), [0, 3, 6])
})

test('partitions do not roll all at once: each segment has a time of its own', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context), { segmentMs: HOUR_MS, segmentJitterMs: HOUR_MS / 2 })
  const logs = await fixture.start()
  const { partitions } = logs.createTopic('t', { partitionCount: 64 })
  for (const log of partitions) log.append(makeBatch({ timestampMs: fixture.nowMs }), CLIENT)
  for (const log of partitions) log.append(makeBatch({ timestampMs: fixture.nowMs + HOUR_MS * 0.75 }), CLIENT)
  const rolledCount = partitions.filter((log) => log.segments.length === 2).length
  assert.ok(rolledCount > 5 && rolledCount < 59, `${rolledCount} of 64`)
})

test('what is older than retention.ms goes, by the largest timestamp of a segment', async (context) => {
  const { log, fixture, directory } = await open(context, { retentionMs: DAY_MS + HOUR_MS })
  const startMs = fixture.nowMs
  for (let day = 0; day < 4; day++) {
    fixture.nowMs = startMs + day * DAY_MS
    log.append(makeBatch({ timestampMs: fixture.nowMs }), CLIENT)
    await fixture.logs.written()
    if (day < 3) log.roll()
  }
  fixture.advance(301_000)
  assert.deepEqual([log.logStartOffset, starts(log)], [2, [2, 3]])
  assert.equal((await log.read(1, 100, EVERYTHING)).error, 'OFFSET_OUT_OF_RANGE')
  // The last segment goes too when it is due; the log goes on where it was.
  fixture.advance(2 * DAY_MS)
  assert.deepEqual([log.logStartOffset, log.logEndOffset, starts(log)], [4, 4, [4]])
  assert.ok(readdirSync(join(directory, 't-0')).some((name) => name.endsWith('.deleted')))
  fixture.advance(61_000)
  const files = readdirSync(join(directory, 't-0')).filter((name) => /\.(log|deleted)$/.test(name))
  assert.deepEqual(files, ['00000000000000000004.log'])
  await fixture.logs.close()
  const again = (await fixture.start()).partition('t', 0) as PartitionLog
  assert.deepEqual([again.logStartOffset, again.logEndOffset], [4, 4])
})

test('one record of the future keeps its segment and those behind it', async (context) => {
  const { log, fixture } = await open(context, {
    retentionMs: DAY_MS,
    messageTimestampAfterMaxMs: Number.POSITIVE_INFINITY,
  })
  for (const timestampMs of [fixture.nowMs, fixture.nowMs + 100 * DAY_MS, fixture.nowMs]) {
    log.append(makeBatch({ timestampMs }), CLIENT)
    log.roll()
  }
  await fixture.logs.written()
  fixture.advance(10 * DAY_MS)
  assert.equal(log.logStartOffset, 1)
})

test('retention.bytes keeps at least as much', async (context) => {
  const { log, fixture } = await open(context, { retentionMs: -1 })
  const batch = makeBatch({ valueBytes: 100 })
  for (let i = 0; i < 10; i++) {
    log.append(batch, CLIENT)
    if (i < 9) log.roll()
  }
  await fixture.logs.written()
  fixture.logs.configure(
    't',
    new Map([
      ['retention.bytes', String(batch.length * 3 + 1)],
      ['retention.ms', '-1'],
    ]),
  )
  fixture.advance(301_000)
  assert.equal(log.segments.length, 4)
  fixture.logs.configure(
    't',
    new Map([
      ['retention.bytes', '0'],
      ['retention.ms', '-1'],
    ]),
  )
  fixture.advance(301_000)
  assert.deepEqual([log.sizeBytes, log.logStartOffset], [0, 10])
})

test('a topic that is only compacted loses nothing by its age', async (context) => {
  const { log, fixture } = await open(context, { retentionMs: 1, isDeleted: false, isCompacted: true })
  log.append(makeBatch(), CLIENT)
  await fixture.logs.written()
  fixture.advance(10 * DAY_MS)
  assert.equal(log.logStartOffset, 0)
})

test('of very many segments a few go at a time, with others in between', async (context) => {
  const settings = { retentionMs: 1, segmentBytes: makeBatch().length, fileDeleteDelayMs: 1000 }
  const { log, fixture, directory } = await open(context, settings)
  const countOf = (pattern: RegExp) => readdirSync(join(directory, 't-0')).filter((name) => pattern.test(name)).length
  for (let count = 0; count < 50; count++) log.append(makeBatch({ timestampMs: fixture.nowMs }), CLIENT)
  await fixture.logs.written()
  fixture.nowMs += DAY_MS
  assert.ok(log.applyRetention(fixture.nowMs))
  assert.equal(log.segments.length, 46)
  while (log.applyRetention(fixture.nowMs)) {}
  assert.deepEqual([log.logStartOffset, starts(log)], [50, [50]])
  assert.equal(countOf(/\.log\.deleted$/), 50)
  fixture.nowMs += 1000
  assert.ok(log.removeFiles(fixture.nowMs))
  assert.equal(countOf(/\.log\.deleted$/), 46)
  fixture.advance(10_000)
  assert.equal(countOf(/\.deleted$/), 0)
})

test('nothing goes that readers cannot see yet', async (context) => {
  const { log, fixture } = await open(context, { retentionMs: 1 })
  log.append(makeBatch({ timestampMs: fixture.nowMs }), CLIENT)
  fixture.nowMs += DAY_MS
  log.applyRetention(fixture.nowMs)
  assert.deepEqual([log.logStartOffset, starts(log)], [0, [0]])
  await fixture.logs.written()
  log.applyRetention(fixture.nowMs)
  assert.equal(log.logStartOffset, 1)
})

test('deleted records stay deleted, and whole segments of them go', async (context) => {
  const { log, fixture, directory } = await open(context, {})
  for (let i = 0; i < 6; i++) {
    log.append(makeBatch({ recordCount: 10 }), CLIENT)
    if (i === 2) log.roll()
  }
  await fixture.logs.written()
  assert.equal(log.deleteRecordsBefore(35), null)
  assert.deepEqual([log.logStartOffset, starts(log)], [35, [30]])
  // The batch that contains the offset comes whole; its reader leaves out what is before.
  assert.deepEqual(offsetRanges(await log.read(35, 1, EVERYTHING)), [[30, 39]])
  await fixture.logs.written()
  assert.equal(readFileSync(join(directory, 'log-start-offset-checkpoint'), 'latin1'), '0\n1\nt 0 35\n')
  for (const isClean of [false, true]) {
    if (isClean) await fixture.logs.close()
    const again = (await fixture.start()).partition('t', 0) as PartitionLog
    assert.deepEqual([again.logStartOffset, again.logEndOffset], [35, 60])
  }
})

test('flush.messages: what is written is synced before anybody hears of it', async (context) => {
  const { log, fixture } = await open(context, { flushMessages: 1 })
  log.append(makeBatch({ recordCount: 3 }), CLIENT)
  assert.equal(log.recoveryPoint, 0)
  await fixture.logs.written()
  assert.deepEqual([log.highWatermark, log.recoveryPoint], [3, 3])
  const { log: lazy, fixture: other } = await open(context, { flushMessages: 3 })
  lazy.append(makeBatch({ recordCount: 2 }), CLIENT)
  await other.logs.written()
  assert.deepEqual([lazy.highWatermark, lazy.recoveryPoint], [2, 0])
  lazy.append(makeBatch(), CLIENT)
  await other.logs.written()
  assert.deepEqual([lazy.highWatermark, lazy.recoveryPoint], [3, 3])
})

test('flush.ms: what is written is synced in time', async (context) => {
  const { log, fixture } = await open(context, { flushMs: 1000 })
  log.append(makeBatch(), CLIENT)
  await fixture.logs.written()
  fixture.advance(500)
  assert.equal(log.recoveryPoint, 0)
  fixture.advance(600)
  // The sync runs beside the event loop; closing waits for it.
  await fixture.logs.close()
  assert.equal(log.recoveryPoint, 1)
})

test('memory of the ends of logs is bounded over all of them, and reads find everything', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context), {}, { tailBytesMax: 100_000 })
  const logs = await fixture.start()
  const { partitions } = logs.createTopic('t', { partitionCount: 30 })
  for (let round = 0; round < 60; round++) {
    for (const log of partitions) log.append(makeBatch({ valueBytes: 500 }), CLIENT)
    await logs.written()
    assert.ok(logs.tailBytes <= 100_000, `${logs.tailBytes}`)
  }
  for (const log of partitions) {
    for (const offset of [0, 30, 59]) {
      assert.deepEqual(offsetRanges(await log.read(offset, 1, EVERYTHING)), [[offset, offset]])
    }
  }
  await logs.close()
})

test('what was handed out never changes', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context), { segmentBytes: 2 ** 20 }, { tailBytesMax: 2 ** 20 })
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1 }).partitions
  const held: { view: Uint8Array; copy: Buffer }[] = []
  for (let i = 0; i < 300; i++) {
    log.append(makeBatch({ recordCount: 1 + (i % 20), valueBytes: 1500 }), CLIENT)
    await logs.written()
    if (i % 10 !== 0) continue
    const { records } = await log.read(Math.max(log.logStartOffset, log.logEndOffset - 5), 10_000, EVERYTHING)
    for (const view of records) held.push({ view, copy: Buffer.from(view) })
  }
  for (const { view, copy } of held) assert.ok(copy.equals(view))
  await logs.close()
})

test('files that nobody uses are closed, and opened again when somebody does', async (context) => {
  const fixture = new LogFixture(temporaryDirectory(context), {}, { tailBytesMax: 1 })
  const logs = await fixture.start()
  const { partitions } = logs.createTopic('t', { partitionCount: 600 })
  for (const log of partitions) log.append(makeBatch({ timestampMs: fixture.nowMs }), CLIENT)
  await logs.written()
  assert.ok(logs.openFileCount <= 512, `${logs.openFileCount} files`)
  for (let minute = 0; minute < 3; minute++) fixture.advance(61_000)
  assert.equal(logs.openFileCount, 0)
  for (const log of [partitions[0], partitions[599]]) {
    assert.deepEqual(offsetRanges(await log.read(0, 100, EVERYTHING)), [[0, 0]])
    assert.equal(log.append(makeBatch({ timestampMs: fixture.nowMs }), CLIENT).error, null)
  }
  await logs.written()
  assert.equal(partitions[599].highWatermark, 2)
  await logs.close()
})
