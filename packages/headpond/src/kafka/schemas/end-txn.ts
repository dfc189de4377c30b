import { bool, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 2 adds the support for new error code PRODUCER_FENCED.
 * Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 5 enables bumping epoch on every transaction (KIP-890 Part 2)
 */
export const endTxnRequest = message(
  { name: 'EndTxnRequest', apiKey: 26, versions: '0-5', flexible: '3+' },
  {
    transactionalId: string('0+'),
    producerId: int64('0+'),
    producerEpoch: int16('0+'),
    committed: bool('0+'),
  },
)

export type EndTxnRequest = Decoded<typeof endTxnRequest>

/**
 * Version 2 adds the support for new error code PRODUCER_FENCED.
 * Version 4 adds support for new error code TRANSACTION_ABORTABLE (KIP-890).
 * Version 5 enables bumping epoch on every transaction (KIP-890 Part 2), so producer ID and epoch are included in
 *   the response.
 */
export const endTxnResponse = message(
  { name: 'EndTxnResponse', apiKey: 26, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    producerId: int64('5+', { default: -1 }),
    producerEpoch: int16('5+', { default: -1 }),
  },
)

export type EndTxnResponse = Encodable<typeof endTxnResponse>
