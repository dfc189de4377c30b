import { api, type RequestContext } from '../api.ts'
import { OPERATIONS_NOT_ASKED } from '../authorized-operations.ts'
import { authorizedOperations, may } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import type { ClassicGroup } from '../groups/classic-group.ts'
import {
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
  describeGroupsRequest,
  describeGroupsResponse,
} from '../schemas/describe-groups.ts'

export const describeGroups = api(describeGroupsRequest, describeGroupsResponse, [0, 6], handle)

type GroupAnswer = DescribeGroupsResponse['groups'][number]

const NO_BYTES = new Uint8Array(0)

function handle(request: DescribeGroupsRequest, context: RequestContext): DescribeGroupsResponse {
  const { version, broker } = context
  const operationsOn = (groupId: string) =>
    request.includeAuthorizedOperations ? authorizedOperations(context, 'group', groupId) : OPERATIONS_NOT_ASKED
  return {
    groups: request.groups.map((groupId): GroupAnswer => {
      if (!may(context, 'describe', 'group', groupId)) {
        return { ...nothing(groupId), errorCode: ERROR.GROUP_AUTHORIZATION_FAILED }
      }
      const refusal = broker.groups.administrationRefusal(groupId)
      if (refusal !== null) return { ...nothing(groupId), errorCode: ERROR[refusal] }
      const group = broker.groups.classicGroup(groupId)
      if (group !== undefined) return { ...describe(group), authorizedOperations: operationsOn(groupId) }
      // Until version 6, a group that nobody knows is one that is no more.
      if (version < 6) {
        return { ...nothing(groupId), groupState: 'Dead', authorizedOperations: operationsOn(groupId) }
      }
      return {
        ...nothing(groupId),
        groupState: 'Dead',
        errorCode: ERROR.GROUP_ID_NOT_FOUND,
        errorMessage: broker.groups.hasGroup(groupId)
          ? `Group ${groupId} is not a classic group.`
          : `Group ${groupId} not found.`,
      }
    }),
  }
}

function nothing(groupId: string): GroupAnswer {
  return { groupId, errorCode: ERROR.NONE, groupState: '', protocolType: '', protocolData: '', members: [] }
}

/** The protocol that its members agreed on counts while it is stable; what they were assigned is told as long as they have it. */
function describe(group: ClassicGroup): GroupAnswer {
  const isStable = group.state === 'Stable'
  return {
    groupId: group.groupId,
    errorCode: ERROR.NONE,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: isStable ? member.metadata(group.protocolName) : NO_BYTES,
      memberAssignment: member.assignment,
    })),
  }
}
