import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
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
  context: RequestContext,
): DescribeTransactionsResponse {
  return { transactionStates: transactionalIds.map((transactionalId) => describe(transactionalId, context)) }
}

function describe(transactionalId: string, context: RequestContext): Described {
  if (!may(context, 'describe', 'transactionalId', transactionalId)) {
    return failed(transactionalId, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  }
  const { transactions } = context.broker
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
    topics: [...transaction.partitions]
      .filter(([topic]) => may(context, 'describe', 'topic', topic))
      .map(([topic, partitions]) => ({ topic, partitions: [...partitions] })),
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
