import { array, int16, string } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

/**
 * Version 1 supports SASL_AUTHENTICATE. NOTE: Version cannot be easily bumped due to incorrect client negotiation
 *   for clients <= 2.4. See https://issues.apache.org/jira/browse/KAFKA-9577
 */
export const saslHandshakeRequest = message(
  { name: 'SaslHandshakeRequest', apiKey: 17, versions: '0-1' },
  {
    mechanism: string('0+'),
  },
)

export type SaslHandshakeRequest = Decoded<typeof saslHandshakeRequest>

/**
 * Version 1 is the same as version 0. NOTE: Version cannot be easily bumped due to incorrect client negotiation
 *   for clients <= 2.4. See https://issues.apache.org/jira/browse/KAFKA-9577
 */
export const saslHandshakeResponse = message(
  { name: 'SaslHandshakeResponse', apiKey: 17, versions: '0-1' },
  {
    errorCode: int16('0+'),
    mechanisms: array('0+', 'string'),
  },
)

export type SaslHandshakeResponse = Encodable<typeof saslHandshakeResponse>
