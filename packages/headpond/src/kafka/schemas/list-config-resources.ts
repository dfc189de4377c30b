import { array, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 0 is used as ListClientMetricsResourcesRequest, which only lists client metrics resources.
 * Version 1 adds ResourceTypes (KIP-1142). Without any, all configuration resources are returned.
 */
export const listConfigResourcesRequest = message(
  { name: 'ListConfigResourcesRequest', apiKey: 74, versions: '0-1', flexible: '0+' },
  {
    resourceTypes: array('1+', 'int8'),
  },
)

export type ListConfigResourcesRequest = Decoded<typeof listConfigResourcesRequest>

/**
 * Version 0 is used as ListClientMetricsResourcesResponse, which returns all client metrics resources.
 * Version 1 adds ResourceType to ConfigResources (KIP-1142).
 */
export const listConfigResourcesResponse = message(
  { name: 'ListConfigResourcesResponse', apiKey: 74, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    configResources: array('0+', {
      resourceName: string('0+'),
      resourceType: int8('1+', { default: 16 }),
    }),
  },
)

export type ListConfigResourcesResponse = Encodable<typeof listConfigResourcesResponse>
