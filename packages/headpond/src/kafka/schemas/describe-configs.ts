import { array, bool, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/** Version 1 adds IncludeSynonyms. */
export const describeConfigsRequest = message(
  { name: 'DescribeConfigsRequest', apiKey: 32, versions: '0-4', flexible: '4+' },
  {
    resources: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configurationKeys: array('0+', 'string', { nullable: '0+' }),
    }),
    includeSynonyms: bool('1+', { default: false }),
    includeDocumentation: bool('3+', { default: false }),
  },
)

export type DescribeConfigsRequest = Decoded<typeof describeConfigsRequest>

/**
 * Version 1 adds ConfigSource and the synonyms.
 * Version 4 enables flexible versions. Note: the v0 default for this field that should be exposed to callers is
 *   context-dependent. For example, if the resource is a broker, this should default to 4. -1 is just a
 *   placeholder value.
 */
export const describeConfigsResponse = message(
  { name: 'DescribeConfigsResponse', apiKey: 32, versions: '0-4', flexible: '4+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
      resourceType: int8('0+'),
      resourceName: string('0+'),
      configs: array('0+', {
        name: string('0+'),
        value: string('0+', { nullable: '0+' }),
        readOnly: bool('0+'),
        isDefault: bool('0'),
        configSource: int8('1+', { default: -1 }),
        isSensitive: bool('0+'),
        synonyms: array('1+', {
          name: string('1+'),
          value: string('1+', { nullable: '1+' }),
          source: int8('1+'),
        }),
        configType: int8('3+', { default: 0 }),
        documentation: string('3+', { nullable: '3+' }),
      }),
    }),
  },
)

export type DescribeConfigsResponse = Encodable<typeof describeConfigsResponse>
