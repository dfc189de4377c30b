import { int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/** Starting from version 3, we add a new field called groupInstanceId to indicate member identity across restarts. */
export const heartbeatRequest = message(
  { name: 'HeartbeatRequest', apiKey: 12, versions: '0-4', flexible: '4+' },
  {
    groupId: string('0+'),
    generationId: int32('0+'),
    memberId: string('0+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
  },
)

export type HeartbeatRequest = Decoded<typeof heartbeatRequest>

/**
 * Version 1 adds throttle time.
 * Starting from version 3, heartbeatRequest supports a new field called groupInstanceId to indicate member
 *   identity across restarts.
 */
export const heartbeatResponse = message(
  { name: 'HeartbeatResponse', apiKey: 12, versions: '0-4', flexible: '4+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16('0+'),
  },
)

export type HeartbeatResponse = Encodable<typeof heartbeatResponse>
