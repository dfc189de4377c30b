import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR } from '#src/kafka/errors.ts'
import { describeClusterRequest, describeClusterResponse } from '#src/kafka/schemas/describe-cluster.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { startLogServer } from './data/log-server.ts'
import { startBroker } from './test-broker.ts'
import type { WireClient } from './wire-client.ts'

const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'
const NOT_ASKED = -(2 ** 31)
const NEWEST = 13
const VERSIONS = Array.from({ length: NEWEST + 1 }, (_, version) => version)

type Request = Partial<Parameters<typeof metadataRequest.encode>[1]>

function ask(client: WireClient, names: readonly string[] | null, version = NEWEST, request: Request = {}) {
  return client.call(metadataRequest, metadataResponse, version, {
    topics: names?.map((name) => ({ name, topicId: ZERO_UUID })) ?? null,
    includeTopicAuthorizedOperations: false,
    ...request,
  })
}

const askWithoutMaking: typeof ask = (client, names, version, request) =>
  ask(client, names, version, { allowAutoTopicCreation: false, ...request })

test('the cluster is this broker, in every version', async (t) => {
  const { connect, address } = await startBroker(t)
  const client = await connect()
  const [host, port] = address.split(':')
  const { clusterId } = await ask(client, [])
  assert.match(clusterId!, /^[\w-]{22}$/)
  for (const version of VERSIONS) {
    const answer = await ask(client, [], version)
    assert.deepEqual(answer.brokers, [{ nodeId: 1, host, port: Number(port), rack: null }])
    assert.equal(answer.throttleTimeMs, 0)
    assert.equal(answer.controllerId, version >= 1 ? 1 : -1)
    assert.equal(answer.clusterId, version >= 2 ? clusterId : null)
    assert.equal(answer.clusterAuthorizedOperations, NOT_ASKED)
  }
})

test('a topic is described whole, in every version', async (t) => {
  const { connect } = await startBroker(t, { 'kafka.num.partitions': '2' })
  const client = await connect()
  const [{ topicId }] = (await ask(client, ['orders'])).topics
  for (const version of VERSIONS) {
    const partitions = [0, 1].map((partitionIndex) => ({
      errorCode: ERROR.NONE,
      partitionIndex,
      leaderId: 1,
      leaderEpoch: version >= 7 ? 0 : -1,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    }))
    const { topics } = await askWithoutMaking(client, ['orders'], version)
    assert.deepEqual(topics, [
      {
        errorCode: ERROR.NONE,
        name: 'orders',
        topicId: version >= 10 ? topicId : ZERO_UUID,
        isInternal: false,
        partitions,
        topicAuthorizedOperations: NOT_ASKED,
      },
    ])
  }
})

test('version 0 asks for all topics by naming none; later null does, and naming none means none', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  await ask(client, ['a', 'b'])
  for (const version of VERSIONS) {
    const none = await ask(client, [], version)
    assert.equal(none.topics.length, version === 0 ? 2 : 0)
    if (version === 0) continue
    const all = await ask(client, null, version)
    assert.deepEqual(
      all.topics.map(({ name }) => name),
      ['a', 'b'],
    )
  }
})

test('what is asked for is answered, each once, and nothing else', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  await ask(client, ['a', 'b', 'c'])
  const { topics } = await askWithoutMaking(client, ['b', 'missing', 'b', 'a'])
  assert.deepEqual(
    topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['b', ERROR.NONE],
      ['missing', ERROR.UNKNOWN_TOPIC_OR_PARTITION],
      ['a', ERROR.NONE],
    ],
  )
})

test('topics are made when they are named, client and broker willing', async (t) => {
  const { connect, server } = await startBroker(t, { 'kafka.num.partitions': '3' })
  const client = await connect()
  for (const version of VERSIONS) {
    const name = `made-by-${version}`
    // There is no flag before version 4: naming is willing.
    const isUnwilling = version >= 4
    const [before] = (await askWithoutMaking(client, [name], version)).topics
    assert.equal(before.errorCode, isUnwilling ? ERROR.UNKNOWN_TOPIC_OR_PARTITION : ERROR.NONE)
    assert.equal(before.partitions.length, isUnwilling ? 0 : 3)
    const [made] = (await ask(client, [name], version)).topics
    assert.equal(made.partitions.length, 3)
  }
  assert.equal((await ask(client, null)).topics.length, VERSIONS.length)

  await server.execute('CONFIG', 'SET', 'kafka.auto.create.topics.enable', 'false')
  const [refused] = (await ask(client, ['unwilling'])).topics
  assert.deepEqual([refused.errorCode, refused.partitions], [ERROR.UNKNOWN_TOPIC_OR_PARTITION, []])
})

test('names that no topic may have are refused, and so are those that differ in a dot alone', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const illegal = ['', '.', '..', 'a b', 'a/b', 'ä', 'a:b', 'x'.repeat(250)]
  const { topics } = await ask(client, illegal)
  for (const { errorCode, name } of topics) assert.equal(errorCode, ERROR.INVALID_TOPIC_EXCEPTION, name!)
  assert.equal(topics.length, illegal.length)
  const longest = 'x'.repeat(249)
  const legal = await ask(client, [longest, '...', 'A.b_C-9'])
  assert.deepEqual(
    legal.topics.map(({ errorCode }) => errorCode),
    [ERROR.NONE, ERROR.NONE, ERROR.NONE],
  )
  const [collides] = (await ask(client, ['A_b.C-9'])).topics
  assert.equal(collides.errorCode, ERROR.INVALID_TOPIC_EXCEPTION)
  assert.equal((await ask(client, null)).topics.length, 3)
})

test('topics are asked for by their ids from version 12 on', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const [{ topicId }] = (await ask(client, ['orders'])).topics
  assert.notEqual(topicId, ZERO_UUID)
  const unknownId = Buffer.alloc(16, 7).toString('base64url')
  for (const version of [12, 13]) {
    const { topics } = await ask(client, [], version, {
      topics: [
        { name: null, topicId },
        { name: null, topicId: unknownId },
      ],
    })
    assert.deepEqual(
      topics.map((topic) => [topic.errorCode, topic.name, topic.topicId, topic.partitions.length]),
      [
        [ERROR.NONE, 'orders', topicId, 1],
        [ERROR.UNKNOWN_TOPIC_ID, null, unknownId, 0],
      ],
    )
  }
  for (const version of [10, 11]) {
    for (const topic of [
      { name: null, topicId },
      { name: 'orders', topicId },
    ]) {
      const { topics } = await ask(client, [], version, { topics: [topic] })
      assert.deepEqual(
        topics.map(({ errorCode, name }) => [errorCode, name]),
        [[ERROR.INVALID_REQUEST, topic.name ?? '']],
      )
    }
  }
})

test('what may be done is told when it is asked for', async (t) => {
  const { connect } = await startBroker(t)
  const client = await connect()
  const everything = { includeTopicAuthorizedOperations: true, includeClusterAuthorizedOperations: true }
  for (const version of [8, 9, 10, 11]) {
    const answer = await ask(client, ['orders'], version, everything)
    assert.equal(answer.topics[0].topicAuthorizedOperations, 0b1101_1111_1000)
    assert.equal(answer.clusterAuthorizedOperations, version <= 10 ? 0b1_1111_1010_0000 : NOT_ASKED)
  }
})

test('a partition whose disk has failed has no leader; the others go on', async (t) => {
  const { connect, partition } = await startLogServer(t, { topics: { orders: 2 } })
  Object.defineProperty(partition('orders', 1), 'storageProblem', { get: () => 'ENOSPC: no space left on device' })
  const { topics } = await ask((await connect()).wire, ['orders'])
  assert.deepEqual(
    topics[0].partitions.map(({ errorCode, leaderId, offlineReplicas }) => [errorCode, leaderId, offlineReplicas]),
    [
      [ERROR.NONE, 1, []],
      [ERROR.LEADER_NOT_AVAILABLE, -1, [1]],
    ],
  )
})

test('DescribeCluster tells the same as Metadata', async (t) => {
  const { connect } = await startBroker(t, { 'kafka.broker.rack': 'r1' })
  const client = await connect()
  const { clusterId, controllerId, brokers } = await ask(client, [])
  const [{ nodeId, ...place }] = brokers
  assert.equal(place.rack, 'r1')
  for (const version of [0, 1, 2]) {
    const answer = await client.call(describeClusterRequest, describeClusterResponse, version, {
      includeClusterAuthorizedOperations: version > 0,
      includeFencedBrokers: false,
    })
    assert.deepEqual(answer, {
      throttleTimeMs: 0,
      errorCode: ERROR.NONE,
      errorMessage: null,
      endpointType: 1,
      clusterId,
      controllerId,
      brokers: [{ brokerId: nodeId, ...place, isFenced: false }],
      clusterAuthorizedOperations: version > 0 ? 0b1_1111_1010_0000 : NOT_ASKED,
    })
  }
  for (const [endpointType, error] of [
    [2, 'MISMATCHED_ENDPOINT_TYPE'],
    [9, 'UNSUPPORTED_ENDPOINT_TYPE'],
  ] as const) {
    const answer = await client.call(describeClusterRequest, describeClusterResponse, 1, {
      includeClusterAuthorizedOperations: false,
      includeFencedBrokers: false,
      endpointType,
    })
    assert.deepEqual([answer.errorCode, answer.endpointType, answer.brokers], [ERROR[error], endpointType, []])
  }
})
