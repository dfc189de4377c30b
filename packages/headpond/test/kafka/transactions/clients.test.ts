/** Transactions by clients that people use. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Producer, stringSerializers } from '@platformatic/kafka'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { startBroker } from '../test-broker.ts'

test('kafkajs: exactly once from one topic to another', async (t) => {
  const broker = await startBroker(t, { kafka: { topics: { orders: 1, sums: 1 } } })
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({
    transactionalId: 'summer',
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  const consumer = kafka.consumer({ groupId: 'readers', readUncommitted: false })
  const clients = [admin, producer, consumer]
  await Promise.all(clients.map((client) => client.connect()))
  t.after(() => Promise.all(clients.map((client) => client.disconnect())))
  for (const [value, offset, isCommitted] of [
    ['lost', '1', false],
    ['kept', '2', true],
    ['gone', '3', false],
    ['last', '4', true],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'sums', messages: [{ value }] })
    const partitions = [{ partition: 0, offset }]
    await transaction.sendOffsets({ consumerGroupId: 'summers', topics: [{ topic: 'orders', partitions }] })
    if (isCommitted) await transaction.commit()
    else await transaction.abort()
  }
  const read: string[] = []
  await consumer.subscribe({ topic: 'sums', fromBeginning: true })
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        if (read.push(String(message.value)) === 2) resolve()
      },
    })
  })
  assert.deepEqual(read, ['kept', 'last'])
  const [{ partitions }] = await admin.fetchOffsets({ groupId: 'summers', topics: ['orders'] })
  assert.equal(partitions[0].offset, '4')
  // Before the server ends: without one they would go on looking for it.
  await Promise.all(clients.map((client) => client.disconnect()))
})

test('@platformatic/kafka: what is aborted nobody sees', async (t) => {
  const broker = await startBroker(t, { kafka: { topics: { orders: 1 } } })
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [broker.address],
    transactionalId: 'mover',
    idempotent: true,
    serializers: stringSerializers,
  })
  t.after(() => producer.close())
  for (const [value, isCommitted] of [
    ['lost', false],
    ['kept', true],
  ] as const) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [{ topic: 'orders', value }] })
    if (isCommitted) await transaction.commit()
    else await transaction.abort()
  }
  const records = await broker.server.kafka.records('orders')
  assert.deepEqual(
    records.map(({ value }) => String(value)),
    ['kept'],
  )
})
