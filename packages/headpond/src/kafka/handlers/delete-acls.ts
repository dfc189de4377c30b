import { api, type RequestContext } from '../api.ts'
import type { Acl } from '../authorizer/acl.ts'
import { ACL_CHANGES_MAX, closeAsMalformed, filterOf, hasUnknown, refuseFilter } from '../authorizer/acl-requests.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR, KafkaError } from '../errors.ts'
import {
  type DeleteAclsRequest,
  type DeleteAclsResponse,
  deleteAclsRequest,
  deleteAclsResponse,
} from '../schemas/delete-acls.ts'

export const deleteAcls = api(deleteAclsRequest, deleteAclsResponse, [1, 3], handle, { refuse })

type FilterAnswer = DeleteAclsResponse['filterResults'][number]

/** Filters look at what there was before the request: an entry that two of them match stands in both answers. */
function handle(request: DeleteAclsRequest, context: RequestContext): DeleteAclsResponse | null {
  const filters = request.filters.map(filterOf)
  if (filters.some(hasUnknown)) return closeAsMalformed(context, 'DeleteAcls')
  requireOnCluster(context, 'alter')
  const { authorizer } = context.broker
  if (authorizer === null) throw new KafkaError('SECURITY_DISABLED', 'No Authorizer is configured.')
  const found = filters.map((filter) => refuseFilter(filter) ?? authorizer.find(filter))
  const doomed = new Set(found.flatMap((each) => ('error' in each ? [] : each)))
  if (doomed.size > ACL_CHANGES_MAX) {
    const problem = `Cannot remove more than ${ACL_CHANGES_MAX} acls in a single delete operation.`
    throw new KafkaError('INVALID_REQUEST', problem)
  }
  authorizer.remove(doomed)
  return {
    filterResults: found.map((each) =>
      'error' in each
        ? { errorCode: ERROR[each.error], errorMessage: each.message, matchingAcls: [] }
        : { errorCode: ERROR.NONE, errorMessage: null, matchingAcls: each.map(removed) },
    ),
  }
}

function removed(acl: Acl): FilterAnswer['matchingAcls'][number] {
  return { ...acl, errorCode: ERROR.NONE, errorMessage: null }
}

function refuse({ filters }: DeleteAclsRequest, { code, message }: KafkaError): DeleteAclsResponse {
  return { filterResults: filters.map(() => ({ errorCode: code, errorMessage: message, matchingAcls: [] })) }
}
