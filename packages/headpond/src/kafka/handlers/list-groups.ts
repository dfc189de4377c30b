import { api, type RequestContext } from '../api.ts'
import { mayOnClusterQuietly, mayQuietly } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import {
  type ListGroupsRequest,
  type ListGroupsResponse,
  listGroupsRequest,
  listGroupsResponse,
} from '../schemas/list-groups.ts'

export const listGroups = api(listGroupsRequest, listGroupsResponse, [0, 5], handle)

function handle(request: ListGroupsRequest, context: RequestContext): ListGroupsResponse {
  const { groups } = context.broker
  const maySeeAll = mayOnClusterQuietly(context, 'describe')
  const states = new Set(request.statesFilter.map((state) => state.toLowerCase()))
  const types = new Set(request.typesFilter.map((type) => type.toLowerCase()))
  return {
    errorCode: groups.isLoading ? ERROR.COORDINATOR_LOAD_IN_PROGRESS : ERROR.NONE,
    groups: [...groups.groups.values()]
      .filter(
        ({ state, type }) =>
          (states.size === 0 || states.has(state.toLowerCase())) && (types.size === 0 || types.has(type)),
      )
      .filter(({ groupId }) => maySeeAll || mayQuietly(context, 'describe', 'group', groupId))
      .map(({ groupId, protocolType, state, type }) => ({
        groupId,
        protocolType: protocolType ?? '',
        groupState: state,
        groupType: type,
      })),
  }
}
