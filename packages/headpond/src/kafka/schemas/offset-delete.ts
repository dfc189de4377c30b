import { array, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

export const offsetDeleteRequest = message(
  { name: 'OffsetDeleteRequest', apiKey: 47, versions: '0' },
  {
    groupId: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
      }),
    }),
  },
)

export type OffsetDeleteRequest = Decoded<typeof offsetDeleteRequest>

export const offsetDeleteResponse = message(
  { name: 'OffsetDeleteResponse', apiKey: 47, versions: '0' },
  {
    errorCode: int16('0+'),
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

export type OffsetDeleteResponse = Encodable<typeof offsetDeleteResponse>
