import type { ErrorName } from '../errors.ts'
import type { FetchRequest } from '../schemas/fetch.ts'
import type { PartitionReading } from './fetch-reader.ts'
import { type FetchSession, FINAL_EPOCH, INITIAL_EPOCH, NO_SESSION_ID } from './fetch-session.ts'
import type { FetchSessionCache } from './fetch-session-cache.ts'
import { FetchTarget } from './fetch-target.ts'

/** From this version on topics are named by id. */
const TOPIC_ID_VERSION = 13

/** What a request fetches, and how much of it the answer tells. */
export interface FetchContext {
  readonly targets: readonly FetchTarget[]
  /** What of a reading belongs into the answer, and the session that the answer names. */
  readonly answer: (partitions: readonly PartitionReading[]) => FetchAnswer
  /** What `answer` would give, as far as its size goes; nothing is remembered as told. */
  readonly preview: (partitions: readonly PartitionReading[]) => FetchAnswer
  /** For a client that has to pause: no data, and the next request asks for the same again. */
  readonly throttled: () => FetchAnswer
}

export interface FetchAnswer {
  readonly error: ErrorName | null
  readonly sessionId: number
  readonly partitions: readonly PartitionReading[]
}

/** A request that is out of step with its session gets an error; the client begins another session then. */
export function openContext(
  request: FetchRequest,
  version: number,
  sessions: FetchSessionCache,
): FetchContext | ErrorName {
  const { sessionId, sessionEpoch } = request
  const namesTopicsById = version >= TOPIC_ID_VERSION
  if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
    if (sessionId !== NO_SESSION_ID) sessions.remove(sessionId)
    const targets = targetsOf(request, namesTopicsById)
    if (sessionEpoch === FINAL_EPOCH) return sessionless(targets)
    return {
      ...sessionless(targets),
      answer: (partitions) => beginSession(targets, namesTopicsById, partitions, sessions),
    }
  }
  const session = sessions.find(sessionId)
  if (session === undefined) return 'FETCH_SESSION_ID_NOT_FOUND'
  if (session.epoch !== sessionEpoch) return 'INVALID_FETCH_SESSION_EPOCH'
  if (session.namesTopicsById !== namesTopicsById) return 'FETCH_SESSION_TOPIC_ID_ERROR'
  update(session, request)
  if (session.targets.size === 0) {
    sessions.remove(sessionId)
    return sessionless([])
  }
  sessions.touch(session)
  session.advance()
  const expectedEpoch = session.epoch
  const unlessOvertaken = (told: () => readonly PartitionReading[]): FetchAnswer => {
    // Another request of this session overtook this one, on another connection.
    if (session.epoch === expectedEpoch) return { error: null, sessionId, partitions: told() }
    return { error: 'INVALID_FETCH_SESSION_EPOCH', sessionId: NO_SESSION_ID, partitions: [] }
  }
  return {
    targets: [...session.targets.values()],
    answer: (partitions) => unlessOvertaken(() => partitions.filter((partition) => tellsNews(session, partition))),
    preview: (partitions) => unlessOvertaken(() => partitions.filter(isNews)),
    throttled: () => unlessOvertaken(() => []),
  }
}

/** Exactly what was asked for. */
function sessionless(targets: readonly FetchTarget[]): FetchContext {
  const answer = (partitions: readonly PartitionReading[]): FetchAnswer => {
    return { error: null, sessionId: NO_SESSION_ID, partitions }
  }
  return { targets, answer, preview: answer, throttled: () => answer([]) }
}

function beginSession(
  targets: readonly FetchTarget[],
  namesTopicsById: boolean,
  partitions: readonly PartitionReading[],
  sessions: FetchSessionCache,
): FetchAnswer {
  const session = sessions.create(targets.length, namesTopicsById)
  if (session === null) return { error: null, sessionId: NO_SESSION_ID, partitions }
  for (const target of targets) session.add(target)
  for (const partition of partitions) remember(partition)
  return { error: null, sessionId: session.id, partitions }
}

/** Whether an incremental answer has to mention a partition. */
function isNews({
  target,
  sizeBytes,
  error,
  divergingEpoch,
  highWatermark,
  logStartOffset,
}: PartitionReading): boolean {
  return (
    sizeBytes > 0 ||
    error !== null ||
    divergingEpoch !== null ||
    highWatermark !== target.toldHighWatermark ||
    logStartOffset !== target.toldLogStartOffset
  )
}

/** It is mentioned, if there is something to tell. What has data is served last the next time. */
function tellsNews(session: FetchSession, partition: PartitionReading): boolean {
  const tells = isNews(partition)
  if (tells) remember(partition)
  if (partition.sizeBytes > 0) session.moveToEnd(partition.target)
  return tells
}

function remember({ target, error, highWatermark, logStartOffset }: PartitionReading): void {
  target.toldHighWatermark = error === null ? highWatermark : -1
  target.toldLogStartOffset = logStartOffset
}

function targetsOf(request: FetchRequest, namesTopicsById: boolean): FetchTarget[] {
  const targets: FetchTarget[] = []
  for (const topic of request.topics) {
    for (const partition of topic.partitions) {
      targets.push(new FetchTarget(topic, partition.partition, namesTopicsById, partition))
    }
  }
  return targets
}

function update(session: FetchSession, request: FetchRequest): void {
  for (const topic of request.topics) {
    for (const partition of topic.partitions) {
      const target = session.find(topic.topic, topic.topicId, partition.partition)
      if (target !== undefined) target.position = partition
      else session.add(new FetchTarget(topic, partition.partition, session.namesTopicsById, partition))
    }
  }
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    for (const partition of partitions) session.forget(topic, topicId, partition)
  }
}
