import { api, type RequestContext } from '../api.ts'
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
  { broker }: RequestContext,
): Promise<OffsetDeleteResponse> {
  const { groups, logs } = broker
  const known = topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ partitionIndex }) => logs.partition(name, partitionIndex) !== undefined)
      .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  )
  const errors = await groups.deleteOffsets(groupId, known)
  if (!Array.isArray(errors)) return { errorCode: ERROR[errors], topics: [] }
  const errorOf = (topic: string, partition: number) => {
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
