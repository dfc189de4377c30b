import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanableRange, LogCleaner, type LogCleanerParts } from '#src/log/compaction/log-cleaner.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { MemoryLog } from './memory-log.ts'

/** Segments of one batch each, with these values of one key, and an empty active one. */
function dirtyLog(values: readonly number[], settings = {}, timestampMs = 100): MemoryLog {
  const log = new MemoryLog(settings)
  for (const value of values) {
    log.append(encodeBatch([{ timestampMs, key: Buffer.from('key'), value: Buffer.from(`${value}`) }]))
    log.roll()
  }
  log.lastStableOffset = log.logEndOffset
  return log
}

function cleanerOf(logs: readonly MemoryLog[], parts: Partial<LogCleanerParts> = {}) {
  const random = new SeededRandom(5)
  const lines: string[] = []
  const clock = { nowMs: 1000 }
  const cleaner = new LogCleaner({
    logs: () => logs,
    settings: () => ({ isEnabled: true, backoffMs: 100, memoryBytes: 2 ** 20 }),
    nowMs: () => clock.nowMs,
    random: () => random.below(2 ** 32) / 2 ** 32,
    checkpoint: null,
    log: { info: (line) => void lines.push(line), error: (_, line) => void lines.push(line) },
    ...parts,
  })
  cleaner.start()
  const round = async () => {
    cleaner.maintain()
    await cleaner.idle()
  }
  return { cleaner, lines, clock, round }
}

test('it cleans what is dirty enough, and rests', async () => {
  const log = dirtyLog([1, 2, 3])
  const { round, lines, clock } = cleanerOf([log])
  await round()
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^topic-0 compacted up to offset 3: 3 records in \d+ bytes are now 1 in \d+$/)
  // As dirty again, but it rests.
  for (const value of [4, 5, 6, 7]) {
    log.append(encodeBatch([{ timestampMs: 1, key: Buffer.from('key'), value: Buffer.from(`${value}`) }]))
    log.roll()
  }
  log.lastStableOffset = log.logEndOffset
  clock.nowMs += 99
  await round()
  assert.equal(lines.length, 1)
  clock.nowMs += 1
  await round()
  assert.equal(lines.length, 2)
})

test('the dirtiest comes first, one after the other', async () => {
  const logs = [dirtyLog([1]), dirtyLog([1, 2]), dirtyLog([1, 2, 3])]
  const checkpoints = [0, 1, 1]
  for (const [index, log] of logs.entries()) Object.assign(log, { topic: `t${index}` })
  const { round, lines } = cleanerOf(logs, {
    checkpoint: {
      read: () => new Map(logs.map((log, index) => [`${log.topic}-0`, checkpoints[index]])),
      write: async () => {},
    },
  })
  await round()
  // t1 is exactly as dirty as is allowed: half of it.
  assert.deepEqual(lines.map((line) => line.slice(0, 4)), ['t0-0', 't2-0']) // biome-ignore format: one line
})

test('the checkpoint is kept, for logs that are there', async () => {
  const log = dirtyLog([1, 2, 3])
  let written: unknown[] = []
  const checkpoint = {
    read: () => new Map([['gone-1', 7]]),
    write: async (offsets: Iterable<unknown>) => void (written = [...offsets]),
  }
  const { round } = cleanerOf([log], { checkpoint })
  await round()
  assert.deepEqual(written, [{ topic: 'topic', partition: 0, offset: 3 }])
})

test('it is switched off', async () => {
  const { round, lines } = cleanerOf([dirtyLog([1, 2])], {
    settings: () => ({ isEnabled: false, backoffMs: 0, memoryBytes: 1000 }),
  })
  await round()
  assert.deepEqual(lines, [])
  const other = cleanerOf([dirtyLog([1, 2], { isCompacted: false })])
  await other.round()
  assert.deepEqual(other.lines, [])
})

test('a log that cannot be cleaned is left alone, and the others are cleaned', async () => {
  const damaged = dirtyLog([1, 2, 3])
  damaged.segments[1].batches[0].fill(0xff, 61)
  const log = dirtyLog([1, 2])
  Object.assign(log, { topic: 'other' })
  const { round, lines, clock } = cleanerOf([damaged, log])
  await round()
  clock.nowMs += 1000
  await round()
  assert.equal(lines.length, 2)
  assert.equal(lines[0], 'topic-0 cannot be compacted; it is left as it is until the next start')
  assert.match(lines[1], /^other-0 compacted/)
  assert.equal(damaged.segments.length, 4)
})

test('closing ends a cleaning between two slices', async () => {
  const log = dirtyLog([1, 2, 3])
  const { cleaner, lines } = cleanerOf([log])
  cleaner.maintain()
  await cleaner.close()
  assert.deepEqual([lines, log.segments.length], [[], 4])
})

test('min.compaction.lag.ms keeps young records out, max.compaction.lag.ms makes old ones overdue', () => {
  const log = dirtyLog([1, 2, 3], { minCompactionLagMs: 50, maxCompactionLagMs: 200 }, 100)
  const at = (nowMs: number, checkpoint?: number) => cleanableRange(log, checkpoint, nowMs)
  assert.deepEqual([at(149).firstUncleanableOffset, at(149).dirtyBytes], [0, 0])
  assert.deepEqual([at(150).firstUncleanableOffset, at(150).dirtyRatio], [3, 1])
  assert.deepEqual([at(300).isOverdue, at(301).isOverdue], [false, true])
  // What is clean is not overdue.
  assert.equal(at(301, 3).isOverdue, false)
  assert.deepEqual([at(150, 1).firstDirtyOffset, at(150, 1).dirtyRatio], [1, 2 / 3])
  // A checkpoint of what is no longer there counts for nothing.
  assert.equal(at(150, 99).firstDirtyOffset, 0)
  log.logStartOffset = 2
  assert.equal(at(150, 1).firstDirtyOffset, 2)
})

test('a segment with an open transaction in its midst is left alone, and does not keep the cleaner at work', async () => {
  const record = (value: number) =>
    encodeBatch([{ timestampMs: 100, key: Buffer.from('key'), value: Buffer.from(`${value}`) }])
  const log = new MemoryLog({ minCleanableDirtyRatio: 0 })
  for (const valuesOfSegment of [[1, 2], [3, 4], [5]]) {
    for (const value of valuesOfSegment) log.append(record(value))
    log.roll()
  }
  log.lastStableOffset = 3
  const { round, lines, clock } = cleanerOf([log])
  await round()
  assert.equal(lines.length, 1)
  assert.match(lines[0], /^topic-0 compacted up to offset 2: 2 records in \d+ bytes are now 1 in \d+$/)
  clock.nowMs += 1000
  await round()
  assert.equal(lines.length, 1)
  log.lastStableOffset = 5
  clock.nowMs += 1000
  await round()
  assert.match(lines[1], /^topic-0 compacted up to offset 5: 4 records/)
  assert.deepEqual(
    log.batches.filter(({ records }) => records.length > 0).map(({ baseOffset }) => baseOffset),
    [4],
  )
})
