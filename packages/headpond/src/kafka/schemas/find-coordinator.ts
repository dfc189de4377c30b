import { array, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds KeyType.
 * Version 4 adds support for batching via CoordinatorKeys (KIP-699)
 * Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 6 adds support for share groups (KIP-932).
 */
export const findCoordinatorRequest = message(
  { name: 'FindCoordinatorRequest', apiKey: 10, versions: '0-6', flexible: '3+' },
  {
    key: string('0-3'),
    keyType: int8('1+', { default: 0 }),
    coordinatorKeys: array('4+', 'string'),
  },
)

export type FindCoordinatorRequest = Decoded<typeof findCoordinatorRequest>

/**
 * Version 1 adds throttle time and error messages.
 * Version 4 adds support for batching via Coordinators (KIP-699)
 * Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 6 adds support for share groups (KIP-932).
 */
export const findCoordinatorResponse = message(
  { name: 'FindCoordinatorResponse', apiKey: 10, versions: '0-6', flexible: '3+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16('0-3'),
    errorMessage: string('1-3', { nullable: '1-3' }),
    nodeId: int32('0-3'),
    host: string('0-3'),
    port: int32('0-3'),
    coordinators: array('4+', {
      key: string('4+'),
      nodeId: int32('4+'),
      host: string('4+'),
      port: int32('4+'),
      errorCode: int16('4+'),
      errorMessage: string('4+', { nullable: '4+' }),
    }),
  },
)

export type FindCoordinatorResponse = Encodable<typeof findCoordinatorResponse>
