/** Groups of the new protocol (KIP-848) over a socket, beside those of the classic one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { errorNameOf } from '#src/kafka/errors.ts'
import {
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from '#src/kafka/schemas/consumer-group-describe.ts'
import {
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '#src/kafka/schemas/consumer-group-heartbeat.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '#src/kafka/schemas/delete-groups.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '#src/kafka/schemas/incremental-alter-configs.ts'
import { listGroupsRequest, listGroupsResponse } from '#src/kafka/schemas/list-groups.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import type { CreateServerOptions } from '#src/server/create-server.ts'
import { startBroker } from '../test-broker.ts'
import type { WireClient } from '../wire-client.ts'
import { createTopics, GroupClient } from './group-client.ts'

const GROUP_RESOURCE = 32

type Heartbeat = Partial<Parameters<typeof consumerGroupHeartbeatRequest.encode>[1]>

async function start(t: TestContext, options: CreateServerOptions = {}) {
  const broker = await startBroker(t, {
    'kafka.num.partitions': 4,
    'kafka.group.initial.rebalance.delay.ms': 0,
    ...options,
  })
  const wire = await broker.connect()
  await createTopics(wire, ['orders', 'bills'])
  return { broker, wire }
}

async function heartbeat(wire: WireClient, fields: Heartbeat, version = 1) {
  const answer = await wire.call(consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse, version, {
    groupId: 'g',
    memberId: 'm',
    memberEpoch: 0,
    ...fields,
  })
  const partitions = answer.assignment?.topicPartitions.flatMap((topic) => topic.partitions).sort() ?? null
  return { ...answer, error: errorNameOf(answer.errorCode), partitions }
}

const JOIN = { memberEpoch: 0, rebalanceTimeoutMs: 60_000, subscribedTopicNames: ['orders'], topicPartitions: [] }

async function describe(wire: WireClient, groupId = 'g', version = 1) {
  const { groups } = await wire.call(consumerGroupDescribeRequest, consumerGroupDescribeResponse, version, {
    groupIds: [groupId],
    includeAuthorizedOperations: true,
  })
  return { ...groups[0], error: errorNameOf(groups[0].errorCode) }
}

test('a member joins, is given everything, lives, and leaves', async (t) => {
  const { wire } = await start(t)
  const joined = await heartbeat(wire, JOIN)
  assert.deepEqual(
    [joined.error, joined.memberId, joined.memberEpoch, joined.heartbeatIntervalMs, joined.partitions],
    ['NONE', 'm', 1, 5000, [0, 1, 2, 3]],
  )
  const next = await heartbeat(wire, { memberEpoch: 1 })
  assert.deepEqual([next.error, next.memberEpoch, next.assignment], ['NONE', 1, null])
  const full = await heartbeat(wire, { ...JOIN, memberEpoch: 1, topicPartitions: joined.assignment!.topicPartitions })
  assert.deepEqual(full.partitions, [0, 1, 2, 3])
  const group = await describe(wire)
  assert.deepEqual(
    [group.groupState, group.groupEpoch, group.assignmentEpoch, group.assignorName, group.authorizedOperations],
    ['Stable', 1, 1, 'uniform', 3400],
  )
  const [member] = group.members
  assert.deepEqual(
    [member.memberId, member.memberEpoch, member.clientId, member.subscribedTopicNames, member.memberType],
    ['m', 1, 'wire-client', ['orders'], 1],
  )
  assert.equal(member.subscribedTopicRegex, '') // no null, as in Kafka
  assert.deepEqual(
    member.assignment.topicPartitions.map(({ topicName, partitions }) => [topicName, partitions]),
    [['orders', [0, 1, 2, 3]]],
  )
  assert.deepEqual(member.targetAssignment, member.assignment)
  assert.equal((await heartbeat(wire, { memberEpoch: -1 })).memberEpoch, -1)
  assert.equal((await describe(wire)).groupState, 'Empty')
  assert.equal((await heartbeat(wire, { memberEpoch: 1 })).error, 'UNKNOWN_MEMBER_ID')
})

test('requests that contradict themselves', async (t) => {
  const { wire } = await start(t)
  const errors = async (fields: Heartbeat, version = 1) => {
    const { error, errorMessage } = await heartbeat(wire, { ...JOIN, ...fields }, version)
    return `${error}: ${errorMessage}`
  }
  assert.equal(await errors({ memberId: '' }), "INVALID_REQUEST: MemberId can't be empty.")
  assert.equal(await errors({ memberId: '', memberEpoch: 1 }, 0), "INVALID_REQUEST: MemberId can't be empty.")
  assert.equal(await errors({ groupId: '' }), "INVALID_REQUEST: GroupId can't be empty.")
  assert.equal(await errors({ instanceId: '' }), "INVALID_REQUEST: InstanceId can't be empty.")
  assert.equal(await errors({ rackId: '' }), "INVALID_REQUEST: RackId can't be empty.")
  assert.match(await errors({ rebalanceTimeoutMs: -1 }), /^INVALID_REQUEST: RebalanceTimeoutMs must/)
  assert.match(await errors({ topicPartitions: null }), /^INVALID_REQUEST: TopicPartitions must/)
  assert.match(await errors({ subscribedTopicNames: null }), /^INVALID_REQUEST: Either SubscribedTopicNames/)
  assert.match(await errors({ memberEpoch: -2 }), /^INVALID_REQUEST: InstanceId can't be null/)
  assert.match(await errors({ memberEpoch: -3 }), /^INVALID_REQUEST: MemberEpoch/)
  assert.equal(
    await errors({ serverAssignor: 'sticky' }),
    'UNSUPPORTED_ASSIGNOR: ServerAssignor sticky is not supported. Supported assignors: uniform, range.',
  )
  assert.match(await errors({ subscribedTopicRegex: '(' }), /^INVALID_REGULAR_EXPRESSION/)
  assert.match(await errors({ memberEpoch: 1 }), /^GROUP_ID_NOT_FOUND: Consumer group g not found/)
  assert.equal((await describe(wire)).error, 'GROUP_ID_NOT_FOUND')
  // In version 0 the coordinator gives an id.
  assert.match((await heartbeat(wire, { ...JOIN, memberId: '' }, 0)).memberId ?? '', /^[0-9a-f-]{36}$/)
})

test('a regular expression reaches internal topics, as on Kafka’s broker', async (t) => {
  const { wire } = await start(t)
  await heartbeat(wire, { ...JOIN, groupId: 'first' }) // which makes the topic
  const joined = await heartbeat(wire, { ...JOIN, subscribedTopicNames: null, subscribedTopicRegex: '__consumer_.*' })
  assert.equal(joined.error, 'NONE')
  const [member] = (await describe(wire)).members
  const assigned = member.targetAssignment.topicPartitions.map(({ topicName }) => topicName)
  assert.deepEqual(assigned, ['__consumer_offsets'])
})

test('epochs that are not the member’s', async (t) => {
  const { wire } = await start(t)
  const { assignment } = await heartbeat(wire, JOIN)
  assert.equal((await heartbeat(wire, { memberEpoch: 2 })).error, 'FENCED_MEMBER_EPOCH')
  assert.equal((await heartbeat(wire, { memberId: 'n', memberEpoch: 1 })).error, 'UNKNOWN_MEMBER_ID')
  // The topics that it wants are others: a new epoch, whose announcement is lost.
  const owned = { topicPartitions: assignment!.topicPartitions }
  const moved = await heartbeat(wire, { memberEpoch: 1, subscribedTopicNames: ['orders', 'bills'], ...owned })
  assert.equal(moved.memberEpoch, 2)
  assert.equal((await heartbeat(wire, { memberEpoch: 1 })).error, 'FENCED_MEMBER_EPOCH')
  assert.equal((await heartbeat(wire, { memberEpoch: 1, ...owned })).error, 'NONE')
})

test('a member commits and asks in its epoch, with versions that can say what is wrong', async (t) => {
  const { wire } = await start(t)
  const client = new GroupClient(wire, 'g')
  const commits = [{ topic: 'orders', partition: 0, offset: 5 }]
  await heartbeat(wire, JOIN)
  assert.deepEqual(await client.commit(commits, { version: 9, memberId: 'm', generationId: 1 }), ['NONE'])
  assert.deepEqual(await client.commit(commits, { version: 9, memberId: 'm', generationId: 0 }), ['STALE_MEMBER_EPOCH'])
  assert.deepEqual(await client.commit(commits, { version: 8, memberId: 'm', generationId: 1 }), [
    'UNSUPPORTED_VERSION',
  ])
  assert.deepEqual(await client.commit(commits, { version: 9, memberId: 'n', generationId: 1 }), ['UNKNOWN_MEMBER_ID'])
  assert.deepEqual(await client.commit(commits, { version: 9 }), ['UNKNOWN_MEMBER_ID'])
  const fetch = async (memberId: string | null, memberEpoch: number) => {
    const { groups } = await wire.call(offsetFetchRequest, offsetFetchResponse, 9, {
      topics: null,
      groups: [{ groupId: 'g', memberId, memberEpoch, topics: null }],
    })
    return errorNameOf(groups[0].errorCode ?? 0)
  }
  assert.equal(await fetch('m', 1), 'NONE')
  assert.equal(await fetch(null, -1), 'NONE')
  assert.equal(await fetch('m', 2), 'STALE_MEMBER_EPOCH')
  assert.equal(await fetch('n', 1), 'UNKNOWN_MEMBER_ID')
  assert.deepEqual(await client.offsets(null), ['orders/0: 5'])
})

test('both protocols share one space of names; a group without members changes over, with its offsets', async (t) => {
  const { wire } = await start(t)
  const client = new GroupClient(wire, 'g')
  const { memberId } = await client.enterAlone()
  await client.commit([{ topic: 'orders', partition: 0, offset: 5 }], { memberId, generationId: 1 })
  // What its member says of itself is not what consumers say: nobody could serve it in the new protocol.
  const refused = await heartbeat(wire, JOIN)
  assert.equal(
    refused.errorMessage,
    'Cannot upgrade classic group g to consumer group because the embedded consumer protocol is malformed.',
  )
  assert.equal(refused.error, 'GROUP_ID_NOT_FOUND')
  assert.equal((await describe(wire)).errorMessage, 'Group g is not a consumer group.')
  await client.leave([{ memberId }])
  assert.equal((await heartbeat(wire, JOIN)).error, 'NONE')
  assert.equal((await client.enter()).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await client.heartbeat('m', 1), 'UNKNOWN_MEMBER_ID')
  const dead = await client.describe(6)
  assert.deepEqual([dead.groupState, dead.errorMessage], ['Dead', 'Group g is not a classic group.'])
  const list = await wire.call(listGroupsRequest, listGroupsResponse, 5, {
    statesFilter: [],
    typesFilter: ['consumer'],
  })
  assert.deepEqual(
    list.groups.map(({ groupId, groupState, groupType }) => [groupId, groupState, groupType]),
    [['g', 'Stable', 'consumer']],
  )
  const remove = async () => {
    const { results } = await wire.call(deleteGroupsRequest, deleteGroupsResponse, 2, { groupsNames: ['g'] })
    return errorNameOf(results[0].errorCode)
  }
  assert.equal(await remove(), 'NON_EMPTY_GROUP')
  await heartbeat(wire, { memberEpoch: -1 })
  assert.equal((await client.enterAlone()).error, 'NONE')
  assert.deepEqual(await client.offsets(null), ['orders/0: 5'])
})

test('sessions end on the clock of the server; an administrator sends members away', async (t) => {
  const { broker, wire } = await start(t)
  const client = new GroupClient(wire, 'g')
  await heartbeat(wire, JOIN)
  broker.server.clock.advance('44s')
  assert.equal((await heartbeat(wire, { memberEpoch: 1 })).error, 'NONE')
  broker.server.clock.advance('46s')
  assert.equal((await heartbeat(wire, { memberEpoch: 1 })).error, 'UNKNOWN_MEMBER_ID')
  await heartbeat(wire, { ...JOIN, instanceId: 'one' })
  await heartbeat(wire, { ...JOIN, memberId: 'n' })
  assert.deepEqual(await client.leave([{ groupInstanceId: 'one' }, { memberId: 'n' }, { memberId: 'x' }]), [
    'NONE',
    'NONE',
    'UNKNOWN_MEMBER_ID',
  ])
  assert.equal((await describe(wire)).groupState, 'Empty')
})

test('a group has a session timeout and a heartbeat interval of its own', async (t) => {
  const { broker, wire } = await start(t)
  const set = async (name: string, value: string) => {
    const configs = [{ name, configOperation: 0, value }]
    const { responses } = await wire.call(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse, 1, {
      resources: [{ resourceType: GROUP_RESOURCE, resourceName: 'g', configs }],
      validateOnly: false,
    })
    assert.equal(errorNameOf(responses[0].errorCode), 'NONE')
  }
  await set('consumer.heartbeat.interval.ms', '6000')
  await set('consumer.session.timeout.ms', '50000')
  assert.equal((await heartbeat(wire, JOIN)).heartbeatIntervalMs, 6000)
  assert.equal((await heartbeat(wire, { ...JOIN, groupId: 'other' })).heartbeatIntervalMs, 5000)
  broker.server.clock.advance('49s')
  assert.deepEqual([(await describe(wire)).members.length, (await describe(wire, 'other')).members.length], [1, 0])
  broker.server.clock.advance('2s')
  assert.equal((await describe(wire)).members.length, 0)
})

test('a topic that is made, grows or goes gives its members something else to read', async (t) => {
  const { wire } = await start(t)
  await heartbeat(wire, { ...JOIN, subscribedTopicNames: ['orders', 'later'] })
  await createTopics(wire, ['later'])
  const { memberEpoch, assignment } = await heartbeat(wire, { memberEpoch: 1 })
  assert.deepEqual([memberEpoch, assignment?.topicPartitions.length], [2, 2])
})

test('a group is full', async (t) => {
  const { wire } = await start(t, { 'kafka.group.consumer.max.size': 1 })
  assert.equal((await heartbeat(wire, JOIN)).error, 'NONE')
  assert.equal((await heartbeat(wire, { ...JOIN, memberId: 'n' })).error, 'GROUP_MAX_SIZE_REACHED')
  assert.equal((await heartbeat(wire, JOIN)).error, 'NONE')
})

test('after a restart members go on where they were, and what was deleted is gone', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'headpond-consumer-groups-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  await t.test('before', async (inner) => {
    const { wire } = await start(inner, { dir, save: '', appendonly: false })
    await heartbeat(wire, { ...JOIN, instanceId: 'one' })
    await new GroupClient(wire, 'g').commit([{ topic: 'orders', partition: 0, offset: 5 }], {
      version: 9,
      memberId: 'm',
      generationId: 1,
    })
    await heartbeat(wire, { ...JOIN, groupId: 'gone' })
    await heartbeat(wire, { groupId: 'gone', memberEpoch: -1 })
    await wire.call(deleteGroupsRequest, deleteGroupsResponse, 2, { groupsNames: ['gone'] })
  })
  await t.test('after', async (inner) => {
    const { wire } = await start(inner, { dir, save: '', appendonly: false })
    const client = new GroupClient(wire, 'g')
    while ((await client.offsets(null))[0] === 'COORDINATOR_LOAD_IN_PROGRESS');
    const group = await describe(wire)
    assert.deepEqual(
      [group.groupState, group.groupEpoch, group.members[0].memberId, group.members[0].instanceId],
      ['Stable', 1, 'm', 'one'],
    )
    const answer = await heartbeat(wire, { memberEpoch: 1, instanceId: 'one' })
    assert.deepEqual([answer.error, answer.memberEpoch, answer.assignment], ['NONE', 1, null])
    assert.deepEqual(await client.offsets(null), ['orders/0: 5'])
    while ((await describe(wire, 'gone')).error === 'COORDINATOR_LOAD_IN_PROGRESS');
    assert.equal((await describe(wire, 'gone')).errorMessage, 'Group gone not found.')
  })
})
