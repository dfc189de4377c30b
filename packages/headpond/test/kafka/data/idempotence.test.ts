import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { createServer } from '#src/server/create-server.ts'
import { batchOf, errorOf, type LogClient, recordsOf, startLogServer } from './log-server.ts'

const SEQUENCE_MAX = 2 ** 31 - 1

/** A producer that numbers what it sends. */
class IdempotentProducer {
  readonly #client: LogClient
  readonly producerId: number
  producerEpoch = 0

  constructor(client: LogClient, producerId: number) {
    this.#client = client
    this.producerId = producerId
  }

  /** Sends these records with the first sequence number; `offset` or the error. */
  async send(baseSequence: number, ...values: string[]): Promise<number | string> {
    const { producerId, producerEpoch } = this
    const batch = batchOf(values, { producerId, producerEpoch, baseSequence })
    const answer = await this.#client.produce('orders', batch)
    return answer.errorCode === 0 ? answer.baseOffset : errorOf(answer)
  }
}

async function startProducer(t: TestContext) {
  // Time is moved by hours, and nobody is to be closed for it.
  const directives = { 'kafka.connections.max.idle.ms': -1 }
  const server = await startLogServer(t, { topics: { orders: 1 }, directives })
  const client = await server.connect()
  const producer = new IdempotentProducer(client, await client.initProducerId())
  const records = async () =>
    recordsOf(await client.fetch('orders'))
      .map((record) => record.split(':')[1])
      .join(' ')
  return { ...server, client, producer, records }
}

test('what is sent a second time is there once, and has the offset of the first time', async (t) => {
  const { producer, records } = await startProducer(t)
  assert.equal(await producer.send(0, 'a', 'b'), 0)
  assert.equal(await producer.send(0, 'a', 'b'), 0)
  assert.equal(await producer.send(2, 'c'), 2)
  assert.equal(await producer.send(2, 'c'), 2)
  assert.equal(await producer.send(0, 'a', 'b'), 0)
  assert.equal(await records(), 'a b c')
})

test('what is sent a second time is told the time of the first time, as Kafka does whatever the topic says of times', async (t) => {
  const { client, producer } = await startProducer(t)
  const { producerId } = producer
  const timestampMs = 1_700_000_000_000
  const batch = () => batchOf(['a'], { producerId, producerEpoch: 0, baseSequence: 0, timestampMs })
  assert.equal((await client.produce('orders', batch())).logAppendTimeMs, -1)
  assert.equal((await client.produce('orders', batch())).logAppendTimeMs, timestampMs)
})

test('the last five batches are known again, older ones are out of order', async (t) => {
  const { producer, records } = await startProducer(t)
  for (let sequence = 0; sequence < 6; sequence++) assert.equal(await producer.send(sequence, `${sequence}`), sequence)
  for (let sequence = 5; sequence >= 1; sequence--) assert.equal(await producer.send(sequence, `${sequence}`), sequence)
  assert.equal(await producer.send(0, '0'), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await records(), '0 1 2 3 4 5')
})

test('a gap is refused, and so is a batch that overlaps another', async (t) => {
  const { producer, records } = await startProducer(t)
  assert.equal(await producer.send(0, 'a', 'b'), 0)
  assert.equal(await producer.send(3, 'd'), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await producer.send(1, 'b', 'c'), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await producer.send(2, 'c'), 2)
  assert.equal(await records(), 'a b c')
})

test('five requests under way: one that is refused refuses those behind it, and all come again', async (t) => {
  const { client, producer, records } = await startProducer(t)
  const { producerId } = producer
  const send = (baseSequence: number) =>
    client.sendBatch('orders', batchOf([`${baseSequence}`], { producerId, producerEpoch: 0, baseSequence }))
  const sent = [0, 2, 3, 4, 1].map(send)
  const told: string[] = []
  for (const correlationId of sent) told.push(errorOf(await client.receiveProduced(correlationId)))
  const refused = 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  assert.deepEqual(told, ['NONE', refused, refused, refused, 'NONE'])
  for (const correlationId of [2, 3, 4].map(send))
    assert.equal(errorOf(await client.receiveProduced(correlationId)), 'NONE')
  assert.equal(await records(), '0 1 2 3 4')
})

test('sequence numbers go on with 0 after 2147483647, also within a batch', async (t) => {
  const { producer, records } = await startProducer(t)
  // A producer that nothing is known of may begin anywhere.
  assert.equal(await producer.send(SEQUENCE_MAX - 1, 'a'), 0)
  assert.equal(await producer.send(SEQUENCE_MAX, 'b', 'c', 'd'), 1)
  assert.equal(await producer.send(SEQUENCE_MAX, 'b', 'c', 'd'), 1)
  assert.equal(await producer.send(3, 'f'), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await producer.send(2, 'e'), 4)
  assert.equal(await records(), 'a b c d e')
})

test('a new epoch begins with 0 and shuts out the old one', async (t) => {
  const { producer, records } = await startProducer(t)
  assert.equal(await producer.send(0, 'a'), 0)
  producer.producerEpoch = 1
  assert.equal(await producer.send(1, 'x'), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await producer.send(0, 'b'), 1)
  producer.producerEpoch = 0
  assert.equal(await producer.send(1, 'x'), 'INVALID_PRODUCER_EPOCH')
  assert.equal(await records(), 'a b')
})

test('without a producer id, sequence and epoch mean nothing; with one, there must be a sequence', async (t) => {
  const { client, producer, records } = await startProducer(t)
  for (const value of ['a', 'b']) {
    const batch = batchOf([value], { producerId: -1, producerEpoch: 0, baseSequence: 0 })
    assert.equal(errorOf(await client.produce('orders', batch)), 'NONE')
  }
  assert.equal(await producer.send(-1, 'x'), 'INVALID_RECORD')
  assert.equal(await records(), 'a b')
})

test('an idle producer goes on where it was, a forgotten one anywhere', async (t) => {
  const { producer, server, logs, records } = await startProducer(t)
  assert.equal(await producer.send(0, 'a'), 0)
  server.advance(10 * 60_000)
  logs.maintain()
  assert.equal(await producer.send(0, 'a'), 0)
  assert.equal(await producer.send(1, 'b'), 1)
  server.advance(25 * 60 * 60_000)
  logs.maintain()
  assert.equal(await producer.send(7, 'c'), 2)
  assert.equal(await records(), 'a b c')
})

test('a restart forgets nothing: neither batches nor the ids that were given', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-idempotence-'))
  const directives = { dir, appendonly: false, save: [] }
  const first = await startLogServer(t, { topics: { orders: 1 }, directives })
  const before = await first.connect()
  const producerId = await before.initProducerId()
  const earlier = new IdempotentProducer(before, producerId)
  assert.equal(await earlier.send(0, 'a', 'b'), 0)
  assert.equal(await earlier.send(2, 'c'), 2)
  before.close()
  await first.server.close()

  const second = await startLogServer(t, { directives })
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const after = await second.connect()
  const later = new IdempotentProducer(after, producerId)
  assert.equal(await later.send(2, 'c'), 2)
  assert.equal(await later.send(0, 'a', 'b'), 0)
  assert.equal(await later.send(4, 'x'), 'OUT_OF_ORDER_SEQUENCE_NUMBER')
  assert.equal(await later.send(3, 'd'), 3)
  assert.deepEqual(recordsOf(await after.fetch('orders')), ['0:a', '1:b', '2:c', '3:d'])
  assert.ok((await after.initProducerId()) > producerId)
})

test('kafkajs sends again what it got no answer to, and it is there once', async (t) => {
  const server = await createServer({ kafka: { topics: { orders: 1 } } })
  const kafka = new Kafka({ brokers: [server.urls.kafka], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 10 } })
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner })
  t.after(async () => {
    await producer.disconnect()
    await server.close()
  })
  await producer.connect()
  const send = (value: string) => producer.send({ topic: 'orders', messages: [{ value }] })
  await send('a')
  server.faults.loseAnswer({ api: 'Produce' })
  await send('b')
  await send('c')
  assert.deepEqual(
    (await server.kafka.records('orders')).map(({ value }) => value),
    ['a', 'b', 'c'],
  )
})
