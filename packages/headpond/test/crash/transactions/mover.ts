/**
 * A process of its own, with a client that people use: reads orders, and writes what becomes of them in transactions with the
 * offsets that it has read to. It keeps nothing, and when anything goes wrong it dies: the next one goes on.
 */
import { type IHeaders, Kafka, logLevel, Partitioners } from 'kafkajs'
import { SeededRandom } from '../../seeded-random.ts'
import { GROUP, INPUT, type MoverOrders, TRANSACTIONAL_ID, transform } from './work.ts'

const ABORTED_ONCE_IN = 6

const { address, seed, chunkMax } = JSON.parse(process.env['MOVER'] ?? '{}') as MoverOrders
const random = new SeededRandom(seed)
const kafka = new Kafka({
  brokers: [address],
  clientId: `mover-${process.pid}`,
  logLevel: logLevel.NOTHING,
  requestTimeout: 5000,
  // The broker may be away for a moment.
  retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 200 },
})
const producer = kafka.producer({
  transactionalId: TRANSACTIONAL_ID,
  idempotent: true,
  maxInFlightRequests: 1,
  transactionTimeout: 5000,
  createPartitioner: Partitioners.DefaultPartitioner,
})
const consumer = kafka.consumer({
  groupId: GROUP,
  readUncommitted: false,
  sessionTimeout: 600,
  rebalanceTimeout: 600,
  heartbeatInterval: 100,
  maxWaitTimeInMs: 50,
  maxBytesPerPartition: 4000,
})

function die(error: unknown): never {
  if (process.env['MOVER_TALKS'] !== undefined) console.error(`mover ${process.pid}:`, error)
  process.exit(1)
}

interface Message {
  readonly offset: string
  readonly value: Buffer | null
  readonly headers?: IHeaders
}

async function move(partition: number, messages: readonly Message[], isCommitted: boolean): Promise<void> {
  const transaction = await producer.transaction()
  const produced = messages.flatMap(({ value }) => transform(String(value)))
  for (const topic of new Set(produced.map((each) => each.topic))) {
    const ofTopic = produced.filter((each) => each.topic === topic)
    await transaction.send({
      topic,
      messages: ofTopic.map((each) => ({ partition: each.partition, value: each.value })),
    })
  }
  const offset = String(BigInt(messages.at(-1)!.offset) + 1n)
  await transaction.sendOffsets({
    consumerGroupId: GROUP,
    topics: [{ topic: INPUT, partitions: [{ partition, offset }] }],
  })
  if (isCommitted) await transaction.commit()
  else await transaction.abort()
}

consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) die(payload.error)
})
await producer.connect()
// Whoever had the id before is fenced, and what it left open is over, before anybody asks how far the group has come.
await (await producer.transaction()).abort()
await consumer.connect()
await consumer.subscribe({ topic: INPUT, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
    for (let at = 0; at < batch.messages.length && isRunning() && !isStale(); ) {
      const messages = batch.messages.slice(at, at + 1 + random.below(chunkMax))
      const isCommitted = !random.once(ABORTED_ONCE_IN)
      await move(batch.partition, messages, isCommitted).catch(die)
      if (!isCommitted) continue
      resolveOffset(messages.at(-1)!.offset)
      at += messages.length
      await heartbeat()
    }
  },
})
