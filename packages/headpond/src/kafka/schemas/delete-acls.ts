import { array, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds the pattern type.
 * Version 3 adds the user resource type.
 */
export const deleteAclsRequest = message(
  { name: 'DeleteAclsRequest', apiKey: 31, versions: '0-3', flexible: '2+' },
  {
    filters: array('0+', {
      resourceTypeFilter: int8('0+'),
      resourceNameFilter: string('0+', { nullable: '0+' }),
      patternTypeFilter: int8('1+', { default: 3 }),
      principalFilter: string('0+', { nullable: '0+' }),
      hostFilter: string('0+', { nullable: '0+' }),
      operation: int8('0+'),
      permissionType: int8('0+'),
    }),
  },
)

export type DeleteAclsRequest = Decoded<typeof deleteAclsRequest>

/**
 * Version 1 adds the resource pattern type.
 * Version 3 adds the user resource type.
 */
export const deleteAclsResponse = message(
  { name: 'DeleteAclsResponse', apiKey: 31, versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    filterResults: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
      matchingAcls: array('0+', {
        errorCode: int16('0+'),
        errorMessage: string('0+', { nullable: '0+' }),
        resourceType: int8('0+'),
        resourceName: string('0+'),
        patternType: int8('1+', { default: 3 }),
        principal: string('0+'),
        host: string('0+'),
        operation: int8('0+'),
        permissionType: int8('0+'),
      }),
    }),
  },
)

export type DeleteAclsResponse = Encodable<typeof deleteAclsResponse>
