import { alterResources } from '../admin/alter-resources.ts'
import { api, type RequestContext } from '../api.ts'
import {
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../schemas/incremental-alter-configs.ts'

export const incrementalAlterConfigs = api(
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
  [0, 1],
  handle,
)

async function handle(
  request: IncrementalAlterConfigsRequest,
  context: RequestContext,
): Promise<IncrementalAlterConfigsResponse> {
  const resources = request.resources.map(({ resourceType, resourceName, configs }) => ({
    resourceType,
    resourceName,
    changes: configs.map(({ name, configOperation, value }) => ({ name, operation: configOperation, value })),
  }))
  return { responses: await alterResources(resources, false, request.validateOnly, context) }
}
