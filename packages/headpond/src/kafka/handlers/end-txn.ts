import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import { type EndTxnRequest, type EndTxnResponse, endTxnRequest, endTxnResponse } from '../schemas/end-txn.ts'
import { inWordsOf } from '../transactions/fencing.ts'

/** The first version whose clients know PRODUCER_FENCED. */
const FENCED_VERSION = 2

/** The first of the second version of transactions: it ends the producer's epoch too (KIP-890). */
const EPOCHS_VERSION = 5

export const endTxn = api(endTxnRequest, endTxnResponse, [0, 5], handle)

async function handle(
  { transactionalId, committed, ...producer }: EndTxnRequest,
  context: RequestContext,
): Promise<EndTxnResponse> {
  const { broker, version } = context
  if (!may(context, 'write', 'transactionalId', transactionalId)) {
    return { errorCode: ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED }
  }
  if (version >= EPOCHS_VERSION) {
    const next = await broker.transactions.endEpoch(transactionalId, producer, committed)
    if (typeof next === 'string') return { errorCode: errorCodeOf(next) }
    return { errorCode: ERROR.NONE, producerId: next.producerId, producerEpoch: next.producerEpoch }
  }
  const error = await broker.transactions.end(transactionalId, producer, committed)
  return { errorCode: errorCodeOf(inWordsOf(version, FENCED_VERSION, error)) }
}
