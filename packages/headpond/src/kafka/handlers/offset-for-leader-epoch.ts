import { api, type RequestContext } from '../api.ts'
import { may, mayOnClusterQuietly } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import { checkLeaderEpoch } from '../fetch/fetch-reader.ts'
import {
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '../schemas/offset-for-leader-epoch.ts'

type PartitionAnswer = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number]
type RequestedPartition = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]

/** How a consumer finds out, after a change of leader, whether what it has read is still in the log. */
export const offsetForLeaderEpoch = api(offsetForLeaderEpochRequest, offsetForLeaderEpochResponse, [2, 4], handle)

function handle(request: OffsetForLeaderEpochRequest, context: RequestContext): OffsetForLeaderEpochResponse {
  const maySeeAll = mayOnClusterQuietly(context, 'clusterAction')
  return {
    topics: request.topics.map(({ topic, partitions }) => {
      const isAllowed = maySeeAll || may(context, 'describe', 'topic', topic)
      return {
        topic,
        partitions: partitions.map((partition) =>
          isAllowed ? answer(topic, partition, context) : nothing(partition.partition, 'TOPIC_AUTHORIZATION_FAILED'),
        ),
      }
    }),
  }
}

function nothing(partition: number, error: ErrorName): PartitionAnswer {
  return { errorCode: errorCodeOf(error), partition, leaderEpoch: -1, endOffset: -1 }
}

function answer(topic: string, asked: RequestedPartition, { broker }: RequestContext): PartitionAnswer {
  const { partition, currentLeaderEpoch, leaderEpoch } = asked
  const log = broker.logs.partition(topic, partition)
  const error = log === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : checkLeaderEpoch(log, currentLeaderEpoch)
  if (error !== null) return nothing(partition, error)
  const { epoch, endOffset } = log!.endOffsetForEpoch(leaderEpoch)
  return { errorCode: 0, partition, leaderEpoch: epoch, endOffset }
}
