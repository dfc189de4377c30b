import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cleanLog, groupSegments } from '#src/log/compaction/cleaner.ts'
import { CODECS, type Codec, computeCrc, crcOf } from '#src/log/record-batch.ts'
import { type BatchOptions, encodeBatch } from '#src/log/records/batch.ts'
import { encodeMarker } from '#src/log/records/control-record.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { MemoryLog, MemorySegment } from './memory-log.ts'

function chance(): () => number {
  const random = new SeededRandom(7)
  return () => random.below(2 ** 32) / 2 ** 32
}

const NOW_MS = 1_000_000
const options = (nowMs = NOW_MS, memoryBytes = 2 ** 20) => ({
  nowMs,
  memoryBytes,
  random: chance(),
  pause: async () => {},
})

type Pair = readonly [key: string | null, value: string | null]

function batch(pairs: readonly Pair[], timestampMs = 100, batchOptions: BatchOptions = {}): Buffer {
  return encodeBatch(
    pairs.map(([key, value], index) => ({
      timestampMs: timestampMs + index,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers: [{ key: 'h', value: Buffer.from('x') }],
    })),
    batchOptions,
  )
}

/** `offset:key=value`, as a reader sees them. */
function recordsOf(log: MemoryLog): string[] {
  return log.batches
    .filter((each) => !each.isControl)
    .flatMap((each) => each.records)
    .map(({ offset, key, value }) => `${offset}:${text(key)}=${text(value)}`)
}

const text = (bytes: Uint8Array | null) => (bytes === null ? 'null' : Buffer.from(bytes).toString())

/** Cleans all but the active segment, up to the last stable offset. */
async function clean(log: MemoryLog, firstDirtyOffset = 0, nowMs = NOW_MS, memoryBytes?: number) {
  const active = log.segments[log.segments.length - 1]
  return cleanLog(log, firstDirtyOffset, Math.min(active.baseOffset, log.lastStableOffset), options(nowMs, memoryBytes))
}

function filled(batches: readonly Buffer[], settings = {}): MemoryLog {
  const log = new MemoryLog(settings)
  for (const each of batches) log.append(each)
  log.roll()
  log.lastStableOffset = log.logEndOffset
  return log
}

test('the last record of each key stays, with its offset, timestamp and headers', async () => {
  for (const codec of CODECS) {
    const log = filled([
      batch([['a', '1'], ['b', '1'], ['a', '2']], 100, { codec }),
      batch([['b', '2'], ['c', '1']], 200, { codec }),
    ]) // biome-ignore format: pairs
    log.append(batch([['a', 'active']], 300, { codec }))
    const cleaning = await clean(log)
    assert.deepEqual(recordsOf(log), ['2:a=2', '3:b=2', '4:c=1', '5:a=active'])
    assert.equal(cleaning.endOffset, 5)
    assert.deepEqual([cleaning.recordsBefore, cleaning.recordsAfter], [5, 3])
    const [first] = log.batches
    assert.deepEqual([first.codec, first.baseOffset, first.lastOffset, first.recordCount], [codec, 0, 2, 1])
    assert.deepEqual([first.records[0].timestampMs, first.maxTimestampMs], [102, 102])
    assert.equal(first.records[0].headers[0].key, 'h')
    for (const { batches } of log.segments)
      for (const each of batches) assert.equal(crcOf(each, 0), computeCrc(each, 0))
  }
})

test('a large batch that is damaged ends the cleaning, and the log stays as it was', async () => {
  const large = batch([['a', NOISE], ['a', NOISE]], 100, { codec: 'gzip' }) // biome-ignore format: pairs
  const log = filled([batch([['a', '1']]), large])
  log.segments[0].batches[1].fill(0xff, 1000, 1100)
  const before = log.segments.map(({ batches }) => Buffer.concat(batches))
  await assert.rejects(clean(log), /damaged gzip data/)
  assert.deepEqual(
    log.segments.map(({ batches }) => Buffer.concat(batches)),
    before,
  )
})

test('the active segment, and what is beyond the last stable offset, are left alone', async () => {
  const log = filled([batch([['a', '1']]), batch([['a', '2']]), batch([['a', '3']])])
  log.lastStableOffset = 2
  await clean(log)
  assert.deepEqual(recordsOf(log), ['1:a=2', '2:a=3'])
})

test('a batch that keeps everything stays as it is, byte for byte', async () => {
  const sent = batch([['a', '1'], ['b', '2']], 5, { codec: 'gzip' }) // biome-ignore format: pairs
  const log = filled([sent])
  const before = Buffer.from(log.segments[0].batches[0])
  await clean(log)
  assert.ok(before.equals(log.segments[0].batches[0]))
})

test('a tombstone goes when its time, counted from the first cleaning, is over', async () => {
  const log = filled([batch([['a', '1']]), batch([['a', null], ['b', '1']], 500, { codec: 'lz4' }), batch([['z', '']])], {
    deleteRetentionMs: 1000,
  }) // biome-ignore format: pairs
  await clean(log, 0, NOW_MS)
  assert.deepEqual(recordsOf(log), ['1:a=null', '2:b=1', '3:z='])
  const marked = log.batches[0]
  assert.equal(marked.deleteHorizonMs, NOW_MS + 1000)
  assert.deepEqual(
    marked.records.map((record) => record.timestampMs),
    [500, 501],
  )
  assert.equal(marked.maxTimestampMs, 501)
  assert.equal(marked.records[0].headers[0].key, 'h')
  // The horizon is not moved by later cleanings.
  await clean(log, 4, NOW_MS + 999)
  assert.deepEqual(recordsOf(log), ['1:a=null', '2:b=1', '3:z='])
  assert.equal(log.batches[0].deleteHorizonMs, NOW_MS + 1000)
  await clean(log, 4, NOW_MS + 1000)
  assert.deepEqual(recordsOf(log), ['2:b=1', '3:z='])
  assert.equal(log.batches[0].records[0].timestampMs, 501)
})

test('with LogAppendTime, the time of a batch stays that of its records', async () => {
  const sent = batch([['a', '1'], ['b', null]], 100) // biome-ignore format: pairs
  sent[22] |= 8
  const log = filled([sent, batch([['a', '2']])])
  await clean(log)
  const [first] = log.batches
  assert.deepEqual(
    [first.timestampType, first.maxTimestampMs, first.records[0].timestampMs],
    ['LogAppendTime', 101, 101],
  )
})

test('of a producer that is known, the last batch stays, if need be empty', async () => {
  const producer = { producerId: 5, producerEpoch: 2, codec: 'zstd' as const }
  const log = filled([
    batch([['a', '1']], 100, { ...producer, baseSequence: 0 }),
    batch([['a', '2'], ['b', '1']], 100, { ...producer, baseSequence: 1 }),
    batch([['a', '3'], ['b', '2']], 100),
  ]) // biome-ignore format: pairs
  log.producers.set(5, { lastDataOffset: 2, producerEpoch: 2 })
  await clean(log)
  assert.deepEqual(recordsOf(log), ['3:a=3', '4:b=2'])
  const [empty] = log.batches
  assert.deepEqual([empty.baseOffset, empty.lastOffset, empty.recordCount, empty.baseSequence], [1, 2, 0, 1])
  assert.deepEqual([empty.codec, empty.sizeBytes, empty.maxTimestampMs, empty.baseTimestampMs], ['none', 61, 101, -1])
  // It is known no more: then it goes as well.
  log.producers.clear()
  await clean(log, 5)
  assert.equal(log.batches[0].baseOffset, 3)
})

test('the last batch of what was cleaned stays, so that offsets do not end earlier', async () => {
  const log = filled([batch([['a', '1']]), batch([['a', '2'], ['a', null]])], { deleteRetentionMs: 10 }) // biome-ignore format: pairs
  await clean(log, 0, NOW_MS)
  await clean(log, 0, NOW_MS + 10)
  assert.deepEqual(recordsOf(log), [])
  assert.deepEqual(
    log.batches.map((each) => [each.baseOffset, each.lastOffset]),
    [[1, 2]],
  )
})

test('transactions: aborted data goes at once, a marker once its data is gone and its time over', async () => {
  const log = new MemoryLog({ deleteRetentionMs: 1000 })
  const of = (producerId: number) => ({ producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true })
  const marker = (producerId: number, type: 'COMMIT' | 'ABORT') =>
    encodeMarker({ type, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestampMs: 150 })
  log.append(batch([['a', 'committed']], 100, of(1))) // 0
  log.append(
    batch(
      [
        ['a', 'aborted'],
        ['b', 'aborted'],
      ],
      100,
      of(2),
    ),
  ) // 1, 2 // biome-ignore format: pairs
  log.append(marker(1, 'COMMIT')) // 3
  log.append(marker(2, 'ABORT')) // 4
  log.segments[0].appendAborted({ producerId: 2, firstOffset: 1, lastOffset: 4, lastStableOffset: 5 })
  log.append(batch([['c', '1']])) // 5
  log.roll()
  log.lastStableOffset = log.logEndOffset
  const markers = () => log.batches.filter((each) => each.isControl).map((each) => each.baseOffset)

  // Aborted data hides no earlier record. Its marker stays: the cleaning has just met its data.
  await clean(log, 0, NOW_MS)
  assert.deepEqual(recordsOf(log), ['0:a=committed', '5:c=1'])
  assert.deepEqual(markers(), [3, 4])
  assert.equal(log.segments[0].aborted.length, 1)
  // Now nothing is left in front of it, and its time begins.
  await clean(log, 6, NOW_MS)
  assert.deepEqual(markers(), [3, 4])
  assert.equal(log.batches.find((each) => each.baseOffset === 4)?.deleteHorizonMs, NOW_MS + 1000)
  assert.equal(log.segments[0].aborted.length, 0)
  await clean(log, 6, NOW_MS + 999)
  assert.deepEqual(markers(), [3, 4])
  await clean(log, 6, NOW_MS + 1000)
  assert.deepEqual(markers(), [3])
  // The committed record gives way to a later one; so will its marker.
  log.segments[log.segments.length - 1].append(batch([['a', 'later']]))
  log.segments.pop()
  log.roll()
  log.segments[log.segments.length - 1] = new MemorySegment(6)
  log.append(batch([['a', 'later']]))
  log.roll()
  log.lastStableOffset = log.logEndOffset
  await clean(log, 6, NOW_MS + 2000)
  assert.deepEqual([recordsOf(log), markers()], [['5:c=1', '6:a=later'], [3]])
  await clean(log, 7, NOW_MS + 3000)
  await clean(log, 7, NOW_MS + 4000)
  assert.deepEqual(markers(), [])
})

test('the last marker of a producer stays when the log has no data of it', async () => {
  const log = filled([
    encodeMarker({ type: 'COMMIT', producerId: 3, producerEpoch: 4, coordinatorEpoch: 0, timestampMs: 1 }),
    batch([['a', '1']]),
  ], { deleteRetentionMs: 0 }) // biome-ignore format: pairs
  log.producers.set(3, { lastDataOffset: null, producerEpoch: 4 })
  for (let round = 0; round < 3; round++) await clean(log, 0, NOW_MS + round)
  assert.deepEqual(
    log.batches.map((each) => [each.isControl, each.recordCount, each.producerEpoch]),
    [[true, 0, 4], [false, 1, -1]],
  ) // biome-ignore format: pairs
})

test('with little memory it goes in steps, and comes to the same', async () => {
  const pairs = Array.from({ length: 200 }, (_, index): Pair => [`key ${index % 40}`, `${index}`])
  const log = new MemoryLog()
  for (let at = 0; at < pairs.length; at += 5) {
    log.append(batch(pairs.slice(at, at + 5)))
    if (at % 50 === 45) log.roll()
  }
  log.lastStableOffset = log.logEndOffset
  let steps = 0
  for (let dirty = 0; dirty < log.logEndOffset; steps++) {
    const { endOffset } = await clean(log, dirty, NOW_MS, 20 * 16)
    assert.ok(endOffset > dirty)
    dirty = endOffset
  }
  assert.ok(steps > 2)
  assert.deepEqual(
    recordsOf(log),
    Array.from({ length: 40 }, (_, index) => `${160 + index}:key ${index}=${160 + index}`),
  )
})

/** So long, and so hard to compress, that batches with it are opened and packed by another thread where the codec is slow. */
const NOISE = new SeededRandom(11).bytes(40_000).toString('base64')

test('any log, cleaned again and again, shows what a plain model shows', async () => {
  const record = fc.tuple(
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.option(fc.string({ maxLength: 3 }), { nil: null }),
  )
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), pairs: fc.array(record, { minLength: 1, maxLength: 5 }), codec: fc.constantFrom(...CODECS), isLong: fc.constantFrom(true, ...Array<boolean>(7).fill(false)) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('roll' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clean' as const), elapsedMs: fc.constantFrom(0, 600, 1000), memoryBytes: fc.constantFrom(80, 2 ** 20) }) },
  ) // biome-ignore format: one alternative in a line
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const log = new MemoryLog({ deleteRetentionMs: 1000, segmentBytes: 500 })
      const all: { offset: number; key: string; value: string | null }[] = []
      let nowMs = NOW_MS
      let dirtyOffset = 0
      for (const each of steps) {
        if (each.kind === 'roll') log.roll()
        else if (each.kind === 'append') {
          const codec: Codec = each.codec
          const pairs = each.pairs.map(([key, value], index): [string, string | null] => {
            return [key, value !== null && each.isLong && index === 0 ? value + NOISE : value]
          })
          const base = log.append(batch(pairs, 100, { codec }))
          all.push(...pairs.map(([key, value], index) => ({ offset: base + index, key, value })))
        } else {
          nowMs += each.elapsedMs
          log.lastStableOffset = log.logEndOffset
          const cleaning = await clean(log, dirtyOffset, nowMs, each.memoryBytes)
          assert.ok(cleaning.endOffset >= dirtyOffset)
          dirtyOffset = cleaning.endOffset
        }
        const seen = log.batches.flatMap((decoded) => decoded.records)
        // Nothing is made up, and nothing changes its place.
        for (const { offset, key, value } of seen) {
          const original = all[offset]
          assert.deepEqual([text(key), text(value)], [original.key, original.value ?? 'null'])
        }
        // Whoever reads from the beginning ends with the same values.
        const state = (records: readonly { key: string; value: string | null }[]) => {
          const values = new Map<string, string>()
          for (const { key, value } of records) value === null ? values.delete(key) : values.set(key, value)
          return Object.fromEntries([...values].sort())
        }
        const read = seen.map(({ key, value }) => ({ key: text(key), value: value === null ? null : text(value) }))
        assert.deepEqual(state(read), state(all))
        // Below the dirty offset no key is there twice, once all of it was looked at together.
        const cleanKeys = seen.filter((each) => each.offset < dirtyOffset).map((each) => text(each.key))
        if (each.kind === 'clean' && each.memoryBytes > 80) assert.equal(new Set(cleanKeys).size, cleanKeys.length)
      }
    }),
    { numRuns: 150 },
  )
})

test('a topic that is deleted meanwhile stops the cleaning; the log stays as it was', async () => {
  const log = filled([batch([['a', '1']]), batch([['a', '2']])])
  const cleaning = cleanLog(log, 0, 2, { ...options(), pause: async () => void (log.isDeleted = true) })
  await assert.rejects(cleaning, /the topic was deleted/)
  assert.deepEqual(recordsOf(log), ['0:a=1', '1:a=2'])
})

test('segments that are deleted meanwhile are not brought back', async () => {
  const log = filled([batch([['a', '1']]), batch([['a', '2']])])
  // The keys are noted after the first slice; the second is being written anew.
  let pauseCount = 0
  const pause = async () => {
    if (++pauseCount === 2) log.segments = log.segments.slice(1)
  }
  const cleaning = cleanLog(log, 0, 2, { ...options(), pause })
  await assert.rejects(cleaning, /segments were deleted meanwhile/)
  assert.equal(log.segments.length, 1)
})

test('segments are grouped while they fit one', () => {
  const segment = (baseOffset: number, sizeBytes: number, indexSizeBytes = 8) => ({
    baseOffset,
    sizeBytes,
    indexSizeBytes,
    largestTimestampMs: 0,
    firstTimestampMs: 0,
    readBatches: () => Buffer.alloc(0),
  })
  const limits = { segmentBytes: 100, segmentIndexBytes: 50 }
  const group = (segments: Parameters<typeof groupSegments>[0], endOffset = 1000) =>
    groupSegments(segments, limits, endOffset).map((each) => each.map(({ baseOffset }) => baseOffset))
  assert.deepEqual(group([segment(0, 60), segment(10, 40), segment(20, 1)]), [[0, 10], [20]])
  assert.deepEqual(group([segment(0, 500), segment(10, 40), segment(20, 60)]), [[0], [10, 20]])
  assert.deepEqual(group([segment(0, 1, 30), segment(10, 1, 30)]), [[0], [10]])
  assert.deepEqual(group([segment(0, 1), segment(10, 1)], 2 ** 31), [[0], [10]])
})
