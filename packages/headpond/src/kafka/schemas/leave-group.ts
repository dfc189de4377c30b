import { array, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 3 defines batch processing scheme with group.instance.id + member.id for identity
 * Version 5 adds the Reason field (KIP-800).
 */
export const leaveGroupRequest = message(
  { name: 'LeaveGroupRequest', apiKey: 13, versions: '0-5', flexible: '4+' },
  {
    groupId: string('0+'),
    memberId: string('0-2'),
    members: array('3+', {
      memberId: string('3+'),
      groupInstanceId: string('3+', { nullable: '3+', default: null }),
      reason: string('5+', { nullable: '5+', default: null }),
    }),
  },
)

export type LeaveGroupRequest = Decoded<typeof leaveGroupRequest>

/**
 * Version 1 adds the throttle time.
 * Starting in version 3, we will make leave group request into batch mode and add group.instance.id.
 */
export const leaveGroupResponse = message(
  { name: 'LeaveGroupResponse', apiKey: 13, versions: '0-5', flexible: '4+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16('0+'),
    members: array('3+', {
      memberId: string('3+'),
      groupInstanceId: string('3+', { nullable: '3+' }),
      errorCode: int16('3+'),
    }),
  },
)

export type LeaveGroupResponse = Encodable<typeof leaveGroupResponse>
