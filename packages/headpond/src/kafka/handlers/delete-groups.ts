import { api, type RequestContext } from '../api.ts'
import { errorCodeOf } from '../errors.ts'
import {
  type DeleteGroupsRequest,
  type DeleteGroupsResponse,
  deleteGroupsRequest,
  deleteGroupsResponse,
} from '../schemas/delete-groups.ts'

export const deleteGroups = api(deleteGroupsRequest, deleteGroupsResponse, [0, 2], handle)

async function handle({ groupsNames }: DeleteGroupsRequest, { broker }: RequestContext): Promise<DeleteGroupsResponse> {
  const groupIds = [...new Set(groupsNames)]
  const errors = await broker.groups.delete(groupIds)
  return { results: groupIds.map((groupId, index) => ({ groupId, errorCode: errorCodeOf(errors[index]) })) }
}
