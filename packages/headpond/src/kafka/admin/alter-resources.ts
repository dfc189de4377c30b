/** AlterConfigs and IncrementalAlterConfigs: the same, but that the first replaces all that was set. */

import type { RequestContext } from '../api.ts'
import { may, mayOnCluster, REFUSED } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import { planBrokerConfig } from './broker-resource.ts'
import { type ConfigChange, type ConfigMap, refuseChanges } from './config-change.ts'
import { RESOURCE_TYPE } from './config-entry.ts'
import { planLogger } from './logger-resource.ts'
import { clientMetricsKind, groupKind, type NamedKind, planNamed } from './named-resource.ts'
import type { Refusal } from './partition-plan.ts'
import { planTopicConfig } from './topic-resource.ts'

export interface WantedConfig {
  readonly resourceType: number
  readonly resourceName: string
  readonly changes: readonly ConfigChange[]
}

export interface AlterAnswer {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

/** @param replaces what is not among the changes is set no more */
export async function alterResources(
  resources: readonly WantedConfig[],
  replaces: boolean,
  validateOnly: boolean,
  context: RequestContext,
): Promise<AlterAnswer[]> {
  const counts = new Map<string, number>()
  for (const wanted of resources) counts.set(keyOf(wanted), (counts.get(keyOf(wanted)) ?? 0) + 1)
  const answers: AlterAnswer[] = []
  for (const wanted of resources) {
    const { resourceType, resourceName } = wanted
    const plan = counts.get(keyOf(wanted))! > 1 ? REPEATED : planOrRefuse(wanted, replaces, context)
    const refusal = 'error' in plan ? plan : validateOnly ? null : await plan.apply()
    answers.push({
      errorCode: ERROR[refusal?.error ?? 'NONE'],
      errorMessage: refusal?.message ?? null,
      resourceType,
      resourceName,
    })
  }
  await context.broker.logs.written()
  return answers
}

const REPEATED: Refusal = { error: 'INVALID_REQUEST', message: 'Each resource must appear at most once.' }

function keyOf({ resourceType, resourceName }: WantedConfig): string {
  return `${resourceType}/${resourceName}`
}

interface Plan {
  readonly apply: () => Refusal | null | Promise<Refusal | null>
}

function planOrRefuse(wanted: WantedConfig, replaces: boolean, context: RequestContext): Plan | Refusal {
  const { resourceType, resourceName: name, changes: all } = wanted
  const refusal = refuseChanges(all)
  if (refusal !== null) return refusal
  const changes = replaces ? null : all
  const replacement = new Map(replaces ? all.map((change) => [change.name, change.value!]) : [])
  const { broker } = context
  switch (resourceType) {
    case RESOURCE_TYPE.topic:
      if (!may(context, 'alterConfigs', 'topic', name)) return REFUSED.topic
      return plan(planTopicConfig(name, changes, replacement, context), (next) => broker.logs.configure(name, next))
    case RESOURCE_TYPE.broker: {
      const next = planBrokerConfig(name, changes, replacement, context)
      // What is wrong with it a client learns first, as in Kafka, where the broker checks and the controller decides.
      if (!('error' in next) && !mayOnCluster(context, 'alterConfigs')) return REFUSED.cluster
      return plan(next, (config) => broker.config.setDynamicConfig(name, config))
    }
    case RESOURCE_TYPE.brokerLogger:
      if (replaces) break
      return mayOnCluster(context, 'alterConfigs') ? planLogLevel(name, all, context) : NOT_ALLOWED_LOGGER
    case RESOURCE_TYPE.clientMetrics:
      if (!mayOnCluster(context, 'alterConfigs')) return REFUSED.cluster
      return planOfKind(clientMetricsKind, name, changes, replacement, context)
    case RESOURCE_TYPE.group:
      if (!may(context, 'alterConfigs', 'group', name)) return REFUSED.group
      return planOfKind(groupKind, name, changes, replacement, context)
  }
  return { error: 'INVALID_REQUEST', message: `Unknown resource type ${resourceType}` }
}

/** Here alone Kafka says nothing beside the error. */
const NOT_ALLOWED_LOGGER: Refusal = { error: REFUSED.cluster.error, message: null }

function plan(next: ConfigMap | Refusal, apply: (next: ConfigMap) => void): Plan | Refusal {
  if ('error' in next) return next
  return {
    apply: () => {
      apply(next)
      return null
    },
  }
}

function planOfKind(
  kind: NamedKind,
  name: string,
  changes: readonly ConfigChange[] | null,
  replacement: ConfigMap,
  context: RequestContext,
): Plan | Refusal {
  return plan(planNamed(kind, name, changes, replacement, context), (next) =>
    context.broker.metadata.setConfig(kind.owner, name, next),
  )
}

function planLogLevel(name: string, changes: readonly ConfigChange[], context: RequestContext): Plan | Refusal {
  const level = planLogger(name, changes, context)
  if (level !== null && typeof level !== 'string') return level
  return {
    apply: async () => {
      const problem = level === null ? undefined : await context.broker.config.setLogLevel(level)
      return problem === undefined ? null : { error: 'INVALID_CONFIG', message: problem }
    },
  }
}
