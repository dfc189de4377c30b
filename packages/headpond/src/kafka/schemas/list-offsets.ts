import { array, int8, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 removes MaxNumOffsets.  From this version forward, only a single offset can be returned.
 * Version 2 adds the isolation level, which is used for transactional reads.
 * Version 4 adds the current leader epoch, which is used for fencing.
 * Version 7 enables listing offsets by max timestamp (KIP-734).
 * Version 8 enables listing offsets by local log start offset (KIP-405).
 * Version 9 enables listing offsets by last tiered offset (KIP-1005).
 * Version 10 enables async remote list offsets support (KIP-1075)
 * Version 11 enables listing offsets by earliest pending upload offset (KIP-1023)
 */
export const listOffsetsRequest = message(
  { name: 'ListOffsetsRequest', apiKey: 2, versions: '0-11', flexible: '6+' },
  {
    replicaId: int32('0+'),
    isolationLevel: int8('2+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        currentLeaderEpoch: int32('4+', { default: -1 }),
        timestamp: int64('0+'),
        maxNumOffsets: int32('0', { default: 1 }),
      }),
    }),
    timeoutMs: int32('10+'),
  },
)

export type ListOffsetsRequest = Decoded<typeof listOffsetsRequest>

/**
 * Version 1 removes the offsets array in favor of returning a single offset.
 * Version 1 also adds the timestamp associated with the returned offset.
 * Version 2 adds the throttle time.
 * Version 4 adds the leader epoch, which is used for fencing.
 * Version 5 adds a new error code, OFFSET_NOT_AVAILABLE.
 * Version 8 enables listing offsets by local log start offset. This is the earliest log start offset in the local
 *   log. (KIP-405).
 * Version 9 enables listing offsets by last tiered offset (KIP-1005).
 * Version 10 enables async remote list offsets support (KIP-1075)
 * Version 11 enables listing offsets by earliest pending upload offset (KIP-1023)
 */
export const listOffsetsResponse = message(
  { name: 'ListOffsetsResponse', apiKey: 2, versions: '0-11', flexible: '6+' },
  {
    throttleTimeMs: int32('2+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
        oldStyleOffsets: array('0', 'int64'),
        timestamp: int64('1+', { default: -1 }),
        offset: int64('1+', { default: -1 }),
        leaderEpoch: int32('4+', { default: -1 }),
      }),
    }),
  },
)

export type ListOffsetsResponse = Encodable<typeof listOffsetsResponse>
