import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR, errorCodeOf } from '../errors.ts'
import type { JoinAnswer } from '../groups/classic-protocol.ts'
import { answerWhenReady } from '../groups/parked.ts'
import {
  type JoinGroupRequest,
  type JoinGroupResponse,
  joinGroupRequest,
  joinGroupResponse,
} from '../schemas/join-group.ts'

export const joinGroup = api(joinGroupRequest, joinGroupResponse, [0, 9], handle)

async function handle(request: JoinGroupRequest, context: RequestContext): Promise<JoinGroupResponse> {
  const { version, clientId, session, broker } = context
  const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId, memberId } = request
  if (!may(context, 'read', 'group', groupId)) {
    const protocolName = version >= 7 ? null : ''
    return { ...NO_MEMBER, errorCode: ERROR.GROUP_AUTHORIZATION_FAILED, protocolName }
  }
  const answer = await answerWhenReady<JoinAnswer>(session, (ready) =>
    broker.groups.join(
      groupId,
      {
        memberId,
        groupInstanceId,
        clientId: clientId ?? '',
        clientHost: `/${session.remoteHost}`,
        sessionTimeoutMs,
        // Version 0 does not tell them apart.
        rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
        protocolType: request.protocolType,
        protocols: request.protocols,
        requiresKnownMemberId: version >= 4,
        supportsSkippingAssignment: version >= 9,
      },
      ready,
    ),
  )
  return {
    errorCode: errorCodeOf(answer.error),
    generationId: answer.generationId,
    protocolType: answer.protocolType,
    protocolName: answer.protocolName ?? (version >= 7 ? null : ''),
    leader: answer.leaderId,
    skipAssignment: answer.skipAssignment,
    memberId: answer.memberId,
    members: answer.members,
  }
}

const NO_MEMBER = { generationId: -1, leader: '', memberId: '', members: [] }
