import { api, type RequestContext } from '../api.ts'
import type { Acl } from '../authorizer/acl.ts'
import {
  ACL_CHANGES_MAX,
  type AclRefusal,
  closeAsMalformed,
  hasAny,
  hasUnknown,
  refuseAcl,
} from '../authorizer/acl-requests.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, KafkaError } from '../errors.ts'
import {
  type CreateAclsRequest,
  type CreateAclsResponse,
  createAclsRequest,
  createAclsResponse,
} from '../schemas/create-acls.ts'

export const createAcls = api(createAclsRequest, createAclsResponse, [1, 3], handle, { refuse })

/** Each entry is taken or refused by itself. An entry that there is already is taken. */
function handle(request: CreateAclsRequest, context: RequestContext): CreateAclsResponse | null {
  const wanted = request.creations.map(aclOf)
  if (wanted.some(hasUnknown)) return closeAsMalformed(context, 'CreateAcls')
  requireOnCluster(context, 'alter')
  const { authorizer } = context.broker
  if (authorizer === null) throw new KafkaError('SECURITY_DISABLED', 'No Authorizer is configured.')
  // No client's library makes such a request; Kafka's broker fails over it.
  if (wanted.some(hasAny)) throw new KafkaError('UNKNOWN_SERVER_ERROR')
  const refusals = wanted.map(refuseAcl)
  const accepted = wanted.filter((acl, index) => refusals[index] === null && !authorizer.has(acl))
  if (accepted.length > ACL_CHANGES_MAX) {
    return { results: refusals.map((refusal) => resultOf(refusal ?? EXCESSIVE)) }
  }
  authorizer.add(accepted)
  return { results: refusals.map(resultOf) }
}

const EXCESSIVE: AclRefusal = {
  error: 'POLICY_VIOLATION',
  message: 'Unable to perform excessively large batch operation.',
}

function aclOf({ resourcePatternType, ...creation }: CreateAclsRequest['creations'][number]): Acl {
  return { ...creation, patternType: resourcePatternType }
}

function resultOf(refusal: AclRefusal | null): CreateAclsResponse['results'][number] {
  return { errorCode: ERROR[refusal?.error ?? 'NONE'], errorMessage: refusal?.message ?? '' }
}

function refuse({ creations }: CreateAclsRequest, { errorName, message }: KafkaError): CreateAclsResponse {
  const errorMessage = message === errorName ? null : message
  return { results: creations.map(() => ({ errorCode: ERROR[errorName], errorMessage })) }
}
