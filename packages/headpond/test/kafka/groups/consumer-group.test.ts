/** A group of the new protocol with members that behave as clients do, at random: nobody ever reads what another reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Assignment,
  assignmentOf,
  holds,
  NOTHING_ASSIGNED,
  topicPartitionsOf,
} from '#src/kafka/groups/assignment.ts'
import { ConsumerGroup, type ConsumerGroupHost, type HeartbeatAnswer } from '#src/kafka/groups/consumer-group.ts'
import { decodeGroupRecord } from '#src/kafka/groups/records.ts'
import type { EncodedRecord } from '#src/kafka/internal-topic.ts'
import { Clock } from '#src/net/clock.ts'

const SESSION_MS = 45_000
const REBALANCE_MS = 60_000
/** Base64url of 16 bytes, as the ids of topics are. */
const topicId = (name: string) => Buffer.from(name.padEnd(16, '.')).toString('base64url')

/** A coordinator's surroundings: a clock that is moved, topics that grow, and a log from which a group comes back. */
class World {
  readonly clock = new Clock()
  readonly topics = new Map<string, number>()
  readonly written: EncodedRecord[] = []
  readonly #host: ConsumerGroupHost
  group: ConsumerGroup

  constructor() {
    this.clock.pause()
    this.#host = {
      nowMs: () => this.clock.nowMs(),
      schedule: (delayMs, run) => this.clock.schedule(delayMs, run),
      sessionTimeoutMs: () => SESSION_MS,
      sizeMax: 100,
      assignors: ['uniform', 'range'],
      topicNames: () => this.topics.keys(),
      topic: (name) => {
        const partitionCount = this.topics.get(name)
        return partitionCount === undefined ? undefined : { id: topicId(name), partitionCount }
      },
      topicName: (id) => [...this.topics.keys()].find((name) => topicId(name) === id),
      mayDowngrade: () => false,
      downgrade: () => assert.fail('it may not'),
      write: (_, records) => {
        this.written.push(...records)
        return true
      },
      changed: () => {},
      info: () => {},
    }
    this.group = new ConsumerGroup('g', this.#host)
  }

  setTopic(name: string, partitionCount: number): void {
    this.topics.set(name, partitionCount)
    this.group.topicsChanged()
  }

  /** As after a crash: all that there is comes from the log. */
  restart(): void {
    this.group.stop()
    this.group = new ConsumerGroup('g', this.#host)
    for (const { key, value } of this.written) {
      const record = decodeGroupRecord(key, value)
      assert.ok(record.kind !== 'offset' && record.kind !== 'classic' && record.kind !== 'ignored')
      this.group.replay(record)
    }
    this.group.resume()
  }
}

/** What a client does: it stops reading what it is not to read any more, and says so in its next heartbeat. */
class Client {
  readonly #world: World
  readonly memberId: string
  readonly instanceId: string | null
  readonly #wanted: readonly string[]
  readonly #regex: string | null
  epoch = 0
  owned: Assignment = NOTHING_ASSIGNED
  #hasNews = true
  #isInDoubt = false

  constructor(
    world: World,
    memberId: string,
    wanted: readonly string[],
    options: { instanceId?: string; regex?: string } = {},
  ) {
    this.#world = world
    this.memberId = memberId
    this.instanceId = options.instanceId ?? null
    this.#regex = options.regex ?? null
    this.#wanted = wanted
  }

  /** @param isLost the answer never arrives */
  heartbeat(isLost = false): string {
    const isJoining = this.epoch === 0
    // Whoever heard nothing says everything once more, and is told everything.
    const isFull = isJoining || this.#isInDoubt
    const answer = this.#world.group.heartbeat({
      memberId: this.memberId,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rackId: null,
      clientId: 'client',
      clientHost: '/host',
      rebalanceTimeoutMs: isFull ? REBALANCE_MS : -1,
      subscribedTopicNames: isFull ? this.#wanted : null,
      subscribedTopicRegex: isFull ? this.#regex : null,
      serverAssignor: null,
      owned: isFull || this.#hasNews ? topicPartitionsOf(this.owned) : null,
    })
    if ('error' in answer) {
      if (answer.error === 'FENCED_MEMBER_EPOCH' || answer.error === 'UNKNOWN_MEMBER_ID') this.forget()
      return answer.error
    }
    this.#hasNews = false
    this.#isInDoubt = isLost
    if (!isLost) this.#take(answer)
    return 'ok'
  }

  #take(answer: HeartbeatAnswer): void {
    this.epoch = answer.memberEpoch
    if (answer.assignment === null) return
    this.owned = answer.assignment
    this.#hasNews = true
  }

  leave(memberEpoch = -1): void {
    this.#world.group.leave(this.memberId, this.instanceId, memberEpoch)
    this.forget()
  }

  /** It reads nothing any more, and begins anew. */
  forget(): void {
    this.epoch = 0
    this.owned = NOTHING_ASSIGNED
  }
}

function assertNoTwoReaders(clients: Iterable<Client>): void {
  const readers = new Map<string, string>()
  for (const { owned, memberId } of clients) {
    for (const { topicId: id, partitions } of topicPartitionsOf(owned)) {
      for (const partition of partitions) {
        const other = readers.get(`${id}/${partition}`)
        assert.equal(other, undefined, `${memberId} and ${other} read partition ${partition}`)
        readers.set(`${id}/${partition}`, memberId)
      }
    }
  }
}

/** Heartbeats of all until nothing changes any more. */
function settle(world: World, clients: readonly Client[]): void {
  for (let round = 0; round < 50; round++) {
    for (const client of clients) {
      client.heartbeat()
      assertNoTwoReaders(clients)
    }
    if (world.group.state === 'Stable' && clients.every(({ epoch }) => epoch === world.group.groupEpoch)) return
  }
  assert.fail(`the group does not settle: ${world.group.state}`)
}

const actions = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ kind: fc.constant('heartbeat' as const), who: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('lost' as const), who: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('grow' as const), who: fc.nat(1) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), who: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('silence' as const), who: fc.nat(4) }) },
  ),
  { maxLength: 80 },
)

test('whatever happens, no partition has two readers, and in the end each has one', () => {
  fc.assert(
    fc.property(actions, (steps) => {
      const world = new World()
      world.setTopic('t0', 4)
      world.setTopic('t1', 3)
      const wanted = [['t0'], ['t0', 't1'], ['t1'], ['t0', 't1'], ['t0']]
      const clients = wanted.map((topics, index) => new Client(world, `m${index}`, topics))
      for (const { kind, who } of steps) {
        const client = clients[who]
        if (kind === 'heartbeat') client.heartbeat()
        else if (kind === 'lost') client.heartbeat(true)
        else if (kind === 'leave' && client.epoch > 0) client.leave()
        else if (kind === 'grow') world.setTopic(`t${who}`, world.topics.get(`t${who}`)! + 1)
        else if (kind === 'restart') world.restart()
        else if (kind === 'silence') {
          // All but one go on; it stops reading when its session is over, as clients do.
          for (let passedMs = 0; passedMs <= SESSION_MS; passedMs += SESSION_MS / 3) {
            for (const other of clients) if (other !== client && other.epoch > 0) other.heartbeat()
            world.clock.advance(SESSION_MS / 3)
            assertNoTwoReaders(clients.filter((other) => other !== client))
          }
          client.forget()
        }
        assertNoTwoReaders(clients)
      }
      settle(world, clients)
      for (const [name, partitionCount] of world.topics) {
        for (let partition = 0; partition < partitionCount; partition++) {
          assert.equal(clients.filter(({ owned }) => holds(owned, topicId(name), partition)).length, 1)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('a partition goes from one member to another by way of nobody', () => {
  const world = new World()
  world.setTopic('t', 2)
  const [a, b] = [new Client(world, 'a', ['t']), new Client(world, 'b', ['t'])]
  a.heartbeat()
  assert.deepEqual(a.owned, assignmentOf([{ topicId: topicId('t'), partitions: [0, 1] }]))
  assert.equal(world.group.state, 'Stable')
  b.heartbeat()
  assert.deepEqual([b.epoch, b.owned.size, world.group.state], [2, 0, 'Reconciling'])
  // It is told to let go, and stays in its epoch until it has.
  a.heartbeat()
  assert.deepEqual([a.epoch, topicPartitionsOf(a.owned)[0].partitions], [1, [0]])
  b.heartbeat()
  assert.equal(b.owned.size, 0)
  a.heartbeat()
  assert.equal(a.epoch, 2)
  b.heartbeat()
  assert.deepEqual(topicPartitionsOf(b.owned)[0].partitions, [1])
  assert.equal(world.group.state, 'Stable')
})

test('whoever does not let go in time is sent away', () => {
  const world = new World()
  world.setTopic('t', 2)
  const [a, b] = [new Client(world, 'a', ['t']), new Client(world, 'b', ['t'])]
  a.heartbeat()
  b.heartbeat()
  const stuck = () =>
    world.group.heartbeat({
      memberId: 'a',
      memberEpoch: 1,
      instanceId: null,
      rackId: null,
      clientId: 'client',
      clientHost: '/host',
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      owned: [{ topicId: topicId('t'), partitions: [0, 1] }],
    })
  for (let passedMs = 0; passedMs < REBALANCE_MS; passedMs += 10_000) {
    assert.equal('error' in stuck(), false)
    b.heartbeat()
    assert.equal(b.owned.size, 0)
    world.clock.advance(10_000)
  }
  const answer = stuck()
  assert.equal('error' in answer && answer.error, 'UNKNOWN_MEMBER_ID')
  settle(world, [b])
  assert.equal(topicPartitionsOf(b.owned)[0].partitions.length, 2)
})

test('a static member comes back under another id to what it had', () => {
  const world = new World()
  world.setTopic('t', 4)
  const one = new Client(world, 'one', ['t'], { instanceId: 'i1' })
  const two = new Client(world, 'two', ['t'], { instanceId: 'i2' })
  settle(world, [one, two])
  const { owned, epoch } = two
  const again = new Client(world, 'again', ['t'], { instanceId: 'i2' })
  assert.equal(again.heartbeat(), 'UNRELEASED_INSTANCE_ID')
  two.leave(-2)
  one.heartbeat()
  assert.equal(again.heartbeat(), 'ok')
  assert.deepEqual([again.owned, again.epoch], [owned, epoch])
  assert.equal(world.group.groupEpoch, epoch)
  two.epoch = epoch
  assert.equal(two.heartbeat(), 'FENCED_INSTANCE_ID')
  // One that does not come back gives way when its session is over.
  again.leave(-2)
  for (let round = 0; round < 4; round++) {
    one.heartbeat()
    world.clock.advance(SESSION_MS / 3)
  }
  settle(world, [one])
  assert.equal(topicPartitionsOf(one.owned)[0].partitions.length, 4)
})

test('regular expressions are those of RE2, of the whole name, and see topics that come later', () => {
  const world = new World()
  world.setTopic('orders-eu', 1)
  world.setTopic('my-orders-eu', 1)
  const client = new Client(world, 'm', [], { regex: '(?i)ORDERS-.*' })
  settle(world, [client])
  assert.deepEqual([...client.owned.keys()], [topicId('orders-eu')])
  world.setTopic('orders-us', 2)
  settle(world, [client])
  assert.deepEqual([...client.owned.keys()].sort(), [topicId('orders-eu'), topicId('orders-us')].sort())
  for (const regex of ['(', 'a(?=b)', '(a)\\1']) {
    assert.equal(new Client(world, 'n', [], { regex }).heartbeat(), 'INVALID_REGULAR_EXPRESSION')
  }
  assert.equal(world.group.members.size, 1)
})
