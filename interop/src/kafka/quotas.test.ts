/** Quotas: the same requests to Apache Kafka and to Headpond are followed by the same pauses; Kafka's tool sets them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from 'headpond'
import { ZERO_UUID } from 'headpond/src/kafka/codec/byte-reader.ts'
import { errorNameOf } from 'headpond/src/kafka/errors.ts'
import { alterClientQuotasRequest, alterClientQuotasResponse } from 'headpond/src/kafka/schemas/alter-client-quotas.ts'
import { createTopicsRequest, createTopicsResponse } from 'headpond/src/kafka/schemas/create-topics.ts'
import {
  describeClientQuotasRequest,
  describeClientQuotasResponse,
} from 'headpond/src/kafka/schemas/describe-client-quotas.ts'
import { fetchRequest, fetchResponse } from 'headpond/src/kafka/schemas/fetch.ts'
import { produceRequest, produceResponse } from 'headpond/src/kafka/schemas/produce.ts'
import { encodeBatch } from 'headpond/src/log/records/batch.ts'
import { WireClient } from 'headpond/test/kafka/wire-client.ts'
import { ApacheKafka, kafkaProblem } from './apache-kafka.ts'
import { runTool, skipTools } from './kafka-tool.ts'

/** Apache Kafka's broker hears of a quota a moment after its controller has made it. */
const SETTLE_MS = 2_000
const VALUE = Buffer.alloc(20_000, 'x')
const BATCH = encodeBatch([{ timestampMs: Date.now(), key: null, value: VALUE }])

interface Refused {
  readonly error: string
  readonly message: string | null
  readonly hasPause: boolean
}

/** What those who are over their quotas are told. */
interface Told {
  readonly producedThrottleMs: readonly number[]
  readonly fetchedThrottleMs: readonly number[]
  readonly created: readonly Refused[]
}

async function play(address: string): Promise<Told> {
  const clients: WireClient[] = []
  const connect = async (clientId: string) => {
    const client = await WireClient.connect(address)
    client.clientId = clientId
    clients.push(client)
    return client
  }
  const create = async (client: WireClient, name: string, numPartitions: number): Promise<Refused> => {
    const { topics, throttleTimeMs } = await client.call(createTopicsRequest, createTopicsResponse, 7, {
      topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 10_000,
      validateOnly: false,
    })
    const [{ errorCode, errorMessage }] = topics
    const error = errorCode === 0 ? 'NONE' : errorNameOf(errorCode)
    return { error, message: errorMessage, hasPause: throttleTimeMs > 0 }
  }
  try {
    const admin = await connect('admin')
    await create(admin, 'orders', 1)
    const limits = [
      ['producer', 'producer_byte_rate', 1000],
      ['producer of more', 'producer_byte_rate', 3000],
      ['reader', 'consumer_byte_rate', 1000],
      ['reader of more', 'consumer_byte_rate', 1999],
      ['maker', 'controller_mutation_rate', 0.1],
    ] as const
    await admin.call(alterClientQuotasRequest, alterClientQuotasResponse, 1, {
      entries: limits.map(([entityName, key, value]) => ({
        entity: [{ entityType: 'client-id', entityName }],
        ops: [{ key, value, remove: false }],
      })),
      validateOnly: false,
    })
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))

    const producedThrottleMs: number[] = []
    for (const clientId of ['producer', 'producer of more', 'anybody']) {
      const client = await connect(clientId)
      const { throttleTimeMs } = await client.call(produceRequest, produceResponse, 9, {
        transactionalId: null,
        acks: -1,
        timeoutMs: 10_000,
        topicData: [{ name: 'orders', topicId: ZERO_UUID, partitionData: [{ index: 0, records: BATCH }] }],
      })
      producedThrottleMs.push(throttleTimeMs)
    }
    const fetchedThrottleMs: number[] = []
    for (const clientId of ['reader', 'reader of more', 'anybody']) {
      const client = await connect(clientId)
      const partition = { partition: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1, fetchOffset: 0 }
      const { throttleTimeMs, responses } = await client.call(fetchRequest, fetchResponse, 12, {
        ...{ replicaId: -1, maxWaitMs: 1000, minBytes: 1, maxBytes: 1, isolationLevel: 0, sessionId: 0 },
        ...{ sessionEpoch: -1, forgottenTopicsData: [], rackId: '' },
        topics: [{ topic: 'orders', topicId: ZERO_UUID, partitions: [{ ...partition, partitionMaxBytes: 1 }] }],
      })
      assert.equal(responses.length, throttleTimeMs > 0 ? 0 : 1)
      fetchedThrottleMs.push(throttleTimeMs)
    }
    const maker = await connect('maker')
    const created = [await create(maker, 'first', 3), await create(maker, 'second', 1)]
    return { producedThrottleMs, fetchedThrottleMs, created }
  } finally {
    for (const client of clients) client.close()
  }
}

test('the same requests have the same pauses as with Apache Kafka', { skip: kafkaProblem() ?? false }, async (t) => {
  const kafka = await ApacheKafka.start()
  const server = await createServer()
  t.after(() => Promise.all([kafka.stop(), server.close()]))
  const [theirs, ours] = await Promise.all([play(`127.0.0.1:${kafka.port}`), play(server.urls.kafka)])
  assert.deepEqual(ours, theirs)
  assert.ok(ours.producedThrottleMs[0] > 10_000 && ours.producedThrottleMs[2] === 0)
  assert.deepEqual(
    ours.created.map(({ error }) => error),
    ['NONE', 'THROTTLING_QUOTA_EXCEEDED'],
  )
})

test('kafka-configs sets and shows quotas', { skip: skipTools }, async (t) => {
  const server = await createServer()
  const client = await WireClient.connect(server.urls.kafka)
  t.after(() => {
    client.close()
    return server.close()
  })
  const configs = (...args: string[]) =>
    runTool('kafka.admin.ConfigCommand', ['--bootstrap-server', server.urls.kafka, ...args])
  const app = ['--entity-type', 'clients', '--entity-name', 'app']
  const alice = ['--entity-type', 'users', '--entity-name', 'alice']
  const rates = 'producer_byte_rate=1024,consumer_byte_rate=2048'
  await configs('--alter', '--add-config', rates, ...app)
  await configs('--alter', '--add-config', 'request_percentage=12.5', '--entity-type', 'users', '--entity-default')
  await configs(
    '--alter',
    '--add-config',
    'controller_mutation_rate=7',
    ...alice,
    '--entity-type',
    'clients',
    '--entity-default',
  )
  await configs(
    '--alter',
    '--add-config',
    'connection_creation_rate=9',
    '--entity-type',
    'ips',
    '--entity-name',
    '10.1.2.3',
  )
  assert.match(await configs('--describe', ...app), /client-id 'app' are .*producer_byte_rate=1024/)
  assert.match(
    await configs('--describe', '--entity-type', 'users', '--entity-type', 'clients'),
    /user-principal 'alice', the default client-id are controller_mutation_rate=7/,
  )
  const { entries } = await client.call(describeClientQuotasRequest, describeClientQuotasResponse, 1, {
    components: [{ entityType: 'user', matchType: 1, match: null }],
    strict: true,
  })
  assert.deepEqual(entries, [
    { entity: [{ entityType: 'user', entityName: null }], values: [{ key: 'request_percentage', value: 12.5 }] },
  ])
  assert.match(await configs('--describe', '--entity-type', 'ips'), /ip '10\.1\.2\.3' are connection_creation_rate=9/)
  await configs('--alter', '--delete-config', 'producer_byte_rate', ...app)
  assert.match(await configs('--describe', ...app), /client-id 'app' are consumer_byte_rate=2048/)
  await assert.rejects(configs('--alter', '--add-config', 'producer_byte_rate=-1', ...app), /must be greater than 0/)
})
