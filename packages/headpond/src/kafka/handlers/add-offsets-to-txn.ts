import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import {
  type AddOffsetsToTxnRequest,
  type AddOffsetsToTxnResponse,
  addOffsetsToTxnRequest,
  addOffsetsToTxnResponse,
} from '../schemas/add-offsets-to-txn.ts'
import { inWordsOf } from '../transactions/fencing.ts'

/** The first version whose clients know PRODUCER_FENCED. */
const FENCED_VERSION = 2

export const addOffsetsToTxn = api(addOffsetsToTxnRequest, addOffsetsToTxnResponse, [0, 4], handle)

async function handle(
  { transactionalId, groupId, ...producer }: AddOffsetsToTxnRequest,
  context: RequestContext,
): Promise<AddOffsetsToTxnResponse> {
  const { broker, version } = context
  if (!may(context, 'write', 'transactionalId', transactionalId)) {
    return { errorCode: ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED }
  }
  if (!may(context, 'read', 'group', groupId)) return { errorCode: ERROR.GROUP_AUTHORIZATION_FAILED }
  const error = await broker.transactions.addOffsets(transactionalId, producer, groupId)
  return { errorCode: errorCodeOf(inWordsOf(version, FENCED_VERSION, error)) }
}
