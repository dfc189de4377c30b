import type { Topic } from '../../log/topic.ts'
import { refuseTopicConfig } from '../../log/topic-config.ts'
import { CONFIG_SOURCE } from '../admin/config-entry.ts'
import { groupByName } from '../admin/group-by-name.ts'
import { NEW_PARTITIONS_MAX, planTopic, type Refusal, TOO_MANY_PARTITIONS } from '../admin/partition-plan.ts'
import { effectiveTopicConfig } from '../admin/topic-resource.ts'
import { api, type RequestContext } from '../api.ts'
import { may, mayOnClusterQuietly, mayQuietly } from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import { OVER_QUOTA, throttleForMutations } from '../quotas/mutation-quota.ts'
import {
  type CreateTopicsRequest,
  type CreateTopicsResponse,
  createTopicsRequest,
  createTopicsResponse,
} from '../schemas/create-topics.ts'
import { findCollidingTopic, isInternalTopic, refuseTopicName } from '../topic-names.ts'

export const createTopics = api(createTopicsRequest, createTopicsResponse, [2, 7], handle)

const CLUSTER_METADATA = '__cluster_metadata'

type Wanted = CreateTopicsRequest['topics'][number]
type Answer = CreateTopicsResponse['topics'][number]

/** The first version whose clients know that a quota may refuse a change (KIP-599). */
const STRICT_QUOTA_VERSION = 6

/** A topic that can be made. */
interface Plan {
  readonly partitionCount: number
  readonly config: ReadonlyMap<string, string>
}

/** Answers when Metadata shows the topics and they are on disk: clients use them at once. */
async function handle(request: CreateTopicsRequest, context: RequestContext): Promise<CreateTopicsResponse> {
  const { topics, validateOnly } = request
  const allowed = new Set(topics.filter(permissionToCreate(context)))
  const isTooMany = partitionCountOf([...allowed], context) > NEW_PARTITIONS_MAX
  const quota = context.broker.quotas.mutationsOf(context, STRICT_QUOTA_VERSION)
  const answers = [...groupByName(topics)].map(([name, [wanted, ...again]]): Answer => {
    if (again.length > 0) return refused(name, { error: 'INVALID_REQUEST', message: 'Duplicate topic name.' })
    if (!allowed.has(wanted)) {
      return refused(name, { error: 'TOPIC_AUTHORIZATION_FAILED', message: 'Authorization failed.' })
    }
    if (isTooMany) return refused(name, TOO_MANY_PARTITIONS)
    const plan = planOrRefuse(wanted, context)
    if ('error' in plan) return refused(name, plan)
    if (!quota.take(plan.partitionCount)) return refused(name, OVER_QUOTA)
    return created(name, plan, validateOnly ? null : create(name, plan, context), context)
  })
  await context.broker.logs.written()
  return { throttleTimeMs: throttleForMutations(quota, context), topics: answers }
}

/** Whoever may create topics in the cluster may create every one. The cluster's metadata is nobody's. */
function permissionToCreate(context: RequestContext): (wanted: Wanted) => boolean {
  const mayCreateAny = mayOnClusterQuietly(context, 'create')
  return ({ name }) => mayCreateAny || name === CLUSTER_METADATA || may(context, 'create', 'topic', name)
}

function partitionCountOf(topics: readonly Wanted[], { broker }: RequestContext): number {
  const defaultCount = broker.config.integer('num.partitions')
  return topics.reduce((sum, { numPartitions, assignments }) => {
    if (assignments.length > 0) return sum + assignments.length
    return sum + (numPartitions === -1 ? defaultCount : Math.max(0, numPartitions))
  }, 0)
}

function planOrRefuse(wanted: Wanted, { broker }: RequestContext): Plan | Refusal {
  const { name, configs } = wanted
  if (name === CLUSTER_METADATA) {
    return { error: 'INVALID_REQUEST', message: `Creation of internal topic ${name} is prohibited.` }
  }
  const nameProblem = refuseTopicName(name)
  if (nameProblem !== null) return { error: 'INVALID_TOPIC_EXCEPTION', message: nameProblem }
  if (broker.logs.topics.has(name)) return { error: 'TOPIC_ALREADY_EXISTS', message: `Topic '${name}' already exists.` }
  const collision = findCollidingTopic(name, broker.logs.topics)
  if (collision !== null) {
    const message = `Topic '${name}' collides with existing topic: ${collision}`
    return { error: 'INVALID_TOPIC_EXCEPTION', message }
  }
  const config = configOrRefusal(configs)
  if (!(config instanceof Map)) return config
  const configProblem = refuseTopicConfig(config, broker.config.logDefaults)
  if (configProblem !== undefined) return { error: 'INVALID_CONFIG', message: configProblem }
  const partitionCount = planTopic(wanted, broker.config.integer('num.partitions'), broker.nodeId)
  return typeof partitionCount === 'number' ? { partitionCount, config } : partitionCount
}

function configOrRefusal(configs: Wanted['configs']): Map<string, string> | Refusal {
  const config = new Map<string, string>()
  const nullNames: string[] = []
  for (const { name, value } of configs) {
    if (value === null) nullNames.push(name)
    else config.set(name, value)
  }
  if (nullNames.length === 0) return config
  const message = `Null value not supported for topic configs: ${nullNames.join(',')}`
  return { error: 'INVALID_CONFIG', message }
}

function create(name: string, { partitionCount, config }: Plan, { broker }: RequestContext): Topic {
  return broker.logs.createTopic(name, { partitionCount, config, isInternal: isInternalTopic(name) })
}

/** @param topic null: it was only asked whether it could be made */
function created(name: string, plan: Plan, topic: Topic | null, context: RequestContext): Answer {
  const { broker } = context
  const made = { name, topicId: topic?.id ?? ZERO_UUID, errorCode: ERROR.NONE, errorMessage: null }
  // What it was made like is a matter of its settings.
  if (!mayQuietly(context, 'describeConfigs', 'topic', name)) {
    return { ...made, topicConfigErrorCode: ERROR.TOPIC_AUTHORIZATION_FAILED, configs: [] }
  }
  return {
    ...made,
    numPartitions: plan.partitionCount,
    replicationFactor: 1,
    configs: effectiveTopicConfig(plan.config, broker.config).map(({ name, text, source }) => ({
      name,
      value: text,
      readOnly: false,
      configSource: CONFIG_SOURCE[source],
      isSensitive: false,
    })),
  }
}

function refused(name: string, { error, message }: { error: ErrorName; message: string | null }): Answer {
  return { name, topicId: ZERO_UUID, errorCode: ERROR[error], errorMessage: message, configs: [] }
}
