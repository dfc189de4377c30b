import { bool, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 3 adds ProducerId and ProducerEpoch, allowing producers to try to resume after an INVALID_PRODUCER_EPOCH
 *   error
 * Version 4 adds the support for new error code PRODUCER_FENCED.
 * Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 6 adds support for 2PC (KIP-939).
 */
export const initProducerIdRequest = message(
  { name: 'InitProducerIdRequest', apiKey: 22, versions: '0-6', flexible: '2+' },
  {
    transactionalId: string('0+', { nullable: '0+' }),
    transactionTimeoutMs: int32('0+'),
    producerId: int64('3+', { default: -1 }),
    producerEpoch: int16('3+', { default: -1 }),
    enable2Pc: bool('6+', { default: false }),
    keepPreparedTxn: bool('6+', { default: false }),
  },
)

export type InitProducerIdRequest = Decoded<typeof initProducerIdRequest>

/**
 * Version 4 adds the support for new error code PRODUCER_FENCED.
 * Version 5 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 6 adds support for 2PC (KIP-939).
 */
export const initProducerIdResponse = message(
  { name: 'InitProducerIdResponse', apiKey: 22, versions: '0-6', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    producerId: int64('0+', { default: -1 }),
    producerEpoch: int16('0+'),
    ongoingTxnProducerId: int64('6+', { default: -1 }),
    ongoingTxnProducerEpoch: int16('6+', { default: -1 }),
  },
)

export type InitProducerIdResponse = Encodable<typeof initProducerIdResponse>
