/** What a client over its quota sees: the pause in the answer, then a connection that is not read until it is over. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { DirectiveOptions } from '#src/config/sources.ts'
import type { Encodable } from '#src/kafka/codec/message.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import { requestedEntity } from '#src/kafka/quotas/client-quotas.ts'
import { alterClientQuotasRequest, alterClientQuotasResponse } from '#src/kafka/schemas/alter-client-quotas.ts'
import { createPartitionsRequest, createPartitionsResponse } from '#src/kafka/schemas/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '#src/kafka/schemas/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '#src/kafka/schemas/delete-topics.ts'
import { describeClientQuotasRequest, describeClientQuotasResponse } from '#src/kafka/schemas/describe-client-quotas.ts'
import { listGroupsRequest, listGroupsResponse } from '#src/kafka/schemas/list-groups.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { produceResponse } from '#src/kafka/schemas/produce.ts'
import { batchOf, type LogClient, recordsOf, startLogServer } from '../data/log-server.ts'
import { logIn } from '../security/login.ts'
import type { WireClient } from '../wire-client.ts'

type Entities = Readonly<Record<string, string | null>>

/** Limits for one entity, through the protocol. */
async function limit(
  wire: WireClient,
  entity: Entities,
  limits: Readonly<Record<string, number | null>>,
): Promise<void> {
  const { entries } = await wire.call(alterClientQuotasRequest, alterClientQuotasResponse, 1, {
    entries: [
      {
        entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
        ops: Object.entries(limits).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
      },
    ],
    validateOnly: false,
  })
  assert.deepEqual(
    entries.map(({ errorMessage }) => errorMessage),
    [null],
  )
}

/** A server whose time stands still, with a topic, and an administrator whom nothing limits. */
async function start(t: TestContext, directives: DirectiveOptions = {}, hasTopic = true) {
  const server = await startLogServer(t, { topics: hasTopic ? { orders: 2 } : {}, directives })
  server.server.clock.pause()
  const admin = await server.connect()
  admin.wire.clientId = 'admin'
  const connect = async (clientId: string | null) => {
    const client = await server.connect()
    client.wire.clientId = clientId
    return client
  }
  return { ...server, clock: server.server.clock, admin: admin.wire, connect }
}

interface Told {
  readonly throttleMs: number
  /** Of the request, as quotas count it: without the four bytes of its length. */
  readonly sizeBytes: number
}

/** Produces a record of this size. */
async function produceBytes(client: LogClient, valueBytes: number, version = 9): Promise<Told> {
  const { socket } = client.wire
  const before = socket.bytesWritten
  const correlationId = client.sendBatch('orders', batchOf(['x'.repeat(valueBytes)]), { version })
  const sizeBytes = socket.bytesWritten - before - 4
  const answer = await client.wire.receive(produceResponse, version, correlationId)
  assert.equal(answer.responses[0].partitionResponses[0].errorCode, 0)
  return { throttleMs: answer.throttleTimeMs, sizeBytes }
}

/** Whether an answer is here once others have been answered again and again: the server has worked off what it reads. */
async function isAnswered(answer: Promise<unknown>, other: WireClient): Promise<boolean> {
  let isHere = false
  const note = () => {
    isHere = true
  }
  answer.then(note, note)
  for (let round = 0; round < 5; round++) await describe(other)
  return isHere
}

async function describe(wire: WireClient) {
  const asked = { components: [], strict: false }
  return (await wire.call(describeClientQuotasRequest, describeClientQuotasResponse, 1, asked)).entries
}

/** At a fresh start eleven windows of a second count, of which ten have passed: ten seconds' worth is free. */
function expectedMs(totalBytes: number, bytesPerSecond: number): number {
  return Math.max(0, Math.round(((totalBytes / 10 - bytesPerSecond) / bytesPerSecond) * 10_000))
}

test('bytes produced: the answer comes at once and tells of the pause; until it is over nothing is read', async (t) => {
  const { admin, connect, clock, partition } = await start(t)
  await limit(admin, { 'client-id': 'greedy' }, { producer_byte_rate: 1000 })
  const greedy = await connect('greedy')
  const other = await connect('other')

  const first = await produceBytes(greedy, 20_000)
  assert.equal(first.throttleMs, expectedMs(first.sizeBytes, 1000))
  assert.ok(first.throttleMs > 10_000)

  const next = produceBytes(greedy, 10)
  assert.equal(await isAnswered(next, admin), false)
  assert.equal((await produceBytes(other, 20_000)).throttleMs, 0)
  assert.equal(partition('orders').highWatermark, 2)
  clock.advance(first.throttleMs - 1)
  assert.equal(await isAnswered(next, admin), false)
  clock.advance(1)
  await next
  assert.equal(partition('orders').highWatermark, 3)
})

test('all connections of a client name count together, and only those that asked pause', async (t) => {
  const { admin, connect } = await start(t)
  await limit(admin, { 'client-id': null }, { producer_byte_rate: 1000 })
  const [first, second, other] = [await connect('app'), await connect('app'), await connect('other')]
  const one = await produceBytes(first, 9000)
  assert.equal(one.throttleMs, 0)
  const two = await produceBytes(second, 9000)
  assert.equal(two.throttleMs, expectedMs(one.sizeBytes + two.sizeBytes, 1000))
  assert.equal((await produceBytes(other, 9000)).throttleMs, 0)
  assert.ok((await produceBytes(first, 10)).throttleMs > 0)
})

test('quotas of users hold for who has not said who it is, too, and for clients without a name', async (t) => {
  const { admin, connect } = await start(t)
  await limit(admin, { user: 'ANONYMOUS' }, { producer_byte_rate: 1000 })
  await limit(admin, { user: 'ANONYMOUS', 'client-id': 'free' }, { producer_byte_rate: 1_000_000 })
  const nameless = await connect(null)
  const told = await produceBytes(nameless, 20_000)
  assert.equal(told.throttleMs, expectedMs(told.sizeBytes, 1000))
  assert.equal((await produceBytes(await connect('free'), 20_000)).throttleMs, 0)
})

test('who has logged in is the user whose quotas hold', async (t) => {
  const { broker, connect, partition } = await start(t, {
    user: 'alice on >secret',
    requirepass: 'other secret',
    'kafka.listeners': 'SASL_PLAINTEXT://:0',
    'kafka.connection.failed.authentication.delay.ms': 0,
  })
  const entity = requestedEntity([['user', 'alice']])
  broker.quotas.clients.alter([{ entity, operations: [['producer_byte_rate', 1000]] }], false)
  const [alice, other] = [await connect('app'), await connect('app')]
  assert.equal((await logIn(alice.wire, 'PLAIN', 'alice', 'secret')).errorCode, 0)
  assert.equal((await logIn(other.wire, 'PLAIN', 'default', 'other secret')).errorCode, 0)
  const told = await produceBytes(alice, 20_000)
  assert.equal(told.throttleMs, expectedMs(told.sizeBytes, 1000))
  assert.equal((await produceBytes(other, 20_000)).throttleMs, 0)
  assert.equal(partition('orders').highWatermark, 2)
})

test('with acks 0 nobody is told, and the pause is kept all the same', async (t) => {
  const { admin, connect, clock, partition } = await start(t)
  await limit(admin, { 'client-id': 'greedy' }, { producer_byte_rate: 1000 })
  const greedy = await connect('greedy')
  greedy.sendBatch('orders', batchOf(['x'.repeat(20_000)]), { acks: 0 })
  const next = produceBytes(greedy, 10)
  assert.equal(await isAnswered(next, admin), false)
  assert.equal(partition('orders').highWatermark, 1)
  clock.advance(15_000)
  await next
})

test('a limit that is changed or taken away holds from the next request on', async (t) => {
  const { admin, connect, clock } = await start(t)
  const client = await connect('app')
  assert.equal((await produceBytes(client, 50_000)).throttleMs, 0)
  await limit(admin, { 'client-id': 'app' }, { producer_byte_rate: 1000 })
  const first = await produceBytes(client, 15_000)
  assert.equal(first.throttleMs, expectedMs(first.sizeBytes, 1000))
  await limit(admin, { 'client-id': 'app' }, { producer_byte_rate: 2000 })
  clock.advance(first.throttleMs)
  assert.equal((await produceBytes(client, 1000)).throttleMs, 0)
  await limit(admin, { 'client-id': 'app' }, { producer_byte_rate: null })
  assert.equal((await produceBytes(client, 500_000)).throttleMs, 0)
})

test('who sends and shuts down its side is answered after its pause', async (t) => {
  const { admin, connect, clock } = await start(t)
  await limit(admin, { 'client-id': 'greedy' }, { producer_byte_rate: 1000 })
  const greedy = await connect('greedy')
  const first = produceBytes(greedy, 20_000)
  const second = produceBytes(greedy, 10)
  greedy.wire.socket.end()
  const { throttleMs } = await first
  assert.equal(await isAnswered(second, admin), false)
  clock.advance(throttleMs)
  // It has a pause of its own, after which it is seen that nothing more comes.
  clock.advance((await second).throttleMs)
  await greedy.wire.closed
})

test('a client that goes away while it pauses leaves nothing behind', async (t) => {
  const { admin, connect, clock, server } = await start(t)
  await limit(admin, { 'client-id': 'greedy' }, { producer_byte_rate: 1 })
  const greedy = await connect('greedy')
  const { throttleMs } = await produceBytes(greedy, 20_000)
  greedy.close()
  clock.advance(throttleMs)
  assert.equal((await produceBytes(await connect('other'), 20_000)).throttleMs, 0)
  const { engine } = server.kafka.service!
  while (engine.sessions.size > 2) await describe(admin)
})

test('bytes fetched: over the quota there are no data, and nothing of it is counted', async (t) => {
  const { admin, connect, clock } = await start(t)
  const producer = await connect('producer')
  for (let count = 0; count < 3; count++) await produceBytes(producer, 6000)
  await limit(admin, { 'client-id': 'reader' }, { consumer_byte_rate: 1000 })
  const reader = await connect('reader')
  const fetchOne = async (offset: number) => {
    const before = reader.wire.socket.bytesRead
    const answer = await reader.fetchAll({ orders: { 0: offset } }, { partitionMaxBytes: 1 })
    return { answer, sizeBytes: reader.wire.socket.bytesRead - before - 4 }
  }
  const first = await fetchOne(0)
  assert.equal(first.answer.throttleTimeMs, 0)
  assert.deepEqual(recordsOf(first.answer.responses[0].partitions[0]).length, 1)

  const second = await fetchOne(1)
  // The size of an answer as Kafka counts it has no correlation id and tags, but its own length.
  const countedBytes = (first.sizeBytes - 1) * 2
  assert.equal(second.answer.throttleTimeMs, expectedMs(countedBytes, 1000))
  assert.deepEqual(second.answer.responses, [])
  let pending = fetchOne(1)
  assert.equal(await isAnswered(pending, admin), false)
  clock.advance(second.answer.throttleTimeMs)
  // Until the first answer is so long ago that it does not count any more; each attempt tells of another pause.
  let attemptCount = 1
  for (; (await pending).answer.throttleTimeMs > 0; attemptCount++) {
    assert.deepEqual((await pending).answer.responses, [])
    clock.advance((await pending).answer.throttleTimeMs)
    pending = fetchOne(1)
  }
  assert.ok(attemptCount < 11)
  assert.equal(recordsOf((await pending).answer.responses[0].partitions[0]).length, 1)
})

test('an answer is never larger than what a quota lets through at once', async (t) => {
  const { admin, connect } = await start(t)
  const producer = await connect('producer')
  for (let count = 0; count < 20; count++) await produceBytes(producer, 1000)
  await limit(admin, { 'client-id': 'reader' }, { consumer_byte_rate: 500 })
  const reader = await connect('reader')
  const answer = await reader.fetchAll({ orders: { 0: 0 } })
  assert.equal(answer.throttleTimeMs, 0)
  assert.equal(recordsOf(answer.responses[0].partitions[0]).length, 4)
})

test('a session of fetches goes on after a pause as if the request had not been', async (t) => {
  const { admin, connect, clock } = await start(t)
  const producer = await connect('producer')
  const reader = await connect('reader')
  await limit(admin, { 'client-id': 'reader' }, { consumer_byte_rate: 1000 })
  const { sessionId } = await reader.fetchAll({ orders: { 0: 0, 1: 0 } }, { sessionEpoch: 0 })
  await produceBytes(producer, 15_000)
  await produceBytes(producer, 15_000)
  // Both are more than ten seconds' worth: the first batch of an answer is given whole, however large.
  const told = await reader.fetchAll({}, { sessionId, sessionEpoch: 1 })
  assert.deepEqual([told.sessionId, told.responses], [sessionId, []])
  assert.ok(told.throttleTimeMs > 0)
  await limit(admin, { 'client-id': 'reader' }, { consumer_byte_rate: 2000 })
  clock.advance(told.throttleTimeMs)
  const next = await reader.fetchAll({}, { sessionId, sessionEpoch: 2 })
  assert.deepEqual([next.throttleTimeMs, next.responses.length], [0, 1])
  assert.equal(recordsOf(next.responses[0].partitions[0]).length, 1)
})

test('a first request of a session that has to pause opens none', async (t) => {
  const { admin, connect, clock } = await start(t)
  await produceBytes(await connect('producer'), 15_000)
  await limit(admin, { 'client-id': 'reader' }, { consumer_byte_rate: 1000 })
  const reader = await connect('reader')
  const told = await reader.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: 0 })
  assert.deepEqual([told.sessionId, told.responses], [0, []])
  await limit(admin, { 'client-id': 'reader' }, { consumer_byte_rate: null })
  clock.advance(told.throttleTimeMs)
  const next = await reader.fetchAll({ orders: { 0: 0 } }, { sessionEpoch: 0 })
  assert.ok(next.sessionId > 0)
})

test('time of the main thread: any request pays, for no longer than a window', async (t) => {
  const { admin, connect, clock } = await start(t)
  const client = await connect('busy')
  const listed = () => client.wire.call(listGroupsRequest, listGroupsResponse, 4, { statesFilter: [], typesFilter: [] })
  assert.equal((await listed()).throttleTimeMs, 0)
  // No request is as short as that.
  await limit(admin, { 'client-id': 'busy' }, { request_percentage: 1e-9 })
  assert.equal((await listed()).throttleTimeMs, 1000)
  const next = listed()
  assert.equal(await isAnswered(next, admin), false)
  clock.advance(1000)
  assert.equal((await next).throttleTimeMs, 1000)
  clock.advance(1000)
  assert.equal((await produceBytes(client, 10)).throttleMs, 1000)
  clock.advance(1000)
  const fetched = await client.fetchAll({ orders: { 0: 0 } })
  assert.deepEqual([fetched.throttleTimeMs, fetched.responses], [1000, []])
  await limit(admin, { 'client-id': 'busy' }, { request_percentage: 100_000 })
  clock.advance(1000)
  assert.equal((await listed()).throttleTimeMs, 0)
})

test('an answer that has no place for a pause is followed by it all the same', async (t) => {
  const { admin, connect, clock } = await start(t)
  await limit(admin, { 'client-id': 'busy' }, { request_percentage: 1e-9 })
  const { wire } = await connect('busy')
  const ask = () => wire.call(listGroupsRequest, listGroupsResponse, 0, { statesFilter: [], typesFilter: [] })
  await ask()
  const next = ask()
  assert.equal(await isAnswered(next, admin), false)
  clock.advance(1000)
  await next
})

const TOPIC = { replicationFactor: 1, assignments: [], configs: [] }

async function createTopic(wire: WireClient, name: string, numPartitions: number, version = 7) {
  const topics = [{ name, numPartitions, ...TOPIC }]
  const asked = { topics, timeoutMs: 1000, validateOnly: false }
  const { topics: answers, throttleTimeMs } = await wire.call(createTopicsRequest, createTopicsResponse, version, asked)
  return { error: answers[0].errorCode === 0 ? null : errorNameOf(answers[0].errorCode), throttleTimeMs }
}

test('changes of topics: what is owed has to be paid first, by those who know the error', async (t) => {
  const { admin, connect, clock, logs } = await start(t)
  await limit(admin, { 'client-id': 'maker' }, { controller_mutation_rate: 1 })
  const { wire } = await connect('maker')
  // Eleven are free at first, and whoever has any left may owe.
  assert.deepEqual(await createTopic(wire, 'one', 16), { error: null, throttleTimeMs: 0 })
  assert.deepEqual(await createTopic(wire, 'two', 1), { error: 'THROTTLING_QUOTA_EXCEEDED', throttleTimeMs: 5000 })
  assert.equal(logs.topics.has('two'), false)
  clock.advance(5000)
  assert.deepEqual(await createTopic(wire, 'two', 3), { error: null, throttleTimeMs: 0 })

  const grow = (version: number) =>
    wire.call(createPartitionsRequest, createPartitionsResponse, version, {
      topics: [{ name: 'two', count: 4, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    })
  const grown = await grow(3)
  assert.deepEqual([grown.throttleTimeMs, errorNameOf(grown.results[0].errorCode)], [3000, 'THROTTLING_QUOTA_EXCEEDED'])
  assert.equal(grown.results[0].errorMessage, null)
  clock.advance(3000)
  const deleteOne = (version: number) =>
    wire.call(deleteTopicsRequest, deleteTopicsResponse, version, {
      topics: [],
      topicNames: ['one'],
      timeoutMs: 1000,
    })
  const deleted = await deleteOne(5)
  assert.deepEqual([deleted.throttleTimeMs, deleted.responses[0].errorCode], [0, 0])
  clock.advance(60_000)

  // Those who do not know it have it done, and pause.
  assert.deepEqual(await createTopic(wire, 'three', 12, 5), { error: null, throttleTimeMs: 1000 })
  clock.advance(1000)
  const paid = await grow(2)
  assert.deepEqual([paid.throttleTimeMs, paid.results[0].errorCode], [1000, 0])
})

test('topics that a client makes by asking for them are counted too', async (t) => {
  const { admin, connect, clock } = await start(t)
  await limit(admin, { 'client-id': 'maker' }, { controller_mutation_rate: 1 })
  const { wire } = await connect('maker')
  await createTopic(wire, 'many', 12)
  const ask = async () => {
    const topics = [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAA', name: 'asked' }]
    const asked = { topics, allowAutoTopicCreation: true }
    const answer = await wire.call(metadataRequest, metadataResponse, 12, {
      ...asked,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    } as Encodable<typeof metadataRequest>)
    return answer.topics[0].errorCode === 0 ? null : errorNameOf(answer.topics[0].errorCode)
  }
  assert.equal(await ask(), 'UNKNOWN_TOPIC_OR_PARTITION')
  clock.advance(1000)
  assert.equal(await ask(), null)
})

test('an address that connects too often is not read, and cut off a while later', async (t) => {
  const { admin, connect, clock } = await start(t)
  await limit(admin, { ip: null }, { connection_creation_rate: 1000 })
  await limit(admin, { ip: '127.0.0.1' }, { connection_creation_rate: 1 })
  for (let count = 0; count < 10; count++) await describe((await connect('app')).wire)
  const { wire } = await connect('app')
  const refused = describe(wire)
  refused.catch(() => {})
  assert.equal(await isAnswered(refused, admin), false)
  clock.advance(1000)
  await wire.closed
  await assert.rejects(refused)
  clock.advance(11_000)
  await describe((await connect('app')).wire)
})

test('windows are as long and as many as settings say, also when they change', async (t) => {
  const { admin, connect, server } = await start(t, {
    'kafka.quota.window.num': 3,
    'kafka.quota.window.size.seconds': 2,
  })
  await limit(admin, { 'client-id': null }, { producer_byte_rate: 1000 })
  const first = await produceBytes(await connect('one'), 10_000)
  // Two windows of two seconds have passed.
  assert.equal(first.throttleMs, Math.round(((first.sizeBytes / 4 - 1000) / 1000) * 4000))
  await server.config.set([['kafka.quota.window.num', '11']])
  assert.equal((await produceBytes(await connect('one'), 15_000)).throttleMs, 0)
})

test('quotas are there again after a crash', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-quotas-'))
  const before = await start(t, { dir: join(dir, 'before') })
  await limit(before.admin, { user: 'alice', 'client-id': null }, { producer_byte_rate: 5, request_percentage: 0.25 })
  await limit(before.admin, { 'client-id': 'app' }, { consumer_byte_rate: 7 })
  await limit(before.admin, { ip: '::1' }, { connection_creation_rate: 3 })
  await limit(before.admin, { 'client-id': 'app' }, { consumer_byte_rate: null, producer_byte_rate: 1000 })
  // What was answered is on disk, whatever becomes of the process.
  cpSync(join(dir, 'before'), join(dir, 'after'), { recursive: true })
  const after = await start(t, { dir: join(dir, 'after') }, false)
  // After the servers, which are closed in the order in which they were started.
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  assert.deepEqual(await describe(after.admin), await describe(before.admin))
  assert.equal((await describe(after.admin))?.length, 3)
  assert.ok((await produceBytes(await after.connect('app'), 20_000)).throttleMs > 0)
})
