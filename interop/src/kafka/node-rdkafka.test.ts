/** node-rdkafka (librdkafka 2.12), against an embedded server. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { type CreateServerOptions, createServer, type HeadpondServer } from 'headpond'
import {
  type DeliveryReport,
  loadRdkafka,
  type Rdkafka,
  type RdkafkaClient,
  type RdkafkaConsumer,
  type RdkafkaMessage,
} from './node-rdkafka.ts'
import { storedCodecs, WORTH_COMPRESSING } from './stored-codecs.ts'

const loaded = loadRdkafka()
const skip = typeof loaded === 'string' ? loaded : false
const rdkafka = loaded as Rdkafka
const TIMEOUT_MS = 20_000

async function start(t: TestContext, options: CreateServerOptions = {}): Promise<HeadpondServer> {
  const server = await createServer(options)
  atEndOf(t, () => server.close())
  return server
}

const cleanUps = new WeakMap<TestContext, (() => unknown)[]>()

/** The last one first: a client that takes its leave of a server that is gone waits for seconds. */
function atEndOf(t: TestContext, cleanUp: () => unknown): void {
  const existing = cleanUps.get(t)
  if (existing !== undefined) return void existing.push(cleanUp)
  const all = [cleanUp]
  cleanUps.set(t, all)
  t.after(async () => {
    for (const each of all.reverse()) await each()
  })
}

async function connected<C extends RdkafkaClient>(t: TestContext, client: C): Promise<C> {
  // Without a listener, an error of the client's would end the process.
  client.on('event.error', () => {})
  await new Promise<void>((resolve, reject) =>
    client.connect({ timeout: TIMEOUT_MS }, (error) => (error ? reject(error) : resolve())),
  )
  atEndOf(t, () => new Promise<void>((resolve) => client.disconnect(() => resolve())))
  return client
}

function producerOn(t: TestContext, server: HeadpondServer, settings: object = {}) {
  const producer = new rdkafka.Producer({ 'bootstrap.servers': server.urls.kafka, dr_cb: true, ...settings })
  producer.setPollInterval(10)
  return connected(t, producer)
}

async function consumerOn(t: TestContext, server: HeadpondServer, groupId: string, settings: object = {}) {
  const consumer = new rdkafka.KafkaConsumer(
    {
      'bootstrap.servers': server.urls.kafka,
      'group.id': groupId,
      'auto.commit.interval.ms': 50,
      'session.timeout.ms': 6000,
      'heartbeat.interval.ms': 200,
      ...settings,
    },
    { 'auto.offset.reset': 'earliest' },
  )
  return connected(t, consumer)
}

/** Collects what a consumer gets; `until` resolves when there are so many. */
function collect(client: RdkafkaClient) {
  const messages: RdkafkaMessage[] = []
  client.on('data', (message: RdkafkaMessage) => void messages.push(message))
  return {
    messages,
    async until(count: number) {
      while (messages.length < count) await once(client as never, 'data')
      return messages
    },
  }
}

const textOf = ({ value }: RdkafkaMessage) => (value === null ? null : value.toString())

test('produces with reports, consumes in a group: keys, nulls, headers, times', { skip }, async (t) => {
  const server = await start(t, { kafka: { topics: { orders: 1 } } })
  const producer = await producerOn(t, server)
  const reports: DeliveryReport[] = []
  const reported = new Promise<void>((resolve, reject) => {
    producer.on('delivery-report', (error: Error | null, report: DeliveryReport) => {
      if (error) reject(error)
      reports.push(report)
      if (reports.length === 3) resolve()
    })
  })
  producer.produce('orders', 0, Buffer.from('one'), 'k', 1_700_000_000_000, 'a', [{ h: 'v' }, { h: 'w' }])
  producer.produce('orders', 0, null, 'k', 1_700_000_000_001, 'b')
  producer.produce('orders', 0, Buffer.alloc(0), null, 1_700_000_000_002, 'c')
  await reported
  assert.deepEqual(
    reports.map(({ partition, offset, opaque }) => [partition, offset, opaque]),
    [
      [0, 0, 'a'],
      [0, 1, 'b'],
      [0, 2, 'c'],
    ],
  )
  assert.deepEqual((await server.kafka.records('orders'))[0].headers, { h: ['v', 'w'] })
  const consumer = await consumerOn(t, server, 'readers')
  const seen = collect(consumer)
  consumer.subscribe(['orders'])
  consumer.consume()
  const [first, second, third] = await seen.until(3)
  assert.deepEqual([textOf(first), String(first.key), first.timestamp], ['one', 'k', 1_700_000_000_000])
  assert.deepEqual(
    first.headers?.map((header) => String(header['h'])),
    ['v', 'w'],
  )
  assert.deepEqual([second.value, third.key], [null, null])
  await server.kafka.waitForGroup('readers', { lag: 0, timeoutMs: TIMEOUT_MS })
})

test('every codec, both ways', { skip }, async (t) => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    const server = await start(t, { kafka: { topics: { orders: 1 } } })
    const producer = await producerOn(t, server, { 'compression.codec': codec, 'linger.ms': 10_000 })
    const values = Array.from({ length: 2000 }, (_each, index) => `${codec} ${index} ${'y'.repeat(index % 40)}`)
    for (const value of values) producer.produce('orders', 0, Buffer.from(value))
    await promisify(producer.flush.bind(producer))(TIMEOUT_MS)
    assert.deepEqual([...new Set(await storedCodecs(server, 'orders', WORTH_COMPRESSING))], [codec])
    assert.deepEqual(
      (await server.kafka.records('orders')).map(({ value }) => value),
      values,
    )
    const consumer = await consumerOn(t, server, 'readers')
    const seen = collect(consumer)
    consumer.assign([{ topic: 'orders', partition: 0, offset: 0 }])
    consumer.consume()
    assert.deepEqual((await seen.until(values.length)).map(textOf), values)
  }
})

test('idempotent: answers that are lost, and connections, leave every record once and in order', {
  skip,
}, async (t) => {
  const server = await start(t, { kafka: { topics: { orders: 1 } } })
  const producer = await producerOn(t, server, {
    'enable.idempotence': true,
    'batch.num.messages': 20,
    'retry.backoff.ms': 10,
    'reconnect.backoff.ms': 10,
    'reconnect.backoff.max.ms': 50,
  })
  server.faults.loseAnswer({ api: 'Produce', times: 3 })
  server.faults.drop({ api: 'Produce', times: 2 })
  server.faults.error({ api: 'Produce', times: 2 }, 'NOT_ENOUGH_REPLICAS')
  const values = Array.from({ length: 400 }, (_each, index) => String(index))
  for (const value of values) producer.produce('orders', 0, Buffer.from(value))
  await promisify(producer.flush.bind(producer))(TIMEOUT_MS)
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    values,
  )
})

test('watermarks, offsets of times, seek, committed offsets', { skip }, async (t) => {
  const server = await start(t, { kafka: { topics: { orders: 2 } } })
  await server.kafka.produce(
    'orders',
    Array.from({ length: 10 }, (_each, index) => ({
      value: String(index),
      partition: 0,
      timestamp: 1e12 + index * 1000,
    })),
  )
  const consumer = await consumerOn(t, server, 'readers', { 'enable.auto.commit': false })
  const watermarks = await promisify(consumer.queryWatermarkOffsets.bind(consumer))('orders', 0, TIMEOUT_MS)
  assert.deepEqual(watermarks, { lowOffset: 0, highOffset: 10 })
  const times = await promisify(consumer.offsetsForTimes.bind(consumer))(
    [
      { topic: 'orders', partition: 0, offset: 1e12 + 3500 },
      { topic: 'orders', partition: 1, offset: 1e12 },
    ],
    TIMEOUT_MS,
  )
  assert.equal(times[0].offset, 4)
  const seen = collect(consumer)
  consumer.assign([{ topic: 'orders', partition: 0, offset: 7 }])
  consumer.consume()
  assert.deepEqual((await seen.until(3)).map(textOf), ['7', '8', '9'])
  consumer.commit([{ topic: 'orders', partition: 0, offset: 9 }])
  await server.kafka.waitForGroup('readers', { lag: 1, timeoutMs: TIMEOUT_MS })
  const committed = await promisify(consumer.committed.bind(consumer))([{ topic: 'orders', partition: 0 }], TIMEOUT_MS)
  assert.equal(committed[0].offset, 9)
  assert.equal((await server.kafka.group('readers'))?.offsets[0].committedOffset, 9)
})

test('two members share a topic; the clock ends the session of one that is silent', { skip }, async (t) => {
  const server = await start(t, { kafka: { topics: { orders: 4 } } })
  const strategies = { 'partition.assignment.strategy': 'cooperative-sticky', rebalance_cb: true }
  const consumers: RdkafkaConsumer[] = []
  for (const _each of [1, 2]) {
    const consumer = await consumerOn(t, server, 'readers', strategies)
    consumer.subscribe(['orders'])
    consumer.consume()
    consumers.push(consumer)
  }
  await server.kafka.waitForGroup('readers', { members: 2, timeoutMs: TIMEOUT_MS })
  const seen = consumers.map(collect)
  await server.kafka.produce(
    'orders',
    Array.from({ length: 40 }, (_each, index) => ({ value: String(index), partition: index % 4 })),
  )
  await server.kafka.waitForGroup('readers', { lag: 0, timeoutMs: TIMEOUT_MS })
  const values = seen.flatMap(({ messages }) => messages.map(textOf))
  assert.equal(new Set(values).size, 40)
  await new Promise<void>((resolve) => consumers[1].disconnect(() => resolve()))
  await server.kafka.waitForGroup('readers', { members: 1, timeoutMs: TIMEOUT_MS })
})

test('creates, grows and deletes topics', { skip }, async (t) => {
  const server = await start(t)
  const admin = rdkafka.AdminClient.create({ 'bootstrap.servers': server.urls.kafka })
  atEndOf(t, () => admin.disconnect())
  const call = (method: 'createTopic' | 'deleteTopic' | 'createPartitions', ...args: unknown[]) =>
    new Promise<void>((resolve, reject) => {
      ;(admin[method] as (...all: unknown[]) => void)(...args, TIMEOUT_MS, (error: Error | null) =>
        error ? reject(error) : resolve(),
      )
    })
  await call('createTopic', {
    topic: 'orders',
    num_partitions: 2,
    replication_factor: 1,
    config: { 'retention.ms': '1000' },
  })
  assert.deepEqual(await server.kafka.topics(), ['orders'])
  await assert.rejects(
    call('createTopic', { topic: 'orders', num_partitions: 2, replication_factor: 1 }),
    /already exists/i,
  )
  await assert.rejects(
    call('createTopic', { topic: 'many', num_partitions: 1, replication_factor: 3 }),
    /replication factor/i,
  )
  await call('createPartitions', 'orders', 5)
  const producer = await producerOn(t, server)
  const { topics } = await promisify(producer.getMetadata.bind(producer))({ topic: 'orders', timeout: TIMEOUT_MS })
  assert.equal(topics.find(({ name }) => name === 'orders')?.partitions.length, 5)
  await call('deleteTopic', 'orders')
  assert.deepEqual(await server.kafka.topics(), [])
})
