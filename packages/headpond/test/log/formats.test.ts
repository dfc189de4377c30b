import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointFile, readCheckpoint } from '#src/log/checkpoint-file.ts'
import { crc32c, crc32cBySlices } from '#src/log/crc32c.ts'
import { formatLeaderEpochs, LeaderEpochs, parseLeaderEpochs } from '#src/log/leader-epochs.ts'
import { OffsetIndex } from '#src/log/offset-index.ts'
import { decodeProducerSnapshot, encodeProducerSnapshot } from '#src/log/producer-snapshot.ts'
import type { ProducerState } from '#src/log/producer-state.ts'
import { parsePartitionMetadata, parseProperties } from '#src/log/properties-file.ts'
import { TimeIndex } from '#src/log/time-index.ts'
import { decodeAbortedTransactions, encodeAbortedTransaction } from '#src/log/transaction-index.ts'
import { chooseSeed, SeededRandom } from '../seeded-random.ts'
import { temporaryDirectory } from './log-fixture.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('CRC-32C of known inputs, and the same both ways at every length', () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283)
  // RFC 3720, B.4.
  assert.equal(crc32c(Buffer.alloc(32), 0, 32), 0x8a9136aa)
  assert.equal(crc32c(Buffer.alloc(32, 0xff), 0, 32), 0x62a8ab43)
  const random = new SeededRandom(chooseSeed())
  const bytes = random.bytes(8000)
  for (let sizeBytes = 0; sizeBytes <= 7000; sizeBytes += sizeBytes < 700 ? 1 : 1 + random.below(16)) {
    const start = random.below(64)
    const end = start + sizeBytes
    assert.equal(
      crc32c(bytes, start, end),
      crc32cBySlices(bytes, start, end),
      `${start} to ${end}, seed ${random.seed}`,
    )
  }
  // Larger than what goes into the module's memory at once.
  const large = Buffer.alloc(600_000, bytes)
  assert.equal(crc32c(large, 5, large.length), crc32cBySlices(large, 5, large.length))
})

test('the offset index: int32 relative offset, int32 position', () => {
  const index = new OffsetIndex(1000)
  index.append(1010, 4200)
  index.append(1025, 8500)
  // Not behind the last entry: left out.
  index.append(1025, 9000)
  assert.equal(hex(index.toBytes()), '0000000a00001068' + '0000001900002134')
  const read = new OffsetIndex(1000, Buffer.from(index.toBytes()))
  assert.deepEqual(
    [1000, 1009, 1010, 1024, 1025, 9999].map((offset) => read.positionBefore(offset)),
    [0, 0, 4200, 4200, 8500, 8500],
  )
  assert.deepEqual(
    [read.batchStartBefore(8499), read.positionAfter(4200), read.positionAfter(8500)],
    [4200, 8500, null],
  )
  assert.ok(read.isSane(8600))
  assert.ok(!read.isSane(8500), 'an entry behind the end of the log')
  assert.ok(!new OffsetIndex(1000, Buffer.alloc(16)).isSane(9000), 'zeros, as a crash leaves them')
  read.truncate(8500)
  assert.deepEqual([read.count, read.lastOffset], [1, 1010])
})

test('the time index: int64 timestamp, int32 relative offset', () => {
  const index = new TimeIndex(1000)
  index.append(1_700_000_000_000, 1010)
  index.append(1_600_000_000_000, 1011)
  index.append(1_700_000_000_001, 1020)
  assert.equal(hex(index.toBytes()), '0000018bcfe568000000000a' + '0000018bcfe5680100000014')
  assert.equal(index.offsetBefore(1_700_000_000_000), 1000)
  assert.equal(index.offsetBefore(1_700_000_000_001), 1010)
  assert.equal(index.offsetBefore(1_700_000_000_002), 1020)
  assert.ok(index.isSane())
  index.truncate(1015)
  assert.equal(index.lastTimestampMs, 1_700_000_000_000)
})

test('the transaction index: version, producer, first and last offset, last stable offset', () => {
  const transaction = { producerId: 9, firstOffset: 2002, lastOffset: 3004, lastStableOffset: 3005 }
  const bytes = encodeAbortedTransaction(transaction)
  assert.equal(hex(bytes), '0000' + '0000000000000009' + '00000000000007d2' + '0000000000000bbc' + '0000000000000bbd')
  assert.deepEqual(decodeAbortedTransactions(bytes), [transaction])
  assert.equal(decodeAbortedTransactions(bytes.subarray(1)), null)
})

const PRODUCER: ProducerState = {
  producerId: 5,
  epoch: 1,
  coordinatorEpoch: -1,
  lastTimestampMs: 1_700_000_000_000,
  transactionFirstOffset: -1,
  batches: [{ lastSequence: 709, lastOffset: 709, offsetDelta: 1, timestampMs: 1_700_000_000_000 }],
}

test('a snapshot of producers, as Kafka reads it', () => {
  const bytes = encodeProducerSnapshot([PRODUCER])
  const entry =
    '0000000000000005' +
    '0001' +
    '000002c5' +
    '00000000000002c5' +
    '00000001' +
    '0000018bcfe56800' +
    'ffffffff' +
    'f'.repeat(16)
  assert.equal(hex(bytes).slice(12), '00000001' + entry)
  assert.equal(hex(bytes).slice(0, 4), '0001')
  assert.equal(bytes.readUInt32BE(2), crc32c(bytes, 6, bytes.length))
  assert.deepEqual(decodeProducerSnapshot(bytes), [PRODUCER])
  assert.equal(hex(encodeProducerSnapshot([])), '0001' + '48674bc7' + '00000000')
})

test('a snapshot keeps all five batches, and is refused when a byte of it is wrong', () => {
  const mark = (lastSequence: number) => ({
    lastSequence,
    lastOffset: 100 + lastSequence,
    offsetDelta: 0,
    timestampMs: 7,
  })
  const many = { ...PRODUCER, lastTimestampMs: 7, batches: [1, 2, 3, 4, 5].map(mark) }
  const marked: ProducerState = { ...PRODUCER, producerId: 6, coordinatorEpoch: 3, batches: [] }
  const bytes = encodeProducerSnapshot([marked, many])
  assert.deepEqual(decodeProducerSnapshot(bytes), [many, marked])
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] ^= 0x10
    assert.equal(decodeProducerSnapshot(damaged), null, `byte ${at}`)
    assert.equal(decodeProducerSnapshot(bytes.subarray(0, at)), null, `cut at ${at}`)
  }
})

test('leader epochs: the text, and what OffsetForLeaderEpoch answers from them', () => {
  const epochs = new LeaderEpochs()
  assert.ok(epochs.assign(2, 10))
  assert.ok(epochs.assign(5, 20))
  assert.ok(!epochs.assign(5, 30))
  assert.equal(formatLeaderEpochs(epochs.entries), '0\n2\n2 10\n5 20\n')
  assert.deepEqual(parseLeaderEpochs('0\n2\n2 10\n5 20\n'), epochs.entries)
  assert.equal(parseLeaderEpochs('0\n3\n2 10\n5 20\n'), null)
  assert.equal(parseLeaderEpochs('1\n0\n'), null)
  const answers = [-1, 0, 1, 2, 3, 4, 5, 6].map((epoch) => Object.values(epochs.endOffsetFor(epoch, 5, 42)))
  assert.deepEqual(answers, [
    [-1, -1],
    [0, 10],
    [1, 10],
    [2, 20],
    [2, 20],
    [2, 20],
    [5, 42],
    [-1, -1],
  ])
  // The broker's epoch is ahead of what was appended.
  assert.deepEqual(epochs.endOffsetFor(7, 8, 42), { epoch: 5, endOffset: 42 })
  assert.deepEqual(epochs.endOffsetFor(8, 8, 42), { epoch: 8, endOffset: 42 })
  assert.ok(epochs.truncateFromStart(15))
  assert.deepEqual(epochs.entries[0], { epoch: 2, startOffset: 15 })
  assert.ok(epochs.truncateFromStart(25))
  assert.deepEqual(epochs.entries, [{ epoch: 5, startOffset: 25 }])
  assert.ok(epochs.truncateFromEnd(25))
  assert.equal(epochs.latest, -1)
})

test('checkpoints are text, and damaged ones are told from missing ones', async (context) => {
  const path = `${temporaryDirectory(context)}/recovery-point-offset-checkpoint`
  assert.deepEqual(readCheckpoint(path), new Map())
  const file = new CheckpointFile(path)
  await file.write([
    { topic: 'a-b', partition: 3, offset: 17 },
    { topic: 'c', partition: 0, offset: 0 },
  ])
  assert.deepEqual(
    readCheckpoint(path),
    new Map([
      ['a-b-3', 17],
      ['c-0', 0],
    ]),
  )
  await file.write([{ topic: 'x', partition: 0, offset: Number.NaN }])
  assert.equal(readCheckpoint(path), null)
})

test('of checkpoints that follow each other closely the last is what stays', async (context) => {
  const path = `${temporaryDirectory(context)}/recovery-point-offset-checkpoint`
  const file = new CheckpointFile(path)
  const offsets = [1, 2, 3]
  await Promise.all(offsets.map((offset) => file.write([{ topic: 't', partition: 0, offset }])))
  assert.deepEqual(readCheckpoint(path), new Map([['t-0', 3]]))
  await file.write([])
  assert.deepEqual(readCheckpoint(path), new Map())
})

test("Kafka's small files are read as Kafka writes them", () => {
  assert.equal(parsePartitionMetadata('version: 0\ntopic_id: pu5zkIcrSaaFwSfW9cVv_w'), 'pu5zkIcrSaaFwSfW9cVv_w')
  assert.equal(parsePartitionMetadata('version: 1\ntopic_id: x'), null)
  const properties = parseProperties('#\n#Sat Nov 21\nnode.id=1\ncluster.id=a\\=b\nversion = 1\n')
  assert.deepEqual(
    [...properties],
    [
      ['node.id', '1'],
      ['cluster.id', 'a=b'],
      ['version', '1'],
    ],
  )
})
