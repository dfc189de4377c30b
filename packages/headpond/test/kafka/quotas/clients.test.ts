/** The clients of Node's world under quotas: they pause, and nothing is lost. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { requestedEntity } from '#src/kafka/quotas/client-quotas.ts'
import type { LimitedRate } from '#src/kafka/quotas/limited-rate.ts'
import { startLogServer } from '../data/log-server.ts'
import { readValues } from '../kafkajs-reader.ts'

/** One is within the quota, and two are not. */
const VALUES = ['a', 'b', 'c'].map((letter) => letter.repeat(90_000))
const BYTES_PER_SECOND = 100_000

/** A server that limits the client `app`, and counts how often it was made to pause. */
async function startLimited(t: TestContext) {
  const { address, broker } = await startLogServer(t, {
    topics: { orders: 1 },
    // What was counted is forgotten two seconds later.
    directives: {
      'kafka.quota.window.num': 2,
      'kafka.quota.window.size.seconds': 1,
      'kafka.group.initial.rebalance.delay.ms': 0,
    },
  })
  const limits = ['producer_byte_rate', 'consumer_byte_rate'].map((key) => [key, BYTES_PER_SECOND] as const)
  broker.quotas.clients.alter([{ entity: requestedEntity([['client-id', 'app']]), operations: limits }], false)
  const pauses = { produce: 0, fetch: 0 }
  const count = (kind: keyof typeof pauses, rate: LimitedRate<readonly [string, string]>) => {
    const record = rate.record.bind(rate)
    rate.record = (value, ...client) => {
      const throttleMs = record(value, ...client)
      if (throttleMs > 0) pauses[kind]++
      return throttleMs
    }
  }
  count('produce', broker.quotas.produce)
  count('fetch', broker.quotas.fetch)
  return { address, pauses }
}

test('kafkajs', async (t) => {
  const { address, pauses } = await startLimited(t)
  const kafka = new Kafka({ clientId: 'app', brokers: [address], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const consumer = kafka.consumer({ groupId: 'readers', maxBytesPerPartition: 1 })
  try {
    await producer.connect()
    for (const value of VALUES) await producer.send({ topic: 'orders', messages: [{ value }] })
    assert.ok(pauses.produce > 0)

    await consumer.connect()
    await consumer.subscribe({ topic: 'orders', fromBeginning: true })
    assert.deepEqual(await readValues(consumer, VALUES.length), VALUES)
    assert.ok(pauses.fetch > 0)
  } finally {
    await Promise.all([producer.disconnect(), consumer.disconnect()])
  }
})

test('@platformatic/kafka', async (t) => {
  const { address, pauses } = await startLimited(t)
  const common = { clientId: 'app', bootstrapBrokers: [address] }
  const producer = new Producer({ ...common, serializers: stringSerializers })
  const consumer = new Consumer({ ...common, groupId: 'readers', deserializers: stringDeserializers, maxBytes: 1 })
  try {
    for (const value of VALUES) await producer.send({ messages: [{ topic: 'orders', key: 'k', value }] })
    assert.ok(pauses.produce > 0)
    const stream = await consumer.consume({ topics: ['orders'], mode: 'earliest', autocommit: false })
    const received: string[] = []
    for await (const { value } of stream) {
      received.push(value)
      if (received.length === VALUES.length) break
    }
    assert.deepEqual(received, VALUES)
    assert.ok(pauses.fetch > 0)
  } finally {
    await Promise.all([producer.close(), consumer.close(true)])
  }
})
