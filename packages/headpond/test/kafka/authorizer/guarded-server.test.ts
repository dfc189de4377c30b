/** An authorizer in a server: what is kept, what settings say, and what clients see who lose a permission. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import kafkajs from 'kafkajs'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import {
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '#src/kafka/schemas/consumer-group-heartbeat.ts'
import { createAclsRequest, createAclsResponse } from '#src/kafka/schemas/create-acls.ts'
import { deleteAclsRequest, deleteAclsResponse } from '#src/kafka/schemas/delete-acls.ts'
import { describeAclsRequest, describeAclsResponse } from '#src/kafka/schemas/describe-acls.ts'
import { fetchRequest, fetchResponse } from '#src/kafka/schemas/fetch.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { produceRequest } from '#src/kafka/schemas/produce.ts'
import { encodeBatch } from '#src/log/records/batch.ts'
import { createServer } from '#src/server/create-server.ts'
import { startBroker } from '../test-broker.ts'
import { WireClient } from '../wire-client.ts'
import { STANDARD_AUTHORIZER, startGuardedBroker } from './guarded-broker.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } = kafkajs

const READ = 3
const PREFIXED = { resourcePatternType: 4 }

function entry(resourceName: string, fields: object = {}) {
  return {
    ...{ resourceType: 2, resourceName, resourcePatternType: 3, principal: 'User:alice', host: '*' },
    ...{ operation: READ, permissionType: 3 },
    ...fields,
  }
}

const EVERYTHING = {
  ...{ resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1, principalFilter: null },
  ...{ hostFilter: null, operation: 1, permissionType: 1 },
}

async function createAcls(client: WireClient, ...creations: ReturnType<typeof entry>[]): Promise<string[]> {
  const { results } = await client.call(createAclsRequest, createAclsResponse, 3, { creations })
  return results.map(({ errorCode, errorMessage }) => `${errorNameOf(errorCode)} ${errorMessage}`.trim())
}

async function deleteAcls(client: WireClient, filter: object = {}) {
  const filters = [{ ...EVERYTHING, ...filter }]
  const { filterResults } = await client.call(deleteAclsRequest, deleteAclsResponse, 3, { filters })
  return filterResults[0]
}

async function resourcesOf(client: WireClient): Promise<string[]> {
  const answer = await client.call(describeAclsRequest, describeAclsResponse, 3, EVERYTHING)
  assert.equal(answer.errorCode, 0, answer.errorMessage ?? '')
  return answer.resources.map(({ resourceName }) => resourceName)
}

async function visibleTopics(client: WireClient): Promise<string[]> {
  const { topics } = await client.call(metadataRequest, metadataResponse, 12, {
    topics: null,
    includeTopicAuthorizedOperations: false,
  })
  return topics.map(({ name }) => name!).sort()
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-acls-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function aclsFile(directory: string): string {
  return join(directory, 'kafka-logs', 'acls.json')
}

const OPEN_TO_ALL = { 'kafka.authorizer.class.name': STANDARD_AUTHORIZER, 'kafka.super.users': 'User:ANONYMOUS' }

/** Serves from a directory until `use` is done. */
async function serve(dir: string, use: (client: WireClient) => Promise<void>): Promise<void> {
  const server = await createServer({ ...OPEN_TO_ALL, kafkaPort: 'auto', save: '', appendonly: false, dir })
  const client = await WireClient.connect(server.urls.kafka!)
  try {
    await use(client)
  } finally {
    client.close()
    await server.close()
  }
}

test('entries are on disk when they are acknowledged', async (t) => {
  const base = temporaryDirectory(t)
  const [first, copy] = [join(base, 'first'), join(base, 'copy')]
  mkdirSync(first)
  await serve(first, async (client) => {
    const created = await createAcls(client, entry('kept'), entry('gone'), entry('é…'), entry('p', PREFIXED))
    assert.deepEqual(created, ['NONE', 'NONE', 'NONE', 'NONE'])
    await deleteAcls(client, { resourceNameFilter: 'gone' })
    // As a crash would leave it: nobody has said good-bye.
    mkdirSync(join(copy, 'kafka-logs'), { recursive: true })
    cpSync(aclsFile(first), aclsFile(copy))
    assert.deepEqual(await resourcesOf(client), ['kept', 'é…', 'p'])
  })
  for (const directory of [first, copy]) {
    await serve(directory, async (client) => {
      assert.deepEqual(await resourcesOf(client), ['kept', 'é…', 'p'])
      assert.equal((await deleteAcls(client)).matchingAcls.length, 3)
    })
    await serve(directory, async (client) => assert.deepEqual(await resourcesOf(client), []))
  }
})

test('a file of entries that cannot be read keeps the broker from starting', async (t) => {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, 'kafka-logs'))
  const start = () => serve(directory, async () => {})
  writeFileSync(aclsFile(directory), '{"version":1,"acls":[')
  await assert.rejects(start(), /acls\.json cannot be read/)
  writeFileSync(aclsFile(directory), '{"version":2,"acls":[]}')
  await assert.rejects(start(), /acls\.json has format 2, not 1/)
  writeFileSync(aclsFile(directory), '{"version":1,"acls":[{"resourceType":2,"operation":99}]}')
  await assert.rejects(start(), /acls\.json: entry 1 is no access control entry/)
})

test('what the disk does not take is not in force', async (t) => {
  const directory = temporaryDirectory(t)
  await serve(directory, async (client) => {
    assert.deepEqual(await createAcls(client, entry('before')), ['NONE'])
    rmSync(aclsFile(directory))
    mkdirSync(aclsFile(directory))
    const [refused] = await createAcls(client, entry('after'))
    assert.match(refused, /^KAFKA_STORAGE_ERROR Access control entries were not saved/)
    assert.match(errorNameOf((await deleteAcls(client)).errorCode), /KAFKA_STORAGE_ERROR/)
    assert.deepEqual(await resourcesOf(client), ['before'])
  })
})

test('without an authorizer there are no entries, and everything is allowed', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  assert.deepEqual(await createAcls(client, entry('x')), ['SECURITY_DISABLED No Authorizer is configured.'])
  const deleted = await deleteAcls(client)
  assert.equal(errorNameOf(deleted.errorCode), 'SECURITY_DISABLED')
  const described = await client.call(describeAclsRequest, describeAclsResponse, 3, EVERYTHING)
  const told = [errorNameOf(described.errorCode), described.errorMessage]
  assert.deepEqual(told, ['SECURITY_DISABLED', 'No Authorizer is configured on the broker'])
})

test('one request changes no more than ten thousand entries', async (t) => {
  const { clientOf } = await startGuardedBroker(t)
  const admin = await clientOf('admin')
  const many = (count: number, prefix: string) => Array.from({ length: count }, (_, at) => entry(`${prefix}${at}`))
  const refused = await createAcls(admin, ...many(10_001, 'a'))
  assert.equal(refused[0], 'POLICY_VIOLATION Unable to perform excessively large batch operation.')
  assert.deepEqual(await resourcesOf(admin), [])
  assert.equal((await createAcls(admin, ...many(10_000, 'a')))[9_999], 'NONE')
  // Those that there are already do not count.
  assert.equal((await createAcls(admin, ...many(10_000, 'a'), entry('b')))[10_000], 'NONE')
  const tooMany = await deleteAcls(admin)
  const problem = 'Cannot remove more than 10000 acls in a single delete operation.'
  assert.deepEqual([errorNameOf(tooMany.errorCode), tooMany.errorMessage], ['INVALID_REQUEST', problem])
  assert.equal((await deleteAcls(admin, { resourceNameFilter: 'a7' })).matchingAcls.length, 1)
  assert.equal((await deleteAcls(admin)).matchingAcls.length, 10_000)
})

test('settings that make no sense are refused', async () => {
  const start = (directives: object) => createServer({ kafkaPort: 'auto', ...directives })
  await assert.rejects(
    start({ 'kafka.authorizer.class.name': 'com.example.Mine' }),
    /Invalid value com\.example\.Mine for configuration authorizer\.class\.name: .*StandardAuthorizer/,
  )
  await assert.rejects(start({ 'kafka.super.users': 'User:admin;root' }), /principalType:principalName but got root/)
  await assert.rejects(start({ 'kafka.allow.everyone.if.no.acl.found': 'perhaps' }), /either true or false/)
})

test('super users, and whether the rest is open, are changed while the broker runs; that there is an authorizer is not', async (t) => {
  const { server, connect } = await startBroker(t, {
    'kafka.authorizer.class.name': STANDARD_AUTHORIZER,
    kafka: { topics: { one: 1, two: 1 } },
  })
  const redis = new Redis(server.urls.redis)
  t.after(() => redis.disconnect())
  const client = await connect()
  assert.deepEqual(await visibleTopics(client), [])
  await redis.config('SET', 'kafka.allow.everyone.if.no.acl.found', 'true')
  assert.deepEqual(await visibleTopics(client), ['one', 'two'])
  // What an entry speaks of is not open any more.
  assert.deepEqual(await createAcls(client, entry('two')), ['NONE'])
  assert.deepEqual(await visibleTopics(client), ['one'])
  await redis.config('SET', 'kafka.allow.everyone.if.no.acl.found', 'false')
  assert.deepEqual(await visibleTopics(client), [])
  await redis.config('SET', 'kafka.super.users', ' User:other ; User:ANONYMOUS; ')
  assert.deepEqual(await visibleTopics(client), ['one', 'two'])
  await assert.rejects(redis.config('SET', 'kafka.super.users', 'nobody'), /principalType:principalName/)
  await assert.rejects(redis.config('SET', 'kafka.authorizer.class.name', ''), /immutable/)
})

test('who loses a permission loses it at once, also within a fetch session', async (t) => {
  const { clientOf, logs } = await startGuardedBroker(t)
  logs.createTopic('orders', { partitionCount: 1 })
  logs.createTopic('open', { partitionCount: 1 })
  const [admin, alice] = [await clientOf('admin'), await clientOf('alice')]
  await createAcls(admin, entry('orders'), entry('open'))
  let sessionId = 0
  let sessionEpoch = 0
  const fetch = async () => {
    const position = { fetchOffset: 0, partitionMaxBytes: 1000 }
    const topics = ['orders', 'open'].map((topic) => ({
      topic,
      topicId: ZERO_UUID,
      partitions: [{ partition: 0, ...position }],
    }))
    const answer = await alice.call(fetchRequest, fetchResponse, 12, {
      ...{ replicaId: -1, maxWaitMs: 0, minBytes: 1, maxBytes: 1000, isolationLevel: 0, sessionId },
      ...{ sessionEpoch: sessionEpoch++, topics: sessionId === 0 ? topics : [], forgottenTopicsData: [], rackId: '' },
    })
    sessionId = answer.sessionId
    return answer.responses.map(({ topic, partitions }) => `${topic} ${errorNameOf(partitions[0].errorCode)}`).sort()
  }
  assert.deepEqual(await fetch(), ['open NONE', 'orders NONE'])
  assert.deepEqual(await fetch(), [])
  await deleteAcls(admin, { resourceNameFilter: 'orders' })
  assert.deepEqual(await fetch(), ['orders TOPIC_AUTHORIZATION_FAILED'])
  assert.deepEqual(await fetch(), ['orders TOPIC_AUTHORIZATION_FAILED'])
  await createAcls(admin, entry('orders'))
  assert.deepEqual(await fetch(), ['orders NONE'])
})

test('a producer that waits for no answer learns that it may not write from its connection', async (t) => {
  const { clientOf, logs, logged } = await startGuardedBroker(t)
  logs.createTopic('orders', { partitionCount: 1 })
  const alice = await clientOf('alice')
  const records = encodeBatch([{ timestampMs: 0, key: null, value: Buffer.from('v') }])
  alice.send(produceRequest, 9, {
    ...{ transactionalId: null, acks: 0, timeoutMs: 1000 },
    topicData: [{ name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records }] }],
  })
  await alice.closed
  assert.ok(
    logged.some((line) => /orders-0: TOPIC_AUTHORIZATION_FAILED/.test(line)),
    logged.join('\n'),
  )
  assert.ok(
    logged.some((line) => /^Principal = User:alice is Denied operation = WRITE from host = 127\.0\.0\.1 on/.test(line)),
  )
  assert.equal(logs.partition('orders', 0)!.logEndOffset, 0)
})

test('kafkajs: an administrator grants what a producer and a consumer need, and takes it away', async (t) => {
  const server = await createServer({ ...OPEN_TO_ALL, 'kafka.group.initial.rebalance.delay.ms': 0 })
  const redis = new Redis(server.urls.redis)
  const kafka = new Kafka({ brokers: [server.urls.kafka], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
  const admin = kafka.admin()
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  const consumer = kafka.consumer({ groupId: 'readers' })
  t.after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()])
    redis.disconnect()
    await server.close()
  })
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()])
  const grant = (resourceType: number, resourceName: string, operation: number) => ({
    ...{ resourceType, resourceName, resourcePatternType: ResourcePatternTypes.LITERAL },
    ...{ principal: 'User:ANONYMOUS', host: '*', operation, permissionType: AclPermissionTypes.ALLOW },
  })
  await admin.createTopics({ topics: [{ topic: 'orders' }] })
  await admin.createAcls({
    acl: [
      grant(AclResourceTypes.TOPIC, 'orders', AclOperationTypes.WRITE),
      grant(AclResourceTypes.TOPIC, 'orders', AclOperationTypes.READ),
      grant(AclResourceTypes.GROUP, 'readers', AclOperationTypes.READ),
    ],
  })
  const every = {
    ...{ resourceType: AclResourceTypes.ANY, resourcePatternType: ResourcePatternTypes.ANY },
    ...{ operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY },
  }
  const { resources } = await admin.describeAcls(every)
  assert.deepEqual(
    resources.map(({ resourceName, acls }) => [resourceName, acls.length]),
    [
      ['orders', 2],
      ['readers', 1],
    ],
  )
  await redis.config('SET', 'kafka.super.users', 'User:admin')

  await assert.rejects(admin.createTopics({ topics: [{ topic: 'more' }] }), (error: { errors: { type: string }[] }) => {
    assert.equal(error.errors[0].type, 'TOPIC_AUTHORIZATION_FAILED')
    return true
  })
  await assert.rejects(admin.describeAcls(every), /[Aa]uthoriz/)
  await producer.send({ topic: 'orders', messages: [{ value: 'allowed' }] })
  await assert.rejects(producer.send({ topic: 'secret', messages: [{ value: 'x' }] }), /[Aa]uthoriz/)
  const received = new Promise<string>((resolve, reject) => {
    consumer
      .subscribe({ topic: 'orders', fromBeginning: true })
      .then(() => consumer.run({ eachMessage: async ({ message }) => resolve(String(message.value)) }))
      .catch(reject)
  })
  assert.equal(await received, 'allowed')

  await redis.config('SET', 'kafka.super.users', 'User:ANONYMOUS')
  const { filterResponses } = await admin.deleteAcls({
    filters: [{ ...every, resourceType: AclResourceTypes.TOPIC, operation: AclOperationTypes.WRITE }],
  })
  assert.equal(filterResponses[0].matchingAcls.length, 1)
  await redis.config('SET', 'kafka.super.users', '')
  await assert.rejects(producer.send({ topic: 'orders', messages: [{ value: 'late' }] }), /[Aa]uthoriz/)
})

test('a regular expression of a consumer leads to topics that it may see, and to no others', async (t) => {
  const { clientOf, logs } = await startGuardedBroker(t)
  for (const name of ['orders.eu', 'orders.us', 'secret']) logs.createTopic(name, { partitionCount: 1 })
  const [admin, alice] = [await clientOf('admin'), await clientOf('alice')]
  await createAcls(admin, entry('g', { resourceType: 3 }), entry('orders.eu'))
  const nameOf = (id: string) => logs.topicById(id)!.name
  let memberEpoch = 0
  const heartbeat = async (isFirst = false) => {
    const answer = await alice.call(consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse, 1, {
      ...{ groupId: 'g', memberId: 'm', memberEpoch, instanceId: null, rackId: null, serverAssignor: null },
      ...{ rebalanceTimeoutMs: isFirst ? 10_000 : -1, topicPartitions: isFirst ? [] : null },
      ...{ subscribedTopicNames: null, subscribedTopicRegex: isFirst ? '.*' : null },
    })
    assert.equal(errorNameOf(answer.errorCode), 'NONE', answer.errorMessage ?? '')
    memberEpoch = answer.memberEpoch
    return answer.assignment?.topicPartitions.map(({ topicId }) => nameOf(topicId)).sort() ?? null
  }
  assert.deepEqual(await heartbeat(true), ['orders.eu'])
  assert.equal(await heartbeat(), null)
  await createAcls(admin, entry('orders', PREFIXED))
  assert.deepEqual(await heartbeat(), ['orders.eu', 'orders.us'])
  assert.equal(await heartbeat(), null)
  logs.createTopic('orders.asia', { partitionCount: 1 })
  logs.createTopic('hidden', { partitionCount: 1 })
  assert.deepEqual(await heartbeat(), ['orders.asia', 'orders.eu', 'orders.us'])
  await deleteAcls(admin, { resourceNameFilter: 'orders' })
  assert.deepEqual(await heartbeat(), ['orders.eu'])
})

test('who logs in is held to the entries of that name', async (t) => {
  const server = await createServer({
    kafka: {
      topics: { orders: 1, secret: 1 },
      config: {
        listeners: 'SASL_PLAINTEXT://:0',
        'authorizer.class.name': STANDARD_AUTHORIZER,
        'super.users': 'User:admin',
      },
    },
  })
  const redis = new Redis(server.urls.redis)
  for (const name of ['admin', 'alice']) await redis.acl('SETUSER', name, 'on', `>${name}-secret`)
  redis.disconnect()
  const clientOf = (username: string) =>
    new Kafka({
      brokers: [server.kafka.listeners['SASL_PLAINTEXT']],
      sasl: { mechanism: 'plain', username, password: `${username}-secret` },
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    })
  const admin = clientOf('admin').admin()
  const producer = clientOf('alice').producer({ allowAutoTopicCreation: false })
  t.after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()])
    await server.close()
  })
  await Promise.all([admin.connect(), producer.connect()])
  const send = (topic: string) => producer.send({ topic, messages: [{ value: 'v' }] })
  await assert.rejects(send('orders'), /[Aa]uthoriz/)
  await admin.createAcls({
    acl: [
      {
        ...{ resourceType: AclResourceTypes.TOPIC, resourceName: 'ord', principal: 'User:alice', host: '127.0.0.1' },
        resourcePatternType: ResourcePatternTypes.PREFIXED,
        operation: AclOperationTypes.WRITE,
        permissionType: AclPermissionTypes.ALLOW,
      },
    ],
  })
  await send('orders')
  await assert.rejects(send('secret'), /[Aa]uthoriz/)
  assert.equal((await server.kafka.records('orders')).length, 1)
})
