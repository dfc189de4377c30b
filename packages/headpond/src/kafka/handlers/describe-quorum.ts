import { api, type RequestContext } from '../api.ts'
import { mayOnCluster, REFUSED } from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, KafkaError } from '../errors.ts'
import {
  type DescribeQuorumRequest,
  type DescribeQuorumResponse,
  describeQuorumRequest,
  describeQuorumResponse,
} from '../schemas/describe-quorum.ts'

/** Where a cluster of Kafka keeps its metadata. Here it is no log, so that its offsets stay at zero. */
const METADATA_TOPIC = '__cluster_metadata'

export const describeQuorum = api(describeQuorumRequest, describeQuorumResponse, [0, 2], handle)

/** This broker is the only controller, votes for itself, and is never behind. */
function handle(request: DescribeQuorumRequest, context: RequestContext): DescribeQuorumResponse {
  if (!mayOnCluster(context, 'describe')) throw new KafkaError(REFUSED.cluster.error, REFUSED.cluster.message)
  const { broker, session } = context
  const topics = request.topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) =>
      topicName === METADATA_TOPIC && partitionIndex === 0
        ? leader(broker.nodeId, broker.clock.nowMs())
        : notHosted(partitionIndex),
    ),
  }))
  const isKnown = topics.some(({ partitions }) => partitions.some(({ errorCode }) => errorCode === ERROR.NONE))
  const listeners = [{ name: 'CONTROLLER', ...broker.endpointFor(session) }]
  return {
    errorCode: ERROR.NONE,
    errorMessage: '',
    topics,
    nodes: isKnown ? [{ nodeId: broker.nodeId, listeners }] : [],
  }
}

function leader(nodeId: number, nowMs: number) {
  const voter = {
    replicaId: nodeId,
    replicaDirectoryId: ZERO_UUID,
    logEndOffset: 0,
    lastFetchTimestamp: nowMs,
    lastCaughtUpTimestamp: nowMs,
  }
  return {
    partitionIndex: 0,
    errorCode: ERROR.NONE as number,
    errorMessage: '',
    leaderId: nodeId,
    leaderEpoch: 1,
    highWatermark: 0,
    currentVoters: [voter],
    observers: [],
  }
}

function notHosted(partitionIndex: number) {
  return {
    partitionIndex,
    errorCode: ERROR.UNKNOWN_TOPIC_OR_PARTITION as number,
    errorMessage: 'This server does not host this topic-partition.',
    leaderId: 0,
    leaderEpoch: 0,
    highWatermark: 0,
    currentVoters: [],
    observers: [],
  }
}
