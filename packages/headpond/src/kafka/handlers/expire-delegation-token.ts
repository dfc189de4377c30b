import { expiryOf, tokenToChange } from '../admin/token-requests.ts'
import { api, type RequestContext } from '../api.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type ExpireDelegationTokenRequest,
  type ExpireDelegationTokenResponse,
  expireDelegationTokenRequest,
  expireDelegationTokenResponse,
} from '../schemas/expire-delegation-token.ts'

export const expireDelegationToken = api(expireDelegationTokenRequest, expireDelegationTokenResponse, [1, 2], handle)

/** A period below zero ends the token at once. */
function handle(
  { hmac, expiryTimePeriodMs }: ExpireDelegationTokenRequest,
  context: RequestContext,
): ExpireDelegationTokenResponse {
  const { broker } = context
  const { tokens } = broker.authentication
  const token = tokenToChange(hmac, context)
  if (typeof token === 'string') return refuse(token)
  if (expiryTimePeriodMs < 0) {
    tokens.remove(token)
    return { errorCode: ERROR.NONE, expiryTimestampMs: broker.clock.nowMs() }
  }
  if (tokens.isExpired(token)) return refuse('DELEGATION_TOKEN_EXPIRED')
  return { errorCode: ERROR.NONE, expiryTimestampMs: tokens.expireAfter(token, expiryTimePeriodMs) }
}

function refuse(error: ErrorName): ExpireDelegationTokenResponse {
  return { errorCode: ERROR[error], expiryTimestampMs: expiryOf(error) }
}
