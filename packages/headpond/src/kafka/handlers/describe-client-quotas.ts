import { api, type RequestContext } from '../api.ts'
import { mayOnCluster } from '../authorizer/authorization.ts'
import { ERROR, KafkaError } from '../errors.ts'
import type { FilterComponent } from '../quotas/client-quotas.ts'
import { isEntityType, normalAddress } from '../quotas/quota-entity.ts'
import {
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponse,
  describeClientQuotasRequest,
  describeClientQuotasResponse,
} from '../schemas/describe-client-quotas.ts'

const MATCH = { exact: 0, default: 1, specified: 2 } as const

export const describeClientQuotas = api(describeClientQuotasRequest, describeClientQuotasResponse, [0, 1], handle, {
  refuse: (_request, { code, message }) => ({ errorCode: code, errorMessage: message, entries: null }),
})

function handle(request: DescribeClientQuotasRequest, context: RequestContext): DescribeClientQuotasResponse {
  // Here Kafka says nothing beside the error.
  if (!mayOnCluster(context, 'describeConfigs')) {
    return { errorCode: ERROR.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null, entries: null }
  }
  const entries = context.broker.quotas.clients.find(filterOf(request), request.strict).map(({ entity, values }) => ({
    entity: [...entity].map(([entityType, entityName]) => ({ entityType, entityName })),
    values: [...values].map(([key, value]) => ({ key, value })),
  }))
  return { errorCode: ERROR.NONE, errorMessage: null, entries }
}

function filterOf({ components }: DescribeClientQuotasRequest): FilterComponent[] {
  const filter: FilterComponent[] = []
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') throw new KafkaError('INVALID_REQUEST', 'Invalid empty entity type.')
    if (filter.some(({ type }) => type === entityType)) {
      const message = `Entity type ${entityType} cannot appear more than once in the filter.`
      throw new KafkaError('INVALID_REQUEST', message)
    }
    if (!isEntityType(entityType)) throw new KafkaError('UNSUPPORTED_VERSION', `Unsupported entity type ${entityType}`)
    filter.push({ type: entityType, match: matchOf(entityType, matchType, match) })
  }
  if (filter.length > 1 && filter.some(({ type }) => type === 'ip')) {
    const message =
      'Invalid entity filter component combination. IP filter component should not be used with user or clientId ' +
      'filter component.'
    throw new KafkaError('INVALID_REQUEST', message)
  }
  return filter
}

function matchOf(type: string, matchType: number, name: string | null): FilterComponent['match'] {
  switch (matchType) {
    case MATCH.exact:
      if (name === null) {
        throw new KafkaError('INVALID_REQUEST', 'Request specified MATCH_TYPE_EXACT, but set match string to null.')
      }
      return { name: type === 'ip' ? normalAddress(name) : name }
    case MATCH.default:
      if (name !== null) throw matchStringRefused('MATCH_TYPE_DEFAULT')
      return { name }
    case MATCH.specified:
      if (name !== null) throw matchStringRefused('MATCH_TYPE_SPECIFIED')
      return 'any'
    default:
      throw new KafkaError('INVALID_REQUEST', `Unknown match type ${matchType}`)
  }
}

function matchStringRefused(matchType: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', `Request specified ${matchType}, but also specified a match string.`)
}
