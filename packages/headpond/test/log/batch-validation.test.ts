import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '#src/log/partition-log.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
  readInt64,
  stampCrc,
  writeInt32,
  writeInt64,
} from '#src/log/record-batch.ts'
import { decodeBatch, encodeBatch } from '#src/log/records/batch.ts'
import { encodeMarker } from '#src/log/records/control-record.ts'
import { makeBatch } from './batches.ts'
import { EVERYTHING, LogFixture, splitBatches } from './log-fixture.ts'

const CLIENT = { origin: 'client' } as const
const NOW_MS = 1_700_000_000_000

async function openLog(config: Record<string, string> = {}): Promise<{ log: PartitionLog; fixture: LogFixture }> {
  const fixture = new LogFixture(null)
  fixture.nowMs = NOW_MS
  const logs = await fixture.start()
  const [log] = logs.createTopic('t', { partitionCount: 1, config: new Map(Object.entries(config)) }).partitions
  return { log, fixture }
}

/** A batch with something changed that its CRC covers, or not. */
function broken(change: (batch: Buffer) => void, isCrcRight = true): Buffer {
  const batch = makeBatch({ recordCount: 3, timestampMs: NOW_MS })
  change(batch)
  if (isCrcRight) stampCrc(batch, 0)
  return batch
}

const refusals: [name: string, batch: Buffer, error: string, message?: RegExp][] = [
  ['nothing', Buffer.alloc(0), 'CORRUPT_MESSAGE'],
  ['less than a header', makeBatch().subarray(0, 60), 'CORRUPT_MESSAGE'],
  ['a batch that is cut off', makeBatch().subarray(0, -1), 'CORRUPT_MESSAGE'],
  ['two batches', Buffer.concat([makeBatch(), makeBatch()]), 'INVALID_RECORD', /exactly one record batch/],
  ['a byte more', Buffer.concat([makeBatch(), Buffer.from([0])]), 'INVALID_RECORD'],
  ['a negative size', broken((batch) => writeInt32(batch, BATCH_LENGTH_AT, -5), false), 'CORRUPT_MESSAGE'],
  ['magic 1', broken((batch) => void (batch[MAGIC_AT] = 1)), 'INVALID_RECORD', /magic 1/],
  ['magic 3', broken((batch) => void (batch[MAGIC_AT] = 3)), 'INVALID_RECORD', /magic 3/],
  [
    'a wrong CRC',
    broken((batch) => void (batch[CRC_AT] ^= 1), false),
    'CORRUPT_MESSAGE',
    /stored crc = \d+, computed crc = \d+/,
  ],
  ['a changed record', broken((batch) => void (batch[batch.length - 3] ^= 1), false), 'CORRUPT_MESSAGE'],
  [
    'a base offset',
    broken((batch) => writeInt64(batch, BASE_OFFSET_AT, 7)),
    'INVALID_RECORD',
    /should be 0, but it is 7/,
  ],
  [
    'a count below the offsets',
    broken((batch) => writeInt32(batch, RECORD_COUNT_AT, 2)),
    'INVALID_RECORD',
    /Inconsistent/,
  ],
  [
    'a count above the offsets',
    broken((batch) => writeInt32(batch, RECORD_COUNT_AT, 4)),
    'INVALID_RECORD',
    /Inconsistent/,
  ],
  ['no records', broken((batch) => writeInt32(batch, RECORD_COUNT_AT, 0)), 'INVALID_RECORD', /Invalid reported count/],
  [
    'a negative range',
    broken((batch) => writeInt32(batch, LAST_OFFSET_DELTA_AT, -1)),
    'INVALID_RECORD',
    /offset range/,
  ],
  [
    'more records declared than there are',
    broken((batch) => {
      writeInt32(batch, RECORD_COUNT_AT, 4)
      writeInt32(batch, LAST_OFFSET_DELTA_AT, 3)
    }),
    'INVALID_RECORD',
  ],
  [
    'fewer records declared than there are',
    broken((batch) => {
      writeInt32(batch, RECORD_COUNT_AT, 2)
      writeInt32(batch, LAST_OFFSET_DELTA_AT, 1)
    }),
    'INVALID_RECORD',
    /records still remaining/,
  ],
  [
    'offsets that do not count up',
    // The first record's offset delta: behind its size, its attributes and its timestamp delta.
    broken((batch) => void (batch[BATCH_HEADER_BYTES + 3] = 2)),
    'INVALID_RECORD',
    /Record 0 of the batch has the offset delta 1/,
  ],
  ['a control batch', broken((batch) => void (batch[ATTRIBUTES_AT + 1] |= 0x20)), 'INVALID_RECORD', /control records/],
  [
    'a codec that nobody knows',
    broken((batch) => void (batch[ATTRIBUTES_AT + 1] |= 5)),
    'UNSUPPORTED_COMPRESSION_TYPE',
  ],
  ['a producer without a sequence', makeBatch({ producerId: 5, producerEpoch: 0, baseSequence: -1 }), 'INVALID_RECORD'],
  ['a record from the day after tomorrow', makeBatch({ timestampMs: NOW_MS + 2 * 86400e3 }), 'INVALID_TIMESTAMP'],
]

for (const [name, batch, error, message] of refusals) {
  test(`refused: ${name}`, async () => {
    const { log } = await openLog()
    const appended = log.append(batch, CLIENT)
    assert.equal(appended.error, error)
    if (message !== undefined && appended.error !== null) assert.match(appended.message, message)
    assert.equal(log.logEndOffset, 0)
    // Nothing of it is left that could stand in the way of a right one.
    assert.equal(log.append(makeBatch({ timestampMs: NOW_MS }), CLIENT).error, null)
  })
}

test('a batch that is opened anyway has as many records as it says, with offsets that count up', async () => {
  for (const settings of [{ 'cleanup.policy': 'compact' }, { 'compression.type': 'lz4' }]) {
    const { log } = await openLog(settings)
    const key = Buffer.from('k')
    const batch = encodeBatch([{ timestampMs: NOW_MS, key, value: key }], { codec: 'gzip' })
    assert.equal(log.append(Buffer.from(batch), CLIENT).error, null)
    writeInt32(batch, RECORD_COUNT_AT, 1000)
    writeInt32(batch, LAST_OFFSET_DELTA_AT, 999)
    stampCrc(batch, 0)
    assert.equal(log.append(batch, CLIENT).error, 'INVALID_RECORD')
    const skipping = makeBatch({ timestampMs: NOW_MS })
    skipping[BATCH_HEADER_BYTES + 3] = 2
    stampCrc(skipping, 0)
    assert.equal(log.append(skipping, CLIENT).error, 'INVALID_RECORD')
    assert.equal(log.logEndOffset, 1)
  }
})

test('every byte of a batch counts: each one changed is noticed', async () => {
  const { log } = await openLog()
  const batch = makeBatch({ recordCount: 2, timestampMs: NOW_MS })
  for (let at = 0; at < batch.length; at++) {
    const damaged = Buffer.from(batch)
    damaged[at] ^= 0x41
    const { error } = log.append(damaged, CLIENT)
    // The leader epoch is the broker's to give.
    const isFree = at >= LOG_OVERHEAD_BYTES && at < MAGIC_AT
    assert.equal(error === null, isFree, `byte ${at}: ${error}`)
  }
})

test('a batch that is too large for the topic, or for a segment', async () => {
  const { log } = await openLog({ 'max.message.bytes': '200' })
  assert.equal(log.append(makeBatch({ valueBytes: 200 }), CLIENT).error, 'MESSAGE_TOO_LARGE')
  assert.equal(log.append(makeBatch({ valueBytes: 100 }), CLIENT).error, null)
  const { log: small } = await openLog({ 'segment.bytes': '500' })
  assert.equal(small.append(makeBatch({ valueBytes: 600 }), CLIENT).error, 'RECORD_LIST_TOO_LARGE')
})

test('a compacted topic wants keys, and says which records have none', async () => {
  const { log } = await openLog({ 'cleanup.policy': 'compact' })
  for (const codec of ['none', 'gzip'] as const) {
    const key = Buffer.from('k')
    const batch = encodeBatch(
      [key, null, key, null].map((each) => ({ timestampMs: NOW_MS, key: each, value: key })),
      { codec },
    )
    const appended = log.append(batch, CLIENT)
    assert.equal(appended.error, 'INVALID_RECORD')
    if (appended.error === null) return
    assert.match(appended.message, /2 record errors in total/)
    assert.deepEqual(
      appended.recordErrors?.map(({ index }) => index),
      [1, 3],
    )
    assert.equal(
      appended.recordErrors?.[0].message,
      'Compacted topic cannot accept message without key in topic partition t-0',
    )
  }
  assert.equal(log.append(makeBatch({ timestampMs: NOW_MS }), CLIENT).error, null)
})

test('times out of the window are refused record by record', async () => {
  const { log } = await openLog({ 'message.timestamp.before.max.ms': '1000', 'message.timestamp.after.max.ms': '1000' })
  const value = Buffer.from('v')
  const batch = (...deltas: number[]) =>
    encodeBatch(deltas.map((delta) => ({ timestampMs: NOW_MS + delta, key: null, value })))
  assert.equal(log.append(batch(-1000, 0, 1000), CLIENT).error, null)
  const appended = log.append(batch(0, -1001, 1001), CLIENT)
  assert.equal(appended.error, 'INVALID_TIMESTAMP')
  if (appended.error !== null) {
    assert.deepEqual(
      appended.recordErrors?.map(({ index }) => index),
      [1, 2],
    )
  }
  const { log: onlyAhead } = await openLog({ 'message.timestamp.after.max.ms': '1000' })
  const tooNew = onlyAhead.append(batch(1001), CLIENT)
  assert.equal(
    tooNew.error !== null && tooNew.recordErrors?.[0].message,
    `Timestamp ${NOW_MS + 1001} of message with offset 0 is out of range. The timestamp should be within ` +
      `[${BigInt(NOW_MS) - 9_223_372_036_854_775_807n}, ${NOW_MS + 1000}]`,
  )
  // No time at all is no wrong time.
  assert.equal(log.append(encodeBatch([{ timestampMs: -1, key: null, value }]), CLIENT).error, null)
})

test("the bit of the broker's time: refused where the broker gives it, cleared elsewhere", async () => {
  const bit = (batch: Buffer) => void (batch[ATTRIBUTES_AT + 1] |= 0x08)
  const { log, fixture } = await openLog()
  assert.equal(log.append(broken(bit), CLIENT).error, null)
  await fixture.logs.written()
  const [stored] = splitBatches(await log.read(0, 1000, EVERYTHING))
  assert.equal(decodeBatch(stored).timestampType, 'CreateTime')
  const { log: appendTime } = await openLog({ 'message.timestamp.type': 'LogAppendTime' })
  assert.equal(appendTime.append(broken(bit), CLIENT).error, 'INVALID_TIMESTAMP')
})

test('the time of the append is stamped where the topic says so, and the CRC is right again', async () => {
  const { log, fixture } = await openLog({ 'message.timestamp.type': 'LogAppendTime' })
  const appended = log.append(makeBatch({ recordCount: 2, timestampMs: 5 }), CLIENT)
  assert.deepEqual(appended, { error: null, baseOffset: 0, logAppendTimeMs: NOW_MS, isDuplicate: false })
  await fixture.logs.written()
  const [batch] = splitBatches(await log.read(0, 1000, EVERYTHING))
  assert.equal(readInt64(batch, MAX_TIMESTAMP_AT), NOW_MS)
  const copy = Buffer.from(batch)
  stampCrc(copy, 0)
  assert.deepEqual(copy, Buffer.from(batch))
  assert.deepEqual(
    decodeBatch(batch).records.map(({ timestampMs }) => timestampMs),
    [NOW_MS, NOW_MS],
  )
})

test('a topic with a codec of its own keeps records in it', async () => {
  for (const type of ['gzip', 'lz4', 'snappy', 'zstd', 'uncompressed']) {
    const { log, fixture } = await openLog({ 'compression.type': type })
    const records = [1, 2, 3].map((each) => ({ timestampMs: NOW_MS + each, key: null, value: Buffer.alloc(500, each) }))
    assert.equal(log.append(encodeBatch(records, { codec: 'gzip' }), CLIENT).error, null)
    assert.equal(log.append(encodeBatch(records), CLIENT).error, null)
    await fixture.logs.written()
    for (const batch of splitBatches(await log.read(0, 100_000, EVERYTHING))) {
      const decoded = decodeBatch(batch)
      assert.equal(decoded.codec, type === 'uncompressed' ? 'none' : type)
      assert.deepEqual(
        decoded.records.map(({ timestampMs, value }) => [timestampMs, value?.[0]]),
        [1, 2, 3].map((each) => [NOW_MS + each, each]),
      )
    }
  }
})

test('a coordinator writes control batches', async () => {
  const { log } = await openLog()
  const marker = { producerId: 5, producerEpoch: 0, coordinatorEpoch: 0, timestampMs: NOW_MS }
  assert.equal(log.append(encodeMarker({ ...marker, type: 'COMMIT' }), { origin: 'coordinator' }).error, null)
  assert.equal(log.append(encodeMarker({ ...marker, type: 'COMMIT' }), CLIENT).error, 'INVALID_RECORD')
})
