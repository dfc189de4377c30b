import { type Api, api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import { FEATURES, levelOf } from '../features.ts'
import {
  type ApiVersionsRequest,
  type ApiVersionsResponse,
  apiVersionsRequest,
  apiVersionsResponse,
} from '../schemas/api-versions.ts'

/** The first version in which a feature may begin at level 0. */
const FROM_ZERO_VERSION = 4
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
  const { features } = broker.metadata
  return {
    errorCode: ERROR.NONE,
    apiKeys: broker.apis.map(describe),
    // Clients of before version 4 take a lowest level of 0 for a mistake.
    supportedFeatures: FEATURES.filter(({ minLevel }) => version >= FROM_ZERO_VERSION || minLevel > 0).map(
      ({ name, minLevel, maxLevel }) => ({ name, minVersion: minLevel, maxVersion: maxLevel }),
    ),
    finalizedFeaturesEpoch: features.epoch,
    finalizedFeatures: FEATURES.map((feature) => ({ name: feature.name, level: levelOf(features, feature) }))
      .filter(({ level }) => level > 0)
      .map(({ name, level }) => ({ name, minVersionLevel: level, maxVersionLevel: level })),
  }
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
