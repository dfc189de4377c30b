import { CompressionError } from '../../log/compression/compression-error.ts'
import type { Isolation, PartitionLog } from '../../log/partition-log.ts'
import { RecordFormatError } from '../../log/records/record.ts'
import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import { checkLeaderEpoch, endOf } from '../fetch/fetch-reader.ts'
import {
  type ListOffsetsRequest,
  type ListOffsetsResponse,
  listOffsetsRequest,
  listOffsetsResponse,
} from '../schemas/list-offsets.ts'

/** Timestamps that mean a place rather than a time. */
const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6
/** The first version that knows each of them. */
const SINCE: Readonly<Record<number, number>> = {
  [LATEST]: 0,
  [EARLIEST]: 0,
  [MAX_TIMESTAMP]: 7,
  [EARLIEST_LOCAL]: 8,
  [LATEST_TIERED]: 9,
  [EARLIEST_PENDING_UPLOAD]: 11,
}

/** Somebody who looks for what is wrong sees records that consumers do not see yet. */
const DEBUGGING_REPLICA_ID = -2

type TopicAnswer = ListOffsetsResponse['topics'][number]
type PartitionAnswer = TopicAnswer['partitions'][number]
type RequestedPartition = ListOffsetsRequest['topics'][number]['partitions'][number]
type Found = { readonly offset: number; readonly timestampMs: number; readonly leaderEpoch: number }

const NOWHERE: Found = { offset: -1, timestampMs: -1, leaderEpoch: -1 }

export const listOffsets = api(listOffsetsRequest, listOffsetsResponse, [1, 11], handle)

async function handle(request: ListOffsetsRequest, context: RequestContext): Promise<ListOffsetsResponse> {
  const isolation = request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted'
  const isDebugging = request.replicaId === DEBUGGING_REPLICA_ID
  const topics: TopicAnswer[] = []
  for (const { name, partitions } of request.topics) {
    const isAllowed = may(context, 'describe', 'topic', name)
    const asked = new Set<number>()
    const repeated = new Set<number>()
    for (const { partitionIndex } of partitions) (asked.has(partitionIndex) ? repeated : asked).add(partitionIndex)
    const answers: PartitionAnswer[] = []
    for (const partition of partitions) {
      const { partitionIndex } = partition
      const found = !isAllowed
        ? 'TOPIC_AUTHORIZATION_FAILED'
        : repeated.has(partitionIndex)
          ? 'INVALID_REQUEST'
          : await find(name, partition, isolation, isDebugging, context)
      const isError = typeof found === 'string'
      const { offset, timestampMs, leaderEpoch } = isError ? NOWHERE : found
      const errorCode = errorCodeOf(isError ? found : null)
      answers.push({ partitionIndex, errorCode, timestamp: timestampMs, offset, leaderEpoch })
    }
    topics.push({ name, partitions: answers })
  }
  return { topics }
}

async function find(
  topic: string,
  { partitionIndex, currentLeaderEpoch, timestamp }: RequestedPartition,
  isolation: Isolation,
  isDebugging: boolean,
  context: RequestContext,
): Promise<Found | ErrorName> {
  const { broker, version } = context
  if (timestamp < 0 && !(version >= SINCE[timestamp])) return 'UNSUPPORTED_VERSION'
  const log = broker.logs.partition(topic, partitionIndex)
  if (log === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  const error = checkLeaderEpoch(log, currentLeaderEpoch)
  if (error !== null) return error
  const end = isDebugging ? log.logEndOffset : endOf(log, isolation)
  switch (timestamp) {
    case LATEST:
      return { offset: end, timestampMs: -1, leaderEpoch: log.leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.logStartOffset, timestampMs: -1, leaderEpoch: epochAtStart(log) }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NOWHERE
    default: {
      const found = await search(log, timestamp, context)
      return typeof found !== 'string' && (found === null || found.offset >= end) ? NOWHERE : found
    }
  }
}

async function search(
  log: PartitionLog,
  timestamp: number,
  { broker }: RequestContext,
): Promise<Found | ErrorName | null> {
  try {
    return await (timestamp === MAX_TIMESTAMP ? log.offsetOfMaxTimestamp() : log.offsetForTimestamp(timestamp))
  } catch (error) {
    // What a producer compressed is taken as it comes.
    if (!(error instanceof CompressionError || error instanceof RecordFormatError)) throw error
    broker.log.warn(`${log.describe()} has a batch that cannot be read: ${error.message}`)
    return 'CORRUPT_MESSAGE'
  }
}

/** The epoch of the first record that is left. */
function epochAtStart(log: PartitionLog): number {
  let { leaderEpoch } = log
  while (leaderEpoch > 0) {
    const before = log.endOffsetForEpoch(leaderEpoch - 1)
    if (before.epoch === -1 || before.endOffset <= log.logStartOffset) break
    leaderEpoch = before.epoch
  }
  return leaderEpoch
}
