import { array, bool, int8, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/** Version 2 adds TransactionVersion field to the WritableTxnMarker (KIP-1228). */
export const writeTxnMarkersRequest = message(
  { name: 'WriteTxnMarkersRequest', apiKey: 27, versions: '0-2', flexible: '1+' },
  {
    markers: array('0+', {
      producerId: int64('0+'),
      producerEpoch: int16('0+'),
      transactionResult: bool('0+'),
      topics: array('0+', {
        name: string('0+'),
        partitionIndexes: array('0+', 'int32'),
      }),
      coordinatorEpoch: int32('0+'),
      transactionVersion: int8('2+', { default: 0 }),
    }),
  },
)

export type WriteTxnMarkersRequest = Decoded<typeof writeTxnMarkersRequest>

/** Version 2 matches WriteTxnMarkersRequest version 2 (KIP-1228). */
export const writeTxnMarkersResponse = message(
  { name: 'WriteTxnMarkersResponse', apiKey: 27, versions: '0-2', flexible: '1+' },
  {
    markers: array('0+', {
      producerId: int64('0+'),
      topics: array('0+', {
        name: string('0+'),
        partitions: array('0+', {
          partitionIndex: int32('0+'),
          errorCode: int16('0+'),
        }),
      }),
    }),
  },
)

export type WriteTxnMarkersResponse = Encodable<typeof writeTxnMarkersResponse>
