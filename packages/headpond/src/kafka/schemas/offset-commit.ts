import { array, int16, int32, int64, int64Exact, string, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds timestamp and group membership information, as well as the commit timestamp.
 * Version 2 adds retention time.  It removes the commit timestamp added in version 1.
 * Version 5 removes the retention time, which is now controlled only by a broker configuration.
 * Version 6 adds the leader epoch for fencing.
 * version 7 adds a new field called groupInstanceId to indicate member identity across restarts.
 * Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). The request is
 *   the same as version 8.
 * Version 10 adds support for topic ids and removes support for topic names (KIP-848).
 */
export const offsetCommitRequest = message(
  { name: 'OffsetCommitRequest', apiKey: 8, versions: '0-10', flexible: '8+' },
  {
    groupId: string('0+'),
    generationIdOrMemberEpoch: int32('1+', { default: -1 }),
    memberId: string('1+'),
    groupInstanceId: string('7+', { nullable: '7+', default: null }),
    retentionTimeMs: int64('2-4', { default: -1 }),
    topics: array('0+', {
      name: string('0-9'),
      topicId: uuid('10+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        committedOffset: int64Exact('0+'),
        committedLeaderEpoch: int32('6+', { default: -1 }),
        commitTimestamp: int64('1', { default: -1 }),
        committedMetadata: string('0+', { nullable: '0+' }),
      }),
    }),
  },
)

export type OffsetCommitRequest = Decoded<typeof offsetCommitRequest>

/**
 * Version 3 adds the throttle time to the response.
 * Version 7 offsetCommitRequest supports a new field called groupInstanceId to indicate member identity across
 *   restarts.
 * Version 9 is the first version that can be used with the new consumer group protocol (KIP-848). The response is
 *   the same as version 8 but can return STALE_MEMBER_EPOCH when the new consumer group protocol is used and
 *   GROUP_ID_NOT_FOUND when the group does not exist for both protocols.
 * Version 10 adds support for topic ids and removes support for topic names (KIP-848). Supported errors: -
 *   GROUP_AUTHORIZATION_FAILED (version 0+) - NOT_COORDINATOR (version 0+) - COORDINATOR_NOT_AVAILABLE (version
 *   0+) - COORDINATOR_LOAD_IN_PROGRESS (version 0+) - ILLEGAL_GENERATION (version 1+) - UNKNOWN_MEMBER_ID (version
 *   1+) - INVALID_COMMIT_OFFSET_SIZE (version 0+) - FENCED_MEMBER_EPOCH (version 7+) - GROUP_ID_NOT_FOUND (version
 *   9+) - STALE_MEMBER_EPOCH (version 9+) - UNKNOWN_TOPIC_ID (version 10+)
 */
export const offsetCommitResponse = message(
  { name: 'OffsetCommitResponse', apiKey: 8, versions: '0-10', flexible: '8+' },
  {
    throttleTimeMs: int32('3+', { default: 0 }),
    topics: array('0+', {
      name: string('0-9'),
      topicId: uuid('10+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
)

export type OffsetCommitResponse = Encodable<typeof offsetCommitResponse>
