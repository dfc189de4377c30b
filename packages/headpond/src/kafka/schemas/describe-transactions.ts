import { array, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const describeTransactionsRequest = message(
  { name: 'DescribeTransactionsRequest', apiKey: 65, versions: '0', flexible: '0+' },
  {
    transactionalIds: array('0+', 'string'),
  },
)

export type DescribeTransactionsRequest = Decoded<typeof describeTransactionsRequest>

export const describeTransactionsResponse = message(
  { name: 'DescribeTransactionsResponse', apiKey: 65, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    transactionStates: array('0+', {
      errorCode: int16('0+'),
      transactionalId: string('0+'),
      transactionState: string('0+'),
      transactionTimeoutMs: int32('0+'),
      transactionStartTimeMs: int64('0+'),
      producerId: int64('0+'),
      producerEpoch: int16('0+'),
      topics: array('0+', {
        topic: string('0+'),
        partitions: array('0+', 'int32'),
      }),
    }),
  },
)

export type DescribeTransactionsResponse = Encodable<typeof describeTransactionsResponse>
