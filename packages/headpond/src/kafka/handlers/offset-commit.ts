import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import type { NewOffset } from '../groups/group-coordinator.ts'
import {
  type OffsetCommitRequest,
  type OffsetCommitResponse,
  offsetCommitRequest,
  offsetCommitResponse,
} from '../schemas/offset-commit.ts'

/** Version 10 names topics by their ids. */
export const offsetCommit = api(offsetCommitRequest, offsetCommitResponse, [2, 9], handle)

type Partition = OffsetCommitRequest['topics'][number]['partitions'][number]

async function handle(request: OffsetCommitRequest, context: RequestContext): Promise<OffsetCommitResponse> {
  const { groups, logs } = context.broker
  if (!may(context, 'read', 'group', request.groupId)) return answer(request, () => 'GROUP_AUTHORIZATION_FAILED')
  const readable = new Set(request.topics.map(({ name }) => name).filter((name) => may(context, 'read', 'topic', name)))
  const isKnown = (topic: string, { partitionIndex }: Partition) =>
    readable.has(topic) && logs.partition(topic, partitionIndex) !== undefined
  const isTooLong = ({ committedMetadata }: Partition) =>
    (committedMetadata?.length ?? 0) > groups.offsetMetadataCharactersMax

  const hasKnown = request.topics.some(({ name, partitions }) => partitions.some((each) => isKnown(name, each)))
  const refusal = hasKnown ? groups.commitRefusal(committerOf(request), context.version) : null
  let error: ErrorName | null = refusal
  if (hasKnown && refusal === null) {
    const offsets = request.topics.flatMap(({ name, partitions }) =>
      partitions.filter((each) => isKnown(name, each) && !isTooLong(each)).map((each) => newOffset(name, each)),
    )
    error = await groups.commit(request.groupId, offsets, request.retentionTimeMs)
  }
  const errorOf = (topic: string, partition: Partition): ErrorName | null => {
    if (!readable.has(topic)) return 'TOPIC_AUTHORIZATION_FAILED'
    if (!isKnown(topic, partition)) return 'UNKNOWN_TOPIC_OR_PARTITION'
    return refusal ?? (isTooLong(partition) ? 'OFFSET_METADATA_TOO_LARGE' : error)
  }
  return answer(request, errorOf)
}

function answer(
  { topics }: OffsetCommitRequest,
  errorOf: (topic: string, partition: Partition) => ErrorName | null,
): OffsetCommitResponse {
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map((partition) => ({
        partitionIndex: partition.partitionIndex,
        errorCode: errorCodeOf(errorOf(name, partition)),
      })),
    })),
  }
}

function committerOf({ groupId, memberId, groupInstanceId, generationIdOrMemberEpoch }: OffsetCommitRequest) {
  return { groupId, memberId, groupInstanceId, generationId: generationIdOrMemberEpoch }
}

function newOffset(
  topic: string,
  { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }: Partition,
): NewOffset {
  return {
    topic,
    partition: partitionIndex,
    offset: committedOffset,
    leaderEpoch: committedLeaderEpoch,
    metadata: committedMetadata ?? '',
  }
}
