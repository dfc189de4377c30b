import { alterResources } from '../admin/alter-resources.ts'
import { OPERATION } from '../admin/config-change.ts'
import { api, type RequestContext } from '../api.ts'
import {
  type AlterConfigsRequest,
  type AlterConfigsResponse,
  alterConfigsRequest,
  alterConfigsResponse,
} from '../schemas/alter-configs.ts'

/** What is not named is set no more: clients that want to change one setting should send IncrementalAlterConfigs. */
export const alterConfigs = api(alterConfigsRequest, alterConfigsResponse, [0, 2], handle)

async function handle(request: AlterConfigsRequest, context: RequestContext): Promise<AlterConfigsResponse> {
  const resources = request.resources.map(({ resourceType, resourceName, configs }) => ({
    resourceType,
    resourceName,
    changes: configs.map(({ name, value }) => ({ name, operation: OPERATION.set, value })),
  }))
  return { responses: await alterResources(resources, true, request.validateOnly, context) }
}
