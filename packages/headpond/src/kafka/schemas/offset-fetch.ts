import { array, bool, int16, int32, int64Exact, string, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * In version 0, the request read offsets from ZK.
 * Starting in version 1, the broker supports fetching offsets from the internal __consumer_offsets topic.
 * Starting in version 2, the request can contain a null topics array to indicate that offsets for all topics
 *   should be fetched. It also returns a top level error code for group or coordinator level errors.
 * Version 7 is adding the require stable flag.
 * Version 8 is adding support for fetching offsets for multiple groups at a time.
 * Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). It adds the
 *   MemberId and MemberEpoch fields. Those are filled in and validated when the new consumer protocol is used.
 * Version 10 adds support for topic ids and removes support for topic names (KIP-848).
 */
export const offsetFetchRequest = message(
  { name: 'OffsetFetchRequest', apiKey: 9, versions: '0-10', flexible: '6+' },
  {
    groupId: string('0-7'),
    topics: array(
      '0-7',
      {
        name: string('0-7'),
        partitionIndexes: array('0-7', 'int32'),
      },
      { nullable: '2-7' },
    ),
    groups: array('8+', {
      groupId: string('8+'),
      memberId: string('9+', { nullable: '9+', default: null }),
      memberEpoch: int32('9+', { default: -1 }),
      topics: array(
        '8+',
        {
          name: string('8-9'),
          topicId: uuid('10+'),
          partitionIndexes: array('8+', 'int32'),
        },
        { nullable: '8+' },
      ),
    }),
    requireStable: bool('7+', { default: false }),
  },
)

export type OffsetFetchRequest = Decoded<typeof offsetFetchRequest>

/**
 * Version 2 adds a top-level error code.
 * Version 3 adds the throttle time.
 * Version 5 adds the leader epoch to the committed offset.
 * Version 7 adds pending offset commit as new error response on partition level.
 * Version 8 is adding support for fetching offsets for multiple groups
 * Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). The response is
 *   the same as version 8 but can return STALE_MEMBER_EPOCH and UNKNOWN_MEMBER_ID errors when the new consumer
 *   group protocol is used.
 * Version 10 adds support for topic ids and removes support for topic names (KIP-848). It can return
 *   UNKNOWN_TOPIC_ID if topic IDs used and the topic is not found in metadata. Supported errors: -
 *   GROUP_AUTHORIZATION_FAILED (version 0+) - NOT_COORDINATOR (version 0+) - COORDINATOR_NOT_AVAILABLE (version
 *   0+) - COORDINATOR_LOAD_IN_PROGRESS (version 0+) - GROUP_ID_NOT_FOUND (version 0+) - UNSTABLE_OFFSET_COMMIT
 *   (version 7+) - UNKNOWN_MEMBER_ID (version 9+) - STALE_MEMBER_EPOCH (version 9+) - UNKNOWN_TOPIC_ID (version
 *   10+)
 */
export const offsetFetchResponse = message(
  { name: 'OffsetFetchResponse', apiKey: 9, versions: '0-10', flexible: '6+' },
  {
    throttleTimeMs: int32('3+', { default: 0 }),
    topics: array('0-7', {
      name: string('0-7'),
      partitions: array('0-7', {
        partitionIndex: int32('0-7'),
        committedOffset: int64Exact('0-7'),
        committedLeaderEpoch: int32('5-7', { default: -1 }),
        metadata: string('0-7', { nullable: '0-7' }),
        errorCode: int16('0-7'),
      }),
    }),
    errorCode: int16('2-7', { default: 0 }),
    groups: array('8+', {
      groupId: string('8+'),
      topics: array('8+', {
        name: string('8-9'),
        topicId: uuid('10+'),
        partitions: array('8+', {
          partitionIndex: int32('8+'),
          committedOffset: int64Exact('8+'),
          committedLeaderEpoch: int32('8+', { default: -1 }),
          metadata: string('8+', { nullable: '8+' }),
          errorCode: int16('8+'),
        }),
      }),
      errorCode: int16('8+', { default: 0 }),
    }),
  },
)

export type OffsetFetchResponse = Encodable<typeof offsetFetchResponse>
