import { api, type RequestContext } from '../api.ts'
import { mayQuietly } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import { compileNameRegex } from '../name-regex.ts'
import {
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  listTransactionsRequest,
  listTransactionsResponse,
} from '../schemas/list-transactions.ts'
import { TRANSACTION_STATES, type Transaction } from '../transactions/transaction.ts'

const ANY_DURATION = -1

export const listTransactions = api(listTransactionsRequest, listTransactionsResponse, [0, 2], handle)

function handle(
  { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern }: ListTransactionsRequest,
  context: RequestContext,
): ListTransactionsResponse {
  const { transactions, clock } = context.broker
  const known: readonly string[] = TRANSACTION_STATES
  const unknownStateFilters = stateFilters.filter((state) => !known.includes(state))
  const answer = (errorCode: number, found: readonly Transaction[]) => ({
    errorCode,
    unknownStateFilters,
    transactionStates: found.map(({ transactionalId, producerId, state }) => ({
      transactionalId,
      producerId,
      transactionState: state,
    })),
  })
  if (transactions.isLoading) return answer(ERROR.COORDINATOR_LOAD_IN_PROGRESS, [])
  const pattern = transactionalIdPattern === null ? null : compileNameRegex(transactionalIdPattern)
  if (pattern === null && transactionalIdPattern !== null) return answer(ERROR.INVALID_REGULAR_EXPRESSION, [])
  const nowMs = clock.nowMs()
  const found = [...transactions.transactions].filter(
    ({ transactionalId, producerId, state, startMs }) =>
      (stateFilters.length === 0 || stateFilters.includes(state)) &&
      (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
      (durationFilter === ANY_DURATION || (startMs >= 0 && nowMs - startMs > durationFilter)) &&
      (pattern === null || pattern.matches(transactionalId)) &&
      mayQuietly(context, 'describe', 'transactionalId', transactionalId),
  )
  return answer(0, found)
}
