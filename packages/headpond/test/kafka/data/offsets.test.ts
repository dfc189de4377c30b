import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deleteRecordsRequest, deleteRecordsResponse } from '#src/kafka/schemas/delete-records.ts'
import { initProducerIdRequest, initProducerIdResponse } from '#src/kafka/schemas/init-producer-id.ts'
import { listOffsetsRequest, listOffsetsResponse } from '#src/kafka/schemas/list-offsets.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '#src/kafka/schemas/offset-for-leader-epoch.ts'
import { BATCH_HEADER_BYTES, LAST_OFFSET_DELTA_AT, RECORD_COUNT_AT, stampCrc } from '#src/log/record-batch.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { batchOf, errorOf, type LogClient, startLogServer } from './log-server.ts'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3

interface Asked {
  readonly version?: number
  readonly partition?: number
  readonly isolationLevel?: number
  readonly currentLeaderEpoch?: number
}

async function offsetsOf(client: LogClient, topic: string, timestamps: readonly number[], asked: Asked = {}) {
  const { version = 9, partition = 0, isolationLevel = 0, currentLeaderEpoch = -1 } = asked
  const told: { offset: number; timestamp: number; leaderEpoch: number; error: string }[] = []
  for (const timestamp of timestamps) {
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch, timestamp }]
    const answer = await client.wire.call(listOffsetsRequest, listOffsetsResponse, version, {
      ...{ replicaId: -1, isolationLevel, timeoutMs: 1000 },
      topics: [{ name: topic, partitions }],
    })
    const [found] = answer.topics[0].partitions
    told.push({
      offset: found.offset,
      timestamp: found.timestamp,
      leaderEpoch: found.leaderEpoch,
      error: errorOf(found),
    })
  }
  return told
}

/** `offset@timestamp` or the error. */
function shown(told: Awaited<ReturnType<typeof offsetsOf>>): string[] {
  return told.map(({ offset, timestamp, error }) => (error === 'NONE' ? `${offset}@${timestamp}` : error))
}

test('the beginning, the end, and what lies between them by time', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [LATEST, EARLIEST, MAX_TIMESTAMP, 5])), [
    '0@-1',
    '0@-1',
    '-1@-1',
    '-1@-1',
  ])
  const timed = (...timestamps: number[]) =>
    encodeBatch(
      timestamps.map((timestampMs) => ({ timestampMs, key: null, value: Buffer.from('v') })),
      { codec: 'gzip' },
    )
  await client.produce('orders', timed(1000, 1010, 1020))
  await client.produce('orders', timed(900, 5000, 901))
  await client.produce('orders', timed(2000))

  for (let version = 1; version <= 11; version++) {
    assert.deepEqual(shown(await offsetsOf(client, 'orders', [LATEST, EARLIEST], { version })), ['7@-1', '0@-1'])
    const byTime = await offsetsOf(client, 'orders', [0, 1000, 1001, 1020, 1021, 5000, 5001], { version })
    assert.deepEqual(shown(byTime), ['0@1000', '0@1000', '1@1010', '2@1020', '4@5000', '4@5000', '-1@-1'])
    const special = version >= 7 ? '4@5000' : 'UNSUPPORTED_VERSION'
    assert.deepEqual(shown(await offsetsOf(client, 'orders', [MAX_TIMESTAMP], { version })), [special])
  }
  partition('orders').deleteRecordsBefore(3)
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [EARLIEST, -4, 1000])), ['3@-1', '3@-1', '4@5000'])
})

test('the latest timestamp is that of a record which is left', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const send = (...timestamps: number[]) =>
    client.produce(
      'orders',
      encodeBatch(timestamps.map((timestampMs) => ({ timestampMs, key: null, value: Buffer.from('v') }))),
    )
  await send(9000)
  await send(8000, 500, 600)
  await send(700)
  const latest = async () => shown(await offsetsOf(client, 'orders', [MAX_TIMESTAMP]))[0]
  const told = [await latest()]
  for (const offset of [1, 2, 4, 5]) {
    partition('orders').deleteRecordsBefore(offset)
    told.push(await latest())
  }
  assert.deepEqual(told, ['0@9000', '1@8000', '4@700', '4@700', '-1@-1'])
})

test('a batch that nobody can read is told of as such, and costs no connection', async (t) => {
  const { connect, logged } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const broken = batchOf(['a', 'b'], { codec: 'gzip', timestampMs: 1000 })
  broken.fill(0, BATCH_HEADER_BYTES)
  stampCrc(broken, 0)
  const short = batchOf(['a'], { codec: 'gzip', timestampMs: 3000 })
  short.writeInt32BE(4, LAST_OFFSET_DELTA_AT)
  short.writeInt32BE(5, RECORD_COUNT_AT)
  stampCrc(short, 0)
  for (const batch of [broken, short]) assert.equal(errorOf(await client.produce('orders', batch)), 'NONE')
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [500, 2000, EARLIEST, LATEST])), [
    'CORRUPT_MESSAGE',
    'CORRUPT_MESSAGE',
    '0@-1',
    '7@-1',
  ])
  assert.match(logged.join('\n'), /orders-0 has a batch that cannot be read: /)
})

test('places that versions do not know', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await client.produce('orders', batchOf(['a']))
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [-4], { version: 7 })), ['UNSUPPORTED_VERSION'])
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [-4, -5, -6], { version: 8 })), [
    '0@-1',
    'UNSUPPORTED_VERSION',
    'UNSUPPORTED_VERSION',
  ])
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [-5], { version: 9 })), ['-1@-1'])
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [-6], { version: 10 })), ['UNSUPPORTED_VERSION'])
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [-6], { version: 11 })), ['-1@-1'])
})

test('what is not there, and who is wrong about the leader', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const { leaderEpoch } = partition('orders')
  assert.deepEqual(shown(await offsetsOf(client, 'nowhere', [LATEST])), ['UNKNOWN_TOPIC_OR_PARTITION'])
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [LATEST], { partition: 3 })), ['UNKNOWN_TOPIC_OR_PARTITION'])
  const [right] = await offsetsOf(client, 'orders', [LATEST], { currentLeaderEpoch: leaderEpoch })
  assert.deepEqual(right, { offset: 0, timestamp: -1, leaderEpoch, error: 'NONE' })
  const newer = { currentLeaderEpoch: leaderEpoch + 1 }
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [LATEST], newer)), ['UNKNOWN_LEADER_EPOCH'])
})

test('a partition that is asked for twice is refused, and the others are not', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 2 } })
  const client = await connect()
  const ask = (partitionIndex: number, timestamp: number) => ({ partitionIndex, timestamp })
  const answer = await client.wire.call(listOffsetsRequest, listOffsetsResponse, 5, {
    ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0 },
    topics: [{ name: 'orders', partitions: [ask(0, LATEST), ask(1, LATEST), ask(0, EARLIEST)] }],
  })
  assert.deepEqual(answer.topics[0].partitions.map(errorOf), ['INVALID_REQUEST', 'NONE', 'INVALID_REQUEST'])
})

test('an epoch is told with its end', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await client.produce('orders', batchOf(['a', 'b']))
  const { leaderEpoch } = partition('orders')
  const ask = async (
    asked: { partition?: number; leaderEpoch: number; currentLeaderEpoch?: number },
    version: number,
  ) => {
    const { partition: index = 0, currentLeaderEpoch = -1 } = asked
    const answer = await client.wire.call(offsetForLeaderEpochRequest, offsetForLeaderEpochResponse, version, {
      topics: [
        { topic: 'orders', partitions: [{ partition: index, currentLeaderEpoch, leaderEpoch: asked.leaderEpoch }] },
      ],
    })
    const [told] = answer.topics[0].partitions
    return [errorOf(told), told.leaderEpoch, told.endOffset]
  }
  for (const version of [2, 3, 4]) {
    assert.deepEqual(await ask({ leaderEpoch }, version), ['NONE', leaderEpoch, 2])
    assert.deepEqual(await ask({ leaderEpoch: leaderEpoch + 1 }, version), ['NONE', -1, -1])
    const stale = { leaderEpoch, currentLeaderEpoch: leaderEpoch + 1 }
    assert.deepEqual(await ask(stale, version), ['UNKNOWN_LEADER_EPOCH', -1, -1])
    assert.deepEqual(await ask({ partition: 4, leaderEpoch }, version), ['UNKNOWN_TOPIC_OR_PARTITION', -1, -1])
  }
})

test('producer ids are never given twice', async (t) => {
  const { connect } = await startLogServer(t)
  const clients = await Promise.all([connect(), connect(), connect()])
  const ids = await Promise.all(clients.flatMap((client) => Array.from({ length: 10 }, () => client.initProducerId())))
  assert.equal(new Set(ids).size, 30)
  assert.ok(ids.every((id) => id >= 0))
})

test('what InitProducerId refuses', async (t) => {
  const { connect } = await startLogServer(t)
  const client = await connect()
  const ask = async (transactionalId: string | null, producerId = -1, producerEpoch = -1, version = 4) => {
    const asked = { transactionalId, transactionTimeoutMs: 1000, producerId, producerEpoch }
    return client.wire.call(initProducerIdRequest, initProducerIdResponse, version, asked)
  }
  for (let version = 0; version <= 5; version++) {
    const { errorCode, producerEpoch } = await ask(null, -1, -1, version)
    assert.deepEqual([errorCode, producerEpoch], [0, 0])
  }
  assert.equal(errorOf(await ask('')), 'INVALID_REQUEST')
  assert.equal(errorOf(await ask(null, 5, -1)), 'INVALID_REQUEST')
})

test('records are deleted up to an offset, which is the new beginning', async (t) => {
  const { connect } = await startLogServer(t, {
    topics: {
      orders: 1,
      table: { partitionCount: 1, config: new Map([['cleanup.policy', 'compact']]) },
      archive: { partitionCount: 1, config: new Map([['cleanup.policy', '']]) },
      __consumer_offsets: { partitionCount: 1, isInternal: true },
    },
  })
  const client = await connect()
  for (const value of ['a', 'b', 'c', 'd']) await client.produce('orders', batchOf([value]))
  const deleteBefore = async (topic: string, offset: number, partitionIndex = 0, version = 2) => {
    const answer = await client.wire.call(deleteRecordsRequest, deleteRecordsResponse, version, {
      topics: [{ name: topic, partitions: [{ partitionIndex, offset }] }],
      timeoutMs: 1000,
    })
    const [told] = answer.topics[0].partitions
    return [errorOf(told), told.lowWatermark]
  }
  assert.deepEqual(await deleteBefore('orders', 1, 0, 0), ['NONE', 1])
  assert.deepEqual(await deleteBefore('orders', 3, 0, 1), ['NONE', 3])
  assert.deepEqual(await deleteBefore('orders', 2), ['NONE', 3])
  assert.deepEqual(await deleteBefore('orders', 5), ['OFFSET_OUT_OF_RANGE', -1])
  assert.deepEqual(await deleteBefore('orders', -2), ['OFFSET_OUT_OF_RANGE', -1])
  assert.equal(errorOf(await client.fetch('orders', { offset: 2 })), 'OFFSET_OUT_OF_RANGE')
  assert.deepEqual(await deleteBefore('orders', -1), ['NONE', 4])
  assert.deepEqual(shown(await offsetsOf(client, 'orders', [EARLIEST, LATEST])), ['4@-1', '4@-1'])

  assert.deepEqual(await deleteBefore('orders', 0, 1), ['UNKNOWN_TOPIC_OR_PARTITION', -1])
  assert.deepEqual(await deleteBefore('nowhere', 0), ['UNKNOWN_TOPIC_OR_PARTITION', -1])
  assert.deepEqual(await deleteBefore('table', 0), ['POLICY_VIOLATION', -1])
  // Kept for good, and not compacted.
  assert.deepEqual(await deleteBefore('archive', 0), ['NONE', 0])
  assert.deepEqual(await deleteBefore('__consumer_offsets', 0), ['INVALID_TOPIC_EXCEPTION', -1])
})
