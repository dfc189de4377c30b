/** Offsets that groups commit: who may, what is kept, what is told, and when it is forgotten. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import { offsetCommitRequest, offsetCommitResponse } from '#src/kafka/schemas/offset-commit.ts'
import { offsetDeleteRequest, offsetDeleteResponse } from '#src/kafka/schemas/offset-delete.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import type { CreateServerOptions } from '#src/server/create-server.ts'
import { startBroker } from '../test-broker.ts'
import type { WireClient } from '../wire-client.ts'
import { createTopics, GroupClient } from './group-client.ts'

/** A broker that has the topics `orders` and `bills`, of three partitions each. */
async function start(t: TestContext, options: CreateServerOptions = {}) {
  // Whoever moves the clock by days does not mean that connections are idle.
  const settings = { 'kafka.num.partitions': 3, 'kafka.connections.max.idle.ms': 1e12 }
  const broker = await startBroker(t, { ...settings, ...options })
  const wire = await broker.connect()
  await createTopics(wire, ['orders', 'bills'])
  return { broker, wire, client: new GroupClient(wire, 'g') }
}

test('offsets, epochs and metadata come back as they were committed, in every version', async (t) => {
  const { wire, client } = await start(t)
  for (let version = 2; version <= 9; version++) {
    const commits = [
      { topic: 'orders', partition: 0, offset: 2 ** 53 + 2, metadata: `version ${version} ✓`, leaderEpoch: version },
      { topic: 'orders', partition: 2, offset: version, metadata: null },
      { topic: 'bills', partition: 1, offset: 0, metadata: '' },
    ]
    assert.deepEqual(await client.commit(commits, { version }), ['NONE', 'NONE', 'NONE'])
    for (let fetchVersion = 1; fetchVersion <= 9; fetchVersion++) {
      const wanted = [{ name: 'orders', topicId: ZERO_UUID, partitionIndexes: [0, 1, 2] }]
      const answer = await wire.call(offsetFetchRequest, offsetFetchResponse, fetchVersion, {
        groupId: 'g',
        topics: wanted,
        groups: [
          { groupId: 'g', topics: wanted },
          { groupId: 'nobody', topics: wanted },
        ],
      })
      const topics = fetchVersion < 8 ? answer.topics : answer.groups[0].topics
      assert.deepEqual(
        topics.map(({ partitions }) =>
          partitions.map((each) => [
            each.partitionIndex,
            each.committedOffset,
            each.committedLeaderEpoch,
            each.metadata,
          ]),
        ),
        [
          [
            [0, 2n ** 53n + 2n, fetchVersion >= 5 && version >= 6 ? version : -1, `version ${version} ✓`],
            [1, -1n, -1, ''],
            [2, BigInt(version), -1, ''],
          ],
        ],
      )
      if (fetchVersion < 8) continue
      assert.equal(answer.groups[1].errorCode, 0, 'a group that nobody knows has no offsets, which is no error')
      assert.deepEqual(
        answer.groups[1].topics[0].partitions.map(({ committedOffset, errorCode }) => [committedOffset, errorCode]),
        [
          [-1n, 0],
          [-1n, 0],
          [-1n, 0],
        ],
      )
    }
  }
})

test('null topics are all topics that have an offset', async (t) => {
  const { wire, client } = await start(t)
  assert.deepEqual(await client.offsets(null), [])
  await client.commit([
    { topic: 'orders', partition: 0, offset: 1 },
    { topic: 'bills', partition: 2, offset: 2, metadata: 'm' },
    { topic: 'orders', partition: 1, offset: 3 },
  ])
  assert.deepEqual(await client.offsets(null), ['orders/0: 1', 'orders/1: 3', 'bills/2: 2 m'])
  const batch = await wire.call(offsetFetchRequest, offsetFetchResponse, 8, {
    topics: null,
    groups: [{ groupId: 'g', topics: null }],
  })
  assert.equal(batch.groups[0].topics.length, 2)
})

test('what is not there cannot be committed to, and what is too long is not kept: each partition for itself', async (t) => {
  const { client } = await start(t)
  assert.deepEqual(
    await client.commit([
      { topic: 'orders', partition: 0, offset: 5, metadata: 'x'.repeat(4096) },
      { topic: 'orders', partition: 1, offset: 5, metadata: 'x'.repeat(4097) },
      { topic: 'orders', partition: 3, offset: 5 },
      { topic: 'nothing', partition: 0, offset: 5 },
    ]),
    ['NONE', 'OFFSET_METADATA_TOO_LARGE', 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
  assert.deepEqual(await client.offsets(['orders/1', 'orders/3', 'nothing/0']), [
    'orders/1: -1',
    'orders/3: -1',
    'nothing/0: -1',
  ])
})

test('members commit in their generation, others while there are none', async (t) => {
  const { client } = await start(t)
  const commits = [{ topic: 'orders', partition: 0, offset: 1 }]
  // A group that nobody knows: by name alone, or not at all.
  assert.deepEqual(await client.commit(commits, { memberId: 'm', generationId: 3 }), ['ILLEGAL_GENERATION'])
  assert.deepEqual(await client.commit(commits, { memberId: 'm', generationId: 3, version: 9 }), ['GROUP_ID_NOT_FOUND'])
  assert.deepEqual(await client.commit(commits), ['NONE'])
  const { memberId } = await client.enterAlone()
  const member = { memberId, generationId: 1 }
  assert.deepEqual(await client.commit(commits, member), ['NONE'])
  assert.deepEqual(await client.commit(commits), ['UNKNOWN_MEMBER_ID'])
  assert.deepEqual(await client.commit(commits, { ...member, generationId: 2 }), ['ILLEGAL_GENERATION'])
  assert.deepEqual(await client.commit(commits, { ...member, memberId: 'nobody' }), ['UNKNOWN_MEMBER_ID'])
  assert.deepEqual(await client.commit(commits, { ...member, groupInstanceId: 'one' }), ['UNKNOWN_MEMBER_ID'])
  // It may say how far it was while the group gathers, and not while it does not know what it is to read.
  const { generationId } = await client.join({ memberId })
  assert.equal(generationId, 2)
  assert.deepEqual(await client.commit(commits, { memberId, generationId }), ['REBALANCE_IN_PROGRESS'])
})

test('a commit tells that its member lives', async (t) => {
  const { broker, client } = await start(t)
  const { memberId } = await client.enterAlone({ sessionTimeoutMs: 10_000 })
  for (let round = 0; round < 3; round++) {
    broker.server.clock.advance('9s')
    const commits = [{ topic: 'orders', partition: 0, offset: round }]
    assert.deepEqual(await client.commit(commits, { memberId, generationId: 1 }), ['NONE'])
  }
  broker.server.clock.advance('10s')
  assert.equal((await client.describe()).groupState, 'Empty')
})

test('a commit of nothing known is not asked who it is of', async (t) => {
  const { wire } = await start(t)
  const answer = await wire.call(offsetCommitRequest, offsetCommitResponse, 8, {
    groupId: '',
    generationIdOrMemberEpoch: 5,
    memberId: 'm',
    topics: [],
  })
  assert.deepEqual(answer.topics, [])
})

// ---- Deleting ----

async function deleteOffsets(wire: WireClient, groupId: string, names: readonly string[]): Promise<string[]> {
  const topics = names.map((each) => ({
    name: each.split('/')[0],
    partitions: [{ partitionIndex: Number(each.split('/')[1]) }],
  }))
  const answer = await wire.call(offsetDeleteRequest, offsetDeleteResponse, 0, { groupId, topics })
  if (answer.errorCode !== 0) return [errorNameOf(answer.errorCode)]
  return answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorNameOf(errorCode)))
}

/** What a consumer says that it wants to read. */
function subscription(...topics: string[]): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0]),
    int32(topics.length),
    ...topics.flatMap((topic) => [Buffer.from([0, topic.length]), Buffer.from(topic)]),
    int32(-1),
  ])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

test('offsets are deleted one by one, but for topics that are read', async (t) => {
  const { wire, client } = await start(t)
  assert.deepEqual(await deleteOffsets(wire, 'g', ['orders/0']), ['GROUP_ID_NOT_FOUND'])
  assert.deepEqual(await deleteOffsets(wire, '', ['orders/0']), ['INVALID_GROUP_ID'])
  await client.commit([
    { topic: 'orders', partition: 0, offset: 1 },
    { topic: 'bills', partition: 0, offset: 1 },
    { topic: 'bills', partition: 1, offset: 1 },
  ])
  const protocols = [{ name: 'range', metadata: subscription('orders') }]
  const { memberId } = await client.enterAlone({ protocols })
  assert.deepEqual(await deleteOffsets(wire, 'g', ['orders/0', 'bills/0', 'bills/2', 'bills/9', 'nothing/0']), [
    'GROUP_SUBSCRIBED_TO_TOPIC',
    'NONE',
    'NONE',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ])
  assert.deepEqual(await client.offsets(null), ['orders/0: 1', 'bills/1: 1'])
  await client.leave([{ memberId }])
  assert.deepEqual(await deleteOffsets(wire, 'g', ['orders/0']), ['NONE'])
  assert.deepEqual(await client.offsets(null), ['bills/1: 1'])
})

test('of members that do not say what they read, none can be deleted; of another type, none at all', async (t) => {
  const { broker, wire, client } = await start(t)
  await client.enterAlone()
  assert.deepEqual(await deleteOffsets(wire, 'g', ['orders/0']), ['GROUP_SUBSCRIBED_TO_TOPIC'])
  const connect = new GroupClient(await broker.connect(), 'workers')
  await connect.enterAlone({ protocolType: 'connect' })
  assert.deepEqual(await deleteOffsets(wire, 'workers', ['orders/0']), ['NON_EMPTY_GROUP'])
})

// ---- Retention ----

const DAY = 24 * 60

test('offsets of one who is in no group are kept for their time since each commit', async (t) => {
  const { broker, client } = await start(t)
  await client.commit([{ topic: 'orders', partition: 0, offset: 1 }])
  broker.server.clock.advance('1d')
  await client.commit([{ topic: 'orders', partition: 1, offset: 2 }])
  broker.server.clock.advance('143h')
  assert.deepEqual(await client.offsets(null), ['orders/0: 1', 'orders/1: 2'])
  broker.server.clock.advance('80m')
  assert.deepEqual(await client.offsets(null), ['orders/1: 2'])
  broker.server.clock.advance('1d')
  assert.deepEqual(await client.offsets(null), [])
  assert.equal((await client.describe()).groupState, 'Dead')
})

test('offsets of a group are kept while it has members, and then for their time', async (t) => {
  const { broker, client } = await start(t, { 'kafka.offsets.retention.minutes': 2 * DAY })
  const protocols = [{ name: 'range', metadata: subscription('orders') }]
  const { memberId } = await client.enterAlone({ protocols, sessionTimeoutMs: 1_800_000 })
  const commits = [
    { topic: 'orders', partition: 0, offset: 1 },
    { topic: 'bills', partition: 0, offset: 1 },
  ]
  await client.commit(commits, { memberId, generationId: 1 })
  for (let hour = 0; hour < 49; hour++) {
    for (let part = 0; part < 3; part++) {
      broker.server.clock.advance('20m')
      assert.equal(await client.heartbeat(memberId, 1), 'NONE')
    }
  }
  // Nobody reads the bills any more.
  assert.deepEqual(await client.offsets(null), ['orders/0: 1'])
  await client.leave([{ memberId }])
  broker.server.clock.advance('47h')
  assert.deepEqual(await client.offsets(null), ['orders/0: 1'])
  broker.server.clock.advance('70m')
  assert.deepEqual(await client.offsets(null), [])
  assert.equal((await client.describe()).groupState, 'Dead')
})

test('an old client says itself how long its offsets are kept', async (t) => {
  const { broker, client } = await start(t)
  const commits = [{ topic: 'orders', partition: 0, offset: 1 }]
  await client.commit(commits, { version: 4, retentionTimeMs: 3_600_000 })
  broker.server.clock.advance('50m')
  assert.deepEqual(await client.offsets(null), ['orders/0: 1'])
  broker.server.clock.advance('20m')
  assert.deepEqual(await client.offsets(null), [])
})
