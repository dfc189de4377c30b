import type { LogRefusal } from '../../log/errors.ts'
import type { AppendedBatch, PartitionLog } from '../../log/partition-log.ts'
import { NOT_PREPARED, type PreparedBatch } from '../../log/prepared-batch.ts'
import {
  attributesOf,
  BATCH_HEADER_BYTES,
  CODEC_MASK,
  CODECS,
  magicOf,
  TRANSACTIONAL_BIT,
} from '../../log/record-batch.ts'
import type { Clock } from '../../net/clock.ts'
import { api, type RequestContext, UNFINISHED } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf, errorNameOf, KafkaError } from '../errors.ts'
import type { Producer } from '../internal-topic.ts'
import { type ProduceRequest, type ProduceResponse, produceRequest, produceResponse } from '../schemas/produce.ts'

const ACKS = { none: 0, leader: 1, all: -1 } as const

/** Before it, records have a format of their own, which Kafka has given up. */
const BATCHES_VERSION = 3
/** The first version whose clients know zstd (KIP-110). */
const ZSTD_VERSION = 7
/** The first version whose clients know TRANSACTION_ABORTABLE (KIP-890). */
const ABORTABLE_VERSION = 11
/** The first of the second version of transactions: nobody has told before that a partition takes part. */
const IMPLICIT_VERSION = 12
/** After so much of a request, the other partitions wait for the next turn: a quarter of a millisecond for checking and copying. */
const STEP_BYTES = 256 * 1024
/** What a batch costs beside its bytes, with a write of its own at the end of the turn: as much as so many bytes. */
const BATCH_COST_BYTES = 1024
/** The first batch of a partition comes with a directory and files: a quarter of a millisecond. */
const FIRST_BATCH_COST_BYTES = 16 * 1024
const MAGIC = 2
const ZSTD = CODECS.indexOf('zstd')

type PartitionAnswer = ProduceResponse['responses'][number]['partitionResponses'][number]

interface Refusal {
  readonly error: ErrorName
  readonly message: string | null
  readonly recordErrors?: readonly { readonly index: number; readonly message: string }[]
}

/** What became of one partition of a request. */
interface Outcome {
  readonly index: number
  readonly log: PartitionLog | null
  readonly appended: AppendedBatch | Refusal
}

const NOT_ALLOWED: Refusal = { error: 'TOPIC_AUTHORIZATION_FAILED', message: null }

interface TopicOutcomes {
  readonly name: string
  readonly topicId: string
  readonly partitions: Outcome[]
}

/** Of a request that is not carried out in one turn. */
interface Progress {
  readonly outcomes: TopicOutcomes[]
  /** For the batch that comes next. */
  prepared: PreparedBatch | null
}

/**
 * Versions 0 to 2 are told of though not served: librdkafka decides by them whether it may compress. Several requests of
 * a producer may wait for the disk together.
 */
export const produce = api(produceRequest, produceResponse, [BATCHES_VERSION, 12], handle, {
  isPipelined: true,
  advertised: [0, 12],
  refuse,
})

function handle(request: ProduceRequest, context: RequestContext): Promise<ProduceResponse | null> | typeof UNFINISHED {
  if (context.progress === null) refuseTransaction(request, context)
  const progress = (context.progress ?? { outcomes: [], prepared: null }) as Progress
  const { outcomes } = progress
  // Check and append of a batch are one step, and nothing else of this connection comes between two of them.
  const { topicData, transactionalId } = request
  const numbersEachTransaction = context.version >= IMPLICIT_VERSION
  let stepBytes = 0
  for (let topicAt = Math.max(0, outcomes.length - 1); topicAt < topicData.length; topicAt++) {
    const { name, topicId, partitionData } = topicData[topicAt]
    if (topicAt === outcomes.length) outcomes.push({ name, topicId, partitions: [] })
    const { partitions } = outcomes[topicAt]
    while (partitions.length < partitionData.length) {
      if (stepBytes >= STEP_BYTES) {
        context.progress = progress
        return UNFINISHED
      }
      const { index, records } = partitionData[partitions.length]
      const log = context.broker.logs.partition(name, index) ?? null
      const verifyTransaction = (producerId: number, producerEpoch: number) =>
        verify(transactionalId, { producerId, producerEpoch }, name, index, context)
      const refused = check(request, name, log, records, context)
      const preparing = refused === null && progress.prepared === null ? log!.prepare(records!) : null
      if (preparing instanceof Promise) return waitFor(preparing, progress, context)
      const prepared = preparing ?? progress.prepared
      progress.prepared = null
      stepBytes += (records?.length ?? 0) + (log?.writesFilesNext ? FIRST_BATCH_COST_BYTES : BATCH_COST_BYTES)
      const appended =
        refused ?? log!.append(records!, { origin: 'client', verifyTransaction, numbersEachTransaction, prepared })
      partitions.push({ index, log, appended })
    }
  }
  return acknowledge(request, outcomes, throttle(context), context)
}

/** The partition's turn comes again when its batch is prepared. */
function waitFor(preparing: Promise<PreparedBatch>, progress: Progress, context: RequestContext): typeof UNFINISHED {
  context.progress = progress
  const prepared = (batch: PreparedBatch) => {
    progress.prepared = batch
  }
  // What could not be prepared is done when it is appended, or fails there.
  context.preparation = preparing.then(prepared, () => prepared(NOT_PREPARED))
  return UNFINISHED
}

/** A client that is over its quota has this request carried out, and is not read until it has paused. */
function throttle({ broker, session, clientId, sizeBytes }: RequestContext): number {
  const { quotas, clock } = broker
  if (!quotas.produce.isActive) return 0
  const throttleMs = quotas.produce.record(sizeBytes, session.principal.name, clientId ?? '')
  session.throttle(throttleMs, clock)
  return throttleMs
}

/** Transactions of somebody else refuse the whole request. */
function refuseTransaction({ transactionalId, topicData }: ProduceRequest, context: RequestContext): void {
  if (transactionalId === null || may(context, 'write', 'transactionalId', transactionalId)) return
  const isTransactional = (records: Uint8Array | null) =>
    records !== null &&
    records.length >= BATCH_HEADER_BYTES &&
    magicOf(records, 0) === MAGIC &&
    (attributesOf(records, 0) & TRANSACTIONAL_BIT) !== 0
  if (!topicData.some(({ partitionData }) => partitionData.some(({ records }) => isTransactional(records)))) return
  throw new KafkaError('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
}

/** What the log itself cannot know. */
function check(
  { acks, transactionalId }: ProduceRequest,
  topic: string,
  log: PartitionLog | null,
  records: Uint8Array | null,
  context: RequestContext,
): Refusal | null {
  const { version, broker } = context
  if (!may(context, 'write', 'topic', topic)) return NOT_ALLOWED
  if (acks !== ACKS.all && acks !== ACKS.leader && acks !== ACKS.none) {
    return refusal('INVALID_REQUIRED_ACKS', `acks is ${acks}; it is -1, 0 or 1`)
  }
  const found = broker.logs.topics.get(topic)
  if (found === undefined || log === null) {
    return refusal('UNKNOWN_TOPIC_OR_PARTITION', null)
  }
  if (found.isInternal) return refusal('INVALID_TOPIC_EXCEPTION', `Cannot append to internal topic ${topic}`)
  if (records === null || records.length === 0) {
    return refusal(
      'INVALID_RECORD',
      `Produce requests with version ${version} must have at least one record batch per partition`,
    )
  }
  if (records.length >= BATCH_HEADER_BYTES && magicOf(records, 0) === MAGIC) {
    const attributes = attributesOf(records, 0)
    if (version < ZSTD_VERSION && (attributes & CODEC_MASK) === ZSTD) {
      return refusal(
        'UNSUPPORTED_COMPRESSION_TYPE',
        `Produce requests with version ${version} are not allowed to use ZStandard compression`,
      )
    }
    if (transactionalId === null && (attributes & TRANSACTIONAL_BIT) !== 0) {
      return refusal(
        'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
        'Transactional records in a request without transactional id',
      )
    }
  }
  return null
}

/** A batch must not open a transaction that nobody would end: the coordinator has to know of it (KIP-890). */
function verify(
  transactionalId: string | null,
  producer: Producer,
  topic: string,
  partition: number,
  { broker, version }: RequestContext,
): LogRefusal | null {
  const { transactions } = broker
  const error =
    version >= IMPLICIT_VERSION
      ? transactions.include(transactionalId ?? '', producer, topic, partition)
      : transactions.verify(transactionalId ?? '', producer, topic, partition)
  const message = 'The partition is part of no open transaction of this producer'
  switch (error) {
    case null:
      return null
    case 'PRODUCER_FENCED':
      return { error: 'INVALID_PRODUCER_EPOCH', message: 'There is a producer with a newer epoch' }
    case 'INVALID_PRODUCER_ID_MAPPING':
      return { error, message: 'The transactional id has another producer id' }
    case 'CONCURRENT_TRANSACTIONS':
    case 'COORDINATOR_LOAD_IN_PROGRESS':
    case 'COORDINATOR_NOT_AVAILABLE':
      // An error that producers try again after.
      return { error: 'NOT_ENOUGH_REPLICAS', message: 'The transaction cannot be verified yet' }
    default:
      return { error: version >= ABORTABLE_VERSION ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE', message }
  }
}

/** Answers when the disk has what was appended, or when the producer does not want to wait any longer for it. */
async function acknowledge(
  { acks, timeoutMs }: ProduceRequest,
  outcomes: readonly TopicOutcomes[],
  bytesThrottleMs: number,
  context: RequestContext,
): Promise<ProduceResponse | null> {
  const { broker, session } = context
  await broker.logs.writeBegun()
  const rest = broker.logs.restOf(appendedTo(outcomes))
  let isInTime = true
  if (rest !== null) {
    if (acks === ACKS.all && timeoutMs > 0) isInTime = await isWithin(timeoutMs, rest, broker.clock)
    else await rest
  }
  const responses = outcomes.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitionResponses: partitions.map((outcome) => answerOf(outcome, isInTime)),
  }))
  if (acks !== ACKS.none) {
    const throttleTimeMs = Math.max(bytesThrottleMs, broker.quotas.throttleForTime(context))
    return throttleTimeMs === 0 ? { responses } : { responses, throttleTimeMs }
  }
  // Nobody waits for an answer: that the connection ends is how the producer learns that something is wrong.
  const problem = problemOf(responses)
  if (problem !== null) session.close(problem)
  return null
}

function appendedTo(outcomes: readonly TopicOutcomes[]): PartitionLog[] {
  const logs: PartitionLog[] = []
  for (const { partitions } of outcomes) {
    for (const { log, appended } of partitions) if (log !== null && appended.error === null) logs.push(log)
  }
  return logs
}

function isWithin(timeoutMs: number, done: Promise<void>, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.schedule(timeoutMs, () => resolve(false))
    done.then(() => {
      timer.cancel()
      resolve(true)
    })
  })
}

function answerOf({ index, log, appended }: Outcome, isInTime: boolean): PartitionAnswer {
  if (appended.error !== null) return failed(index, log, appended)
  if (!isInTime)
    return failed(index, log, refusal('REQUEST_TIMED_OUT', 'Written, but not yet acknowledged by the disk'))
  const storageProblem = log!.storageProblem
  if (storageProblem !== null) return failed(index, log, refusal('KAFKA_STORAGE_ERROR', storageProblem))
  return {
    index,
    errorCode: 0,
    baseOffset: appended.baseOffset,
    logAppendTimeMs: appended.logAppendTimeMs,
    logStartOffset: log!.logStartOffset,
    recordErrors: [],
  }
}

function failed(
  index: number,
  log: PartitionLog | null,
  { error, message, recordErrors = [] }: Refusal,
): PartitionAnswer {
  return {
    index,
    errorCode: errorCodeOf(error),
    baseOffset: -1,
    // Kafka tells where the log begins only to those whose records are at fault.
    logStartOffset: error === 'INVALID_RECORD' || error === 'INVALID_TIMESTAMP' ? (log?.logStartOffset ?? -1) : -1,
    recordErrors: recordErrors.map((each) => ({ batchIndex: each.index, batchIndexErrorMessage: each.message })),
    errorMessage: message,
  }
}

/** The first error of an answer that nobody reads. */
function problemOf(responses: ProduceResponse['responses']): string | null {
  for (const { name, partitionResponses } of responses) {
    for (const { index, errorCode, errorMessage } of partitionResponses) {
      if (errorCode === 0) continue
      return `a Produce request with acks 0 failed for ${name}-${index}: ${[errorNameOf(errorCode), errorMessage ?? []].flat().join(', ')}`
    }
  }
  return null
}

/** The whole request failed, in every partition. */
function refuse(
  request: ProduceRequest,
  { errorName, message }: KafkaError,
  { session }: RequestContext,
): ProduceResponse | null {
  // What the error's name says already is not said again.
  const said = message === errorName ? null : message
  const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
    name,
    topicId,
    partitionResponses: partitionData.map(({ index }) => failed(index, null, refusal(errorName, said))),
  }))
  if (request.acks !== ACKS.none) return { responses }
  session.close(problemOf(responses) ?? message)
  return null
}

function refusal(error: ErrorName, message: string | null): Refusal {
  return { error, message }
}
