import { api, type RequestContext } from '../api.ts'
import { may, mayOnClusterQuietly, REFUSED } from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName, KafkaError } from '../errors.ts'
import { type MutationQuota, OVER_QUOTA, throttleForMutations } from '../quotas/mutation-quota.ts'
import {
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
  deleteTopicsRequest,
  deleteTopicsResponse,
} from '../schemas/delete-topics.ts'

export const deleteTopics = api(deleteTopicsRequest, deleteTopicsResponse, [1, 6], handle, { refuse })

/** The first version whose clients know that a quota may refuse a change (KIP-599). */
const STRICT_QUOTA_VERSION = 5

/** A topic by its name, or (from version 6 on) by its id: the other one is null or zero. */
interface Wanted {
  readonly name: string | null
  readonly topicId: string
}

type Answer = DeleteTopicsResponse['responses'][number]

async function handle(request: DeleteTopicsRequest, context: RequestContext): Promise<DeleteTopicsResponse> {
  const { broker, version } = context
  if (!broker.config.boolean('delete.topic.enable')) {
    // Clients of older versions do not know the error's own code.
    throw new KafkaError(version < 3 ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED', 'Topic deletion is disabled.')
  }
  const wanted = wantedOf(request)
  const named = {
    names: new Set(wanted.map(({ name }) => name)),
    ids: new Set(wanted.filter(({ name }) => name === null).map(({ topicId }) => topicId)),
  }
  const counts = new Map<string, number>()
  for (const each of wanted) counts.set(keyOf(each), (counts.get(keyOf(each)) ?? 0) + 1)
  const quota = broker.quotas.mutationsOf(context, STRICT_QUOTA_VERSION)
  const answers: Answer[] = []
  for (const each of wanted) {
    const count = counts.get(keyOf(each))
    if (count === undefined) continue // answered already
    counts.delete(keyOf(each))
    const answer = deleteOne(each, count > 1, named, quota, context)
    if (answer !== null) answers.push(answer)
  }
  await broker.logs.written()
  return { throttleTimeMs: throttleForMutations(quota, context), responses: answers }
}

/** @returns null for a topic that is named as well, and answered under its name */
function deleteOne(
  wanted: Wanted,
  isRepeated: boolean,
  { names, ids }: { names: ReadonlySet<string | null>; ids: ReadonlySet<string> },
  quota: MutationQuota,
  context: RequestContext,
): Answer | null {
  const { logs } = context.broker
  const { name, topicId } = wanted
  if (name === null) {
    if (topicId === ZERO_UUID) return invalid(wanted, 'Neither topic name nor id were specified.')
    if (isRepeated) return invalid(wanted, 'Duplicate topic id.')
  } else {
    if (topicId !== ZERO_UUID) return invalid(wanted, 'You may not specify both topic name and topic id.')
    if (isRepeated) return invalid(wanted, 'Duplicate topic name.')
  }
  const topic = name === null ? logs.topicById(topicId) : logs.topics.get(name)
  const isNamed = name !== null || topic !== undefined
  if (isNamed && !mayOnClusterQuietly(context, 'delete')) {
    const known = name ?? topic!.name
    const mayDescribe = may(context, 'describe', 'topic', known)
    const isForbidden = !may(context, 'delete', 'topic', known)
    // Who may not see a topic learns neither the name of an id nor whether there is one of that name.
    if (name === null ? isForbidden : !mayDescribe || (isForbidden && topic !== undefined)) {
      return refused({ name: mayDescribe ? known : name, topicId }, 'TOPIC_AUTHORIZATION_FAILED', REFUSED.topic.message)
    }
  }
  if (topic === undefined) {
    return name === null
      ? refused(wanted, 'UNKNOWN_TOPIC_ID', 'This server does not host this topic ID.')
      : refused(wanted, 'UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition.')
  }
  if (name === null && names.has(topic.name)) return null
  if (name !== null && ids.has(topic.id)) {
    const problem = 'The provided topic name maps to an ID that was already supplied.'
    return invalid({ name, topicId: topic.id }, problem)
  }
  if (!quota.take(topic.partitions.length)) {
    return refused({ name: topic.name, topicId: topic.id }, OVER_QUOTA.error, OVER_QUOTA.message)
  }
  logs.deleteTopic(topic.name)
  return { name: topic.name, topicId: topic.id, errorCode: ERROR.NONE, errorMessage: null }
}

/** Versions up to 5 have names alone. */
function wantedOf({ topics, topicNames }: DeleteTopicsRequest): readonly Wanted[] {
  return topics.length > 0 ? topics : topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
}

function keyOf({ name, topicId }: Wanted): string {
  return `${topicId}/${name ?? ''}`
}

function invalid(wanted: Wanted, message: string): Answer {
  return refused(wanted, 'INVALID_REQUEST', message)
}

function refused({ name, topicId }: Wanted, error: ErrorName, message: string | null): Answer {
  return { name, topicId, errorCode: ERROR[error], errorMessage: message }
}

function refuse(request: DeleteTopicsRequest, error: KafkaError): DeleteTopicsResponse {
  return { responses: wantedOf(request).map((each) => refused(each, error.errorName, error.message)) }
}
