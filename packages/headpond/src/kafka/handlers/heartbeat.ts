import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import {
  type HeartbeatRequest,
  type HeartbeatResponse,
  heartbeatRequest,
  heartbeatResponse,
} from '../schemas/heartbeat.ts'

export const heartbeat = api(heartbeatRequest, heartbeatResponse, [0, 4], handle)

function handle(
  { groupId, memberId, groupInstanceId, generationId }: HeartbeatRequest,
  context: RequestContext,
): HeartbeatResponse {
  if (!may(context, 'read', 'group', groupId)) return { errorCode: ERROR.GROUP_AUTHORIZATION_FAILED }
  const { groups } = context.broker
  return { errorCode: errorCodeOf(groups.heartbeat(groupId, memberId, groupInstanceId, generationId)) }
}
