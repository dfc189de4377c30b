import assert from 'node:assert/strict'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { baseOffsetOf, lastOffsetOf, leaderEpochOf, sizeBytesOf } from '#src/log/record-batch.ts'
import { makeBatch } from './batches.ts'
import { EVERYTHING, LogFixture, readToEnd, splitBatches, temporaryDirectory } from './log-fixture.ts'

const CLIENT = { origin: 'client' } as const

interface Crashed {
  /** As a process left it that was killed. */
  readonly directory: string
  readonly log: Buffer
  /** Where each batch begins, and the end. */
  readonly positions: number[]
}

/** A log of some batches of an idempotent producer, written and never closed. */
async function crash(context: TestContext, batchCount: number, segmentBytes = 2 ** 30): Promise<Crashed> {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory, { segmentBytes })
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1 }).partitions
  for (let i = 0; i < batchCount; i++) {
    const batch = makeBatch({ recordCount: 2, producerId: 7, producerEpoch: 0, baseSequence: i * 2, valueBytes: 20 })
    assert.equal(log.append(batch, CLIENT).error, null)
  }
  await logs.written()
  const last = log.segments[log.segments.length - 1]
  const bytes = readFileSync(last.file?.path ?? '')
  const positions = [0]
  for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) positions.push(at + sizeBytesOf(bytes, at))
  return { directory, log: bytes, positions }
}

/** How many zeros there are from a place on. */
function zerosFrom(bytes: Buffer, start: number): number {
  let end = start
  while (end < bytes.length && bytes[end] === 0) end++
  return end - start
}

const LOG = join('t-0', `${'0'.repeat(20)}.log`)

async function reopen(directory: string, segmentBytes = 2 ** 30): Promise<{ fixture: LogFixture; log: PartitionLog }> {
  const fixture = new LogFixture(directory, { segmentBytes })
  const logs = await fixture.start()
  return { fixture, log: logs.partition('t', 0) as PartitionLog }
}

test('a torn end is cut at every byte: the log ends with the last whole batch', async (context) => {
  const { directory, log: bytes, positions } = await crash(context, 3)
  const scratch = temporaryDirectory(context)
  for (let size = positions[1]; size <= bytes.length; size++) {
    for (const tail of size % 4 === 0 ? (['cut', 'zeros'] as const) : (['cut'] as const)) {
      const copy = join(scratch, `${size}-${tail}`)
      cpSync(directory, copy, { recursive: true })
      truncateSync(join(copy, LOG), size)
      if (tail === 'zeros') appendFileSync(join(copy, LOG), Buffer.alloc(bytes.length - size))
      const { fixture, log } = await reopen(copy)
      // The end of a batch may be zeros anyway.
      const sizeLeft = tail === 'zeros' ? size + zerosFrom(bytes, size) : size
      const wholeCount = positions.findLastIndex((position) => position <= sizeLeft)
      assert.equal(log.logEndOffset, wholeCount * 2, `${tail} at ${size}`)
      assert.equal(statSync(join(copy, LOG)).size, positions[wholeCount])
      // The producer goes on behind what is left.
      const next = { recordCount: 2, producerId: 7, producerEpoch: 0, baseSequence: wholeCount * 2, valueBytes: 20 }
      const appended = log.append(makeBatch(next), CLIENT)
      assert.ok(appended.error === null && !appended.isDuplicate && appended.baseOffset === wholeCount * 2)
      await fixture.logs.written()
      assert.equal((await readToEnd(log)).length, wholeCount + 1)
      rmSync(copy, { recursive: true })
    }
  }
})

test('a damaged byte anywhere ends the log before its batch, and says so', async (context) => {
  const { directory, log: bytes, positions } = await crash(context, 3)
  const scratch = temporaryDirectory(context)
  for (let at = positions[1]; at < bytes.length; at += 3) {
    const copy = join(scratch, String(at))
    cpSync(directory, copy, { recursive: true })
    const damaged = Buffer.from(bytes)
    damaged[at] ^= 0x5a
    writeFileSync(join(copy, LOG), damaged)
    const { fixture, log } = await reopen(copy)
    const batch = positions.findLastIndex((position) => position <= at)
    // Leader epoch and base offset are outside of the CRC; a base offset that goes back or a size that is wrong is noticed.
    const inBatch = at - positions[batch]
    if (inBatch >= 17) {
      assert.equal(log.logEndOffset, batch * 2, `byte ${at}`)
      assert.ok(fixture.lines.some((line) => line.includes(`at byte ${positions[batch]}`)))
    } else assert.ok(log.logEndOffset >= batch * 2)
    await fixture.logs.close()
    rmSync(copy, { recursive: true })
  }
})

test('indexes are built anew after a crash, and equal those of a clean end', async (context) => {
  const { directory } = await crash(context, 500)
  const copy = temporaryDirectory(context)
  cpSync(directory, copy, { recursive: true })
  const first = await reopen(directory)
  await first.fixture.logs.close()
  const index = (root: string, kind: string) => readFileSync(join(root, 't-0', `${'0'.repeat(20)}.${kind}`))
  assert.ok(index(directory, 'index').length > 50)
  const second = await reopen(copy)
  assert.deepEqual((await readToEnd(second.log)).length, 500)
  await second.fixture.logs.close()
  for (const kind of ['index', 'timeindex']) assert.deepEqual(index(directory, kind), index(copy, kind))
})

test('missing and damaged indexes of old segments are built anew when they are needed', async (context) => {
  const directory = temporaryDirectory(context)
  const parts = { tailBytesMax: 1 }
  const options = { segmentBytes: 3 * 2 ** 20 }
  let fixture = new LogFixture(directory, options, parts)
  const logs = await fixture.start()
  const created = logs.createTopic('t', { partitionCount: 1 }).partitions[0]
  for (let i = 0; i < 90; i++) {
    created.append(makeBatch({ recordCount: 10, valueBytes: 10_000, timestampMs: 1000 + i }), CLIENT)
  }
  await logs.close()
  const indexes = () => readdirSync(join(directory, 't-0')).filter((name) => name.endsWith('.index'))
  assert.ok(indexes().length >= 3)
  for (const damage of ['missing', 'zeros', 'noise'] as const) {
    for (const name of readdirSync(join(directory, 't-0')).filter((each) => each.endsWith('index'))) {
      const path = join(directory, 't-0', name)
      if (damage === 'missing') unlinkSync(path)
      else writeFileSync(path, Buffer.alloc(statSync(path).size || 96, damage === 'zeros' ? 0 : 0xa7))
    }
    fixture = new LogFixture(directory, options, parts)
    const log = (await fixture.start()).partition('t', 0) as PartitionLog
    for (const offset of [5, 255, 512, 899]) {
      const [batch] = splitBatches(await log.read(offset, 1000, EVERYTHING))
      assert.deepEqual(
        [baseOffsetOf(batch, 0), lastOffsetOf(batch, 0)],
        [offset - (offset % 10), offset - (offset % 10) + 9],
      )
    }
    await fixture.logs.close()
  }
})

test('what follows a damaged segment is gone: offsets never go on behind a hole', async (context) => {
  const { directory } = await crash(context, 40, 1000)
  const names = readdirSync(join(directory, 't-0')).filter((name) => name.endsWith('.log'))
  assert.ok(names.length > 3)
  const damaged = join(directory, 't-0', names[1])
  truncateSync(damaged, statSync(damaged).size - 5)
  const { fixture, log } = await reopen(directory, 1000)
  assert.ok(log.logEndOffset < Number(names[2].slice(0, 20)))
  assert.equal(log.segments.length, 2)
  assert.equal((await readToEnd(log)).length, log.logEndOffset / 2)
  await fixture.logs.close()
})

test('a segment that was begun before the end of the one before it was written is gone as well', async (context) => {
  for (const [emptyCount, isMissing] of [
    [0, true],
    [1, true],
    [2, true],
    [2, false],
  ] as const) {
    const { directory } = await crash(context, 40, 1000)
    const names = readdirSync(join(directory, 't-0')).filter((name) => name.endsWith('.log'))
    const [whole, ...next] = names.slice(-3)
    const bytes = readFileSync(join(directory, 't-0', whole))
    let lastAt = 0
    for (let at = 0; at < bytes.length; at += sizeBytesOf(bytes, at)) lastAt = at
    // A batch is missing, or the segments after it were begun and never written; nothing is torn.
    if (isMissing) truncateSync(join(directory, 't-0', whole), lastAt)
    else lastAt += sizeBytesOf(bytes, lastAt)
    for (const name of next.slice(0, emptyCount)) truncateSync(join(directory, 't-0', name), 0)
    const { fixture, log } = await reopen(directory, 1000)
    assert.equal(log.logEndOffset, isMissing ? baseOffsetOf(bytes, lastAt) : Number(next[0].slice(0, 20)))
    assert.equal((await readToEnd(log)).length, log.logEndOffset / 2)
    // The producer sends it again.
    const lost = { recordCount: 2, producerId: 7, producerEpoch: 0, baseSequence: log.logEndOffset, valueBytes: 20 }
    assert.deepEqual(log.append(makeBatch(lost), CLIENT).error, null)
    await fixture.logs.close()
  }
})

test('a clean end is believed: nothing is looked through, and producers are there', async (context) => {
  const directory = temporaryDirectory(context)
  const first = new LogFixture(directory)
  const logs = await first.start()
  const [log] = logs.createTopic('t', { partitionCount: 1 }).partitions
  log.append(makeBatch({ recordCount: 2, producerId: 7, producerEpoch: 0, baseSequence: 0 }), CLIENT)
  await logs.close()
  assert.ok(existsSync(join(directory, '.kafka_cleanshutdown')))
  const second = await reopen(directory)
  assert.ok(!existsSync(join(directory, '.kafka_cleanshutdown')))
  assert.deepEqual(second.fixture.lines, [])
  assert.deepEqual([second.log.logEndOffset, second.log.leaderEpoch], [2, 0])
  assert.equal(second.log.activeProducers().length, 1)
})

test('after an unclean end the leader epoch is another one, and the old one ends where the log did', async (context) => {
  const { directory } = await crash(context, 3)
  const { fixture, log } = await reopen(directory)
  assert.equal(log.leaderEpoch, 1)
  log.append(makeBatch(), CLIENT)
  await fixture.logs.written()
  assert.deepEqual(log.endOffsetForEpoch(0), { epoch: 0, endOffset: 6 })
  assert.deepEqual(log.endOffsetForEpoch(1), { epoch: 1, endOffset: 7 })
  const batches = await readToEnd(log)
  assert.deepEqual(
    batches.map((batch) => leaderEpochOf(batch, 0)),
    [0, 0, 0, 1],
  )
  // A topic of today begins with epoch 0.
  assert.equal(fixture.logs.createTopic('new', { partitionCount: 1 }).partitions[0].leaderEpoch, 0)
  await fixture.logs.close()
})

test('a torn line of the catalog is cut off, what stands before it holds', async (context) => {
  const directory = temporaryDirectory(context)
  let fixture = new LogFixture(directory)
  let logs = await fixture.start()
  logs.createTopic('one', { partitionCount: 1 })
  await logs.written()
  const journal = join(directory, 'catalog.journal')
  const whole = readFileSync(journal)
  logs.createTopic('two', { partitionCount: 1 })
  await logs.written()
  const both = readFileSync(journal)
  for (let size = whole.length; size < both.length; size++) {
    writeFileSync(journal, both.subarray(0, size))
    fixture = new LogFixture(directory)
    logs = await fixture.start()
    assert.deepEqual([...logs.topics.keys()], ['one'], `cut at ${size}`)
    logs.createTopic('three', { partitionCount: 1 })
    await logs.written()
    logs = await new LogFixture(directory).start()
    assert.deepEqual([...logs.topics.keys()], ['one', 'three'])
  }
})

test('a log that is older than its format is told, and the others are served', async (context) => {
  const { directory } = await crash(context, 1)
  const bytes = readFileSync(join(directory, LOG))
  bytes[16] = 1
  writeFileSync(join(directory, LOG), bytes)
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const log = logs.partition('t', 0) as PartitionLog
  assert.match(log.storageProblem ?? '', /magic 1; only logs of record batches v2 are read/)
  assert.deepEqual(readFileSync(join(directory, LOG)), bytes)
  assert.equal(logs.createTopic('other', { partitionCount: 1 }).partitions[0].append(makeBatch(), CLIENT).error, null)
})

test("a full disk is one partition's problem, and it goes on when there is room", {
  skip: existsSync('/dev/full') ? false : 'the system has no /dev/full',
}, async (context) => {
  const directory = temporaryDirectory(context)
  const fixture = new LogFixture(directory)
  const logs = await fixture.start()
  const [log, other] = logs.createTopic('t', { partitionCount: 2 }).partitions
  mkdirSync(join(directory, 't-0'))
  symlinkSync('/dev/full', join(directory, LOG))
  assert.equal(log.append(makeBatch(), CLIENT).error, null)
  assert.equal(other.append(makeBatch(), CLIENT).error, null)
  await logs.written()
  assert.match(log.storageProblem ?? '', /ENOSPC/)
  assert.deepEqual([log.highWatermark, other.highWatermark, other.storageProblem], [0, 1, null])
  assert.equal(log.append(makeBatch(), CLIENT).error, 'KAFKA_STORAGE_ERROR')
  assert.equal((await log.read(0, 100, EVERYTHING)).error, 'KAFKA_STORAGE_ERROR')
  assert.equal(fixture.lines.filter((line) => line.includes('t-0 cannot be written: ENOSPC')).length, 1)

  unlinkSync(join(directory, LOG))
  const isWell = new Promise<void>((resolve) => log.waiters.add(resolve))
  fixture.advance(11_000)
  await isWell
  assert.equal(log.storageProblem, null)
  assert.deepEqual(log.append(makeBatch(), CLIENT), {
    error: null,
    baseOffset: 0,
    logAppendTimeMs: -1,
    isDuplicate: false,
  })
  await logs.written()
  assert.equal(log.highWatermark, 1)
  await logs.close()
})
