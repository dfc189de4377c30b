import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { errorCodeOf } from '../errors.ts'
import type { SyncAnswer } from '../groups/classic-protocol.ts'
import { answerWhenReady } from '../groups/parked.ts'
import {
  type SyncGroupRequest,
  type SyncGroupResponse,
  syncGroupRequest,
  syncGroupResponse,
} from '../schemas/sync-group.ts'

export const syncGroup = api(syncGroupRequest, syncGroupResponse, [0, 5], handle)

async function handle(request: SyncGroupRequest, context: RequestContext): Promise<SyncGroupResponse> {
  const { version, session, broker } = context
  // Version 5 must say what the member takes the group for: nothing is not the same as not asked.
  if (version >= 5 && (request.protocolType === null || request.protocolName === null)) {
    return { errorCode: errorCodeOf('INCONSISTENT_GROUP_PROTOCOL'), assignment: NO_BYTES }
  }
  if (!may(context, 'read', 'group', request.groupId)) {
    return { errorCode: errorCodeOf('GROUP_AUTHORIZATION_FAILED'), assignment: NO_BYTES }
  }
  const answer = await answerWhenReady<SyncAnswer>(session, (ready) =>
    broker.groups.sync(request.groupId, request, ready),
  )
  return {
    errorCode: errorCodeOf(answer.error),
    protocolType: answer.protocolType,
    protocolName: answer.protocolName,
    assignment: answer.assignment,
  }
}

const NO_BYTES = new Uint8Array(0)
