import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import {
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
  txnOffsetCommitRequest,
  txnOffsetCommitResponse,
} from '../schemas/txn-offset-commit.ts'
import { inWordsOf } from '../transactions/fencing.ts'
import { offsetsToCommit } from './offsets-to-commit.ts'

/** The first version whose clients know TRANSACTION_ABORTABLE (KIP-890). */
const ABORTABLE_VERSION = 4
/** The first of the second version of transactions: nobody has told before that the group takes part. */
const IMPLICIT_VERSION = 5

/** Offsets that count once the producer's transaction is committed. */
export const txnOffsetCommit = api(txnOffsetCommitRequest, txnOffsetCommitResponse, [0, 5], handle)

type Partition = TxnOffsetCommitRequest['topics'][number]['partitions'][number]

async function handle(request: TxnOffsetCommitRequest, context: RequestContext): Promise<TxnOffsetCommitResponse> {
  const { broker, version } = context
  if (!may(context, 'write', 'transactionalId', request.transactionalId)) {
    return answer(request, () => 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  }
  if (!may(context, 'read', 'group', request.groupId)) return answer(request, () => 'GROUP_AUTHORIZATION_FAILED')
  const { offsets, errorOf } = offsetsToCommit(request.topics, context)
  const { groupId, producerId, producerEpoch } = request
  const refusal = refusalOf(request, version, broker)
  const error = refusal ?? (await broker.groups.commitInTransaction(groupId, { producerId, producerEpoch }, offsets))
  return answer(request, (topic, partition) => errorOf(topic, partition, refusal, error))
}

function answer(
  { topics }: TxnOffsetCommitRequest,
  errorOf: (topic: string, partition: Partition) => ErrorName | null,
): TxnOffsetCommitResponse {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partition) => ({
        partitionIndex: partition.partitionIndex,
        errorCode: errorCodeOf(errorOf(name, partition)),
      })),
    })),
  }
}

function refusalOf(
  request: TxnOffsetCommitRequest,
  version: number,
  { groups, transactions }: RequestContext['broker'],
): ErrorName | null {
  const { groupId, memberId, groupInstanceId, generationId, transactionalId, producerId, producerEpoch } = request
  const refusal = groups.transactionalCommitRefusal({ groupId, memberId, groupInstanceId, generationId })
  if (refusal !== null) return refusal
  const producer = { producerId, producerEpoch }
  const error =
    version >= IMPLICIT_VERSION
      ? transactions.includeOffsets(transactionalId, producer, groupId)
      : transactions.verifyOffsets(transactionalId, producer, groupId)
  if (error === 'TRANSACTION_ABORTABLE' && version < ABORTABLE_VERSION) return 'INVALID_TXN_STATE'
  return inWordsOf(0, 1, error)
}
