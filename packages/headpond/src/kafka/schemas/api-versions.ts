import { array, bool, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Versions 0 through 2 of ApiVersionsRequest are the same.
 * Version 4 fixes KAFKA-17011, which blocked SupportedFeatures.MinVersion in the response from being 0.
 */
export const apiVersionsRequest = message(
  { name: 'ApiVersionsRequest', apiKey: 18, versions: '0-4', flexible: '3+' },
  {
    clientSoftwareName: string('3+'),
    clientSoftwareVersion: string('3+'),
  },
)

export type ApiVersionsRequest = Decoded<typeof apiVersionsRequest>

/**
 * Version 1 adds throttle time to the response.
 * Version 3 is the first flexible version. Tagged fields are only supported in the body but not in the header. The
 *   length of the header must not change in order to guarantee the backward compatibility.
 * Starting from Apache Kafka 2.4 (KIP-511), ApiKeys field is populated with the supported versions of the
 *   ApiVersionsRequest when an UNSUPPORTED_VERSION error is returned.
 * Version 4 fixes KAFKA-17011, which blocked SupportedFeatures.MinVersion from being 0.
 */
export const apiVersionsResponse = message(
  { name: 'ApiVersionsResponse', apiKey: 18, versions: '0-4', flexible: '3+' },
  {
    errorCode: int16('0+'),
    apiKeys: array('0+', {
      apiKey: int16('0+'),
      minVersion: int16('0+'),
      maxVersion: int16('0+'),
    }),
    throttleTimeMs: int32('1+', { default: 0 }),
    supportedFeatures: array(
      '3+',
      {
        name: string('3+'),
        minVersion: int16('3+'),
        maxVersion: int16('3+'),
      },
      { tag: 0 },
    ),
    finalizedFeaturesEpoch: int64('3+', { default: -1, tag: 1 }),
    finalizedFeatures: array(
      '3+',
      {
        name: string('3+'),
        maxVersionLevel: int16('3+'),
        minVersionLevel: int16('3+'),
      },
      { tag: 2 },
    ),
    zkMigrationReady: bool('3+', { default: false, tag: 3 }),
  },
)

export type ApiVersionsResponse = Encodable<typeof apiVersionsResponse>
