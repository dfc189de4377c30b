/**
 * A group changes its protocol while it has members: consumers are brought to the new protocol, and back, one after the
 * other, and until the last is there the group serves both kinds (KIP-848).
 */
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
import { consumerProtocolAssignment, consumerProtocolSubscription } from '#src/kafka/schemas/consumer-protocol.ts'
import { listGroupsRequest, listGroupsResponse } from '#src/kafka/schemas/list-groups.ts'
import { syncGroupRequest, syncGroupResponse } from '#src/kafka/schemas/sync-group.ts'
import type { CreateServerOptions } from '#src/server/create-server.ts'
import { startBroker } from '../test-broker.ts'
import type { WireClient } from '../wire-client.ts'
import { createTopics, GroupClient } from './group-client.ts'

const PARTITIONS = [0, 1, 2, 3]
const REBALANCE_MS = 20_000
const SESSION_MS = 10_000

async function start(t: TestContext, options: CreateServerOptions = {}) {
  const broker = await startBroker(t, {
    'kafka.num.partitions': PARTITIONS.length,
    'kafka.group.initial.rebalance.delay.ms': 0,
    ...options,
  })
  const wire = await broker.connect()
  await createTopics(wire, ['orders', 'bills'])
  return { broker, wire, connect: () => broker.connect() }
}

/** A consumer that speaks the classic protocol, cooperative: it keeps what it is not told to let go of. */
class ClassicConsumer {
  readonly #client: GroupClient
  readonly #topics: readonly string[]
  readonly instanceId: string | null
  memberId = ''
  generationId = -1
  isLeader = false
  owned: number[] = []

  constructor(wire: WireClient, topics: readonly string[] = ['orders'], instanceId: string | null = null) {
    this.#client = new GroupClient(wire, 'g')
    this.#topics = topics
    this.instanceId = instanceId
  }

  async join(protocolName = 'cooperative-sticky'): Promise<string> {
    const ownedPartitions = this.owned.length > 0 ? [{ topic: 'orders', partitions: this.owned }] : []
    const metadata = consumerProtocolSubscription.encodeRecord({ topics: [...this.#topics], ownedPartitions }, 1)
    const { memberId, instanceId: groupInstanceId } = this
    const options = { groupInstanceId, sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: REBALANCE_MS }
    const answer = await this.#client.enter({
      ...options,
      memberId,
      protocols: [{ name: protocolName, metadata }],
    })
    if (answer.error !== 'NONE') return answer.error
    this.memberId = answer.memberId
    this.generationId = answer.generationId
    this.isLeader = answer.leader === this.memberId
    if (!this.isLeader) return 'NONE'
    // The leader of a classic group: it gives everybody the same number, in order.
    const members = answer.members.map((member) => member.memberId).sort()
    const share = PARTITIONS.length / members.length
    const assignments = Object.fromEntries(
      members.map((id, index) => {
        const partitions = PARTITIONS.slice(index * share, (index + 1) * share)
        const bytes = consumerProtocolAssignment.encodeRecord(
          { assignedPartitions: [{ topic: 'orders', partitions }] },
          1,
        )
        return [id, bytes.toString('latin1')]
      }),
    )
    return this.sync(assignments)
  }

  async sync(assignments: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await this.#client.wire.call(syncGroupRequest, syncGroupResponse, 5, {
      groupId: 'g',
      generationId: this.generationId,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      protocolType: 'consumer',
      protocolName: 'cooperative-sticky',
      assignments: Object.entries(assignments).map(([memberId, text]) => ({
        memberId,
        assignment: Buffer.from(text, 'latin1'),
      })),
    })
    if (answer.errorCode !== 0) return errorNameOf(answer.errorCode)
    const { assignedPartitions } = consumerProtocolAssignment.decodeRecord(answer.assignment)
    this.owned = assignedPartitions.flatMap(({ partitions }) => partitions).sort()
    return 'NONE'
  }

  heartbeat(): Promise<string> {
    return this.#client.heartbeat(this.memberId, this.generationId, this.instanceId)
  }

  /** As its client does: it joins again whenever it is told to, until it is where it should be. */
  async settle(): Promise<void> {
    for (let round = 0; round < 10; round++) {
      const told = await this.heartbeat()
      if (told === 'NONE') return
      assert.equal(told, 'REBALANCE_IN_PROGRESS')
      assert.equal(await this.join(), 'NONE')
      assert.equal(await this.sync(), 'NONE')
    }
    assert.fail('it is told to join again and again')
  }

  async commit(offset: number, generationId = this.generationId): Promise<string> {
    const { memberId } = this
    return (await this.#client.commit([{ topic: 'orders', partition: 0, offset }], { memberId, generationId }))[0]
  }

  async leave(): Promise<string> {
    return (await this.#client.leave([{ memberId: this.memberId, groupInstanceId: this.instanceId }]))[0]
  }
}

/** One that speaks the new protocol. */
class Consumer {
  readonly #wire: WireClient
  readonly memberId: string
  readonly instanceId: string | null
  memberEpoch = 0
  owned: number[] = []
  topicId = ''
  errorMessage: string | null = null

  constructor(wire: WireClient, memberId: string, instanceId: string | null = null) {
    this.#wire = wire
    this.memberId = memberId
    this.instanceId = instanceId
  }

  async heartbeat(memberEpoch = this.memberEpoch): Promise<string> {
    const isJoining = memberEpoch === 0
    const answer = await this.#wire.call(consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse, 1, {
      groupId: 'g',
      memberId: this.memberId,
      instanceId: this.instanceId,
      memberEpoch,
      ...(isJoining ? { rebalanceTimeoutMs: REBALANCE_MS, subscribedTopicNames: ['orders'] } : {}),
      topicPartitions: isJoining || this.owned.length === 0 ? [] : [{ topicId: this.topicId, partitions: this.owned }],
    })
    this.errorMessage = answer.errorMessage ?? null
    if (answer.errorCode !== 0) return errorNameOf(answer.errorCode)
    this.memberEpoch = answer.memberEpoch
    if (answer.assignment !== null && answer.assignment !== undefined) {
      const { topicPartitions } = answer.assignment
      this.topicId = topicPartitions[0]?.topicId ?? this.topicId
      this.owned = topicPartitions.flatMap(({ partitions }) => partitions).sort()
    }
    return 'NONE'
  }
}

async function describe(wire: WireClient) {
  const { groups } = await wire.call(consumerGroupDescribeRequest, consumerGroupDescribeResponse, 1, {
    groupIds: ['g'],
    includeAuthorizedOperations: false,
  })
  const [{ groupState, members, errorCode }] = groups
  return errorCode === 0 ? `${groupState} ${members.map((member) => member.memberType).sort()}` : errorNameOf(errorCode)
}

async function typeOf(wire: WireClient): Promise<string> {
  const { groups } = await wire.call(listGroupsRequest, listGroupsResponse, 5, { statesFilter: [], typesFilter: [] })
  return groups.map(({ groupType, groupState }) => `${groupType} ${groupState}`).join()
}

/** Heartbeats of all, until nobody has anything to do. */
async function settle(wire: WireClient, classic: readonly ClassicConsumer[], young: Consumer): Promise<void> {
  for (let round = 0; round < 10; round++) {
    for (const member of classic) await member.settle()
    assert.equal(await young.heartbeat(), 'NONE')
    const owned = everything(...classic, young)
    assert.equal(new Set(owned).size, owned.length, 'a partition has two readers')
    if ((await describe(wire)).startsWith('Stable')) return
  }
  assert.fail('the group does not come to rest')
}

function everything(...members: { owned: number[] }[]): number[] {
  return members.flatMap(({ owned }) => owned).sort()
}

test('members change over one by one, and back, and what each reads nobody else does', async (t) => {
  const { wire, connect } = await start(t)
  const old = new ClassicConsumer(await connect())
  const other = new ClassicConsumer(await connect())
  assert.equal(await old.join(), 'NONE')
  const joining = other.join()
  while ((await old.heartbeat()) === 'NONE') {} // until the other has joined
  await old.join()
  assert.equal(await joining, 'NONE')
  assert.equal(await other.sync(), 'NONE')
  assert.deepEqual(everything(old, other), PARTITIONS)
  assert.equal(await typeOf(wire), 'classic Stable')
  const generationBefore = old.generationId

  // One of the new protocol comes: the group is one of the new protocol, and its members are told to join again.
  const young = new Consumer(wire, 'young')
  assert.equal(await young.heartbeat(), 'NONE')
  assert.deepEqual([young.memberEpoch, young.owned], [generationBefore + 1, []])
  assert.equal(await describe(wire), 'Reconciling 0,0,1')
  assert.match(await typeOf(wire), /^consumer /)
  assert.equal(await old.commit(5), 'NONE')
  assert.equal(await old.commit(5, generationBefore + 7), 'ILLEGAL_GENERATION')
  await settle(wire, [old, other], young)
  assert.deepEqual(everything(old, other, young), PARTITIONS)
  assert.equal(old.generationId, young.memberEpoch)
  assert.equal(await describe(wire), 'Stable 0,0,1')

  // One who speaks the classic protocol may come too.
  const late = new ClassicConsumer(await connect())
  assert.equal(await late.join('unheard-of'), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await late.join(), 'NONE')
  assert.equal(await late.sync(), 'NONE')
  await settle(wire, [old, other, late], young)
  assert.deepEqual(
    [old, other, late, young].map(({ owned }) => owned.length),
    [1, 1, 1, 1],
  )
  assert.equal(await late.leave(), 'NONE')
  assert.equal(await late.heartbeat(), 'UNKNOWN_MEMBER_ID')
  await settle(wire, [old, other], young)
  assert.deepEqual(everything(old, other, young), PARTITIONS)

  // The one of the new protocol goes: the group is a classic one again.
  assert.equal(await young.heartbeat(-1), 'NONE')
  assert.equal(await typeOf(wire), 'classic PreparingRebalance')
  assert.equal(await describe(wire), 'GROUP_ID_NOT_FOUND')
  assert.equal(await old.heartbeat(), 'REBALANCE_IN_PROGRESS')
  const rejoining = other.join()
  await old.join()
  await rejoining
  for (const member of [old, other]) if (!member.isLeader) assert.equal(await member.sync(), 'NONE')
  assert.deepEqual(everything(old, other), PARTITIONS)
  assert.equal(await typeOf(wire), 'classic Stable')
})

for (const [policy, canUpgrade, canDowngrade] of [
  ['disabled', false, false],
  ['upgrade', true, false],
  ['downgrade', false, true],
  ['bidirectional', true, true],
] as const) {
  test(`group.consumer.migration.policy ${policy}`, async (t) => {
    const { broker, wire, connect } = await start(t, { 'kafka.group.consumer.migration.policy': policy })
    const old = new ClassicConsumer(await connect())
    const young = new Consumer(wire, 'young')
    assert.equal(await old.join(), 'NONE')
    const error = await young.heartbeat()
    assert.equal(error, canUpgrade ? 'NONE' : 'GROUP_ID_NOT_FOUND')
    if (!canUpgrade) {
      assert.equal(
        young.errorMessage,
        'Cannot upgrade classic group g to consumer group because online upgrade is disabled.',
      )
      assert.equal(await old.heartbeat(), 'NONE')
      assert.equal(await old.leave(), 'NONE')
      assert.equal(await young.heartbeat(), 'NONE')
      assert.equal(await old.join(), 'NONE')
    }
    assert.equal(await young.heartbeat(-1), 'NONE')
    assert.match(await typeOf(wire), canDowngrade ? /^classic/ : /^consumer/)
    assert.equal(
      broker.logged.some((line) => line.includes('changes to the classic protocol')),
      canDowngrade,
    )
  })
}

test('a group cannot change over that is of something else, or has an assignor of its own', async (t) => {
  const { wire, connect } = await start(t)
  const client = new GroupClient(await connect(), 'g')
  const { memberId } = await client.enter({ protocolType: 'connect' })
  const young = new Consumer(wire, 'young')
  assert.equal(await young.heartbeat(), 'GROUP_ID_NOT_FOUND')
  assert.match(young.errorMessage!, /does not use the consumer embedded protocol\.$/)
  await client.leave([{ memberId }])
  const metadata = consumerProtocolSubscription.encodeRecord({ topics: ['orders'], ownedPartitions: [] }, 1)
  const joined = await client.enter({ protocols: [{ name: 'range', metadata }] })
  const userData = Buffer.from('mine')
  const assignment = consumerProtocolAssignment.encodeRecord({ assignedPartitions: [], userData }, 1)
  await client.sync(joined.memberId, joined.generationId, { [joined.memberId]: assignment.toString('latin1') })
  assert.equal(await young.heartbeat(), 'GROUP_ID_NOT_FOUND')
  assert.match(young.errorMessage!, /because an unsupported custom assignor is in use\. Please refer/)
  assert.equal(await client.heartbeat(joined.memberId, joined.generationId), 'NONE')
})

test('whoever waits in a classic group is told to begin anew when it changes over', async (t) => {
  const { wire, connect } = await start(t, { 'kafka.group.initial.rebalance.delay.ms': 3000 })
  const old = new ClassicConsumer(await connect())
  const joining = old.join()
  while (!(await typeOf(wire)).includes('PreparingRebalance')) {} // until it waits
  const young = new Consumer(wire, 'young')
  assert.equal(await young.heartbeat(), 'NONE')
  assert.equal(await joining, 'REBALANCE_IN_PROGRESS')
  assert.equal(await describe(wire), 'Reconciling 0,1')
})

test('deadlines of those who speak the classic protocol', async (t) => {
  const { broker, wire, connect } = await start(t)
  const { clock } = broker.server
  const advance = async (ms: number, ...alive: { heartbeat(): Promise<string> }[]) => {
    for (let left = ms; left > 0; left -= SESSION_MS / 2) {
      clock.advance(Math.min(left, SESSION_MS / 2))
      for (const member of alive) await member.heartbeat()
    }
  }
  const young = new Consumer(wire, 'young')
  await young.heartbeat()
  // Joined, and not synced in time.
  const hasty = new ClassicConsumer(await connect())
  assert.equal(await hasty.join(), 'NONE')
  await advance(REBALANCE_MS + 1, hasty, young)
  assert.equal(await hasty.heartbeat(), 'UNKNOWN_MEMBER_ID')
  // Told to join again, and did not.
  const slow = new ClassicConsumer(await connect())
  await slow.join()
  assert.equal(await slow.sync(), 'NONE')
  await advance(1, young)
  await slow.settle()
  await young.heartbeat()
  await slow.settle()
  const third = new Consumer(wire, 'third')
  await third.heartbeat()
  assert.equal(await slow.heartbeat(), 'REBALANCE_IN_PROGRESS')
  await advance(REBALANCE_MS + 1, slow, young, third)
  assert.equal(await slow.heartbeat(), 'UNKNOWN_MEMBER_ID')
  // Its own session counts, not that of the group.
  const silent = new ClassicConsumer(await connect())
  await silent.join()
  await silent.sync()
  await advance(SESSION_MS + 1, young, third)
  assert.equal(await silent.heartbeat(), 'UNKNOWN_MEMBER_ID')
  assert.equal(await describe(wire), 'Stable 1,1')
})

test('a static member comes back in the other protocol to what it had', async (t) => {
  const { wire, connect } = await start(t)
  const old = new ClassicConsumer(await connect(), ['orders'], 'i')
  assert.equal(await old.join(), 'NONE')
  assert.deepEqual(old.owned, PARTITIONS)
  const young = new Consumer(wire, 'young', 'i')
  assert.equal(await young.heartbeat(), 'NONE')
  assert.deepEqual(young.owned, PARTITIONS)
  assert.equal(await old.heartbeat(), 'FENCED_INSTANCE_ID')
  assert.equal(await describe(wire), 'Stable 1')
  // And back: it was the last of the new protocol.
  const again = new ClassicConsumer(await connect(), ['orders'], 'i')
  assert.equal(await again.join(), 'NONE')
  assert.equal(await typeOf(wire), 'classic Stable')
  assert.equal(await again.sync(), 'NONE')
  assert.deepEqual(again.owned, PARTITIONS)
  assert.equal(await young.heartbeat(), 'GROUP_ID_NOT_FOUND')
})

test('a group that serves both kinds does so after a restart', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'headpond-conversion-'))
  const first = await start(t, { ephemeral: false, dir: directory })
  const old = new ClassicConsumer(await first.connect())
  const young = new Consumer(first.wire, 'young')
  assert.equal(await old.join(), 'NONE')
  for (let round = 0; round < 2; round++) {
    await young.heartbeat()
    await old.settle()
  }
  await young.heartbeat()
  assert.deepEqual(everything(old, young), PARTITIONS)
  await first.broker.server.close()
  const second = await startBroker(t, { ephemeral: false, dir: directory })
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const wire = await second.connect()
  const oldAgain = Object.assign(new ClassicConsumer(await second.connect()), {
    memberId: old.memberId,
    generationId: old.generationId,
    owned: old.owned,
  })
  while ((await describe(wire)) === 'COORDINATOR_LOAD_IN_PROGRESS') {}
  assert.equal(await describe(wire), 'Stable 0,1')
  assert.equal(await oldAgain.heartbeat(), 'NONE')
  second.server.clock.advance(SESSION_MS + 1)
  assert.equal(await oldAgain.heartbeat(), 'UNKNOWN_MEMBER_ID')
  assert.equal(await describe(wire), 'Assigning 1')
})
