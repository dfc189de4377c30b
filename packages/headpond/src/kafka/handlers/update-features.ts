import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import {
  type UpdateFeaturesRequest,
  type UpdateFeaturesResponse,
  updateFeaturesRequest,
  updateFeaturesResponse,
} from '../schemas/update-features.ts'

export const updateFeatures = api(updateFeaturesRequest, updateFeaturesResponse, [0, 2], handle)

/** Clients behave by the levels of features that ApiVersions tells. None can be changed: what is built is switched on. */
function handle({ featureUpdates }: UpdateFeaturesRequest, context: RequestContext): UpdateFeaturesResponse {
  requireOnCluster(context, 'alter')
  const { broker } = context
  const [first] = featureUpdates
  if (first === undefined) return { errorCode: ERROR.NONE, errorMessage: null, results: [] }
  const errorMessage =
    'The update failed for all features since the following feature had an error: ' +
    `Invalid update version ${first.maxVersionLevel} for feature ${first.feature}. ` +
    `Local controller ${broker.nodeId} does not support this feature.`
  return { errorCode: ERROR.INVALID_UPDATE_VERSION, errorMessage, results: [] }
}
