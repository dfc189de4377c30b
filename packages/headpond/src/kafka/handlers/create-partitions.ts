import { groupByName } from '../admin/group-by-name.ts'
import { NEW_PARTITIONS_MAX, type Refusal, refuseReplicas, TOO_MANY_PARTITIONS } from '../admin/partition-plan.ts'
import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import { OVER_QUOTA, throttleForMutations } from '../quotas/mutation-quota.ts'
import {
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
  createPartitionsRequest,
  createPartitionsResponse,
} from '../schemas/create-partitions.ts'

export const createPartitions = api(createPartitionsRequest, createPartitionsResponse, [0, 3], handle)

/** The first version whose clients know that a quota may refuse a change (KIP-599). */
const STRICT_QUOTA_VERSION = 3

type Wanted = CreatePartitionsRequest['topics'][number]

async function handle(request: CreatePartitionsRequest, context: RequestContext): Promise<CreatePartitionsResponse> {
  const { topics, validateOnly } = request
  const { logs, quotas } = context.broker
  const quota = quotas.mutationsOf(context, STRICT_QUOTA_VERSION)
  const allowed = new Set(topics.filter(({ name }) => may(context, 'alter', 'topic', name)))
  const isTooMany = [...allowed].reduce((sum, wanted) => sum + addedCount(wanted, context), 0) > NEW_PARTITIONS_MAX
  const results = [...groupByName(topics)].map(([name, [wanted, ...again]]) => {
    let refusal =
      again.length > 0
        ? DUPLICATE_NAME
        : !allowed.has(wanted)
          ? NOT_ALLOWED
          : (refuseGrowth(wanted, context) ?? (isTooMany ? TOO_MANY_PARTITIONS : null))
    if (refusal === null && !quota.take(addedCount(wanted, context))) refusal = OVER_QUOTA
    if (refusal === null && !validateOnly) logs.addPartitions(name, wanted.count)
    return { name, errorCode: ERROR[refusal?.error ?? 'NONE'], errorMessage: refusal?.message ?? null }
  })
  await logs.written()
  return { throttleTimeMs: throttleForMutations(quota, context), results }
}

const NOT_ALLOWED: Refusal = { error: 'TOPIC_AUTHORIZATION_FAILED', message: null }
const DUPLICATE_NAME: Refusal = { error: 'INVALID_REQUEST', message: 'Duplicate topic name.' }

function addedCount({ name, count }: Wanted, { broker }: RequestContext): number {
  const topic = broker.logs.topics.get(name)
  return topic === undefined ? 0 : Math.max(0, count - topic.partitions.length)
}

function refuseGrowth({ name, count, assignments }: Wanted, { broker }: RequestContext): Refusal | null {
  const topic = broker.logs.topics.get(name)
  if (topic === undefined) return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: null }
  const currentCount = topic.partitions.length
  if (count === currentCount) {
    return { error: 'INVALID_PARTITIONS', message: `Topic already has ${currentCount} partition(s).` }
  }
  if (count < currentCount) {
    const message = `The topic ${name} currently has ${currentCount} partition(s); ${count} would not be an increase.`
    return { error: 'INVALID_PARTITIONS', message }
  }
  if (assignments === null) return null
  const newCount = count - currentCount
  if (assignments.length !== newCount) {
    const message =
      `Attempted to add ${newCount} additional partition(s), but only ${assignments.length} assignment(s) ` +
      'were specified.'
    return { error: 'INVALID_REPLICA_ASSIGNMENT', message }
  }
  for (const { brokerIds } of assignments) {
    const refusal = refuseReplicas(brokerIds, broker.nodeId)
    if (refusal !== null) return refusal
  }
  return null
}
