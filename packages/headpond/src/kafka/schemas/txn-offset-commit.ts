import { array, int16, int32, int64, int64Exact, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 2 adds the committed leader epoch.
 * Version 3 adds the member.id, group.instance.id and generation.id.
 * Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 5 is the same as version 4 (KIP-890). Note when TxnOffsetCommit requests are used in transaction, if
 *   transaction V2 (KIP_890 part 2) is enabled, the TxnOffsetCommit request will also include the function for a
 *   AddOffsetsToTxn call. If V2 is disabled, the client can't use TxnOffsetCommit request version higher than 4
 *   within a transaction.
 */
export const txnOffsetCommitRequest = message(
  { name: 'TxnOffsetCommitRequest', apiKey: 28, versions: '0-5', flexible: '3+' },
  {
    transactionalId: string('0+'),
    groupId: string('0+'),
    producerId: int64('0+'),
    producerEpoch: int16('0+'),
    generationId: int32('3+', { default: -1 }),
    memberId: string('3+', { default: '' }),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        committedOffset: int64Exact('0+'),
        committedLeaderEpoch: int32('2+', { default: -1 }),
        committedMetadata: string('0+', { nullable: '0+' }),
      }),
    }),
  },
)

export type TxnOffsetCommitRequest = Decoded<typeof txnOffsetCommitRequest>

/**
 * Version 3 adds illegal generation, fenced instance id, and unknown member id errors.
 * Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 5 is the same with version 3 (KIP-890).
 */
export const txnOffsetCommitResponse = message(
  { name: 'TxnOffsetCommitResponse', apiKey: 28, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
)

export type TxnOffsetCommitResponse = Encodable<typeof txnOffsetCommitResponse>
