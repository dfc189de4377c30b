import type { RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import type { ErrorName } from '../errors.ts'
import type { NewOffset } from '../groups/group-coordinator.ts'

interface Topic {
  readonly name: string
  readonly partitions: readonly Partition[]
}

interface Partition {
  readonly partitionIndex: number
  readonly committedOffset: bigint
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
}

export interface OffsetsToCommit {
  /** Those that can be kept. */
  readonly offsets: readonly NewOffset[]
  /** Whether any is of a partition that is there and may be read. */
  readonly hasKnown: boolean
  /**
   * What is answered for a partition.
   * @param refusal of the whole request
   * @param error of keeping the offsets
   */
  errorOf(topic: string, partition: Partition, refusal: ErrorName | null, error: ErrorName | null): ErrorName | null
}

/** What becomes of the offsets of a request, in a transaction or not. */
export function offsetsToCommit(topics: readonly Topic[], context: RequestContext): OffsetsToCommit {
  const { groups, logs } = context.broker
  const readable = new Set(topics.map(({ name }) => name).filter((name) => may(context, 'read', 'topic', name)))
  const isKnown = (topic: string, { partitionIndex }: Partition) =>
    readable.has(topic) && logs.partition(topic, partitionIndex) !== undefined
  const isTooLong = ({ committedMetadata }: Partition) =>
    (committedMetadata?.length ?? 0) > groups.offsetMetadataCharactersMax
  return {
    offsets: topics.flatMap(({ name, partitions }) =>
      partitions.filter((each) => isKnown(name, each) && !isTooLong(each)).map((each) => newOffset(name, each)),
    ),
    hasKnown: topics.some(({ name, partitions }) => partitions.some((each) => isKnown(name, each))),
    errorOf(topic, partition, refusal, error) {
      if (!readable.has(topic)) return 'TOPIC_AUTHORIZATION_FAILED'
      if (!isKnown(topic, partition)) return 'UNKNOWN_TOPIC_OR_PARTITION'
      return refusal ?? (isTooLong(partition) ? 'OFFSET_METADATA_TOO_LARGE' : error)
    },
  }
}

function newOffset(
  topic: string,
  { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }: Partition,
): NewOffset {
  return {
    topic,
    partition: partitionIndex,
    offset: committedOffset,
    leaderEpoch: committedLeaderEpoch,
    metadata: committedMetadata ?? '',
  }
}
