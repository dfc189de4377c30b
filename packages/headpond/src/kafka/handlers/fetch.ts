import { api, type RequestContext } from '../api.ts'
import { ByteWriter } from '../codec/byte-writer.ts'
import { errorCodeOf } from '../errors.ts'
import { type FetchAnswer, type FetchContext, openContext } from '../fetch/fetch-context.ts'
import { openTo } from '../fetch/fetch-permissions.ts'
import { type PartitionReading, readTargets } from '../fetch/fetch-reader.ts'
import { waitForBytes } from '../fetch/fetch-wait.ts'
import { type FetchRequest, type FetchResponse, fetchRequest, fetchResponse } from '../schemas/fetch.ts'

type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number]
interface TopicAnswer {
  readonly topic: string
  readonly topicId: string
  readonly partitions: PartitionAnswer[]
}

/** From here on, who is wrong about the leader is told in the same answer who and where it is (KIP-951). */
const CURRENT_LEADER_VERSION = 16

export const fetch = api(fetchRequest, fetchResponse, [4, 17], handle)

/** What stands before every answer, as Kafka counts its size. */
const SIZE_BYTES = 4

async function handle(request: FetchRequest, context: RequestContext): Promise<FetchResponse | null> {
  const { version, broker, session, clientId } = context
  const { clock, quotas } = broker
  const opened = openContext(request, version, broker.fetchSessions)
  if (typeof opened === 'string') return { errorCode: errorCodeOf(opened), sessionId: 0, responses: [] }
  const limits = {
    maxBytes: Math.min(
      request.maxBytes,
      broker.config.integer('fetch.max.bytes'),
      // More at once would have to be taken back, every time.
      quotas.fetch.isActive ? Math.trunc(quotas.fetch.burstOf(session.principal.name, clientId ?? '')) : Infinity,
    ),
    isolation: request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted',
  } as const
  const minBytes = Math.min(request.minBytes, limits.maxBytes)
  const { targets, refused } = openTo(opened.targets, request, context)
  const deadlineMs = clock.nowMs() + request.maxWaitMs
  for (;;) {
    const reading = await readTargets(broker.logs, targets, limits)
    const waits = !reading.isUrgent && reading.sizeBytes < minBytes && targets.length > 0
    if (!waits || clock.nowMs() >= deadlineMs) {
      const partitions = refused.length === 0 ? reading.partitions : [...reading.partitions, ...refused]
      return respondWithin(opened, partitions, context)
    }
    const { isolation } = limits
    const { onClosed } = session
    const end = await waitForBytes(reading.partitions, { clock, isolation, minBytes, deadlineMs, onClosed })
    if (end === 'closed') return null
  }
}

/** Over a quota there are no data, and what would have been sent is not counted: the client asks again after its pause. */
function respondWithin(
  opened: FetchContext,
  partitions: readonly PartitionReading[],
  context: RequestContext,
): FetchResponse {
  const { broker, session, clientId } = context
  const { quotas, clock } = broker
  const timeThrottleMs = quotas.throttleForTime(context)
  if (!quotas.fetch.isActive && timeThrottleMs === 0) return respond(opened.answer(partitions), context)
  const sizeBytes = sizeOf(respond(opened.preview(partitions), context), context)
  const bytesThrottleMs = quotas.fetch.record(sizeBytes, session.principal.name, clientId ?? '')
  const throttleTimeMs = Math.max(timeThrottleMs, bytesThrottleMs)
  if (throttleTimeMs === 0) return respond(opened.answer(partitions), context)
  quotas.fetch.recordOnly(-sizeBytes, session.principal.name, clientId ?? '')
  session.throttle(throttleTimeMs, clock)
  return { ...respond(opened.throttled(), context), throttleTimeMs }
}

function sizeOf(response: FetchResponse, { version }: RequestContext): number {
  const writer = new ByteWriter()
  fetchResponse.encode(writer, response, version)
  return SIZE_BYTES + writer.sizeBytes
}

function respond({ error, sessionId, partitions }: FetchAnswer, context: RequestContext): FetchResponse {
  const { version, broker, session } = context
  const responses: TopicAnswer[] = []
  let isLeaderNews = false
  for (const partition of partitions) {
    const { topic, topicId } = partition.target
    let last = responses.at(-1)
    if (last === undefined || last.topic !== topic || last.topicId !== topicId) {
      last = { topic, topicId, partitions: [] }
      responses.push(last)
    }
    const isWrongLeader = partition.error === 'FENCED_LEADER_EPOCH' && version >= CURRENT_LEADER_VERSION
    isLeaderNews ||= isWrongLeader
    last.partitions.push(answerOf(partition, isWrongLeader ? broker.nodeId : null))
  }
  const nodeEndpoints = isLeaderNews ? [{ nodeId: broker.nodeId, ...broker.endpointFor(session) }] : []
  return { errorCode: errorCodeOf(error), sessionId, responses, nodeEndpoints }
}

function answerOf(partition: PartitionReading, leaderId: number | null): PartitionAnswer {
  const { target, log, error, divergingEpoch } = partition
  return {
    partitionIndex: target.partition,
    errorCode: errorCodeOf(error),
    highWatermark: partition.highWatermark,
    lastStableOffset: partition.lastStableOffset,
    logStartOffset: partition.logStartOffset,
    ...(divergingEpoch === null ? {} : { divergingEpoch }),
    ...(leaderId === null || log === null ? {} : { currentLeader: { leaderId, leaderEpoch: log.leaderEpoch } }),
    abortedTransactions: partition.abortedTransactions,
    records: partition.records,
  }
}
