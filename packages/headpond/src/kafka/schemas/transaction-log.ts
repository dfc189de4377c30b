/** What `__transaction_state` holds. */
import { array, int8, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, message } from '../codec/message.ts'

export const transactionLogKey = message(
  { name: 'TransactionLogKey', versions: '0' },
  {
    transactionalId: string('0+'),
  },
)

export type TransactionLogKey = Decoded<typeof transactionLogKey>

/**
 * Version 1 is the first flexible version. KIP-915: bumping the version will no longer make this record backward
 *   compatible. We suggest to add/remove only tagged fields to maintain backward compatibility.
 */
export const transactionLogValue = message(
  { name: 'TransactionLogValue', versions: '0-1', flexible: '1+' },
  {
    producerId: int64('0+'),
    previousProducerId: int64('1+', { default: -1, tag: 0 }),
    nextProducerId: int64('1+', { default: -1, tag: 1 }),
    producerEpoch: int16('0+'),
    transactionTimeoutMs: int32('0+'),
    transactionStatus: int8('0+'),
    transactionPartitions: array(
      '0+',
      {
        topic: string('0+'),
        partitionIds: array('0+', 'int32'),
      },
      { nullable: '0+' },
    ),
    transactionLastUpdateTimestampMs: int64('0+'),
    transactionStartTimestampMs: int64('0+'),
    clientTransactionVersion: int16('1+', { default: 0, tag: 2 }),
  },
)

export type TransactionLogValue = Decoded<typeof transactionLogValue>
