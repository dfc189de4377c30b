/** What a consumer says to its coordinator, request by request, and what it is told. */
import { ZERO_UUID } from '#src/kafka/codec/byte-reader.ts'
import { errorNameOf } from '#src/kafka/errors.ts'
import { describeGroupsRequest, describeGroupsResponse } from '#src/kafka/schemas/describe-groups.ts'
import { heartbeatRequest, heartbeatResponse } from '#src/kafka/schemas/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse } from '#src/kafka/schemas/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse } from '#src/kafka/schemas/leave-group.ts'
import { metadataRequest, metadataResponse } from '#src/kafka/schemas/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from '#src/kafka/schemas/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#src/kafka/schemas/offset-fetch.ts'
import { syncGroupRequest, syncGroupResponse } from '#src/kafka/schemas/sync-group.ts'
import type { WireClient } from '../wire-client.ts'

export interface JoinOptions {
  readonly version?: number
  readonly memberId?: string
  readonly groupInstanceId?: string | null
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly protocolType?: string
  readonly protocols?: readonly { name: string; metadata: Uint8Array }[]
}

export interface Commit {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly metadata?: string | null
  readonly leaderEpoch?: number
}

export interface CommitOptions {
  readonly version?: number
  readonly memberId?: string
  readonly generationId?: number
  readonly groupInstanceId?: string | null
  readonly retentionTimeMs?: number
}

const PROTOCOLS = [{ name: 'range', metadata: Buffer.from('what I want') }]

export class GroupClient {
  readonly wire: WireClient
  readonly groupId: string

  constructor(wire: WireClient, groupId: string) {
    this.wire = wire
    this.groupId = groupId
  }

  join(options: JoinOptions = {}) {
    const { version = 9, memberId = '', groupInstanceId = null, sessionTimeoutMs = 10_000 } = options
    const { rebalanceTimeoutMs = 60_000, protocolType = 'consumer', protocols = PROTOCOLS } = options
    return this.wire
      .call(joinGroupRequest, joinGroupResponse, version, {
        groupId: this.groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId,
        groupInstanceId,
        protocolType,
        protocols,
      })
      .then((answer) => ({ ...answer, error: errorNameOf(answer.errorCode) }))
  }

  /** As a client does: joins, is given an id, joins again. */
  async enter(options: JoinOptions = {}) {
    const first = await this.join(options)
    return first.error === 'MEMBER_ID_REQUIRED' ? this.join({ ...options, memberId: first.memberId }) : first
  }

  sync(
    memberId: string,
    generationId: number,
    assignments: Readonly<Record<string, string>> = {},
    { version = 3, groupInstanceId = null }: { version?: number; groupInstanceId?: string | null } = {},
  ) {
    return this.wire
      .call(syncGroupRequest, syncGroupResponse, version, {
        groupId: this.groupId,
        generationId,
        memberId,
        groupInstanceId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: Object.entries(assignments).map(([id, text]) => ({ memberId: id, assignment: Buffer.from(text) })),
      })
      .then((answer) => ({ ...answer, error: errorNameOf(answer.errorCode), text: answer.assignment.toString() }))
  }

  /** Joins a group that has nobody else, and assigns everything to itself. */
  async enterAlone(options: JoinOptions = {}) {
    const joined = await this.enter(options)
    await this.sync(joined.memberId, joined.generationId, { [joined.memberId]: 'everything' })
    return joined
  }

  async heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): Promise<string> {
    const request = { groupId: this.groupId, generationId, memberId, groupInstanceId }
    return errorNameOf((await this.wire.call(heartbeatRequest, heartbeatResponse, 4, request)).errorCode)
  }

  async leave(members: readonly { memberId?: string; groupInstanceId?: string | null }[]): Promise<string[]> {
    const answer = await this.wire.call(leaveGroupRequest, leaveGroupResponse, 5, {
      groupId: this.groupId,
      members: members.map(({ memberId = '', groupInstanceId = null }) => ({ memberId, groupInstanceId })),
    })
    if (answer.errorCode !== 0) return [errorNameOf(answer.errorCode)]
    return answer.members.map(({ errorCode }) => errorNameOf(errorCode))
  }

  /** The error of each partition. */
  async commit(commits: readonly Commit[], options: CommitOptions = {}): Promise<string[]> {
    const { version = 8, memberId = '', generationId = -1, groupInstanceId = null, retentionTimeMs = -1 } = options
    const topics = [...new Set(commits.map(({ topic }) => topic))].map((name) => ({
      name,
      topicId: ZERO_UUID,
      partitions: commits
        .filter(({ topic }) => topic === name)
        .map(({ partition, offset, metadata = null, leaderEpoch = -1 }) => ({
          partitionIndex: partition,
          committedOffset: BigInt(offset),
          committedLeaderEpoch: leaderEpoch,
          committedMetadata: metadata,
        })),
    }))
    const answer = await this.wire.call(offsetCommitRequest, offsetCommitResponse, version, {
      groupId: this.groupId,
      generationIdOrMemberEpoch: generationId,
      memberId,
      groupInstanceId,
      retentionTimeMs,
      topics,
    })
    return answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorNameOf(errorCode)))
  }

  /** `topic/partition: offset metadata`, or an error; all that there is when nothing is named. */
  async offsets(partitions: readonly string[] | null = null, requireStable = false): Promise<string[]> {
    const byTopic = new Map<string, number[]>()
    for (const name of partitions ?? []) {
      const [topic, partition] = name.split('/')
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), Number(partition)])
    }
    const answer = await this.wire.call(offsetFetchRequest, offsetFetchResponse, 7, {
      groupId: this.groupId,
      topics: partitions === null ? null : [...byTopic].map(([name, partitionIndexes]) => ({ name, partitionIndexes })),
      groups: [],
      requireStable,
    })
    if (answer.errorCode !== 0) return [errorNameOf(answer.errorCode)]
    return answer.topics.flatMap(({ name, partitions: told }) =>
      told.map(({ partitionIndex, committedOffset, metadata, errorCode }) =>
        `${name}/${partitionIndex}: ${errorCode === 0 ? `${committedOffset} ${metadata}` : errorNameOf(errorCode)}`.trim(),
      ),
    )
  }

  async describe(version = 5) {
    const answer = await this.wire.call(describeGroupsRequest, describeGroupsResponse, version, {
      groups: [this.groupId],
      includeAuthorizedOperations: false,
    })
    return answer.groups[0]
  }

  /** Waits until the group is in a state, or has so many members. */
  async until(expected: string | number): Promise<void> {
    for (;;) {
      const { groupState, members } = await this.describe()
      if (groupState === expected || members.length === expected) return
    }
  }
}

/** A topic `orders` with one partition, and groups that have committed offset 1 of it and that nobody is in. */
export async function createGroups(wire: WireClient, groupIds: readonly string[]): Promise<void> {
  await createTopics(wire, ['orders'])
  for (const groupId of groupIds) {
    await new GroupClient(wire, groupId).commit([{ topic: 'orders', partition: 0, offset: 1 }])
  }
}

/** With as many partitions as the broker gives to topics that it makes by itself. */
export async function createTopics(wire: WireClient, names: readonly string[]): Promise<void> {
  await wire.call(metadataRequest, metadataResponse, 9, {
    topics: names.map((name) => ({ name, topicId: ZERO_UUID })),
    allowAutoTopicCreation: true,
    includeTopicAuthorizedOperations: false,
  })
}
