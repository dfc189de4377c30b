import { array, bool, bytes, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds RebalanceTimeoutMs.
 * Starting from version 4, the client needs to issue a second request to join group
 * Starting from version 5, we add a new field called groupInstanceId to indicate member identity across restarts.
 *   with assigned id.
 * Version 8 adds the Reason field (KIP-800).
 * Version 9 is the same as version 8. Note: if RebalanceTimeoutMs is not present, SessionTimeoutMs should be used
 *   instead.  The default of -1 here is just intended as a placeholder.
 */
export const joinGroupRequest = message(
  { name: 'JoinGroupRequest', apiKey: 11, versions: '0-9', flexible: '6+' },
  {
    groupId: string('0+'),
    sessionTimeoutMs: int32('0+'),
    rebalanceTimeoutMs: int32('1+', { default: -1 }),
    memberId: string('0+'),
    groupInstanceId: string('5+', { nullable: '5+', default: null }),
    protocolType: string('0+'),
    protocols: array('0+', {
      name: string('0+'),
      metadata: bytes('0+'),
    }),
    reason: string('8+', { nullable: '8+', default: null }),
  },
)

export type JoinGroupRequest = Decoded<typeof joinGroupRequest>

/**
 * Version 2 adds throttle time.
 * Starting in version 4, the client needs to issue a second request to join group with assigned id.
 * Version 5 is bumped to apply group.instance.id to identify member across restarts.
 * Starting from version 7, the broker sends back the Protocol Type to the client (KIP-559).
 * Version 9 adds the SkipAssignment field.
 */
export const joinGroupResponse = message(
  { name: 'JoinGroupResponse', apiKey: 11, versions: '0-9', flexible: '6+' },
  {
    throttleTimeMs: int32('2+', { default: 0 }),
    errorCode: int16('0+'),
    generationId: int32('0+', { default: -1 }),
    protocolType: string('7+', { nullable: '7+', default: null }),
    protocolName: string('0+', { nullable: '7+' }),
    leader: string('0+'),
    skipAssignment: bool('9+', { default: false }),
    memberId: string('0+'),
    members: array('0+', {
      memberId: string('0+'),
      groupInstanceId: string('5+', { nullable: '5+', default: null }),
      metadata: bytes('0+'),
    }),
  },
)

export type JoinGroupResponse = Encodable<typeof joinGroupResponse>
