import { api, type RequestContext } from '../api.ts'
import { mayOnClusterQuietly, requireOnCluster } from '../authorizer/authorization.ts'
import { errorCodeOf, type KafkaError } from '../errors.ts'
import {
  type WriteTxnMarkersRequest,
  type WriteTxnMarkersResponse,
  writeTxnMarkersRequest,
  writeTxnMarkersResponse,
} from '../schemas/write-txn-markers.ts'

/** What brokers say to each other, and administrators where a transaction hangs. */
export const writeTxnMarkers = api(writeTxnMarkersRequest, writeTxnMarkersResponse, [1, 1], handle, { refuse })

async function handle({ markers }: WriteTxnMarkersRequest, context: RequestContext): Promise<WriteTxnMarkersResponse> {
  if (!mayOnClusterQuietly(context, 'alter')) requireOnCluster(context, 'clusterAction')
  const { broker } = context
  const answered = markers.map(({ topics, coordinatorEpoch, transactionResult, ...producer }) => ({
    producerId: producer.producerId,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({
        partitionIndex,
        errorCode: errorCodeOf(
          broker.transactions.mark(
            { topic: name, partition: partitionIndex },
            producer,
            coordinatorEpoch,
            transactionResult,
          ),
        ),
      })),
    })),
  }))
  await broker.logs.written()
  return { markers: answered }
}

function refuse({ markers }: WriteTxnMarkersRequest, { code }: KafkaError): WriteTxnMarkersResponse {
  return {
    markers: markers.map(({ producerId, topics }) => ({
      producerId,
      topics: topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode: code })),
      })),
    })),
  }
}
