import { api, type RequestContext } from '../api.ts'
import { mayOnCluster, REFUSED } from '../authorizer/authorization.ts'
import { ERROR, KafkaError } from '../errors.ts'
import { requestedEntity } from '../quotas/client-quotas.ts'
import {
  type AlterClientQuotasRequest,
  type AlterClientQuotasResponse,
  alterClientQuotasRequest,
  alterClientQuotasResponse,
} from '../schemas/alter-client-quotas.ts'

export const alterClientQuotas = api(alterClientQuotasRequest, alterClientQuotasResponse, [0, 1], handle, {
  refuse: ({ entries }, { code, message }) => ({
    entries: entries.map(({ entity }) => ({ errorCode: code, errorMessage: message, entity })),
  }),
})

function handle(request: AlterClientQuotasRequest, context: RequestContext): AlterClientQuotasResponse {
  if (!mayOnCluster(context, 'alterConfigs')) throw new KafkaError(REFUSED.cluster.error, REFUSED.cluster.message)
  const changes = request.entries.map(({ entity, ops }) => ({
    entity: requestedEntity(entity.map(({ entityType, entityName }) => [entityType, entityName])),
    operations: ops.map(({ key, value, remove }) => [key, remove ? null : value] as const),
  }))
  const entries = context.broker.quotas.clients.alter(changes, request.validateOnly).map(({ entity, refusal }) => ({
    errorCode: ERROR[refusal === null ? 'NONE' : 'INVALID_REQUEST'],
    errorMessage: refusal,
    entity: [...entity].map(([entityType, entityName]) => ({ entityType, entityName })),
  }))
  return { entries }
}
