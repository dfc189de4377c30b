import { array, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1: adds DurationFilter to list transactions older than specified duration
 * Version 2: adds TransactionalIdPattern to list transactions with the same pattern(KIP-1152)
 */
export const listTransactionsRequest = message(
  { name: 'ListTransactionsRequest', apiKey: 66, versions: '0-2', flexible: '0+' },
  {
    stateFilters: array('0+', 'string'),
    producerIdFilters: array('0+', 'int64'),
    durationFilter: int64('1+', { default: -1 }),
    transactionalIdPattern: string('2+', { nullable: '2+', default: null }),
  },
)

export type ListTransactionsRequest = Decoded<typeof listTransactionsRequest>

export const listTransactionsResponse = message(
  { name: 'ListTransactionsResponse', apiKey: 66, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    unknownStateFilters: array('0+', 'string'),
    transactionStates: array('0+', {
      transactionalId: string('0+'),
      producerId: int64('0+'),
      transactionState: string('0+'),
    }),
  },
)

export type ListTransactionsResponse = Encodable<typeof listTransactionsResponse>
