import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import {
  type DeleteGroupsRequest,
  type DeleteGroupsResponse,
  deleteGroupsRequest,
  deleteGroupsResponse,
} from '../schemas/delete-groups.ts'

export const deleteGroups = api(deleteGroupsRequest, deleteGroupsResponse, [0, 2], handle)

async function handle({ groupsNames }: DeleteGroupsRequest, context: RequestContext): Promise<DeleteGroupsResponse> {
  const groupIds = [...new Set(groupsNames)]
  const allowed = groupIds.filter((groupId) => may(context, 'delete', 'group', groupId))
  const errors = await context.broker.groups.delete(allowed)
  const errorCodes = new Map(allowed.map((groupId, index) => [groupId, errorCodeOf(errors[index])]))
  return {
    results: groupIds.map((groupId) => ({
      groupId,
      errorCode: errorCodes.get(groupId) ?? ERROR.GROUP_AUTHORIZATION_FAILED,
    })),
  }
}
