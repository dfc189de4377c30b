import { api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type SaslHandshakeRequest,
  type SaslHandshakeResponse,
  saslHandshakeRequest,
  saslHandshakeResponse,
} from '../schemas/sasl-handshake.ts'

export const saslHandshake = api(saslHandshakeRequest, saslHandshakeResponse, [0, 1], handle)

function handle(
  { mechanism }: SaslHandshakeRequest,
  { version, session, broker }: RequestContext,
): SaslHandshakeResponse | Promise<SaslHandshakeResponse> {
  const outcome = session.sasl?.handshake(mechanism, version, broker.clock.nowMs()) ?? 'illegal-state'
  // Who has logged in, or need not, is told so and may go on.
  if (outcome === 'illegal-state') return { errorCode: ERROR.ILLEGAL_SASL_STATE, mechanisms: [] }
  const mechanisms = [...broker.authentication.mechanismsOf(session.listener)]
  if (outcome === 'agreed') return { errorCode: ERROR.NONE, mechanisms }
  return broker.authentication.refuseLogin(session, `Unsupported SASL mechanism ${JSON.stringify(mechanism)}`, {
    errorCode: ERROR.UNSUPPORTED_SASL_MECHANISM,
    mechanisms,
  })
}
