import { api, type RequestContext } from '../api.ts'
import { requireOnCluster } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import { FEATURES, levelOf } from '../features.ts'
import {
  type UpdateFeaturesRequest,
  type UpdateFeaturesResponse,
  updateFeaturesRequest,
  updateFeaturesResponse,
} from '../schemas/update-features.ts'

export const updateFeatures = api(updateFeaturesRequest, updateFeaturesResponse, [0, 2], handle)

type Update = UpdateFeaturesRequest['featureUpdates'][number]

const UPGRADE_TYPES = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 }
const PER_FEATURE_VERSION_MAX = 1

/** Clients behave by the levels of features that ApiVersions tells. All are changed, or none. */
function handle(request: UpdateFeaturesRequest, context: RequestContext): UpdateFeaturesResponse {
  requireOnCluster(context, 'alter')
  const { broker, version } = context
  const { featureUpdates, validateOnly } = request
  for (const update of featureUpdates) {
    const problem = problemOf(update, context)
    if (problem === null) continue
    const errorMessage =
      'The update failed for all features since the following feature had an error: ' +
      `Invalid update version ${update.maxVersionLevel} for feature ${update.feature}. ${problem}`
    return { errorCode: ERROR.INVALID_UPDATE_VERSION, errorMessage, results: [] }
  }
  if (!validateOnly && featureUpdates.length > 0) {
    broker.metadata.setFeatureLevels(
      Object.fromEntries(featureUpdates.map(({ feature, maxVersionLevel }) => [feature, maxVersionLevel])),
    )
  }
  const results = featureUpdates.map(({ feature }) => ({ feature, errorCode: ERROR.NONE, errorMessage: null }))
  return {
    errorCode: ERROR.NONE,
    errorMessage: null,
    results: version <= PER_FEATURE_VERSION_MAX ? results : [],
  }
}

/** In Kafka's words. */
function problemOf(update: Update, { broker, version }: RequestContext): string | null {
  const { feature: name, maxVersionLevel: level } = update
  // Version 0 says only whether a downgrade may be.
  const downgrade = update.allowDowngrade ? UPGRADE_TYPES.safeDowngrade : UPGRADE_TYPES.upgrade
  const upgradeType = version === 0 ? downgrade : update.upgradeType
  if (!Object.values(UPGRADE_TYPES).includes(upgradeType)) {
    return 'The controller does not support the given upgrade type.'
  }
  if (level < 0) return 'A feature version cannot be less than 0.'
  const feature = FEATURES.find((each) => each.name === name)
  if (feature === undefined) return `Local controller ${broker.nodeId} does not support this feature.`
  const { minLevel, maxLevel } = feature
  if (level < minLevel || level > maxLevel) {
    return `Local controller ${broker.nodeId} only supports versions ${minLevel}-${maxLevel}`
  }
  const current = levelOf(broker.metadata.features, feature)
  if (level < current && upgradeType === UPGRADE_TYPES.upgrade) {
    return "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
  }
  return level > current && upgradeType !== UPGRADE_TYPES.upgrade ? "Can't downgrade to a newer version." : null
}
