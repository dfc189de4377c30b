import { array, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const deleteRecordsRequest = message(
  { name: 'DeleteRecordsRequest', apiKey: 21, versions: '0-2', flexible: '2+' },
  {
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        offset: int64('0+'),
      }),
    }),
    timeoutMs: int32('0+'),
  },
)

export type DeleteRecordsRequest = Decoded<typeof deleteRecordsRequest>

export const deleteRecordsResponse = message(
  { name: 'DeleteRecordsResponse', apiKey: 21, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        lowWatermark: int64('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
)

export type DeleteRecordsResponse = Encodable<typeof deleteRecordsResponse>
