import { api, type RequestContext } from '../api.ts'
import type { Acl } from '../authorizer/acl.ts'
import { closeAsMalformed, filterOf, hasUnknown } from '../authorizer/acl-requests.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, KafkaError } from '../errors.ts'
import {
  type DescribeAclsRequest,
  type DescribeAclsResponse,
  describeAclsRequest,
  describeAclsResponse,
} from '../schemas/describe-acls.ts'

export const describeAcls = api(describeAclsRequest, describeAclsResponse, [1, 3], handle)

function handle(request: DescribeAclsRequest, context: RequestContext): DescribeAclsResponse | null {
  const filter = filterOf(request)
  if (hasUnknown(filter)) return closeAsMalformed(context, 'DescribeAcls')
  requireOnCluster(context, 'describe')
  const { authorizer } = context.broker
  if (authorizer === null) throw new KafkaError('SECURITY_DISABLED', 'No Authorizer is configured on the broker')
  return { errorCode: ERROR.NONE, errorMessage: '', resources: byResource(authorizer.find(filter)) }
}

function byResource(acls: readonly Acl[]): DescribeAclsResponse['resources'] {
  const byPattern = new Map<string, Acl[]>()
  for (const acl of acls) {
    const key = `${acl.resourceType}/${acl.patternType}/${acl.resourceName}`
    const others = byPattern.get(key)
    if (others === undefined) byPattern.set(key, [acl])
    else others.push(acl)
  }
  return [...byPattern.values()].map((ofOne) => {
    const [{ resourceType, resourceName, patternType }] = ofOne
    return { resourceType, resourceName, patternType, acls: ofOne }
  })
}
