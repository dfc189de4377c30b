import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName, errorCodeOf } from '../errors.ts'
import type { GroupCoordinator } from '../groups/group-coordinator.ts'
import {
  type OffsetFetchRequest,
  type OffsetFetchResponse,
  offsetFetchRequest,
  offsetFetchResponse,
} from '../schemas/offset-fetch.ts'

/** Version 10 names topics by their ids. */
export const offsetFetch = api(offsetFetchRequest, offsetFetchResponse, [1, 9], handle)

type GroupRequest = OffsetFetchRequest['groups'][number]
type GroupAnswer = NonNullable<OffsetFetchResponse['groups']>[number]
type PartitionAnswer = GroupAnswer['topics'][number]['partitions'][number]

function handle(request: OffsetFetchRequest, context: RequestContext): OffsetFetchResponse {
  const { version } = context
  const { requireStable } = request
  if (version >= 8) {
    return {
      topics: [],
      groups: request.groups.map((group) => groupAnswer(group, requireStable, context)),
    }
  }
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  const group = { groupId: request.groupId, memberId: null, memberEpoch: -1, topics }
  const answer = groupAnswer(group, requireStable, context)
  // Version 1 has no place for an error but with each partition.
  if (version === 1 && answer.errorCode !== ERROR.NONE) {
    return { topics: topicAnswers(group, () => none(answer.errorCode ?? ERROR.NONE)), groups: [] }
  }
  return { topics: answer.topics, errorCode: answer.errorCode, groups: [] }
}

function groupAnswer(group: GroupRequest, requireStable: boolean, context: RequestContext): GroupAnswer {
  const { groupId, memberId, memberEpoch } = group
  const { groups } = context.broker
  const refusal: ErrorName | null = may(context, 'describe', 'group', groupId)
    ? groups.fetchRefusal(groupId, memberId, memberEpoch)
    : 'GROUP_AUTHORIZATION_FAILED'
  if (refusal !== null) return { groupId, topics: [], errorCode: errorCodeOf(refusal) }
  const maySee = (topic: string) => may(context, 'describe', 'topic', topic)
  // Asked for all, a client does not hear of topics that it may not see.
  const asked = group.topics ?? allTopics(groups, groupId).filter(({ name }) => maySee(name))
  const topics = topicAnswers({ ...group, topics: asked }, (topic, partition) => {
    if (!maySee(topic)) return none(ERROR.TOPIC_AUTHORIZATION_FAILED)
    const committed = groups.committedOffset(groupId, topic, partition, requireStable)
    if (committed === undefined) return none(ERROR.NONE)
    if (committed === 'UNSTABLE_OFFSET_COMMIT') return none(ERROR.UNSTABLE_OFFSET_COMMIT)
    return {
      committedOffset: committed.offset,
      committedLeaderEpoch: committed.leaderEpoch,
      metadata: committed.metadata,
      errorCode: ERROR.NONE,
    }
  })
  return { groupId, topics, errorCode: ERROR.NONE }
}

function topicAnswers(
  { topics }: GroupRequest,
  answer: (topic: string, partition: number) => Omit<PartitionAnswer, 'partitionIndex'>,
): GroupAnswer['topics'] {
  return (topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, ...answer(name, partitionIndex) })),
  }))
}

function allTopics(groups: GroupCoordinator, groupId: string): NonNullable<GroupRequest['topics']> {
  const byName = new Map<string, number[]>()
  for (const { topic, partition } of groups.committedPartitions(groupId)) {
    const partitions = byName.get(topic)
    if (partitions === undefined) byName.set(topic, [partition])
    else partitions.push(partition)
  }
  return [...byName].map(([name, partitionIndexes]) => ({ name, topicId: ZERO_UUID, partitionIndexes }))
}

/** Nothing has been committed, or nothing can be told. */
function none(errorCode: number): Omit<PartitionAnswer, 'partitionIndex'> {
  return { committedOffset: -1n, committedLeaderEpoch: -1, metadata: '', errorCode }
}
