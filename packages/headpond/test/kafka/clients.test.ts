/** The two clients of Node's world, as people use them: a producer, a consumer in a group, an administrator. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { createServer } from '#src/server/create-server.ts'
import { readValues } from './kafkajs-reader.ts'

const VALUES = ['first', 'second', 'third']

test('kafkajs produces and consumes', async (t) => {
  const server = await createServer()
  const kafka = new Kafka({ clientId: 'app', brokers: [server.urls.kafka], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const consumer = kafka.consumer({ groupId: 'readers' })
  t.after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()])
    await server.close()
  })

  await admin.connect()
  const { brokers, controller } = await admin.describeCluster()
  assert.deepEqual([brokers.length, brokers[0].nodeId], [1, controller])
  assert.equal(`${brokers[0].host}:${brokers[0].port}`, server.urls.kafka)

  await producer.connect()
  const sent = await producer.send({ topic: 'orders', messages: VALUES.map((value) => ({ key: 'k', value })) })
  assert.deepEqual(
    sent.map(({ topicName, partition, errorCode, baseOffset }) => ({ topicName, partition, errorCode, baseOffset })),
    [{ topicName: 'orders', partition: 0, errorCode: 0, baseOffset: '0' }],
  )
  assert.deepEqual(await admin.listTopics(), ['orders'])
  assert.deepEqual(await admin.fetchTopicOffsets('orders'), [{ partition: 0, offset: '3', high: '3', low: '0' }])

  await consumer.connect()
  await consumer.subscribe({ topic: 'orders', fromBeginning: true })
  assert.deepEqual(await readValues(consumer, VALUES.length), VALUES)
})

test('@platformatic/kafka produces and consumes', async (t) => {
  const server = await createServer()
  const bootstrapBrokers = [server.urls.kafka]
  const producer = new Producer({
    clientId: 'app',
    bootstrapBrokers,
    serializers: stringSerializers,
    autocreateTopics: true,
  })
  const consumer = new Consumer({
    clientId: 'app',
    groupId: 'readers',
    bootstrapBrokers,
    deserializers: stringDeserializers,
  })
  t.after(async () => {
    await Promise.all([producer.close(), consumer.close(true)])
    await server.close()
  })

  const { offsets } = await producer.send({
    messages: VALUES.map((value) => ({ topic: 'orders', key: 'k', value })),
  })
  assert.deepEqual(
    offsets!.map(({ topic, partition, offset }) => [topic, partition, offset]),
    [['orders', 0, 0n]],
  )

  const { id, topics } = await consumer.metadata({ topics: ['orders'] })
  assert.match(id, /^[\w-]{22}$/)
  assert.equal(topics.get('orders')?.partitionsCount, 1)
  const stream = await consumer.consume({ topics: ['orders'], mode: 'earliest', autocommit: true })
  const received: string[] = []
  stream.on('data', ({ value }) => {
    received.push(value)
    if (received.length === VALUES.length) stream.emit('complete')
  })
  await once(stream, 'complete')
  assert.deepEqual(received, VALUES)
})
