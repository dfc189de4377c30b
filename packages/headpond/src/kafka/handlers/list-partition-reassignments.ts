import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, type KafkaError } from '../errors.ts'
import {
  type ListPartitionReassignmentsRequest,
  type ListPartitionReassignmentsResponse,
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../schemas/list-partition-reassignments.ts'

/** Only partitions that are being moved are listed, and with one broker none ever is. */
export const listPartitionReassignments = api(
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
  [0, 0],
  handle,
  { refuse },
)

function handle(_: ListPartitionReassignmentsRequest, context: RequestContext): ListPartitionReassignmentsResponse {
  requireOnCluster(context, 'describe')
  return { errorCode: ERROR.NONE, errorMessage: null, topics: [] }
}

/** Kafka names what was asked for, with nothing about it. */
function refuse(
  { topics }: ListPartitionReassignmentsRequest,
  { code, message }: KafkaError,
): ListPartitionReassignmentsResponse {
  const named = (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      replicas: [],
      addingReplicas: [],
      removingReplicas: [],
    })),
  }))
  return { errorCode: code, errorMessage: message, topics: named }
}
