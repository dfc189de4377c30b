import { array, bool, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds validate only field.
 * Version 2 changes the response to not return feature level results.
 */
export const updateFeaturesRequest = message(
  { name: 'UpdateFeaturesRequest', apiKey: 57, versions: '0-2', flexible: '0+' },
  {
    timeoutMs: int32('0+', { default: 60000 }),
    featureUpdates: array('0+', {
      feature: string('0+'),
      maxVersionLevel: int16('0+'),
      allowDowngrade: bool('0'),
      upgradeType: int8('1+', { default: 1 }),
    }),
    validateOnly: bool('1+', { default: false }),
  },
)

export type UpdateFeaturesRequest = Decoded<typeof updateFeaturesRequest>

export const updateFeaturesResponse = message(
  { name: 'UpdateFeaturesResponse', apiKey: 57, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    results: array('0-1', {
      feature: string('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  },
)

export type UpdateFeaturesResponse = Encodable<typeof updateFeaturesResponse>
