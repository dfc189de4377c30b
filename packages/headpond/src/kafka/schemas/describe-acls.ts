import { array, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds resource pattern type.
 * Version 3 adds user resource type.
 */
export const describeAclsRequest = message(
  { name: 'DescribeAclsRequest', apiKey: 29, versions: '0-3', flexible: '2+' },
  {
    resourceTypeFilter: int8('0+'),
    resourceNameFilter: string('0+', { nullable: '0+' }),
    patternTypeFilter: int8('1+', { default: 3 }),
    principalFilter: string('0+', { nullable: '0+' }),
    hostFilter: string('0+', { nullable: '0+' }),
    operation: int8('0+'),
    permissionType: int8('0+'),
  },
)

export type DescribeAclsRequest = Decoded<typeof describeAclsRequest>

/**
 * Version 1 adds PatternType.
 * Version 3 adds user resource type.
 */
export const describeAclsResponse = message(
  { name: 'DescribeAclsResponse', apiKey: 29, versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    resources: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      patternType: int8('1+', { default: 3 }),
      acls: array('0+', {
        principal: string('0+'),
        host: string('0+'),
        operation: int8('0+'),
        permissionType: int8('0+'),
      }),
    }),
  },
)

export type DescribeAclsResponse = Encodable<typeof describeAclsResponse>
