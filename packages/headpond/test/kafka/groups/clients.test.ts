/** Consumers that people use, in groups: who reads what, and what happens when they come, go and die. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { Consumer as PlatformaticConsumer, Producer as PlatformaticProducer, ProduceAcks } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { startBroker, type TestBroker } from '../test-broker.ts'
import { GroupClient } from './group-client.ts'

const PARTITION_COUNT = 6

/** What consumers have been given, and what they have read; events tell of changes. */
class Watch extends EventEmitter {
  /** By the name of a consumer. */
  readonly assigned = new Map<string, readonly number[]>()
  readonly read: string[] = []

  assign(name: string, partitions: readonly number[]): void {
    this.assigned.set(name, [...partitions].sort())
    this.emit('change')
  }

  forget(name: string): void {
    this.assigned.delete(name)
    this.emit('change')
  }

  receive(value: string): void {
    this.read.push(value)
    this.emit('change')
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this, 'change')
  }

  /** Waits until so many different values have been read, some of them more than once. */
  async untilRead(count: number): Promise<void> {
    await this.until(() => new Set(this.read).size === count)
  }

  /** Waits until so many consumers have all partitions among them, each in one place. */
  async untilShared(count: number): Promise<void> {
    await this.until(() => {
      const shares = [...this.assigned.values()]
      const all = shares.flat().sort()
      return (
        shares.length === count &&
        shares.every(({ length }) => length > 0) &&
        all.length === PARTITION_COUNT &&
        all.every((partition, index) => partition === index)
      )
    })
  }
}

/** A test with a broker, whose clients take their leave while it is there, whatever comes of the test. */
function testWithClients(name: string, run: (broker: TestBroker, atEnd: AtEnd) => Promise<void>): void {
  test(name, async (t) => {
    const broker = await startBroker(t, { 'kafka.num.partitions': PARTITION_COUNT })
    const leaving: (() => Promise<unknown>)[] = []
    try {
      await run(broker, (leave) => leaving.unshift(leave))
    } finally {
      for (const leave of leaving) await leave()
    }
  })
}

type AtEnd = (leave: () => Promise<unknown>) => void

async function startKafkaJs(broker: TestBroker, atEnd: AtEnd) {
  const kafka = new Kafka({ brokers: [broker.address], clientId: 'kjs', logLevel: logLevel.NOTHING })
  const watch = new Watch()
  const producer = kafka.producer()
  await producer.connect()
  atEnd(() => producer.disconnect())
  const send = (...values: string[]) =>
    producer.send({
      topic: 'orders',
      messages: values.map((value, index) => ({ value, partition: index % PARTITION_COUNT })),
    })
  const consume = async (name: string) => {
    const consumer = kafka.consumer({
      groupId: 'g',
      heartbeatInterval: 100,
      sessionTimeout: 10_000,
      maxWaitTimeInMs: 100,
    })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => watch.assign(name, payload.memberAssignment.orders ?? []))
    await consumer.connect()
    await consumer.subscribe({ topic: 'orders', fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => watch.receive(String(message.value)) })
    let isStopped = false
    const stop = async () => {
      if (isStopped) return
      isStopped = true
      await consumer.disconnect()
      watch.forget(name)
    }
    atEnd(stop)
    return { consumer, stop }
  }
  return { kafka, watch, send, consume }
}

testWithClients(
  'kafkajs: members share the partitions as they come and go, and go on where others left off',
  async (broker, atEnd) => {
    const { kafka, watch, send, consume } = await startKafkaJs(broker, atEnd)
    await send('1', '2', '3', '4', '5', '6')
    const one = await consume('one')
    await watch.untilShared(1)
    await watch.untilRead(6)
    const two = await consume('two')
    await watch.untilShared(2)
    await consume('three')
    await watch.untilShared(3)
    await send('7', '8', '9', '10', '11', '12')
    await watch.untilRead(12)
    await one.stop()
    await two.stop()
    await watch.untilShared(1)
    await send('13', '14', '15', '16', '17', '18')
    await watch.untilRead(18)
    const admin = kafka.admin()
    await admin.connect()
    atEnd(() => admin.disconnect())
    const { groups } = await admin.describeGroups(['g'])
    assert.deepEqual(
      [groups[0].state, groups[0].protocol, groups[0].members.length],
      ['Stable', 'RoundRobinAssigner', 1],
    )
    assert.deepEqual((await admin.listGroups()).groups, [{ groupId: 'g', protocolType: 'consumer' }])
    await assert.rejects(admin.deleteGroups(['g']), /Error in DeleteGroups/)
  },
)

testWithClients(
  'kafkajs: a member whose process has died is replaced when its session is over',
  async (broker, atEnd) => {
    const { watch, send, consume } = await startKafkaJs(broker, atEnd)
    await send('1', '2', '3', '4', '5', '6')
    await consume('one')
    await watch.untilShared(1)
    await watch.untilRead(6)
    // A member that joins and is never heard of again: the others get its part with the end of its session.
    const dead = await dieInGroup(broker, watch)
    assert.ok(dead.length > 0)
    await send('7', '8', '9', '10', '11', '12')
    broker.server.clock.advance('6s')
    await watch.untilShared(1)
    await watch.untilRead(12)
  },
)

/** Joins a group as a kafkajs consumer would, takes its part of the partitions, and is gone without a word. */
async function dieInGroup(broker: TestBroker, watch: Watch): Promise<string> {
  const client = new GroupClient(await broker.connect(), 'g')
  const protocols = [{ name: 'RoundRobinAssigner', metadata: SUBSCRIPTION_TO_ORDERS }]
  const joined = await client.enter({ version: 5, sessionTimeoutMs: 6_000, protocols })
  const synced = await client.sync(joined.memberId, joined.generationId)
  assert.equal(synced.error, 'NONE')
  await watch.until(() => watch.assigned.get('one')?.length === PARTITION_COUNT / 2)
  client.wire.close()
  return joined.memberId
}

/** Version 1, one topic, no data of the user's. */
const SUBSCRIPTION_TO_ORDERS = Buffer.from('\0\u0001\0\0\0\u0001\0\u0006orders\0\0\0\0', 'latin1')

testWithClients('kafkajs: administrators see and forget offsets', async (broker, atEnd) => {
  const { kafka, watch, send, consume } = await startKafkaJs(broker, atEnd)
  await send('1', '2', '3', '4', '5', '6')
  const one = await consume('one')
  await watch.untilRead(6)
  await one.stop()
  const admin = kafka.admin()
  await admin.connect()
  atEnd(() => admin.disconnect())
  const offsets = async () => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: 'g', topics: ['orders'] })
    return partitions.map(({ offset }) => offset)
  }
  assert.deepEqual(await offsets(), ['1', '1', '1', '1', '1', '1'])
  await admin.deleteGroups(['g'])
  assert.deepEqual(await offsets(), ['-1', '-1', '-1', '-1', '-1', '-1'])
  await consume('two')
  await watch.until(() => watch.read.length === 12)
})

testWithClients('@platformatic/kafka: members share the partitions as they come and go', async (broker, atEnd) => {
  const watch = new Watch()
  const bootstrapBrokers = [broker.address]
  const producer = new PlatformaticProducer({ clientId: 'plt', bootstrapBrokers, autocreateTopics: true })
  atEnd(() => producer.close())
  const send = (...values: string[]) =>
    producer.send({
      acks: ProduceAcks.ALL,
      messages: values.map((value, index) => ({
        topic: 'orders',
        value: Buffer.from(value),
        partition: index % PARTITION_COUNT,
      })),
    })
  const consume = async (name: string) => {
    const consumer = new PlatformaticConsumer({
      clientId: 'plt',
      groupId: 'g',
      bootstrapBrokers,
      heartbeatInterval: 100,
      sessionTimeout: 10_000,
      rebalanceTimeout: 10_000,
      maxWaitTime: 100,
      autocommit: true,
    })
    consumer.on('consumer:group:join', ({ assignments }) => {
      watch.assign(name, assignments?.find(({ topic }) => topic === 'orders')?.partitions ?? [])
    })
    const stream = await consumer.consume({ topics: ['orders'], mode: 'committed', fallbackMode: 'earliest' })
    stream.on('data', ({ value }) => watch.receive(String(value)))
    stream.on('error', () => {})
    let isStopped = false
    const stop = async () => {
      if (isStopped) return
      isStopped = true
      await stream.close()
      await consumer.close(true)
      watch.forget(name)
    }
    atEnd(stop)
    return { consumer, stop }
  }
  await send('1', '2', '3', '4', '5', '6')
  await consume('one')
  await watch.untilShared(1)
  await watch.untilRead(6)
  const two = await consume('two')
  await watch.untilShared(2)
  await send('7', '8', '9', '10', '11', '12')
  await watch.untilRead(12)
  await two.stop()
  await watch.untilShared(1)
  await send('13', '14', '15', '16', '17', '18')
  await watch.untilRead(18)
})

testWithClients('@platformatic/kafka: the broker assigns, in the new protocol', async (broker, atEnd) => {
  const bootstrapBrokers = [broker.address]
  const producer = new PlatformaticProducer({ clientId: 'plt', bootstrapBrokers, autocreateTopics: true })
  atEnd(() => producer.close())
  const send = (...values: string[]) =>
    producer.send({
      acks: ProduceAcks.ALL,
      messages: values.map((value, index) => ({ topic: 'orders', value: Buffer.from(value), partition: index })),
    })
  const watch = new Watch()
  const consume = async (name: string) => {
    const consumer = new PlatformaticConsumer({
      clientId: name,
      groupId: 'g',
      groupProtocol: 'consumer',
      bootstrapBrokers,
      maxWaitTime: 100,
      autocommit: true,
    })
    const stream = await consumer.consume({ topics: ['orders'], mode: 'committed', fallbackMode: 'earliest' })
    stream.on('data', ({ value }) => watch.receive(String(value)))
    stream.on('error', () => {})
    let isStopped = false
    const stop = async () => {
      if (isStopped) return
      isStopped = true
      await stream.close()
      await consumer.close(true)
    }
    atEnd(stop)
    return stop
  }
  await send('1', '2', '3', '4', '5', '6')
  const stopOne = await consume('one')
  await watch.untilRead(6)
  await stopOne()
  await send('7', '8', '9', '10', '11', '12')
  await consume('two')
  await watch.untilRead(12)
  assert.equal(watch.read.length, 12, 'nothing twice')
})
