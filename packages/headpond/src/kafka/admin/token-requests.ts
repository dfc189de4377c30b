/** What requests about delegation tokens have in common. */

import type { RequestContext } from '../api.ts'
import type { ErrorName } from '../errors.ts'
import { asksForLogin } from '../listener.ts'
import { ANONYMOUS } from '../principal.ts'
import { type DelegationToken, isRenewer } from '../security/delegation-tokens.ts'

/** Only who has proved who it is hands something on, and not by a token: else a token could outlive itself. */
export function mayAskForTokens({ session: { listener, principal, isTokenLogin } }: RequestContext): boolean {
  return !isTokenLogin && (asksForLogin(listener) || (listener.protocol === 'SSL' && principal !== ANONYMOUS))
}

/** The token with that secret, for who may renew or end it. */
export function tokenToChange(hmac: Buffer, context: RequestContext): DelegationToken | ErrorName {
  const { tokens } = context.broker.authentication
  if (!mayAskForTokens(context)) return 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED'
  if (!tokens.isEnabled) return 'DELEGATION_TOKEN_AUTH_DISABLED'
  const token = tokens.ofHmac(hmac)
  if (token === undefined) return 'DELEGATION_TOKEN_NOT_FOUND'
  return isRenewer(context.session.principal, token) ? token : 'DELEGATION_TOKEN_OWNER_MISMATCH'
}

/** What stands for a time where there is none: the broker's answer and the controller's differ in Kafka. */
export function expiryOf(error: ErrorName): number {
  return error === 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED' ? -1 : 0
}
