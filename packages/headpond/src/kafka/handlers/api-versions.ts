import { type Api, api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type ApiVersionsRequest,
  type ApiVersionsResponse,
  apiVersionsRequest,
  apiVersionsResponse,
} from '../schemas/api-versions.ts'

/** What a client may call itself: it ends up in names of metrics. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export const apiVersions = api(apiVersionsRequest, apiVersionsResponse, [0, 4], handle)

function handle(request: ApiVersionsRequest, { version, session, broker }: RequestContext): ApiVersionsResponse {
  if (version >= 3) {
    const { clientSoftwareName, clientSoftwareVersion } = request
    if (!SOFTWARE.test(clientSoftwareName) || !SOFTWARE.test(clientSoftwareVersion)) {
      return { errorCode: ERROR.INVALID_REQUEST, apiKeys: [] }
    }
    session.clientSoftwareName = clientSoftwareName
    session.clientSoftwareVersion = clientSoftwareVersion
  }
  session.sasl?.versionsTold()
  return { errorCode: ERROR.NONE, apiKeys: broker.apis.map(describe) }
}

/**
 * The answer, in version 0, to a version of ApiVersions that is newer than ours: clients read it whatever they asked, and
 * ask again with the version that it names.
 */
export const UNSUPPORTED_API_VERSIONS: ApiVersionsResponse = {
  errorCode: ERROR.UNSUPPORTED_VERSION,
  apiKeys: [describe(apiVersions)],
}

function describe({ key, advertised, minVersion, maxVersion }: Api): ApiVersionsResponse['apiKeys'][number] {
  const [min, max] = advertised ?? [minVersion, maxVersion]
  return { apiKey: key, minVersion: min, maxVersion: max }
}
