/** `createServer({ kafka })`: topics, records, groups, faults and calls without a client of one's own. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Consumer, Kafka, logLevel, type Producer } from 'kafkajs'
import { ConfigError, type CreateServerOptions, createServer, type HeadpondServer } from '#src/index.ts'
import { parseAddress } from '#src/kafka/client/address.ts'
import { KafkaClient } from '#src/kafka/client/client.ts'
import { Producer as WireProducer } from '#src/kafka/client/producer.ts'
import {
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '#src/kafka/schemas/consumer-group-heartbeat.ts'
import { WireClient } from '../kafka/wire-client.ts'

async function startServer(t: TestContext, options: CreateServerOptions = {}): Promise<HeadpondServer> {
  const server = await createServer(options)
  t.after(() => server.close())
  return server
}

function kafkajs(server: HeadpondServer, clientId = 'test'): Kafka {
  return new Kafka({
    clientId,
    brokers: [server.urls.kafka],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 10, maxRetryTime: 50, retries: 20 },
  })
}

async function startProducer(t: TestContext, server: HeadpondServer, options = {}): Promise<Producer> {
  const producer = kafkajs(server).producer(options)
  await producer.connect()
  t.after(() => producer.disconnect())
  return producer
}

async function startConsumer(
  t: TestContext,
  server: HeadpondServer,
  groupId: string,
  topic: string,
): Promise<Consumer> {
  const consumer = kafkajs(server).consumer({ groupId, heartbeatInterval: 100, maxWaitTimeInMs: 100 })
  t.after(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  return consumer
}

test('topics are there from the start, with what was set for them', async (t) => {
  const server = await startServer(t, {
    kafka: { topics: { orders: 3, prices: { partitions: 2, config: { 'cleanup.policy': 'compact' } } } },
  })
  assert.deepEqual((await server.kafka.topics()).sort(), ['orders', 'prices'])
  const admin = kafkajs(server).admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  const { topics } = await admin.fetchTopicMetadata({ topics: ['orders', 'prices'] })
  assert.deepEqual(topics.map(({ name, partitions }) => [name, partitions.length]).sort(), [
    ['orders', 3],
    ['prices', 2],
  ])
  // Only a compacted topic wants keys.
  await assert.rejects(server.kafka.produce('prices', { value: 'no key' }), /INVALID_RECORD|key/i)
})

test('options that cannot be are refused, and nothing is left open', async () => {
  for (const kafka of [
    { topics: { 'no spaces': 1 } },
    { topics: { orders: 0 } },
    { topics: { orders: '3' as never } },
    { topics: { orders: { config: { 'no.such': 1 } } } },
    { topics: { orders: { config: { 'retention.ms': 'soon' } } } },
    { topics: { 'a.b': 1, a_b: 1 } },
  ]) {
    await assert.rejects(createServer({ kafka }), ConfigError, JSON.stringify(kafka))
  }
})

test('what a client produces is in records(), and what produce() puts there reaches a consumer', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 2 } } })
  const producer = await startProducer(t, server)
  await producer.send({
    topic: 'orders',
    messages: [
      { key: 'a', value: 'one', partition: 1, timestamp: '1700000000000', headers: { trace: 'x', many: ['1', '2'] } },
      { key: null, value: null, partition: 1 },
    ],
  })
  const [first, second] = await server.kafka.records('orders')
  assert.deepEqual(first, {
    topic: 'orders',
    partition: 1,
    offset: 0,
    timestamp: 1_700_000_000_000,
    key: 'a',
    value: 'one',
    headers: { trace: 'x', many: ['1', '2'] },
  })
  assert.deepEqual([second.offset, second.key, second.value, second.headers], [1, null, null, {}])
  const [{ key, value, headers }] = await server.kafka.records('orders', { partition: 1, binary: true })
  assert.deepEqual([key, value, headers.trace], [Buffer.from('a'), Buffer.from('one'), Buffer.from('x')])
  assert.deepEqual(await server.kafka.records('orders', { partition: 0 }), [])

  const placed = await server.kafka.produce('orders', [
    { key: 'k', value: 'two', headers: { h: 'v', n: null }, timestamp: 5, partition: 0 },
    'three',
  ])
  assert.deepEqual(placed[0], { partition: 0, offset: 0 })
  const consumer = await startConsumer(t, server, 'g', 'orders')
  const seen: string[] = []
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) })
  await server.kafka.waitForGroup('g', { lag: 0 })
  assert.deepEqual(seen.sort(), ['null', 'one', 'three', 'two'])
})

test('records and groups that do not come are told of', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  await assert.rejects(server.kafka.records('order'), /there is no topic order; there is orders/)
  await assert.rejects(server.kafka.records('orders', { partition: 1 }), /partitions 0 to 0, and not 1/)
  await assert.rejects(server.kafka.produce('orders', { value: '', partition: 7 }), /partitions 0 to 0, and not 7/)
  await server.kafka.produce('orders', 'one')
  await assert.rejects(server.kafka.waitForRecords('orders', 2, { timeoutMs: 5 }), /orders has 1 records, and not 2/)
  await assert.rejects(server.kafka.waitForGroup('g', { timeoutMs: 5 }), /nobody knows a group g/)
  assert.equal(await server.kafka.group('g'), undefined)
})

test('waitForRecords waits for a topic that does not exist yet', async (t) => {
  const server = await startServer(t)
  const waiting = server.kafka.waitForRecords('later', 2)
  const producer = await startProducer(t, server)
  await producer.send({ topic: 'later', messages: [{ value: '1' }] })
  await producer.send({ topic: 'later', messages: [{ value: '2' }] })
  assert.deepEqual((await waiting).map(({ value }) => value).sort(), ['1', '2'])
})

test('a group without members is behind in partitions that it has never committed too', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 2 } } })
  const consumer = await startConsumer(t, server, 'g', 'orders')
  await consumer.run({ eachMessage: async () => {} })
  await server.kafka.waitForGroup('g')
  await server.kafka.produce('orders', { value: 'read', partition: 0 })
  await server.kafka.waitForGroup('g', { lag: 0 })
  await consumer.disconnect()
  await server.kafka.waitForGroup('g', { state: 'Empty' })
  await server.kafka.produce('orders', { value: 'not read', partition: 1 })
  assert.equal((await server.kafka.group('g'))!.lag, 1)
  await assert.rejects(server.kafka.waitForGroup('g', { lag: 0, timeoutMs: 5 }), /g is Empty with 0 members/)
})

test('waitForGroup: members, lag, state; a group as it is', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 2 } } })
  await server.kafka.produce('orders', ['1', '2', '3'])
  const first = await startConsumer(t, server, 'g', 'orders')
  await first.run({ eachMessage: async () => {} })
  assert.equal((await server.kafka.waitForGroup('g')).memberCount, 1)
  const second = await startConsumer(t, server, 'g', 'orders')
  await second.run({ eachMessage: async () => {} })
  assert.equal((await server.kafka.waitForGroup('g', { members: 2 })).state, 'Stable')
  const { lag, offsets } = await server.kafka.waitForGroup('g', { lag: 0 })
  assert.equal(lag, 0)
  assert.deepEqual(
    offsets.map(({ committedOffset, endOffset }) => committedOffset === endOffset),
    [true, true],
  )
  await Promise.all([first.disconnect(), second.disconnect()])
  assert.equal((await server.kafka.waitForGroup('g', { state: 'empty' })).memberCount, 0)
})

test('a group in which the broker assigns is waited for as any other', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 2 } } })
  await server.kafka.produce('orders', ['1', '2', '3'])
  const wire = await WireClient.connect(parseAddress(server.urls.kafka)!.port)
  t.after(() => wire.close())
  const heartbeat = (memberEpoch: number, topicNames: string[] | null) =>
    wire.call(consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse, 1, {
      groupId: 'g',
      memberId: 'm',
      memberEpoch,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: topicNames,
      topicPartitions: [],
    })
  const joined = server.kafka.waitForGroup('g', { members: 1 })
  await heartbeat(0, ['orders'])
  assert.equal((await joined).state, 'Stable')
  await heartbeat(-1, null)
  assert.equal((await server.kafka.waitForGroup('g', { state: 'Empty' })).memberCount, 0)
})

test('the clock of the server ends the sessions of members', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  const consumer = kafkajs(server).consumer({
    groupId: 'g',
    sessionTimeout: 30_000,
    heartbeatInterval: 20_000,
    maxWaitTimeInMs: 60_000,
    retry: { retries: 0 },
  })
  await consumer.connect()
  t.after(() => consumer.disconnect())
  await consumer.subscribe({ topic: 'orders' })
  await consumer.run({ eachMessage: async () => {} })
  await server.kafka.waitForGroup('g', { members: 1 })
  server.clock.advance('31s')
  assert.equal((await server.kafka.waitForGroup('g', { state: 'Empty' })).memberCount, 0)
})

test('reset deletes topics and groups, and makes those of the options again', async (t) => {
  const server = await startServer(t, {
    kafka: { topics: { orders: { partitions: 2, config: { 'retention.ms': 1e9 } } } },
  })
  await server.kafka.createTopics({ other: 1 })
  await server.kafka.produce('orders', ['1', '2', '3'])
  const consumer = await startConsumer(t, server, 'g', 'orders')
  await consumer.run({ eachMessage: async () => {} })
  await server.kafka.waitForGroup('g', { lag: 0 })
  await consumer.disconnect()
  server.faults.error({ api: 'Fetch', times: Number.POSITIVE_INFINITY }, 'KAFKA_STORAGE_ERROR')
  await server.reset()
  assert.deepEqual(await server.kafka.topics(), ['orders'])
  assert.deepEqual(await server.kafka.records('orders'), [])
  assert.equal(await server.kafka.group('g'), undefined)
  assert.deepEqual(server.kafka.calls(), [])

  // A producer that was connected before goes on, and offsets begin at 0.
  const producer = await startProducer(t, server)
  await producer.send({ topic: 'orders', messages: [{ key: 'k', value: 'again' }] })
  await server.reset()
  await producer.send({ topic: 'orders', messages: [{ key: 'k', value: 'and again' }] })
  const [{ offset, value }] = await server.kafka.records('orders')
  assert.deepEqual([offset, value], [0, 'and again'])
})

test('reset and close of a server that no Kafka client has come to load nothing of Kafka', async () => {
  const server = await createServer()
  await server.reset()
  await server.close()
})

test('a fault answers the next requests with an error, and clients try again', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1, other: 1 } } })
  const producer = await startProducer(t, server)
  const fault = server.faults.error({ api: 'Produce', topic: 'orders', times: 2 }, 'NOT_LEADER_OR_FOLLOWER')
  await producer.send({ topic: 'other', messages: [{ value: 'untouched' }] })
  assert.equal(fault.struckCount, 0)
  await producer.send({ topic: 'orders', messages: [{ value: 'third time' }] })
  assert.deepEqual([fault.struckCount, fault.remaining], [2, 0])
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    ['third time'],
  )
  server.faults.error({ api: 'Produce' }, 'MESSAGE_TOO_LARGE')
  await assert.rejects(producer.send({ topic: 'orders', messages: [{ value: '' }] }), /larger|MESSAGE_TOO_LARGE/)
  assert.throws(() => server.faults.error({ api: 'Produce' }, 'NO_SUCH_ERROR'), RangeError)
})

test('a lost connection, before the request and after it; what is idempotent is there once', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  const client = await KafkaClient.connect({ bootstrap: [parseAddress(server.urls.kafka)!] })
  t.after(() => client.close())
  const producer = await WireProducer.open(client, 'orders')
  const send = async (value: string) => {
    await producer.add({ timestampMs: 1, key: null, value: Buffer.from(value) })
    await producer.flush()
  }
  const dropped = server.faults.drop({ api: 'Produce' })
  await send('before')
  const lost = server.faults.loseAnswer({ api: 'Produce' })
  await send('after')
  assert.deepEqual([dropped.struckCount, lost.struckCount], [1, 1])
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    ['before', 'after'],
  )
})

test('a delay holds a request until the clock has come so far, and nobody else', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  const producer = await startProducer(t, server)
  const other = await startProducer(t, server)
  server.faults.delay({ api: 'Produce' }, '1h')
  let isDone = false
  const held = producer.send({ topic: 'orders', messages: [{ value: 'late' }] }).then(() => (isDone = true))
  while (server.kafka.calls('Produce').length === 0) await new Promise((resolve) => setImmediate(resolve))
  await other.send({ topic: 'orders', messages: [{ value: 'early' }] })
  assert.equal(isDone, false)
  server.clock.advance('1h')
  await held
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    ['early', 'late'],
  )
})

test('every API that can say so answers with the error of a fault', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  const admin = kafkajs(server).admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  server.faults.error({ api: 'ListOffsets', times: 1 }, 'UNKNOWN_SERVER_ERROR')
  await assert.rejects(admin.fetchTopicOffsets('orders'))
  await admin.fetchTopicOffsets('orders')
  server.faults.error({ api: 'FindCoordinator', times: 1 }, 'COORDINATOR_NOT_AVAILABLE')
  await admin.fetchOffsets({ groupId: 'g', topics: ['orders'] })
})

test('calls: what clients asked, by API', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  const producer = kafkajs(server, 'checkout').producer()
  await producer.connect()
  t.after(() => producer.disconnect())
  await producer.send({ topic: 'orders', messages: [{ value: '1' }] })
  const [call] = server.kafka.calls('produce')
  assert.deepEqual([call.api, call.clientId, call.topics, call.groups], ['Produce', 'checkout', ['orders'], []])
  assert.ok(server.kafka.calls().some(({ api }) => api === 'Metadata'))
  const consumer = await startConsumer(t, server, 'billing', 'orders')
  await consumer.run({ eachMessage: async () => {} })
  await server.kafka.waitForGroup('billing', { members: 1 })
  assert.deepEqual(server.kafka.calls('JoinGroup')[0].groups, ['billing'])
})

test('a group joins at once', async (t) => {
  const server = await startServer(t, { kafka: { topics: { orders: 1 } } })
  assert.deepEqual(await server.execute('CONFIG', 'GET', 'kafka.group.initial.rebalance.delay.ms'), {
    'kafka.group.initial.rebalance.delay.ms': '0',
  })
  // What the options say holds.
  const patient = await startServer(t, { kafka: { config: { 'group.initial.rebalance.delay.ms': 100 } } })
  assert.deepEqual(await patient.execute('CONFIG', 'GET', 'kafka.group.initial.rebalance.delay.ms'), {
    'kafka.group.initial.rebalance.delay.ms': '100',
  })
})

test('env has what applications read', async (t) => {
  const server = await startServer(t)
  assert.equal(server.env['KAFKA_BROKERS'], server.urls.kafka)
  assert.match(server.urls.kafka, /^127\.0\.0\.1:\d+$/)
  const without = await startServer(t, { kafkaPort: 0 })
  assert.equal(without.urls.kafka, '')
})

test('time moved by hand deletes records that are too old by then', async (t) => {
  const server = await startServer(t, {
    kafka: { topics: { orders: { partitions: 1, config: { 'retention.ms': '3600000' } } } },
  })
  await server.kafka.produce('orders', { value: 'old' })
  server.clock.advance('30m')
  assert.equal((await server.kafka.records('orders')).length, 1)
  server.clock.advance('31m')
  assert.deepEqual(await server.kafka.records('orders'), [])
  await server.kafka.produce('orders', { value: 'new' })
  // Offsets go on.
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ offset }) => Number(offset)),
    [1],
  )
})
