import { array, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 2 adds the current leader epoch to support fencing.
 * Version 3 adds ReplicaId (the default is -2 which conventionally represents a "debug" consumer which is allowed
 *   to see offsets beyond the high watermark). Followers will use this replicaId when using an older version of
 *   the protocol.
 */
export const offsetForLeaderEpochRequest = message(
  { name: 'OffsetForLeaderEpochRequest', apiKey: 23, versions: '0-4', flexible: '4+' },
  {
    replicaId: int32('3+', { default: -2 }),
    topics: array('0+', {
      topic: string('0+'),
      partitions: array('0+', {
        partition: int32('0+'),
        currentLeaderEpoch: int32('2+', { default: -1 }),
        leaderEpoch: int32('0+'),
      }),
    }),
  },
)

export type OffsetForLeaderEpochRequest = Decoded<typeof offsetForLeaderEpochRequest>

/**
 * Version 1 added the leader epoch to the response.
 * Version 2 added the throttle time.
 */
export const offsetForLeaderEpochResponse = message(
  { name: 'OffsetForLeaderEpochResponse', apiKey: 23, versions: '0-4', flexible: '4+' },
  {
    throttleTimeMs: int32('2+', { default: 0 }),
    topics: array('0+', {
      topic: string('0+'),
      partitions: array('0+', {
        errorCode: int16('0+'),
        partition: int32('0+'),
        leaderEpoch: int32('1+', { default: -1 }),
        endOffset: int64('0+', { default: -1 }),
      }),
    }),
  },
)

export type OffsetForLeaderEpochResponse = Encodable<typeof offsetForLeaderEpochResponse>
