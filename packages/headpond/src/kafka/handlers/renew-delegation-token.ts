import { expiryOf, tokenToChange } from '../admin/token-requests.ts'
import { api, type RequestContext } from '../api.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type RenewDelegationTokenRequest,
  type RenewDelegationTokenResponse,
  renewDelegationTokenRequest,
  renewDelegationTokenResponse,
} from '../schemas/renew-delegation-token.ts'

export const renewDelegationToken = api(renewDelegationTokenRequest, renewDelegationTokenResponse, [1, 2], handle)

function handle(
  { hmac, renewPeriodMs }: RenewDelegationTokenRequest,
  context: RequestContext,
): RenewDelegationTokenResponse {
  const { tokens } = context.broker.authentication
  const token = tokenToChange(hmac, context)
  if (typeof token === 'string') return refuse(token)
  if (tokens.isExpired(token)) return refuse('DELEGATION_TOKEN_EXPIRED')
  return { errorCode: ERROR.NONE, expiryTimestampMs: tokens.renew(token, renewPeriodMs) }
}

function refuse(error: ErrorName): RenewDelegationTokenResponse {
  return { errorCode: ERROR[error], expiryTimestampMs: expiryOf(error) }
}
