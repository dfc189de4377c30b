import { api, type RequestContext } from '../api.ts'
import { may, mayOnClusterQuietly, maySomewhere } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type InitProducerIdRequest,
  type InitProducerIdResponse,
  initProducerIdRequest,
  initProducerIdResponse,
} from '../schemas/init-producer-id.ts'
import { inWordsOf } from '../transactions/fencing.ts'
import { NO_PRODUCER_EPOCH, NO_PRODUCER_ID } from '../transactions/transaction.ts'

/** The first version whose clients know PRODUCER_FENCED. */
const FENCED_VERSION = 4

/**
 * Gives a producer its id, by which logs recognise what it sends a second time; one with transactions goes on with the id
 * that it had, and a new epoch.
 */
export const initProducerId = api(initProducerIdRequest, initProducerIdResponse, [0, 5], handle)

async function handle(request: InitProducerIdRequest, context: RequestContext): Promise<InitProducerIdResponse> {
  const { broker, version } = context
  const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request
  const refusal = refuse(transactionalId, context)
  if (refusal !== null) return failed(refusal)
  if (transactionalId === '') return failed('INVALID_REQUEST')
  if ((producerId === NO_PRODUCER_ID) !== (producerEpoch === NO_PRODUCER_EPOCH)) return failed('INVALID_REQUEST')
  if (transactionalId === null) {
    const id = broker.logs.allocateProducerId()
    await broker.logs.written()
    return { errorCode: 0, producerId: id, producerEpoch: 0 }
  }
  const current = { producerId, producerEpoch }
  const begun = await broker.transactions.begin(transactionalId, transactionTimeoutMs, current)
  if (typeof begun === 'string') return failed(inWordsOf(version, FENCED_VERSION, begun))
  return { errorCode: 0, producerId: begun.producerId, producerEpoch: begun.producerEpoch }
}

/** To be idempotent is allowed to whoever may write to any topic. */
function refuse(transactionalId: string | null, context: RequestContext): ErrorName | null {
  if (transactionalId !== null) {
    const isAllowed = may(context, 'write', 'transactionalId', transactionalId)
    return isAllowed ? null : 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'
  }
  const isAllowed = mayOnClusterQuietly(context, 'idempotentWrite') || maySomewhere(context, 'write', 'topic')
  return isAllowed ? null : 'CLUSTER_AUTHORIZATION_FAILED'
}

function failed(error: ErrorName | null): InitProducerIdResponse {
  return { errorCode: errorCodeOf(error), producerId: NO_PRODUCER_ID, producerEpoch: NO_PRODUCER_EPOCH }
}
