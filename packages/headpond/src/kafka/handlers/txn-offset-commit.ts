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

/** The first version whose clients know TRANSACTION_ABORTABLE (KIP-890). */
const ABORTABLE_VERSION = 4
/** The first of the second version of transactions: nobody has told before that the group takes part. */
const IMPLICIT_VERSION = 5

/** Offsets that count once the producer's transaction is committed. */
export const txnOffsetCommit = api(txnOffsetCommitRequest, txnOffsetCommitResponse, [0, 5], handle)

type Partition = TxnOffsetCommitRequest['topics'][number]['partitions'][number]

async function handle(request: TxnOffsetCommitRequest, context: RequestContext): Promise<TxnOffsetCommitResponse> {
  const { broker, version } = context
  const { groups, logs } = broker
  if (!may(context, 'write', 'transactionalId', request.transactionalId)) {
    return answer(request, () => 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  }
  if (!may(context, 'read', 'group', request.groupId)) return answer(request, () => 'GROUP_AUTHORIZATION_FAILED')
  const readable = new Set(request.topics.map(({ name }) => name).filter((name) => may(context, 'read', 'topic', name)))
  const isKnown = (topic: string, { partitionIndex }: Partition) =>
    readable.has(topic) && logs.partition(topic, partitionIndex) !== undefined
  const isTooLong = ({ committedMetadata }: Partition) =>
    (committedMetadata?.length ?? 0) > groups.offsetMetadataCharactersMax
  const refusal = refusalOf(request, version, broker)
  let error: ErrorName | null = refusal
  if (refusal === null) {
    const { groupId, producerId, producerEpoch } = request
    const offsets = request.topics.flatMap(({ name, partitions }) =>
      partitions
        .filter((partition) => isKnown(name, partition) && !isTooLong(partition))
        .map((partition) => ({
          topic: name,
          partition: partition.partitionIndex,
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
        })),
    )
    error = await groups.commitInTransaction(groupId, { producerId, producerEpoch }, offsets)
  }
  const errorOf = (topic: string, partition: Partition): ErrorName | null => {
    if (!readable.has(topic)) return 'TOPIC_AUTHORIZATION_FAILED'
    if (!isKnown(topic, partition)) return 'UNKNOWN_TOPIC_OR_PARTITION'
    return refusal ?? (isTooLong(partition) ? 'OFFSET_METADATA_TOO_LARGE' : error)
  }
  return answer(request, errorOf)
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
