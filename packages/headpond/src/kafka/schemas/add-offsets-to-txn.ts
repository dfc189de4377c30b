import { int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 2 adds the support for new error code PRODUCER_FENCED.
 * Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 */
export const addOffsetsToTxnRequest = message(
  { name: 'AddOffsetsToTxnRequest', apiKey: 25, versions: '0-4', flexible: '3+' },
  {
    transactionalId: string('0+'),
    producerId: int64('0+'),
    producerEpoch: int16('0+'),
    groupId: string('0+'),
  },
)

export type AddOffsetsToTxnRequest = Decoded<typeof addOffsetsToTxnRequest>

/**
 * Version 2 adds the support for new error code PRODUCER_FENCED.
 * Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 */
export const addOffsetsToTxnResponse = message(
  { name: 'AddOffsetsToTxnResponse', apiKey: 25, versions: '0-4', flexible: '3+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
  },
)

export type AddOffsetsToTxnResponse = Encodable<typeof addOffsetsToTxnResponse>
