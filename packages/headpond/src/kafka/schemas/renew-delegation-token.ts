import { bytes, int16, int32, int64 } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 is the same as version 0.
 * Version 2 is the first flexible version.
 */
export const renewDelegationTokenRequest = message(
  { name: 'RenewDelegationTokenRequest', apiKey: 39, versions: '0-2', flexible: '2+' },
  {
    hmac: bytes('0+'),
    renewPeriodMs: int64('0+'),
  },
)

export type RenewDelegationTokenRequest = Decoded<typeof renewDelegationTokenRequest>

/**
 * Starting in version 1, on quota violation, brokers send out responses before throttling.
 * Version 2 is the first flexible version.
 */
export const renewDelegationTokenResponse = message(
  { name: 'RenewDelegationTokenResponse', apiKey: 39, versions: '0-2', flexible: '2+' },
  {
    errorCode: int16('0+'),
    expiryTimestampMs: int64('0+'),
    throttleTimeMs: int32('0+', { default: 0 }),
  },
)

export type RenewDelegationTokenResponse = Encodable<typeof renewDelegationTokenResponse>
