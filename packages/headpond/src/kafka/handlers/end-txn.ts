import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import { type EndTxnRequest, type EndTxnResponse, endTxnRequest, endTxnResponse } from '../schemas/end-txn.ts'
import { inWordsOf } from '../transactions/fencing.ts'

/** The first version whose clients know PRODUCER_FENCED. */
const FENCED_VERSION = 2

/** Version 5 belongs to the second version of transactions, as Produce 12 does. */
export const endTxn = api(endTxnRequest, endTxnResponse, [0, 4], handle)

async function handle(
  { transactionalId, committed, ...producer }: EndTxnRequest,
  context: RequestContext,
): Promise<EndTxnResponse> {
  const { broker, version } = context
  if (!may(context, 'write', 'transactionalId', transactionalId)) {
    return { errorCode: ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED }
  }
  const error = await broker.transactions.end(transactionalId, producer, committed)
  return { errorCode: errorCodeOf(inWordsOf(version, FENCED_VERSION, error)) }
}
