import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import {
  type LeaveGroupRequest,
  type LeaveGroupResponse,
  leaveGroupRequest,
  leaveGroupResponse,
} from '../schemas/leave-group.ts'

export const leaveGroup = api(leaveGroupRequest, leaveGroupResponse, [0, 5], handle)

function handle(request: LeaveGroupRequest, context: RequestContext): LeaveGroupResponse {
  const { version, broker } = context
  if (!may(context, 'read', 'group', request.groupId)) {
    return { errorCode: ERROR.GROUP_AUTHORIZATION_FAILED, members: [] }
  }
  const members = version >= 3 ? request.members : [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
  const errors = broker.groups.leave(request.groupId, members)
  if (!Array.isArray(errors)) return { errorCode: ERROR[errors], members: [] }
  // Before version 3 a member leaves for itself alone, and its error is the answer's.
  if (version < 3) return { errorCode: errorCodeOf(errors[0]), members: [] }
  return {
    errorCode: ERROR.NONE,
    members: members.map(({ memberId, groupInstanceId }, index) => ({
      memberId,
      groupInstanceId,
      errorCode: errorCodeOf(errors[index]),
    })),
  }
}
