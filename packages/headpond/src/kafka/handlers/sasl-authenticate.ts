import { api, type RequestContext } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponse,
  saslAuthenticateRequest,
  saslAuthenticateResponse,
} from '../schemas/sasl-authenticate.ts'

export const saslAuthenticate = api(saslAuthenticateRequest, saslAuthenticateResponse, [0, 2], handle)

async function handle(
  { authBytes }: SaslAuthenticateRequest,
  { session, broker }: RequestContext,
): Promise<SaslAuthenticateResponse> {
  const { sasl } = session
  if (sasl === null || sasl.isDone) {
    const errorMessage = 'SaslAuthenticate request received after successful authentication'
    return { errorCode: ERROR.ILLEGAL_SASL_STATE, errorMessage, authBytes: NO_BYTES }
  }
  // The bytes are those of the request, which is gone when this has waited.
  const outcome = await broker.authentication.receiveToken(session, Buffer.from(authBytes))
  if (outcome.kind === 'failed') {
    const { message: errorMessage, reason } = outcome
    const errorCode = ERROR.SASL_AUTHENTICATION_FAILED
    return broker.authentication.refuseLogin(session, reason, { errorCode, errorMessage, authBytes: NO_BYTES })
  }
  const sessionLifetimeMs = outcome.kind === 'done' ? outcome.sessionLifetimeMs : 0
  return { errorCode: ERROR.NONE, errorMessage: '', authBytes: outcome.bytes, sessionLifetimeMs }
}

const NO_BYTES = new Uint8Array(0)
