import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import {
  type OffsetDeleteRequest,
  type OffsetDeleteResponse,
  offsetDeleteRequest,
  offsetDeleteResponse,
} from '../schemas/offset-delete.ts'

export const offsetDelete = api(offsetDeleteRequest, offsetDeleteResponse, [0, 0], handle)

async function handle(
  { groupId, topics }: OffsetDeleteRequest,
  context: RequestContext,
): Promise<OffsetDeleteResponse> {
  const { groups, logs } = context.broker
  if (!may(context, 'delete', 'group', groupId)) return { errorCode: ERROR.GROUP_AUTHORIZATION_FAILED, topics: [] }
  const readable = new Set(topics.map(({ name }) => name).filter((name) => may(context, 'read', 'topic', name)))
  const known = topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ partitionIndex }) => readable.has(name) && logs.partition(name, partitionIndex) !== undefined)
      .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  )
  const errors = await groups.deleteOffsets(groupId, known)
  if (!Array.isArray(errors)) return { errorCode: ERROR[errors], topics: [] }
  const errorOf = (topic: string, partition: number) => {
    if (!readable.has(topic)) return ERROR.TOPIC_AUTHORIZATION_FAILED
    const index = known.findIndex((each) => each.topic === topic && each.partition === partition)
    return index < 0 ? ERROR.UNKNOWN_TOPIC_OR_PARTITION : errorCodeOf(errors[index])
  }
  return {
    errorCode: ERROR.NONE,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errorOf(name, partitionIndex),
      })),
    })),
  }
}
