import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type OffsetCommitRequest,
  type OffsetCommitResponse,
  offsetCommitRequest,
  offsetCommitResponse,
} from '../schemas/offset-commit.ts'
import { offsetsToCommit } from './offsets-to-commit.ts'

/** Version 10 names topics by their ids. */
export const offsetCommit = api(offsetCommitRequest, offsetCommitResponse, [2, 9], handle)

type Partition = OffsetCommitRequest['topics'][number]['partitions'][number]

async function handle(request: OffsetCommitRequest, context: RequestContext): Promise<OffsetCommitResponse> {
  const { groups } = context.broker
  if (!may(context, 'read', 'group', request.groupId)) return answer(request, () => 'GROUP_AUTHORIZATION_FAILED')
  const { offsets, hasKnown, errorOf } = offsetsToCommit(request.topics, context)
  const refusal = hasKnown ? groups.commitRefusal(committerOf(request), context.version) : null
  const isKept = hasKnown && refusal === null
  const error = isKept ? await groups.commit(request.groupId, offsets, request.retentionTimeMs) : refusal
  return answer(request, (topic, partition) => errorOf(topic, partition, refusal, error))
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
