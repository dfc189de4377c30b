import { MalformedMessage, ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR } from '../errors.ts'
import { consumerGroupDescribeRequest, consumerGroupDescribeResponse } from '../schemas/consumer-group-describe.ts'
import { consumerProtocolAssignment } from '../schemas/consumer-protocol.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '../schemas/delete-groups.ts'
import { describeGroupsRequest, describeGroupsResponse } from '../schemas/describe-groups.ts'
import { listGroupsRequest, listGroupsResponse } from '../schemas/list-groups.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../schemas/offset-commit.ts'
import { offsetDeleteRequest, offsetDeleteResponse } from '../schemas/offset-delete.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../schemas/offset-fetch.ts'
import type { KafkaClient } from './client.ts'
import { RefusedError, refuseUnlessNone } from './kafka-client-error.ts'
import type { TopicPartition } from './offsets.ts'
import { PartitionMap } from './partition-map.ts'

export interface ListedGroup {
  readonly group: string
  /** 'consumer', 'connect'; '' for groups that only commit offsets. */
  readonly protocolType: string
  /** Undefined where brokers do not tell, as for the type. */
  readonly state: string | undefined
  /** 'classic', 'consumer' */
  readonly type: string | undefined
}

export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  readonly assignment: readonly TopicPartition[]
}

export interface DescribedGroup {
  readonly group: string
  /** 'Dead': there is no such group. */
  readonly state: string
  readonly protocolType: string
  /** Who assigns: 'range', 'uniform'. */
  readonly assignor: string
  readonly members: readonly GroupMember[]
}

export interface CommittedOffset {
  readonly offset: number
  readonly metadata: string
}

const LIST_GROUPS = { request: listGroupsRequest, response: listGroupsResponse }
const DESCRIBE_GROUPS = { request: describeGroupsRequest, response: describeGroupsResponse }
const DESCRIBE_CONSUMER_GROUPS = { request: consumerGroupDescribeRequest, response: consumerGroupDescribeResponse }
const OFFSET_FETCH = { request: offsetFetchRequest, response: offsetFetchResponse }
const OFFSET_COMMIT = { request: offsetCommitRequest, response: offsetCommitResponse }
const OFFSET_DELETE = { request: offsetDeleteRequest, response: offsetDeleteResponse }
const DELETE_GROUPS = { request: deleteGroupsRequest, response: deleteGroupsResponse }
/** Later ones take several groups at once. */
const OFFSET_FETCH_VERSION_MAX = 7
/** Later ones name topics by id. */
const OFFSET_COMMIT_VERSION_MAX = 9
/** Later ones call a group that does not exist an error. */
const DESCRIBE_GROUPS_VERSION_MAX = 5

/** The groups of all brokers, by name. */
export async function listGroups(client: KafkaClient): Promise<ListedGroup[]> {
  const found = new Map<string, ListedGroup>()
  const told = (text: string) => (text === '' ? undefined : text)
  for (const nodeId of client.cluster.brokers.keys()) {
    const answer = await client.call(nodeId, LIST_GROUPS, { statesFilter: [], typesFilter: [] })
    refuseUnlessNone('groups', answer.errorCode)
    for (const { groupId, protocolType, groupState, groupType } of answer.groups) {
      found.set(groupId, {
        group: groupId,
        protocolType,
        state: told(groupState),
        type: told(groupType)?.toLowerCase(),
      })
    }
  }
  return [...found.values()].sort((a, b) => (a.group < b.group ? -1 : 1))
}

/** Rejects with RefusedError; for a group that does not exist the state is Dead. */
export async function describeGroup(client: KafkaClient, group: string): Promise<DescribedGroup> {
  const answer = await client.callCoordinator(
    group,
    DESCRIBE_GROUPS,
    { groups: [group], includeAuthorizedOperations: false },
    { versionMax: DESCRIBE_GROUPS_VERSION_MAX, errorOf: ({ groups }) => groups[0].errorCode },
  )
  const [found] = answer.groups
  if (found.errorCode !== ERROR.GROUP_ID_NOT_FOUND) refuseUnlessNone(`group ${group}`, found.errorCode)
  if (found.groupState !== 'Dead' && found.groupState !== '') {
    return {
      group,
      state: found.groupState,
      protocolType: found.protocolType,
      assignor: found.protocolData,
      members: found.members.map((member) => ({
        memberId: member.memberId,
        instanceId: member.groupInstanceId,
        clientId: member.clientId,
        host: hostOf(member.clientHost),
        assignment: found.protocolType === 'consumer' ? assignmentOf(member.memberAssignment) : [],
      })),
    }
  }
  // Groups of the newer protocol are unknown to the older question.
  return (
    (await describeConsumerGroup(client, group)) ?? {
      group,
      state: 'Dead',
      protocolType: '',
      assignor: '',
      members: [],
    }
  )
}

async function describeConsumerGroup(client: KafkaClient, group: string): Promise<DescribedGroup | undefined> {
  if (!(await client.offers(DESCRIBE_CONSUMER_GROUPS, await client.coordinatorOf(group)))) return undefined
  const answer = await client.callCoordinator(
    group,
    DESCRIBE_CONSUMER_GROUPS,
    { groupIds: [group], includeAuthorizedOperations: false },
    { errorOf: ({ groups }) => groups[0].errorCode },
  )
  const [found] = answer.groups
  if (found.errorCode === ERROR.GROUP_ID_NOT_FOUND) return undefined
  refuseUnlessNone(`group ${group}`, found.errorCode, found.errorMessage)
  return {
    group,
    state: found.groupState,
    protocolType: 'consumer',
    assignor: found.assignorName,
    members: found.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
      memberId,
      instanceId,
      clientId,
      host: hostOf(clientHost),
      assignment: assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map((partition) => ({ topic: topicName, partition })),
      ),
    })),
  }
}

/** What a member reads; empty where it does not say it in the consumers' own words. */
function assignmentOf(bytes: Uint8Array): TopicPartition[] {
  if (bytes.length === 0) return []
  try {
    const { assignedPartitions } = consumerProtocolAssignment.decodeRecord(bytes)
    return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
  } catch (error) {
    if (error instanceof MalformedMessage) return []
    throw error
  }
}

/** Everything that a group has committed. Rejects with RefusedError. */
export async function committedOffsets(client: KafkaClient, group: string): Promise<PartitionMap<CommittedOffset>> {
  const answer = await client.callCoordinator(
    group,
    OFFSET_FETCH,
    { groupId: group, topics: null, groups: [] },
    { versionMax: OFFSET_FETCH_VERSION_MAX, errorOf: ({ errorCode }) => errorCode },
  )
  refuseUnlessNone(`group ${group}`, answer.errorCode)
  const offsets = new PartitionMap<CommittedOffset>()
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, committedOffset, metadata, errorCode } of partitions) {
      refuseUnlessNone(`group ${group}, ${name}, partition ${partitionIndex}`, errorCode)
      if (committedOffset < 0n) continue
      offsets.set(name, partitionIndex, { offset: Number(committedOffset), metadata: metadata ?? '' })
    }
  }
  return offsets
}

/** Commits from outside, for a group without members. Rejects with RefusedError. */
export async function commitOffsets(client: KafkaClient, group: string, offsets: PartitionMap<number>): Promise<void> {
  const answer = await client.callCoordinator(
    group,
    OFFSET_COMMIT,
    {
      groupId: group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [...offsets.topics].map((name) => ({
        name,
        topicId: ZERO_UUID,
        partitions: [...offsets.of(name)].map(([partitionIndex, offset]) => ({
          partitionIndex,
          committedOffset: BigInt(offset),
          committedMetadata: '',
        })),
      })),
    },
    {
      versionMax: OFFSET_COMMIT_VERSION_MAX,
      errorOf: ({ topics }) => topics[0]?.partitions[0]?.errorCode ?? ERROR.NONE,
    },
  )
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      refuseUnlessNone(`group ${group}, ${name}, partition ${partitionIndex}`, errorCode)
    }
  }
}

/** Forgets what a group has committed for some partitions. Rejects with RefusedError. */
export async function deleteOffsets(
  client: KafkaClient,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<void> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  const answer = await client.callCoordinator(
    group,
    OFFSET_DELETE,
    {
      groupId: group,
      topics: topics.map((name) => ({
        name,
        partitions: partitions.flatMap(({ topic, partition }) =>
          topic === name ? [{ partitionIndex: partition }] : [],
        ),
      })),
    },
    { errorOf: ({ errorCode }) => errorCode },
  )
  refuseUnlessNone(`group ${group}`, answer.errorCode)
  for (const { name, partitions: results } of answer.topics) {
    for (const { partitionIndex, errorCode } of results) {
      refuseUnlessNone(`group ${group}, ${name}, partition ${partitionIndex}`, errorCode)
    }
  }
}

/** Null when it is gone, or why it is not. */
export async function deleteGroup(client: KafkaClient, group: string): Promise<RefusedError | null> {
  const answer = await client.callCoordinator(
    group,
    DELETE_GROUPS,
    { groupsNames: [group] },
    { errorOf: ({ results }) => results[0].errorCode },
  )
  const { errorCode } = answer.results[0]
  return errorCode === ERROR.NONE ? null : new RefusedError(`group ${group}`, errorCode)
}

/** Java writes addresses as `/127.0.0.1`. */
function hostOf(text: string): string {
  return text.replace(/^\//, '')
}
