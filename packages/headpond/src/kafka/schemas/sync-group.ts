import { array, bytes, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Starting from version 3, we add a new field called groupInstanceId to indicate member identity across restarts.
 * Starting from version 5, the client sends the Protocol Type and the Protocol Name to the broker (KIP-559). The
 *   broker will reject the request if they are inconsistent with the Type and Name known by the broker.
 */
export const syncGroupRequest = message(
  { name: 'SyncGroupRequest', apiKey: 14, versions: '0-5', flexible: '4+' },
  {
    groupId: string('0+'),
    generationId: int32('0+'),
    memberId: string('0+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
    protocolType: string('5+', { nullable: '5+', default: null }),
    protocolName: string('5+', { nullable: '5+', default: null }),
    assignments: array('0+', {
      memberId: string('0+'),
      assignment: bytes('0+'),
    }),
  },
)

export type SyncGroupRequest = Decoded<typeof syncGroupRequest>

/**
 * Version 1 adds throttle time.
 * Starting from version 3, syncGroupRequest supports a new field called groupInstanceId to indicate member
 *   identity across restarts.
 * Starting from version 5, the broker sends back the Protocol Type and the Protocol Name to the client (KIP-559).
 */
export const syncGroupResponse = message(
  { name: 'SyncGroupResponse', apiKey: 14, versions: '0-5', flexible: '4+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16('0+'),
    protocolType: string('5+', { nullable: '5+', default: null }),
    protocolName: string('5+', { nullable: '5+', default: null }),
    assignment: bytes('0+'),
  },
)

export type SyncGroupResponse = Encodable<typeof syncGroupResponse>
