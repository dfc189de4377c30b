import { type Refusal, refuseReplicas } from '../admin/partition-plan.ts'
import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, type KafkaError } from '../errors.ts'
import {
  type AlterPartitionReassignmentsRequest,
  type AlterPartitionReassignmentsResponse,
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '../schemas/alter-partition-reassignments.ts'

export const alterPartitionReassignments = api(
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
  [0, 1],
  handle,
  { refuse: refuseAll },
)

/** To move a partition to the only broker there is, is done at once; there is nowhere else. */
function handle(
  { topics, allowReplicationFactorChange }: AlterPartitionReassignmentsRequest,
  context: RequestContext,
): AlterPartitionReassignmentsResponse {
  requireOnCluster(context, 'alter')
  const { broker } = context
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => {
      const refusal = refuse(name, partitionIndex, replicas, broker)
      return {
        partitionIndex,
        errorCode: ERROR[refusal?.error ?? 'NONE'],
        errorMessage: refusal?.message ?? null,
      }
    }),
  }))
  return { allowReplicationFactorChange, errorCode: ERROR.NONE, errorMessage: null, responses }
}

function refuse(
  topic: string,
  partition: number,
  replicas: readonly number[] | null,
  { logs, nodeId }: RequestContext['broker'],
): Refusal | null {
  const known = logs.topics.get(topic)
  if (known === undefined) {
    return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: `Unable to find a topic named ${topic}.` }
  }
  if (known.partitions[partition] === undefined) {
    return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: `Unable to find partition ${topic}:${partition}.` }
  }
  // Null ends a move that is under way.
  if (replicas === null) return { error: 'NO_REASSIGNMENT_IN_PROGRESS', message: null }
  return refuseReplicas(replicas, nodeId)
}

function refuseAll(
  { topics }: AlterPartitionReassignmentsRequest,
  { code, message }: KafkaError,
): AlterPartitionReassignmentsResponse {
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code, errorMessage: message })),
  }))
  return { errorCode: code, errorMessage: message, responses }
}
