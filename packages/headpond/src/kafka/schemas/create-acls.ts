import { array, int8, int16, int32, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 adds resource pattern type.
 * Version 3 adds user resource type.
 */
export const createAclsRequest = message(
  { name: 'CreateAclsRequest', apiKey: 30, versions: '0-3', flexible: '2+' },
  {
    creations: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      resourcePatternType: int8('1+', { default: 3 }),
      principal: string('0+'),
      host: string('0+'),
      operation: int8('0+'),
      permissionType: int8('0+'),
    }),
  },
)

export type CreateAclsRequest = Decoded<typeof createAclsRequest>

/** Version 3 adds user resource type. */
export const createAclsResponse = message(
  { name: 'CreateAclsResponse', apiKey: 30, versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  },
)

export type CreateAclsResponse = Encodable<typeof createAclsResponse>
