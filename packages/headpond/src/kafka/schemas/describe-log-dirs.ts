import { array, bool, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const describeLogDirsRequest = message(
  { name: 'DescribeLogDirsRequest', apiKey: 35, versions: '0-4', flexible: '2+' },
  {
    topics: array(
      '0+',
      {
        topic: string('0+'),
        partitions: array('0+', 'int32'),
      },
      { nullable: '0+' },
    ),
  },
)

export type DescribeLogDirsRequest = Decoded<typeof describeLogDirsRequest>

/**
 * Version 3 adds the top-level ErrorCode field
 * Version 4 adds the TotalBytes and UsableBytes fields
 */
export const describeLogDirsResponse = message(
  { name: 'DescribeLogDirsResponse', apiKey: 35, versions: '0-4', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('3+'),
    results: array('0+', {
      errorCode: int16('0+'),
      logDir: string('0+'),
      topics: array('0+', {
        name: string('0+'),
        partitions: array('0+', {
          partitionIndex: int32('0+'),
          partitionSize: int64('0+'),
          offsetLag: int64('0+'),
          isFutureKey: bool('0+'),
        }),
      }),
      totalBytes: int64('4+', { default: -1 }),
      usableBytes: int64('4+', { default: -1 }),
    }),
  },
)

export type DescribeLogDirsResponse = Encodable<typeof describeLogDirsResponse>
