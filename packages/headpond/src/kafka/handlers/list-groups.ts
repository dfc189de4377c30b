import { api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type ListGroupsRequest,
  type ListGroupsResponse,
  listGroupsRequest,
  listGroupsResponse,
} from '../schemas/list-groups.ts'

export const listGroups = api(listGroupsRequest, listGroupsResponse, [0, 5], handle)

function handle(request: ListGroupsRequest, { broker }: RequestContext): ListGroupsResponse {
  const { groups } = broker
  const states = new Set(request.statesFilter.map((state) => state.toLowerCase()))
  const types = new Set(request.typesFilter.map((type) => type.toLowerCase()))
  return {
    errorCode: groups.isLoading ? ERROR.COORDINATOR_LOAD_IN_PROGRESS : ERROR.NONE,
    groups: [...groups.groups.values()]
      .filter(
        ({ state, type }) =>
          (states.size === 0 || states.has(state.toLowerCase())) && (types.size === 0 || types.has(type)),
      )
      .map(({ groupId, protocolType, state, type }) => ({
        groupId,
        protocolType: protocolType ?? '',
        groupState: state,
        groupType: type,
      })),
  }
}
