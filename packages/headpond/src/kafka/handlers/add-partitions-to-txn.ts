import { api, type RequestContext } from '../api.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
  addPartitionsToTxnRequest,
  addPartitionsToTxnResponse,
} from '../schemas/add-partitions-to-txn.ts'
import { inWordsOf } from '../transactions/fencing.ts'

/** The first version whose clients know PRODUCER_FENCED. */
const FENCED_VERSION = 2

/** From version 4 on it is for brokers among themselves. */
export const addPartitionsToTxn = api(addPartitionsToTxnRequest, addPartitionsToTxnResponse, [0, 3], handle)

async function handle(
  request: AddPartitionsToTxnRequest,
  { broker, version }: RequestContext,
): Promise<AddPartitionsToTxnResponse> {
  const partitions = request.v3AndBelowTopics.flatMap(({ name, partitions: numbers }) =>
    numbers.map((partition) => ({ topic: name, partition })),
  )
  const refusalOf = (topic: string, partition: number): ErrorName | null => {
    if (broker.logs.partition(topic, partition) === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
    return broker.logs.topics.get(topic)?.isInternal === true ? 'TOPIC_AUTHORIZATION_FAILED' : null
  }
  // All of them or none.
  const isRefused = partitions.some(({ topic, partition }) => refusalOf(topic, partition) !== null)
  const producer = { producerId: request.v3AndBelowProducerId, producerEpoch: request.v3AndBelowProducerEpoch }
  const error = isRefused
    ? 'OPERATION_NOT_ATTEMPTED'
    : inWordsOf(
        version,
        FENCED_VERSION,
        await broker.transactions.add(request.v3AndBelowTransactionalId, producer, partitions),
      )
  return {
    errorCode: 0,
    resultsByTransaction: [],
    resultsByTopicV3AndBelow: request.v3AndBelowTopics.map(({ name, partitions: numbers }) => ({
      name,
      resultsByPartition: numbers.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: errorCodeOf((isRefused ? refusalOf(name, partitionIndex) : null) ?? error),
      })),
    })),
  }
}
