import { bytes, int16, int64, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/** Version 2 adds flexible version support */
export const saslAuthenticateRequest = message(
  { name: 'SaslAuthenticateRequest', apiKey: 36, versions: '0-2', flexible: '2+' },
  {
    authBytes: bytes('0+'),
  },
)

export type SaslAuthenticateRequest = Decoded<typeof saslAuthenticateRequest>

/**
 * Version 1 adds the session lifetime.
 * Version 2 adds flexible version support
 */
export const saslAuthenticateResponse = message(
  { name: 'SaslAuthenticateResponse', apiKey: 36, versions: '0-2', flexible: '2+' },
  {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    authBytes: bytes('0+'),
    sessionLifetimeMs: int64('1+', { default: 0 }),
  },
)

export type SaslAuthenticateResponse = Encodable<typeof saslAuthenticateResponse>
