import { array, int16, int32, string, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Versions 0, 1, 2, and 3 are the same.
 * Version 5 adds ErrorMessage in the response and may return a THROTTLING_QUOTA_EXCEEDED error in the response if
 *   the topics deletion is throttled (KIP-599).
 * Version 6 reorganizes topics, adds topic IDs and allows topic names to be null.
 */
export const deleteTopicsRequest = message(
  { name: 'DeleteTopicsRequest', apiKey: 20, versions: '0-6', flexible: '4+' },
  {
    topics: array('6+', {
      name: string('6+', { nullable: '6+', default: null }),
      topicId: uuid('6+'),
    }),
    topicNames: array('0-5', 'string'),
    timeoutMs: int32('0+'),
  },
)

export type DeleteTopicsRequest = Decoded<typeof deleteTopicsRequest>

/**
 * Version 1 adds the throttle time.
 * Starting in version 3, a TOPIC_DELETION_DISABLED error code may be returned.
 * Version 5 adds ErrorMessage in the response and may return a THROTTLING_QUOTA_EXCEEDED error in the response if
 *   the topics deletion is throttled (KIP-599).
 * Version 6 adds topic ID to responses. An UNSUPPORTED_VERSION error code will be returned when attempting to
 *   delete using topic IDs when IBP < 2.8. UNKNOWN_TOPIC_ID error code will be returned when IBP is at least 2.8,
 *   but the topic ID was not found.
 */
export const deleteTopicsResponse = message(
  { name: 'DeleteTopicsResponse', apiKey: 20, versions: '0-6', flexible: '4+' },
  {
    throttleTimeMs: int32('1+', { default: 0 }),
    responses: array('0+', {
      name: string('0+', { nullable: '6+' }),
      topicId: uuid('6+'),
      errorCode: int16('0+'),
      errorMessage: string('5+', { nullable: '5+', default: null }),
    }),
  },
)

export type DeleteTopicsResponse = Encodable<typeof deleteTopicsResponse>
