/** The classic protocol over a socket: what each version says, and what waits for what. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorNameOf } from '#src/kafka/errors.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#src/kafka/schemas/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from '#src/kafka/schemas/heartbeat.ts'
import { leaveGroupRequest, leaveGroupResponse } from '#src/kafka/schemas/leave-group.ts'
import { syncGroupRequest, syncGroupResponse } from '#src/kafka/schemas/sync-group.ts'
import { startBroker } from '../test-broker.ts'
import { GroupClient } from './group-client.ts'

test('members of every version of JoinGroup and SyncGroup work in one group', async (t) => {
  const broker = await startBroker(t)
  const joinVersions = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  const clients = await Promise.all(joinVersions.map(async () => new GroupClient(await broker.connect(), 'g')))
  const leader = clients[0]
  const first = await leader.enter({ version: 0 })
  await leader.sync(first.memberId, 1, { [first.memberId]: 'all' }, { version: 0 })
  // Everybody waits until the leader has come again.
  const entering = joinVersions.slice(1).map((version) => clients[version].enter({ version }))
  const observer = new GroupClient(await broker.connect(), 'g')
  await observer.until(10)
  const led = await leader.join({ version: 0, memberId: first.memberId })
  const joined = [led, ...(await Promise.all(entering))]
  assert.deepEqual(
    joined.map(({ error, generationId, leader: leaderId }) => [error, generationId, leaderId]),
    joined.map(() => ['NONE', 2, first.memberId]),
  )
  assert.equal(led.members.length, 10)
  assert.equal(joined[6].protocolType, null, 'version 6 does not say it')
  assert.equal(joined[7].protocolType, 'consumer')
  assert.ok(joined.every(({ protocolName }) => protocolName === 'range'))
  const assignments = Object.fromEntries(joined.map(({ memberId }, index) => [memberId, `part ${index}`]))
  const syncing = clients
    .slice(1)
    .map((client, index) => client.sync(joined[index + 1].memberId, 2, {}, { version: (index + 1) % 6 }))
  const synced = [await leader.sync(first.memberId, 2, assignments, { version: 0 }), ...(await Promise.all(syncing))]
  assert.deepEqual(
    synced.map(({ text }) => text),
    joined.map((_, index) => `part ${index}`),
  )
  assert.equal(await observer.heartbeat(joined[9].memberId, 2), 'NONE')
})

test('version 5 of SyncGroup must say what the member takes the group for', async (t) => {
  const broker = await startBroker(t)
  const wire = await broker.connect()
  const { memberId } = await new GroupClient(wire, 'g').enter()
  const sync = async (protocolType: string | null, protocolName: string | null) => {
    const request = { groupId: 'g', generationId: 1, memberId, protocolType, protocolName, assignments: [] }
    return errorNameOf((await wire.call(syncGroupRequest, syncGroupResponse, 5, request)).errorCode)
  }
  assert.equal(await sync(null, null), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await sync('consumer', 'sticky'), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await sync('connect', 'range'), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await sync('consumer', 'range'), 'NONE')
})

test('timeouts outside the limits, a group without a name, ids that nobody has', async (t) => {
  const broker = await startBroker(t, { 'kafka.group.min.session.timeout.ms': 100 })
  const client = new GroupClient(await broker.connect(), 'g')
  assert.equal((await client.join({ sessionTimeoutMs: 99 })).error, 'INVALID_SESSION_TIMEOUT')
  assert.equal((await client.join({ sessionTimeoutMs: 1_800_001 })).error, 'INVALID_SESSION_TIMEOUT')
  assert.equal((await client.join({ memberId: 'nobody' })).error, 'UNKNOWN_MEMBER_ID')
  assert.equal((await client.sync('nobody', 1)).error, 'UNKNOWN_MEMBER_ID')
  assert.equal(await client.heartbeat('nobody', 1), 'UNKNOWN_MEMBER_ID')
  assert.deepEqual(await client.leave([{ memberId: 'nobody' }]), ['UNKNOWN_MEMBER_ID'])
  const nameless = new GroupClient(client.wire, '')
  assert.equal((await nameless.join()).error, 'INVALID_GROUP_ID')
  assert.equal((await nameless.sync('nobody', 1)).error, 'INVALID_GROUP_ID')
  assert.equal(await nameless.heartbeat('nobody', 1), 'INVALID_GROUP_ID')
  assert.deepEqual(await nameless.leave([{ memberId: 'nobody' }]), ['INVALID_GROUP_ID'])
  // Whoever is refused leaves no group behind.
  assert.equal((await client.join({ protocols: [] })).error, 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal((await client.describe()).groupState, 'Dead')
})

test('a heartbeat in every version, and a leave', async (t) => {
  const broker = await startBroker(t)
  const client = new GroupClient(await broker.connect(), 'g')
  const { memberId } = await client.enterAlone()
  for (let version = 0; version <= 4; version++) {
    const answer = await client.wire.call(heartbeatRequest, heartbeatResponse, version, {
      groupId: 'g',
      generationId: 1,
      memberId,
      groupInstanceId: null,
    })
    assert.equal(errorNameOf(answer.errorCode), 'NONE')
  }
  for (let version = 0; version <= 5; version++) {
    const { memberId: leaving } = await client.enterAlone({ memberId: version === 0 ? memberId : '' })
    const answer = await client.wire.call(leaveGroupRequest, leaveGroupResponse, version, {
      groupId: 'g',
      memberId: leaving,
      members: [{ memberId: leaving }, { memberId: 'nobody' }],
    })
    assert.equal(errorNameOf(answer.errorCode), 'NONE')
    if (version < 3) continue
    assert.deepEqual(
      answer.members.map((member) => [member.memberId, errorNameOf(member.errorCode)]),
      [
        [leaving, 'NONE'],
        ['nobody', 'UNKNOWN_MEMBER_ID'],
      ],
    )
  }
  const again = await client.wire.call(leaveGroupRequest, leaveGroupResponse, 2, {
    groupId: 'g',
    memberId: 'nobody',
    members: [],
  })
  assert.equal(errorNameOf(again.errorCode), 'UNKNOWN_MEMBER_ID')
})

test('a coordinator is where the broker is, for groups and for transactions, one by one and many at once', async (t) => {
  const broker = await startBroker(t)
  const wire = await broker.connect()
  const [host, port] = broker.address.split(':')
  for (let version = 0; version <= 6; version++) {
    for (const keyType of version === 0 ? [0] : [0, 1]) {
      const answer = await wire.call(findCoordinatorRequest, findCoordinatorResponse, version, {
        key: 'g',
        keyType,
        coordinatorKeys: ['g', 'h'],
      })
      const places = version < 4 ? [{ ...answer, key: 'g' }] : answer.coordinators
      assert.deepEqual(
        places.map((place) => [place.key, place.errorCode, place.nodeId, place.host, place.port]),
        (version < 4 ? ['g'] : ['g', 'h']).map((key) => [key, 0, 1, host, Number(port)]),
      )
    }
  }
  const unknown = await wire.call(findCoordinatorRequest, findCoordinatorResponse, 6, {
    keyType: 7,
    coordinatorKeys: ['g'],
  })
  assert.equal(errorNameOf(unknown.coordinators[0].errorCode), 'INVALID_REQUEST')
  assert.equal(unknown.coordinators[0].nodeId, -1)
})

test('a session that ends on the clock of the server makes the others rebalance', async (t) => {
  const broker = await startBroker(t)
  const [one, two] = [new GroupClient(await broker.connect(), 'g'), new GroupClient(await broker.connect(), 'g')]
  const a = await one.enterAlone({ sessionTimeoutMs: 30_000 })
  const entering = two.enter({ sessionTimeoutMs: 10_000 })
  await one.until(2)
  await one.join({ memberId: a.memberId, sessionTimeoutMs: 30_000 })
  const b = await entering
  await one.sync(a.memberId, 2, { [a.memberId]: 'half', [b.memberId]: 'half' })
  assert.equal((await two.sync(b.memberId, 2)).text, 'half')
  broker.server.clock.advance('9s')
  assert.equal(await one.heartbeat(a.memberId, 2), 'NONE')
  broker.server.clock.advance('1s')
  assert.equal(await one.heartbeat(a.memberId, 2), 'REBALANCE_IN_PROGRESS')
  assert.equal(await two.heartbeat(b.memberId, 2), 'UNKNOWN_MEMBER_ID')
})

test('a connection that ends while its join waits lets the others go on', async (t) => {
  const broker = await startBroker(t)
  const one = new GroupClient(await broker.connect(), 'g')
  const a = await one.enterAlone()
  const two = new GroupClient(await broker.connect(), 'g')
  const entering = two.enter({ version: 3 }).catch(() => 'gone')
  await one.until(2)
  assert.equal(await one.heartbeat(a.memberId, 1), 'REBALANCE_IN_PROGRESS')
  two.wire.close()
  assert.equal(await entering, 'gone')
  await one.until(1)
  // It is the only one now, and need not wait for anybody.
  assert.equal((await one.join({ memberId: a.memberId })).generationId, 2)
})

test('members may say and be told more than a record of a usual topic holds', async (t) => {
  const broker = await startBroker(t)
  const client = new GroupClient(await broker.connect(), 'g')
  const metadata = Buffer.alloc(3 * 2 ** 20, 'what I want')
  const { memberId, generationId } = await client.enter({ protocols: [{ name: 'range', metadata }] })
  const assignment = 'what you get'.repeat(100_000)
  assert.equal((await client.sync(memberId, generationId, { [memberId]: assignment })).text, assignment)
  assert.equal((await client.describe()).members[0].memberMetadata.length, metadata.length)
})
