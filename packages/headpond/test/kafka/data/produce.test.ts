import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { apiVersionsRequest, apiVersionsResponse } from '#src/kafka/schemas/api-versions.ts'
import { produceRequest, produceResponse } from '#src/kafka/schemas/produce.ts'
import type { PartitionLog } from '#src/log/partition-log.ts'
import { batchOf, errorOf, recordsOf, startLogServer } from './log-server.ts'

test('a batch is appended in every version, whatever acks is, and read back as it was sent', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  let offset = 0
  for (let version = 3; version <= 11; version++) {
    for (const acks of [1, -1]) {
      const answer = await client.produce('orders', batchOf(['a', 'b']), { version, acks })
      assert.equal(errorOf(answer), 'NONE')
      assert.equal(answer.baseOffset, offset)
      assert.equal(answer.logAppendTimeMs, -1)
      assert.equal(answer.logStartOffset, version >= 5 ? 0 : -1)
      assert.deepEqual(recordsOf(await client.fetch('orders', { offset })), [`${offset}:a`, `${offset + 1}:b`])
      offset += 2
    }
  }
})

test('versions 0 to 2 are told of and refused: by the end of the connection, with the reason in the log', async (t) => {
  const { connect, logged } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const told = await client.wire.call(apiVersionsRequest, apiVersionsResponse, 0, {
    clientSoftwareName: '',
    clientSoftwareVersion: '',
  })
  const { minVersion, maxVersion } = told.apiKeys.find(({ apiKey }) => apiKey === 0)!
  assert.deepEqual([minVersion, maxVersion], [0, 12])
  client.sendBatch('orders', batchOf(['a']), { version: 2, acks: 1 })
  await client.wire.closed
  assert.match(logged.join('\n'), /closed: a Produce request of version 2: 3 to 12 are served/)
})

test('acks 0 gets no answer, so that the next one on the wire is that to the next request', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  client.sendBatch('orders', batchOf(['unanswered']), { acks: 0 })
  const answer = await client.produce('orders', batchOf(['answered']), { acks: 1 })
  assert.equal(answer.baseOffset, 1)
  assert.deepEqual(recordsOf(await client.fetch('orders')), ['0:unanswered', '1:answered'])
})

test('an error with acks 0 closes the connection, which is all that the producer can notice', async (t) => {
  const { connect, logged } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  client.sendBatch('nowhere', batchOf(['a']), { acks: 0 })
  await client.wire.closed
  assert.match(logged.join('\n'), /acks 0 failed for nowhere-0: UNKNOWN_TOPIC_OR_PARTITION/)
})

test('each partition has an answer of its own: a bad one does not fail the others', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 2, other: 1 } })
  const client = await connect()
  const corrupt = batchOf(['corrupt'])
  corrupt[corrupt.length - 1] ^= 1
  const partitionOf = (index: number, records: Buffer) => ({ index, records })
  const answer = await client.wire.call(produceRequest, produceResponse, 9, {
    acks: -1,
    timeoutMs: 1000,
    topicData: [
      {
        name: 'orders',
        topicId: ZERO_UUID,
        partitionData: [partitionOf(0, corrupt), partitionOf(1, batchOf(['good'])), partitionOf(2, batchOf(['x']))],
      },
      { name: 'nowhere', topicId: ZERO_UUID, partitionData: [partitionOf(0, batchOf(['x']))] },
      { name: 'other', topicId: ZERO_UUID, partitionData: [partitionOf(0, batchOf(['good']))] },
    ],
  })
  const told = answer.responses.map(({ name, partitionResponses }) => [
    name,
    partitionResponses.map((each) => [each.index, errorOf(each), each.baseOffset]),
  ])
  assert.deepEqual(told, [
    [
      'orders',
      [
        [0, 'CORRUPT_MESSAGE', -1],
        [1, 'NONE', 0],
        [2, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
      ],
    ],
    ['nowhere', [[0, 'UNKNOWN_TOPIC_OR_PARTITION', -1]]],
    ['other', [[0, 'NONE', 0]]],
  ])
})

test('what is refused, and how', async (t) => {
  const { connect, partition } = await startLogServer(t, {
    topics: {
      orders: { partitionCount: 1, config: new Map([['max.message.bytes', '200']]) },
      __consumer_offsets: { partitionCount: 1, isInternal: true },
    },
  })
  const client = await connect()
  const refused = async (...args: Parameters<typeof client.produce>) => errorOf(await client.produce(...args))

  for (const acks of [2, -2, 7])
    assert.equal(await refused('orders', batchOf(['a']), { acks }), 'INVALID_REQUIRED_ACKS')
  assert.equal(await refused('__consumer_offsets', batchOf(['a'])), 'INVALID_TOPIC_EXCEPTION')
  assert.equal(await refused('orders', null), 'INVALID_RECORD')
  assert.equal(await refused('orders', Buffer.alloc(0)), 'INVALID_RECORD')
  assert.equal(await refused('orders', Buffer.concat([batchOf(['a']), batchOf(['b'])])), 'INVALID_RECORD')
  assert.equal(await refused('orders', batchOf(['a'.repeat(200)])), 'MESSAGE_TOO_LARGE')

  const old = batchOf(['a'])
  old[16] = 1
  assert.equal(await refused('orders', old), 'INVALID_RECORD')
  const marker = batchOf(['a'], { isControl: true })
  assert.equal(await refused('orders', marker), 'INVALID_RECORD')

  const zstd = batchOf(['a'], { codec: 'zstd' })
  assert.equal(await refused('orders', zstd, { version: 6 }), 'UNSUPPORTED_COMPRESSION_TYPE')
  assert.equal(await refused('orders', zstd, { version: 7 }), 'NONE')

  assert.equal(partition('orders').logEndOffset, 1)
})

test('more in-sync replicas than a partition has are never asked for: of one replica one is enough, as in Kafka since 3.7', async (t) => {
  const config = new Map([['min.insync.replicas', '2']])
  const { connect } = await startLogServer(t, { topics: { replicated: { partitionCount: 1, config } } })
  const client = await connect()
  for (const acks of [1, -1])
    assert.equal(errorOf(await client.produce('replicated', batchOf(['a']), { acks })), 'NONE')
})

test('a refusal says why, from version 8 on', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  assert.equal((await client.produce('orders', null, { version: 7 })).errorMessage, null)
  const { errorMessage, logStartOffset } = await client.produce('orders', null, { version: 8 })
  assert.match(errorMessage!, /at least one record batch per partition/)
  assert.equal(logStartOffset, 0)
})

test('transactional records without a transaction are refused', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const batch = batchOf(['a'], { producerId: 7, producerEpoch: 0, baseSequence: 0, isTransactional: true })
  assert.equal(errorOf(await client.produce('orders', batch)), 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
})

test('requests of one connection that wait for the disk together are answered in their order', async (t) => {
  const { connect } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  const sent = Array.from({ length: 20 }, (_, index) => client.sendBatch('orders', batchOf([`${index}`])))
  const offsets: number[] = []
  for (const correlationId of sent) offsets.push((await client.receiveProduced(correlationId)).baseOffset)
  assert.deepEqual(
    offsets,
    Array.from({ length: 20 }, (_, index) => index),
  )
})

/** The turns of the event loop in which these partitions are appended to, one after the other. */
function turnsOfAppends(t: TestContext, logs: readonly PartitionLog[]): number[] {
  let turn = 0
  let isOver = false
  const countTurns = () => {
    turn++
    if (!isOver) setImmediate(countTurns)
  }
  t.after(() => {
    isOver = true
  })
  countTurns()
  const turns: number[] = []
  for (const log of logs) {
    const append = log.append.bind(log)
    log.append = (batch, options) => {
      turns.push(turn)
      return append(batch, options)
    }
  }
  return turns
}

test('a large request takes a turn for each of its large batches; what follows it comes after all of them', async (t) => {
  const { connect, partition, server } = await startLogServer(t, { topics: { orders: 6 } })
  let arrivedCount = 0
  server.kafka.hook = {
    arrived: () => {
      arrivedCount++
      return null
    },
  }
  const turns = turnsOfAppends(
    t,
    Array.from({ length: 6 }, (_, index) => partition('orders', index)),
  )
  const client = await connect()
  const large = batchOf(['x'.repeat(300_000)])
  const partitionData = Array.from({ length: 6 }, (_, index) => ({ index, records: large }))
  const topicData = [{ name: 'orders', topicId: ZERO_UUID, partitionData }]
  const first = client.wire.send(produceRequest, 9, { acks: -1, timeoutMs: 30_000, topicData })
  const second = client.sendBatch('orders', batchOf(['after']), { partition: 5 })
  const { responses } = await client.wire.receive(produceResponse, 9, first)
  assert.deepEqual(
    responses[0].partitionResponses.map(({ index, errorCode, baseOffset }) => ({ index, errorCode, baseOffset })),
    Array.from({ length: 6 }, (_, index) => ({ index, errorCode: 0, baseOffset: 0 })),
  )
  assert.equal((await client.receiveProduced(second)).baseOffset, 1)
  for (let index = 1; index < 6; index++) assert.ok(turns[index] > turns[index - 1], `turns ${turns}`)
  assert.equal(arrivedCount, 2)
  const stored = await client.fetch('orders', { partition: 5 })
  assert.deepEqual(recordsOf(stored), [`0:${'x'.repeat(300_000)}`, '1:after'])
})

test('the first batches of many partitions, whose directories are made with them, take several turns', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 100 } })
  const all = Array.from({ length: 100 }, (_, index) => index)
  const turns = turnsOfAppends(
    t,
    all.map((index) => partition('orders', index)),
  )
  const client = await connect()
  const partitionData = all.map((index) => ({ index, records: batchOf([`first of ${index}`]) }))
  const topicData = [{ name: 'orders', topicId: ZERO_UUID, partitionData }]
  for (const baseOffset of [0, 1]) {
    const sent = client.wire.send(produceRequest, 9, { acks: -1, timeoutMs: 30_000, topicData })
    const { responses } = await client.wire.receive(produceResponse, 9, sent)
    assert.deepEqual(
      responses[0].partitionResponses.map((each) => [each.index, each.errorCode, each.baseOffset]),
      all.map((index) => [index, 0, baseOffset]),
    )
  }
  assert.ok(new Set(turns.slice(0, 100)).size > 4, `turns ${turns}`)
  assert.equal(new Set(turns.slice(100)).size, 1, 'when they are there, one turn is enough')
  assert.deepEqual(recordsOf(await client.fetch('orders', { partition: 77 })), ['0:first of 77', '1:first of 77'])
})

test('a large request is carried out though it exceeds a quota, and its pause is told of with it', async (t) => {
  const { broker, connect } = await startLogServer(t, { topics: { orders: 3 } })
  const throttled: number[] = []
  broker.quotas.produce.record = (bytes) => {
    throttled.push(bytes)
    return 200
  }
  Object.defineProperty(broker.quotas.produce, 'isActive', { value: true })
  const client = await connect()
  const records = batchOf(['x'.repeat(300_000)])
  const partitionData = Array.from({ length: 3 }, (_, index) => ({ index, records }))
  const topicData = [{ name: 'orders', topicId: ZERO_UUID, partitionData }]
  const answer = await client.wire.call(produceRequest, produceResponse, 9, { acks: 1, timeoutMs: 30_000, topicData })
  assert.deepEqual(
    answer.responses[0].partitionResponses.map(({ errorCode }) => errorCode),
    [0, 0, 0],
  )
  assert.equal(answer.throttleTimeMs, 200)
  assert.equal(throttled.length, 1)
})

test('who waits for all replicas waits no longer than it wants to; the record is there all the same', async (t) => {
  const { connect, logs, server } = await startLogServer(t, { topics: { orders: 1 } })
  server.clock.pause()
  const client = await connect()
  const restOf = logs.restOf.bind(logs)
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const isAsked = new Promise<void>((resolve) => {
    logs.restOf = () => {
      resolve()
      return held
    }
  })
  const correlationId = client.sendBatch('orders', batchOf(['slow']), { acks: -1, timeoutMs: 5000 })
  await isAsked
  server.advance(4999)
  assert.equal(client.wire.unclaimedBytes, 0)
  server.advance(1)
  assert.equal(errorOf(await client.receiveProduced(correlationId)), 'REQUEST_TIMED_OUT')
  release()
  logs.restOf = restOf
  assert.deepEqual(recordsOf(await client.fetch('orders')), ['0:slow'])
})

test('a disk that fails is told to whoever produced', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 1 } })
  const client = await connect()
  Object.defineProperty(partition('orders'), 'storageProblem', { get: () => 'ENOSPC: no space left on device' })
  const answer = await client.produce('orders', batchOf(['a']))
  assert.equal(errorOf(answer), 'KAFKA_STORAGE_ERROR')
  assert.match(answer.errorMessage!, /ENOSPC/)
})
