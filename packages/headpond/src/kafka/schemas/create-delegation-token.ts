import { array, bytes, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 is the same as version 0.
 * Version 2 is the first flexible version.
 * Version 3 adds owner principal.
 */
export const createDelegationTokenRequest = message(
  { name: 'CreateDelegationTokenRequest', apiKey: 38, versions: '0-3', flexible: '2+' },
  {
    ownerPrincipalType: string('3+', { nullable: '3+' }),
    ownerPrincipalName: string('3+', { nullable: '3+' }),
    renewers: array('0+', {
      principalType: string('0+'),
      principalName: string('0+'),
    }),
    maxLifetimeMs: int64('0+'),
  },
)

export type CreateDelegationTokenRequest = Decoded<typeof createDelegationTokenRequest>

/**
 * Starting in version 1, on quota violation, brokers send out responses before throttling.
 * Version 2 is the first flexible version.
 * Version 3 adds token requester details.
 */
export const createDelegationTokenResponse = message(
  { name: 'CreateDelegationTokenResponse', apiKey: 38, versions: '0-3', flexible: '2+' },
  {
    errorCode: int16('0+'),
    principalType: string('0+'),
    principalName: string('0+'),
    tokenRequesterPrincipalType: string('3+'),
    tokenRequesterPrincipalName: string('3+'),
    issueTimestampMs: int64('0+'),
    expiryTimestampMs: int64('0+'),
    maxTimestampMs: int64('0+'),
    tokenId: string('0+'),
    hmac: bytes('0+'),
    throttleTimeMs: int32('0+', { default: 0 }),
  },
)

export type CreateDelegationTokenResponse = Encodable<typeof createDelegationTokenResponse>
