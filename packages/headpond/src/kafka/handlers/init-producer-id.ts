import { api, type RequestContext } from '../api.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type InitProducerIdRequest,
  type InitProducerIdResponse,
  initProducerIdRequest,
  initProducerIdResponse,
} from '../schemas/init-producer-id.ts'

const NO_PRODUCER_ID = -1
const NO_PRODUCER_EPOCH = -1

/** Gives an idempotent producer its id, by which logs recognise what it sends a second time. */
export const initProducerId = api(initProducerIdRequest, initProducerIdResponse, [0, 5], handle)

async function handle(request: InitProducerIdRequest, { broker }: RequestContext): Promise<InitProducerIdResponse> {
  const { transactionalId, producerId, producerEpoch } = request
  if (transactionalId === '') return failed('INVALID_REQUEST')
  if ((producerId === NO_PRODUCER_ID) !== (producerEpoch === NO_PRODUCER_EPOCH)) return failed('INVALID_REQUEST')
  // There is no coordinator of transactions: an error that a client does not try again.
  if (transactionalId !== null) return failed('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  const id = broker.logs.allocateProducerId()
  await broker.logs.written()
  return { errorCode: 0, producerId: id, producerEpoch: 0 }
}

function failed(error: ErrorName): InitProducerIdResponse {
  return { errorCode: errorCodeOf(error), producerId: NO_PRODUCER_ID, producerEpoch: NO_PRODUCER_EPOCH }
}
