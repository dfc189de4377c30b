import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
  addPartitionsToTxnRequest,
  addPartitionsToTxnResponse,
} from '../schemas/add-partitions-to-txn.ts'
import { isInternalTopic } from '../topic-names.ts'
import { inWordsOf } from '../transactions/fencing.ts'

/** The first version whose clients know PRODUCER_FENCED. */
const FENCED_VERSION = 2

/** From version 4 on it is for brokers among themselves. */
export const addPartitionsToTxn = api(addPartitionsToTxnRequest, addPartitionsToTxnResponse, [0, 3], handle)

async function handle(
  request: AddPartitionsToTxnRequest,
  context: RequestContext,
): Promise<AddPartitionsToTxnResponse> {
  const { broker, version } = context
  if (!may(context, 'write', 'transactionalId', request.v3AndBelowTransactionalId)) {
    return answer(request, () => 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  }
  const partitions = request.v3AndBelowTopics.flatMap(({ name, partitions: numbers }) =>
    numbers.map((partition) => ({ topic: name, partition })),
  )
  const refusalOf = (topic: string, partition: number): ErrorName | null => {
    // What coordinators keep is written by nobody else.
    if (isInternalTopic(topic) || !may(context, 'write', 'topic', topic)) return 'TOPIC_AUTHORIZATION_FAILED'
    return broker.logs.partition(topic, partition) === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : null
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
  return answer(request, (topic, partition) => (isRefused ? refusalOf(topic, partition) : null) ?? error)
}

function answer(
  { v3AndBelowTopics }: AddPartitionsToTxnRequest,
  errorOf: (topic: string, partition: number) => ErrorName | null,
): AddPartitionsToTxnResponse {
  return {
    errorCode: 0,
    resultsByTransaction: [],
    resultsByTopicV3AndBelow: v3AndBelowTopics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => ({
        partitionIndex,
        partitionErrorCode: errorCodeOf(errorOf(name, partitionIndex)),
      })),
    })),
  }
}
