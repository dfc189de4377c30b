import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fetchRequest, fetchResponse } from '#src/kafka/schemas/fetch.ts'
import { batchesOf, batchOf, errorOf, type LogClient, type LogServer, recordsOf, startLogServer } from './log-server.ts'

/** Resolves when so many fetches wait at a partition. */
async function waitersAt({ partition }: LogServer, count: number, topic = 'orders'): Promise<void> {
  while (partition(topic).waiters.size !== count) await new Promise((resolve) => setImmediate(resolve))
}

async function fill(client: LogClient, batches: readonly (readonly string[])[], topic = 'orders'): Promise<void> {
  for (const values of batches) await client.produce(topic, batchOf(values))
}

test('records are read in every version, with the state of the log beside them', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a'], ['b', 'c']])
  for (let version = 4; version <= 17; version++) {
    const partition = await client.fetch('orders', { version })
    assert.deepEqual(recordsOf(partition), ['0:a', '1:b', '2:c'])
    assert.equal(partition.highWatermark, 3)
    assert.equal(partition.lastStableOffset, 3)
    assert.equal(partition.logStartOffset, version >= 5 ? 0 : -1)
    assert.equal(partition.preferredReadReplica, -1)
    assert.equal(partition.abortedTransactions, null)
  }
})

test('an offset within a batch gets the whole batch', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a', 'b', 'c'], ['d']])
  assert.deepEqual(recordsOf(await client.fetch('orders', { offset: 2 })), ['0:a', '1:b', '2:c', '3:d'])
  assert.deepEqual(recordsOf(await client.fetch('orders', { offset: 3 })), ['3:d'])
})

test('at the end of the log there is nothing, and beyond it an error, at once', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a'], ['b']])
  const atEnd = await client.fetch('orders', { offset: 2 })
  assert.equal(errorOf(atEnd), 'NONE')
  assert.deepEqual(recordsOf(atEnd), [])
  assert.deepEqual([atEnd.highWatermark, atEnd.lastStableOffset, atEnd.logStartOffset], [2, 2, 0])

  partition('orders').deleteRecordsBefore(1)
  for (const offset of [0, 3, -5]) {
    const outside = await client.fetch('orders', { offset, maxWaitMs: 60_000 })
    assert.equal(errorOf(outside), 'OFFSET_OUT_OF_RANGE')
    assert.deepEqual([outside.highWatermark, outside.lastStableOffset, outside.logStartOffset], [-1, -1, -1])
  }
})

test('read_committed tells of aborted transactions, even if there are none', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a']])
  for (const offset of [0, 1]) {
    assert.deepEqual((await client.fetch('orders', { offset, isolationLevel: 1 })).abortedTransactions, [])
  }
})

test('limits hold at the bounds of batches, and the first batch is given whole however large', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 2 } })
  const client = await connect()
  const batch = batchOf(['x'.repeat(1000)])
  for (const partition of [0, 1]) {
    for (let index = 0; index < 3; index++) await client.produce('orders', batch, { partition })
  }
  const offsetsWith = async (options: object) => {
    const answer = await client.fetchAll({ orders: { 0: 0, 1: 0 } }, options)
    return answer.responses[0].partitions.map((each) => batchesOf(each).map(({ baseOffset }) => baseOffset))
  }
  const { length } = batch
  assert.deepEqual(await offsetsWith({ partitionMaxBytes: 1 }), [[0], []])
  assert.deepEqual(await offsetsWith({ partitionMaxBytes: length }), [[0], [0]])
  assert.deepEqual(await offsetsWith({ partitionMaxBytes: 2 * length + 50 }), [
    [0, 1],
    [0, 1],
  ])
  assert.deepEqual(await offsetsWith({ maxBytes: 1 }), [[0], []])
  assert.deepEqual(await offsetsWith({ maxBytes: 4 * length }), [[0, 1, 2], [0]])
  assert.deepEqual(await offsetsWith({ maxBytes: 6 * length }), [
    [0, 1, 2],
    [0, 1, 2],
  ])
})

test('the server has a limit of its own', async (t) => {
  const { connect } = await startLogServer(t, {
    topics: { orders: 1 },
    directives: { 'kafka.fetch.max.bytes': 1024 },
  })
  const client = await connect()
  await fill(
    client,
    Array.from({ length: 10 }, () => ['x'.repeat(300)]),
  )
  assert.equal(batchesOf(await client.fetch('orders', { maxBytes: 2 ** 30, partitionMaxBytes: 2 ** 30 })).length, 2)
})

test('an answer takes some eight megabytes from files and does not wait for more; the others have their turn next', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-fetch-'))
  const directives = { dir, appendonly: false, save: [] }
  const writer = await startLogServer(t, { topics: { orders: 12 }, directives })
  const producer = await writer.connect()
  const batch = batchOf(['x'.repeat(1_000_000)])
  for (let partition = 0; partition < 12; partition++) await producer.produce('orders', batch, { partition })
  producer.close()
  await writer.server.close()

  const reader = await startLogServer(t, { directives })
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const client = await reader.connect()
  const readFrom = async (offset: number, minBytes: number) => {
    const positions = { orders: Object.fromEntries(all.map((each) => [each, each < 9 ? offset : 0])) }
    const limits = { maxBytes: 50 * 2 ** 20, minBytes, maxWaitMs: 600_000 }
    const { partitions } = (await client.fetchAll(positions, limits)).responses[0]
    assert.ok(partitions.every((each) => errorOf(each) === 'NONE' && each.highWatermark === 1))
    return partitions.filter((each) => batchesOf(each).length > 0).map((each) => each.partitionIndex)
  }
  const all = Array.from({ length: 12 }, (_, partition) => partition)
  assert.deepEqual(await readFrom(0, 50 * 2 ** 20), all.slice(0, 9))
  assert.deepEqual(await readFrom(1, 1), all.slice(9))
})

test('partitions are answered in the order of the request, exactly those that were asked for', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 3, empty: 1 } })
  const client = await connect()
  await fill(client, [['a']])
  const answer = await client.fetchAll({ empty: { 0: 0, 9: 0 }, nowhere: { 0: 0 }, orders: { 1: 0, 0: 0 } })
  assert.deepEqual(
    answer.responses.map(({ topic, partitions }) => [
      topic,
      partitions.map((each) => [each.partitionIndex, errorOf(each)]),
    ]),
    [
      [
        'empty',
        [
          [0, 'NONE'],
          [9, 'UNKNOWN_TOPIC_OR_PARTITION'],
        ],
      ],
      ['nowhere', [[0, 'UNKNOWN_TOPIC_OR_PARTITION']]],
      [
        'orders',
        [
          [0, 'NONE'],
          [1, 'NONE'],
        ],
      ],
    ],
  )
})

test('from version 13 on topics are named by id; an id that is gone is an error of its own', async (t) => {
  const { connect, logs, topicId } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a']])
  const id = topicId('orders')
  const answer = await client.fetchAll({ orders: { 0: 0 } }, { version: 13 })
  assert.deepEqual([answer.responses[0].topicId, answer.responses[0].topic], [id, ''])
  logs.deleteTopic('orders')
  logs.createTopic('orders', { partitionCount: 1 })
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
  const stale = await client.wire.call(fetchRequest, fetchResponse, 13, {
    ...{ maxWaitMs: 60_000, minBytes: 1, isolationLevel: 0, rackId: '', forgottenTopicsData: [] },
    topics: [{ topicId: id, partitions }],
  })
  assert.equal(errorOf(stale.responses[0].partitions[0]), 'UNKNOWN_TOPIC_ID')
})

test('a fetch with nothing to read waits until there is', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 2 } })
  const consumer = await server.connect()
  const producer = await server.connect()
  const correlationId = consumer.sendFetch({ orders: { 0: 0, 1: 0 } }, { maxWaitMs: 60_000 })
  await waitersAt(server, 1)
  assert.equal(consumer.wire.unclaimedBytes, 0)
  await producer.produce('orders', batchOf(['late']), { partition: 1 })
  const [first, second] = (await consumer.receiveFetched(correlationId)).responses[0].partitions
  assert.deepEqual([recordsOf(first), recordsOf(second)], [[], ['0:late']])
  assert.equal(server.partition('orders', 0).waiters.size, 0)
  assert.equal(server.partition('orders', 1).waiters.size, 0)
})

test('a fetch waits for as many bytes as it wants', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 2 } })
  const consumer = await server.connect()
  const producer = await server.connect()
  const batch = batchOf(['x'.repeat(1000)])
  await producer.produce('orders', batch)
  const correlationId = consumer.sendFetch(
    { orders: { 0: 0, 1: 0 } },
    { maxWaitMs: 60_000, minBytes: 3 * batch.length },
  )
  await waitersAt(server, 1)
  await producer.produce('orders', batch, { partition: 1 })
  await waitersAt(server, 1)
  assert.equal(consumer.wire.unclaimedBytes, 0)
  await producer.produce('orders', batch)
  const { partitions } = (await consumer.receiveFetched(correlationId)).responses[0]
  assert.deepEqual(
    partitions.map((each) => batchesOf(each).length),
    [2, 1],
  )
})

test('a fetch waits no longer than it wants to, and then gets what there is', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 1 } })
  server.server.clock.pause()
  const consumer = await server.connect()
  const nothing = consumer.sendFetch({ orders: { 0: 0 } }, { maxWaitMs: 500 })
  await waitersAt(server, 1)
  server.server.advance(499)
  assert.equal(server.partition('orders').waiters.size, 1)
  server.server.advance(1)
  const empty = (await consumer.receiveFetched(nothing)).responses[0].partitions[0]
  assert.deepEqual([errorOf(empty), recordsOf(empty), empty.highWatermark], ['NONE', [], 0])

  await consumer.produce('orders', batchOf(['a']))
  const little = consumer.sendFetch({ orders: { 0: 0 } }, { maxWaitMs: 500, minBytes: 10_000 })
  await waitersAt(server, 1)
  server.server.advance(500)
  assert.deepEqual(recordsOf((await consumer.receiveFetched(little)).responses[0].partitions[0]), ['0:a'])
  assert.equal(server.partition('orders').waiters.size, 0)
})

test('without a wait, or without partitions, the answer comes at once', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  assert.deepEqual(recordsOf(await client.fetch('orders', { maxWaitMs: 0 })), [])
  assert.deepEqual((await client.fetchAll({}, { maxWaitMs: 60_000 })).responses, [])
})

test('an error in one partition is told at once, with what the others have', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const answer = await client.fetchAll({ orders: { 0: 0, 7: 0 } }, { maxWaitMs: 60_000 })
  assert.deepEqual(answer.responses[0].partitions.map(errorOf), ['NONE', 'UNKNOWN_TOPIC_OR_PARTITION'])
})

test('a topic that is deleted under a fetch ends its wait', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 1 } })
  const consumer = await server.connect()
  const correlationId = consumer.sendFetch({ orders: { 0: 0 } }, { maxWaitMs: 60_000 })
  await waitersAt(server, 1)
  const log = server.partition('orders')
  server.logs.deleteTopic('orders')
  const answer = await consumer.receiveFetched(correlationId)
  assert.equal(errorOf(answer.responses[0].partitions[0]), 'UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(log.waiters.size, 0)
})

test('records that are deleted under a fetch end its wait', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 1 } })
  const consumer = await server.connect()
  await fill(consumer, [['a'], ['b']])
  const correlationId = consumer.sendFetch({ orders: { 0: 1 } }, { maxWaitMs: 60_000, minBytes: 10_000 })
  await waitersAt(server, 1)
  server.partition('orders').deleteRecordsBefore(2)
  const answer = await consumer.receiveFetched(correlationId)
  assert.equal(errorOf(answer.responses[0].partitions[0]), 'OFFSET_OUT_OF_RANGE')
})

test('what follows a waiting fetch on its connection waits too; other connections do not', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 1 } })
  const consumer = await server.connect()
  const other = await server.connect()
  const first = consumer.sendFetch({ orders: { 0: 0 } }, { maxWaitMs: 60_000 })
  const second = consumer.sendFetch({ orders: { 0: 0 } })
  await waitersAt(server, 1)
  await other.produce('orders', batchOf(['a']))
  assert.deepEqual(recordsOf((await consumer.receiveFetched(first)).responses[0].partitions[0]), ['0:a'])
  assert.deepEqual(recordsOf((await consumer.receiveFetched(second)).responses[0].partitions[0]), ['0:a'])
})

test('a thousand consumers wait, one record wakes them all, and those that leave leave nothing behind', async (t) => {
  const server = await startLogServer(t, { topics: { orders: 1 } })
  const consumers = await Promise.all(Array.from({ length: 1000 }, () => server.connect()))
  const ask = () => consumers.map((consumer) => consumer.sendFetch({ orders: { 0: 0 } }, { maxWaitMs: 60_000 }))
  const asked = ask()
  await waitersAt(server, 1000)
  await (await server.connect()).produce('orders', batchOf(['news']))
  const answers = await Promise.all(consumers.map((consumer, index) => consumer.receiveFetched(asked[index])))
  for (const { responses } of answers) assert.deepEqual(recordsOf(responses[0].partitions[0]), ['0:news'])
  assert.equal(server.partition('orders').waiters.size, 0)

  for (const consumer of consumers) consumer.sendFetch({ orders: { 0: 1 } }, { maxWaitMs: 60_000 })
  await waitersAt(server, 1000)
  for (const consumer of consumers) consumer.close()
  await waitersAt(server, 0)
})

test('a client that is wrong about the leader is told so, and from version 16 on who it is', async (t) => {
  const { connect, address } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a']])
  const { leaderEpoch } = batchesOf(await client.fetch('orders'))[0]
  assert.deepEqual(recordsOf(await client.fetch('orders', { currentLeaderEpoch: leaderEpoch })), ['0:a'])
  const newer = await client.fetch('orders', { currentLeaderEpoch: leaderEpoch + 1, maxWaitMs: 60_000 })
  assert.equal(errorOf(newer), 'UNKNOWN_LEADER_EPOCH')
  if (leaderEpoch > 0) return
  const older = await client.fetchAll({ orders: { 0: 0 } }, { currentLeaderEpoch: -2, version: 16 })
  const [partition] = older.responses[0].partitions
  assert.equal(errorOf(partition), 'FENCED_LEADER_EPOCH')
  assert.deepEqual({ ...partition.currentLeader }, { leaderId: 1, leaderEpoch })
  assert.deepEqual(
    older.nodeEndpoints.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]),
    [[1, address]],
  )
})

test('who has read from another past is told where the common one ends', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['a'], ['b']])
  const epoch = partition('orders').leaderEpoch
  assert.deepEqual(recordsOf(await client.fetch('orders', { offset: 1, lastFetchedEpoch: epoch })), ['1:b'])
  const beyond = await client.fetch('orders', { offset: 9, lastFetchedEpoch: epoch, maxWaitMs: 60_000 })
  assert.equal(errorOf(beyond), 'NONE')
  assert.deepEqual({ ...beyond.divergingEpoch }, { epoch, endOffset: 2 })
  assert.deepEqual(recordsOf(beyond), [])
  assert.equal(errorOf(await client.fetch('orders', { offset: 1, lastFetchedEpoch: epoch + 5 })), 'OFFSET_OUT_OF_RANGE')
})

test('what is compressed with zstd is served to versions that are older than it too, as Kafka 4 does', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  await fill(client, [['plain']])
  await client.produce('orders', batchOf(['packed'], { codec: 'zstd' }))
  await fill(client, [['plain again']])
  for (const version of [4, 9, 10]) {
    assert.deepEqual(recordsOf(await client.fetch('orders', { version })), ['0:plain', '1:packed', '2:plain again'])
  }
})
