import { describeBroker } from '../admin/broker-resource.ts'
import { type ConfigEntry, RESOURCE_TYPE, wireEntry } from '../admin/config-entry.ts'
import { describeLogger } from '../admin/logger-resource.ts'
import { clientMetricsKind, describeNamed, groupKind } from '../admin/named-resource.ts'
import type { Refusal } from '../admin/partition-plan.ts'
import { describeTopic } from '../admin/topic-resource.ts'
import { api, type RequestContext } from '../api.ts'
import { CLUSTER_NAME } from '../authorizer/acl.ts'
import { may, REFUSED } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import { inTurns } from '../in-turns.ts'
import {
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
  describeConfigsRequest,
  describeConfigsResponse,
} from '../schemas/describe-configs.ts'

export const describeConfigs = api(describeConfigsRequest, describeConfigsResponse, [1, 4], handle)

async function handle(request: DescribeConfigsRequest, context: RequestContext): Promise<DescribeConfigsResponse> {
  const results: DescribeConfigsResponse['results'][number][] = []
  // Consoles ask for all topics at once.
  await inTurns(request.resources, ({ resourceType, resourceName, configurationKeys }) => {
    const entries = describe(resourceType, resourceName, context)
    const refusal = 'error' in entries ? entries : null
    // No names at all mean the same as null: all of them.
    const isWanted = ({ name }: ConfigEntry) => !configurationKeys?.length || configurationKeys.includes(name)
    results.push({
      errorCode: ERROR[refusal?.error ?? 'NONE'],
      errorMessage: refusal?.message ?? '',
      resourceType,
      resourceName,
      configs: 'error' in entries ? [] : entries.filter(isWanted).map((entry) => wireEntry(entry, request)),
    })
  })
  return { results }
}

function describe(type: number, name: string, context: RequestContext): ConfigEntry[] | Refusal {
  const kind = kindOf(type)
  if (kind !== null && !may(context, 'describeConfigs', kind, kind === 'cluster' ? CLUSTER_NAME : name)) {
    return REFUSED[kind]
  }
  switch (type) {
    case RESOURCE_TYPE.topic:
      return describeTopic(name, context)
    case RESOURCE_TYPE.broker:
      return describeBroker(name, context)
    case RESOURCE_TYPE.brokerLogger:
      return describeLogger(name, context)
    case RESOURCE_TYPE.clientMetrics:
      return describeNamed(clientMetricsKind, name, context)
    case RESOURCE_TYPE.group:
      return describeNamed(groupKind, name, context)
  }
  return { error: 'INVALID_REQUEST', message: UNKNOWN_TYPE }
}

/** What the settings of a resource belong to. */
function kindOf(type: number): keyof typeof REFUSED | null {
  switch (type) {
    case RESOURCE_TYPE.topic:
      return 'topic'
    case RESOURCE_TYPE.group:
      return 'group'
    case RESOURCE_TYPE.broker:
    case RESOURCE_TYPE.brokerLogger:
    case RESOURCE_TYPE.clientMetrics:
      return 'cluster'
  }
  return null
}

const UNKNOWN_TYPE =
  'This most likely occurs because of a request being malformed by the client library or the message was sent to an ' +
  'incompatible broker. See the broker logs for more details.'
