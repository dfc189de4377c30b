import { api, type RequestContext } from '../api.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type DescribeTransactionsRequest,
  type DescribeTransactionsResponse,
  describeTransactionsRequest,
  describeTransactionsResponse,
} from '../schemas/describe-transactions.ts'

export const describeTransactions = api(describeTransactionsRequest, describeTransactionsResponse, [0, 0], handle)

type Described = DescribeTransactionsResponse['transactionStates'][number]

function handle(
  { transactionalIds }: DescribeTransactionsRequest,
  { broker }: RequestContext,
): DescribeTransactionsResponse {
  return { transactionStates: transactionalIds.map((transactionalId) => describe(transactionalId, broker)) }
}

function describe(transactionalId: string, { transactions }: RequestContext['broker']): Described {
  const refusal = transactions.refusal(transactionalId)
  if (refusal !== null) return failed(transactionalId, refusal)
  const transaction = transactions.get(transactionalId)
  if (transaction === undefined) return failed(transactionalId, 'TRANSACTIONAL_ID_NOT_FOUND')
  return {
    errorCode: 0,
    transactionalId,
    transactionState: transaction.state,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStartTimeMs: transaction.startMs,
    producerId: transaction.producerId,
    producerEpoch: transaction.producerEpoch,
    topics: [...transaction.partitions].map(([topic, partitions]) => ({ topic, partitions: [...partitions] })),
  }
}

function failed(transactionalId: string, error: ErrorName): Described {
  return {
    errorCode: errorCodeOf(error),
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  }
}
