import { api, type RequestContext } from '../api.ts'
import { errorCodeOf } from '../errors.ts'
import {
  type WriteTxnMarkersRequest,
  type WriteTxnMarkersResponse,
  writeTxnMarkersRequest,
  writeTxnMarkersResponse,
} from '../schemas/write-txn-markers.ts'

/** What brokers say to each other, and administrators where a transaction hangs. */
export const writeTxnMarkers = api(writeTxnMarkersRequest, writeTxnMarkersResponse, [1, 1], handle)

async function handle(
  { markers }: WriteTxnMarkersRequest,
  { broker }: RequestContext,
): Promise<WriteTxnMarkersResponse> {
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
