import { mayAskForTokens } from '../admin/token-requests.ts'
import { api, type RequestContext } from '../api.ts'
import { mayQuietly } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import { type KafkaPrincipal, textOfPrincipal } from '../principal.ts'
import {
  type DescribeDelegationTokenRequest,
  type DescribeDelegationTokenResponse,
  describeDelegationTokenRequest,
  describeDelegationTokenResponse,
} from '../schemas/describe-delegation-token.ts'
import { type DelegationToken, isParty } from '../security/delegation-tokens.ts'

export const describeDelegationToken = api(
  describeDelegationTokenRequest,
  describeDelegationTokenResponse,
  [1, 3],
  handle,
)

function handle({ owners }: DescribeDelegationTokenRequest, context: RequestContext): DescribeDelegationTokenResponse {
  const { tokens } = context.broker.authentication
  if (!mayAskForTokens(context)) return refuse('DELEGATION_TOKEN_REQUEST_NOT_ALLOWED')
  if (!tokens.isEnabled) return refuse('DELEGATION_TOKEN_AUTH_DISABLED')
  const wanted = owners?.map(({ principalType: type, principalName: name }) => ({ type, name }))
  const isShown = (token: DelegationToken) =>
    (wanted === undefined || wanted.some((principal) => isParty(principal, token))) && maySee(token, context)
  return {
    errorCode: ERROR.NONE,
    tokens: [...tokens.all()].filter(isShown).map((token) => ({
      ...wirePrincipal(token.owner),
      tokenRequesterPrincipalType: token.requester.type,
      tokenRequesterPrincipalName: token.requester.name,
      issueTimestamp: token.issuedAtMs,
      expiryTimestamp: token.expiresAtMs,
      maxTimestamp: token.maxAtMs,
      tokenId: token.id,
      hmac: tokens.hmacOf(token),
      renewers: token.renewers.map(wirePrincipal),
    })),
  }
}

function maySee(token: DelegationToken, context: RequestContext): boolean {
  return (
    isParty(context.session.principal, token) ||
    mayQuietly(context, 'describe', 'delegationToken', token.id) ||
    mayQuietly(context, 'describeTokens', 'user', textOfPrincipal(token.owner))
  )
}

function wirePrincipal({ type: principalType, name: principalName }: KafkaPrincipal) {
  return { principalType, principalName }
}

function refuse(error: ErrorName): DescribeDelegationTokenResponse {
  return { errorCode: ERROR[error], tokens: [] }
}
