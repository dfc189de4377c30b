import { array, bytes, int16, int32, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 is the same as version 0.
 * Version 2 is the first flexible version.
 * Version 3 adds token requester into the response.
 */
export const describeDelegationTokenRequest = message(
  { name: 'DescribeDelegationTokenRequest', apiKey: 41, versions: '0-3', flexible: '2+' },
  {
    owners: array(
      '0+',
      {
        principalType: string('0+'),
        principalName: string('0+'),
      },
      { nullable: '0+' },
    ),
  },
)

export type DescribeDelegationTokenRequest = Decoded<typeof describeDelegationTokenRequest>

/**
 * Starting in version 1, on quota violation, brokers send out responses before throttling.
 * Version 2 is the first flexible version.
 * Version 3 adds token requester details.
 */
export const describeDelegationTokenResponse = message(
  { name: 'DescribeDelegationTokenResponse', apiKey: 41, versions: '0-3', flexible: '2+' },
  {
    errorCode: int16('0+'),
    tokens: array('0+', {
      principalType: string('0+'),
      principalName: string('0+'),
      tokenRequesterPrincipalType: string('3+'),
      tokenRequesterPrincipalName: string('3+'),
      issueTimestamp: int64('0+'),
      expiryTimestamp: int64('0+'),
      maxTimestamp: int64('0+'),
      tokenId: string('0+'),
      hmac: bytes('0+'),
      renewers: array('0+', {
        principalType: string('0+'),
        principalName: string('0+'),
      }),
    }),
    throttleTimeMs: int32('0+', { default: 0 }),
  },
)

export type DescribeDelegationTokenResponse = Encodable<typeof describeDelegationTokenResponse>
