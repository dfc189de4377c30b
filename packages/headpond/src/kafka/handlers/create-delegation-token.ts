import { mayAskForTokens } from '../admin/token-requests.ts'
import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import { type KafkaPrincipal, textOfPrincipal } from '../principal.ts'
import {
  type CreateDelegationTokenRequest,
  type CreateDelegationTokenResponse,
  createDelegationTokenRequest,
  createDelegationTokenResponse,
} from '../schemas/create-delegation-token.ts'

export const createDelegationToken = api(createDelegationTokenRequest, createDelegationTokenResponse, [1, 3], handle)

const USER_TYPE = 'User'

function handle(request: CreateDelegationTokenRequest, context: RequestContext): CreateDelegationTokenResponse {
  const { principal: requester } = context.session
  const { ownerPrincipalType, ownerPrincipalName, maxLifetimeMs } = request
  const owner: KafkaPrincipal =
    ownerPrincipalName === null || ownerPrincipalName === ''
      ? requester
      : { type: ownerPrincipalType ?? USER_TYPE, name: ownerPrincipalName }
  const parties = {
    principalType: owner.type,
    principalName: owner.name,
    tokenRequesterPrincipalType: requester.type,
    tokenRequesterPrincipalName: requester.name,
  }
  const problem = problemOf(request, owner, context)
  if (problem !== null) {
    const never = problem === 'DELEGATION_TOKEN_AUTH_DISABLED' ? 0 : -1
    const times = { issueTimestampMs: never, expiryTimestampMs: never, maxTimestampMs: never }
    return { errorCode: ERROR[problem], ...parties, ...times, tokenId: '', hmac: NO_BYTES }
  }
  const { tokens } = context.broker.authentication
  const renewers = request.renewers.map(({ principalType: type, principalName: name }) => ({ type, name }))
  const token = tokens.create({ owner, requester, renewers }, maxLifetimeMs)
  return {
    errorCode: ERROR.NONE,
    ...parties,
    issueTimestampMs: token.issuedAtMs,
    expiryTimestampMs: token.expiresAtMs,
    maxTimestampMs: token.maxAtMs,
    tokenId: token.id,
    hmac: tokens.hmacOf(token),
  }
}

const NO_BYTES = new Uint8Array(0)

function problemOf(
  { renewers }: CreateDelegationTokenRequest,
  owner: KafkaPrincipal,
  context: RequestContext,
): ErrorName | null {
  const { principal: requester } = context.session
  const isForAnother = owner.type !== requester.type || owner.name !== requester.name
  if (!mayAskForTokens(context)) return 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED'
  if (isForAnother && !may(context, 'createTokens', 'user', textOfPrincipal(owner))) {
    return 'DELEGATION_TOKEN_AUTHORIZATION_FAILED'
  }
  if (!renewers.every(({ principalType }) => principalType === USER_TYPE)) return 'INVALID_PRINCIPAL_TYPE'
  return context.broker.authentication.tokens.isEnabled ? null : 'DELEGATION_TOKEN_AUTH_DISABLED'
}
