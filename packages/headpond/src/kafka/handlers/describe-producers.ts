import { api, type RequestContext } from '../api.ts'
import { may, REFUSED } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type DescribeProducersRequest,
  type DescribeProducersResponse,
  describeProducersRequest,
  describeProducersResponse,
} from '../schemas/describe-producers.ts'
import { refuseTopicName } from '../topic-names.ts'

export const describeProducers = api(describeProducersRequest, describeProducersResponse, [0, 0], handle)

type PartitionAnswer = DescribeProducersResponse['topics'][number]['partitions'][number]

/** Producers whose sequence numbers a partition still knows, and whether they have a transaction open there. */
function handle({ topics }: DescribeProducersRequest, context: RequestContext): DescribeProducersResponse {
  return {
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => describe(name, partitionIndex, context)),
    })),
  }
}

function describe(name: string, partitionIndex: number, context: RequestContext): PartitionAnswer {
  const { broker } = context
  const refused = (error: ErrorName, errorMessage: string | null) => ({
    partitionIndex,
    errorCode: ERROR[error],
    errorMessage,
    activeProducers: [],
  })
  const problem = refuseTopicName(name)
  if (problem !== null) return refused('INVALID_TOPIC_EXCEPTION', problem)
  if (!may(context, 'read', 'topic', name)) return refused(REFUSED.topic.error, REFUSED.topic.message)
  const topic = broker.logs.topics.get(name)
  if (topic === undefined) {
    return refused('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.')
  }
  const log = topic.partitions[partitionIndex]
  if (log === undefined) return refused('UNKNOWN_TOPIC_OR_PARTITION', null)
  return {
    partitionIndex,
    errorCode: ERROR.NONE,
    errorMessage: null,
    activeProducers: log.activeProducers().map((producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: producer.lastTimestampMs,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.currentTransactionStartOffset,
    })),
  }
}
