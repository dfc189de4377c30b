import { array, bool, int8, int16, int32, string, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds validateOnly.
 * Version 4 makes partitions/replicationFactor optional even when assignments are not present (KIP-464)
 * Version 5 also returns topic configs in the response (KIP-525).
 * Version 6 is identical to version 5 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   topics creation is throttled (KIP-599).
 */
export const createTopicsRequest = message(
  { name: 'CreateTopicsRequest', apiKey: 19, versions: '0-7', flexible: '5+' },
  {
    topics: array('0+', {
      name: string('0+'),
      numPartitions: int32('0+'),
      replicationFactor: int16('0+'),
      assignments: array('0+', {
        partitionIndex: int32('0+'),
        brokerIds: array('0+', 'int32'),
      }),
      configs: array('0+', {
        name: string('0+'),
        value: string('0+', { nullable: '0+' }),
      }),
    }),
    timeoutMs: int32('0+', { default: 60000 }),
    validateOnly: bool('1+', { default: false }),
  },
)

export type CreateTopicsRequest = Decoded<typeof createTopicsRequest>

/**
 * Version 1 adds a per-topic error message string.
 * Version 2 adds the throttle time.
 * Version 4 makes partitions/replicationFactor optional even when assignments are not present (KIP-464).
 * Version 5 also returns topic configs in the response (KIP-525).
 * Version 6 is identical to version 5 but may return a THROTTLING_QUOTA_EXCEEDED error in the response if the
 *   topics creation is throttled (KIP-599).
 * Version 7 returns the topic ID of the newly created topic if creation is successful.
 */
export const createTopicsResponse = message(
  { name: 'CreateTopicsResponse', apiKey: 19, versions: '0-7', flexible: '5+' },
  {
    throttleTimeMs: int32('2+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      topicId: uuid('7+'),
      errorCode: int16('0+'),
      errorMessage: string('1+', { nullable: '1+' }),
      topicConfigErrorCode: int16('5+', { tag: 0 }),
      numPartitions: int32('5+', { default: -1 }),
      replicationFactor: int16('5+', { default: -1 }),
      configs: array(
        '5+',
        {
          name: string('5+'),
          value: string('5+', { nullable: '5+' }),
          readOnly: bool('5+'),
          configSource: int8('5+', { default: -1 }),
          isSensitive: bool('5+'),
        },
        { nullable: '5+' },
      ),
    }),
  },
)

export type CreateTopicsResponse = Encodable<typeof createTopicsResponse>
