import { api, type RequestContext } from '../api.ts'
import { errorCodeOf } from '../errors.ts'
import {
  type HeartbeatRequest,
  type HeartbeatResponse,
  heartbeatRequest,
  heartbeatResponse,
} from '../schemas/heartbeat.ts'

export const heartbeat = api(heartbeatRequest, heartbeatResponse, [0, 4], handle)

function handle(
  { groupId, memberId, groupInstanceId, generationId }: HeartbeatRequest,
  { broker }: RequestContext,
): HeartbeatResponse {
  return { errorCode: errorCodeOf(broker.groups.heartbeat(groupId, memberId, groupInstanceId, generationId)) }
}
