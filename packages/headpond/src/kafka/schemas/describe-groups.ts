import { array, bool, bytes, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Starting in version 3, authorized operations can be requested.
 * Starting in version 4, the response will include group.instance.id info for members.
 * Version 6 returns error code GROUP_ID_NOT_FOUND if the group ID is not found (KIP-1043).
 */
export const describeGroupsRequest = message(
  { name: 'DescribeGroupsRequest', apiKey: 15, versions: '0-6', flexible: '5+' },
  {
    groups: array('0+', 'string'),
    includeAuthorizedOperations: bool('3+'),
  },
)

export type DescribeGroupsRequest = Decoded<typeof describeGroupsRequest>

/**
 * Version 1 added throttle time.
 * Starting in version 3, brokers can send authorized operations.
 * Starting in version 4, the response will optionally include group.instance.id info for members.
 * Version 6 returns error code GROUP_ID_NOT_FOUND if the group ID is not found (KIP-1043). ProtocolData is
 *   currently only filled in if the group state is in the Stable state. N.B. If the group is in the Dead state,
 *   the members array will always be empty. This is currently only provided if the group is in the Stable state.
 *   This is currently only provided if the group is in the Stable state.
 */
export const describeGroupsResponse = message(
  { name: 'DescribeGroupsResponse', apiKey: 15, versions: '0-6', flexible: '5+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    groups: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('6+', { nullable: '6+', default: null }),
      groupId: string('0+'),
      groupState: string('0+'),
      protocolType: string('0+'),
      protocolData: string('0+'),
      members: array('0+', {
        memberId: string('0+'),
        groupInstanceId: string('4+', { nullable: '4+', default: null }),
        clientId: string('0+'),
        clientHost: string('0+'),
        memberMetadata: bytes('0+'),
        memberAssignment: bytes('0+'),
      }),
      authorizedOperations: int32('3+', { default: -2147483648 }),
    }),
  },
)

export type DescribeGroupsResponse = Encodable<typeof describeGroupsResponse>
