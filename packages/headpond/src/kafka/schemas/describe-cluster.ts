import { array, bool, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds EndpointType for KIP-919 support.
 * Version 2 adds IncludeFencedBrokers for KIP-1073 support.
 */
export const describeClusterRequest = message(
  { name: 'DescribeClusterRequest', apiKey: 60, versions: '0-2', flexible: '0+' },
  {
    includeClusterAuthorizedOperations: bool('0+'),
    endpointType: int8('1+', { default: 1 }),
    includeFencedBrokers: bool('2+'),
  },
)

export type DescribeClusterRequest = Decoded<typeof describeClusterRequest>

/**
 * Version 1 adds the EndpointType field, and makes MISMATCHED_ENDPOINT_TYPE and UNSUPPORTED_ENDPOINT_TYPE valid
 *   top-level response error codes.
 * Version 2 adds IsFenced field to Brokers for KIP-1073 support.
 */
export const describeClusterResponse = message(
  { name: 'DescribeClusterResponse', apiKey: 60, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+', default: null }),
    endpointType: int8('1+', { default: 1 }),
    clusterId: string('0+'),
    controllerId: int32('0+', { default: -1 }),
    brokers: array('0+', {
      brokerId: int32('0+'),
      host: string('0+'),
      port: int32('0+'),
      rack: string('0+', { nullable: '0+', default: null }),
      isFenced: bool('2+'),
    }),
    clusterAuthorizedOperations: int32('0+', { default: -2147483648 }),
  },
)

export type DescribeClusterResponse = Encodable<typeof describeClusterResponse>
