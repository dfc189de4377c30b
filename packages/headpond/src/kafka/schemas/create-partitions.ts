import { array, bool, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 2 adds flexible version support
 * Version 3 is identical to version 2 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   partitions creation is throttled (KIP-599).
 */
export const createPartitionsRequest = message(
  { name: 'CreatePartitionsRequest', apiKey: 37, versions: '0-3', flexible: '2+' },
  {
    topics: array('0+', {
      name: string('0+'),
      count: int32('0+'),
      assignments: array(
        '0+',
        {
          brokerIds: array('0+', 'int32'),
        },
        { nullable: '0+' },
      ),
    }),
    timeoutMs: int32('0+'),
    validateOnly: bool('0+'),
  },
)

export type CreatePartitionsRequest = Decoded<typeof createPartitionsRequest>

/**
 * Version 2 adds flexible version support
 * Version 3 is identical to version 2 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   partitions creation is throttled (KIP-599).
 */
export const createPartitionsResponse = message(
  { name: 'CreatePartitionsResponse', apiKey: 37, versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      name: string('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+', default: null }),
    }),
  },
)

export type CreatePartitionsResponse = Encodable<typeof createPartitionsResponse>
