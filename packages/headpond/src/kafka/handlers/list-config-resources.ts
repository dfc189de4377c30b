import { RESOURCE_TYPE } from '../admin/config-entry.ts'
import { api, type RequestContext } from '../api.ts'
import { mayOnCluster } from '../authorizer/authorization.ts'
import type { Broker } from '../broker.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type ListConfigResourcesRequest,
  type ListConfigResourcesResponse,
  listConfigResourcesRequest,
  listConfigResourcesResponse,
} from '../schemas/list-config-resources.ts'

/** In version 0 it is ListClientMetricsResources, which knows one kind. */
export const listConfigResources = api(listConfigResourcesRequest, listConfigResourcesResponse, [0, 1], handle)

const ALL_TYPES = new Set<number>(Object.values(RESOURCE_TYPE))

/** The names of what has settings: of topics and brokers all, of groups and metrics those for which something is set. */
function handle({ resourceTypes }: ListConfigResourcesRequest, context: RequestContext): ListConfigResourcesResponse {
  if (!mayOnCluster(context, 'describeConfigs')) return refuse('CLUSTER_AUTHORIZATION_FAILED')
  const wanted = context.version === 0 ? [RESOURCE_TYPE.clientMetrics] : resourceTypes
  if (!wanted.every((type) => ALL_TYPES.has(type))) return refuse('UNSUPPORTED_VERSION')
  const configResources = [...(wanted.length === 0 ? ALL_TYPES : new Set(wanted))].flatMap((resourceType) =>
    namesOf(resourceType, context.broker).map((resourceName) => ({ resourceName, resourceType })),
  )
  return { errorCode: ERROR.NONE, configResources }
}

function namesOf(type: number, { logs, metadata, nodeId }: Broker): readonly string[] {
  switch (type) {
    case RESOURCE_TYPE.topic:
      return [...logs.topics.keys()]
    case RESOURCE_TYPE.clientMetrics:
      return metadata.configuredNames('client-metrics')
    case RESOURCE_TYPE.group:
      return metadata.configuredNames('group')
  }
  return [String(nodeId)]
}

function refuse(error: ErrorName): ListConfigResourcesResponse {
  return { errorCode: ERROR[error], configResources: [] }
}
