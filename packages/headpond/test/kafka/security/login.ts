/** Logging in by SASL, step by step, over a connection of a test. */
import assert from 'node:assert/strict'
import { saslAuthenticateRequest, saslAuthenticateResponse } from '#src/kafka/schemas/sasl-authenticate.ts'
import { saslHandshakeRequest, saslHandshakeResponse } from '#src/kafka/schemas/sasl-handshake.ts'
import { isScramMechanism, ScramClient } from '#src/security/scram.ts'
import type { WireClient } from '../wire-client.ts'

export function plainToken(user: string, password: string, authorizationId = ''): Buffer {
  return Buffer.from(`${authorizationId}\0${user}\0${password}`)
}

export function handshake(client: WireClient, mechanism: string, version = 1) {
  return client.call(saslHandshakeRequest, saslHandshakeResponse, version, { mechanism })
}

export function authenticate(client: WireClient, authBytes: Uint8Array, version = 2) {
  return client.call(saslAuthenticateRequest, saslAuthenticateResponse, version, { authBytes })
}

export interface LoginAnswer {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly sessionLifetimeMs: number
}

/** The whole of it; resolves with the last answer. */
export async function logIn(
  client: WireClient,
  mechanism: string,
  user: string,
  password: string,
  isToken = false,
): Promise<LoginAnswer> {
  const { errorCode } = await handshake(client, mechanism)
  assert.equal(errorCode, 0, `${mechanism} is not offered`)
  if (!isScramMechanism(mechanism)) return authenticate(client, plainToken(user, password))
  const scram = new ScramClient(mechanism, user, password, isToken)
  const first = await authenticate(client, scram.first())
  if (first.errorCode !== 0) return first
  const last = await authenticate(client, await scram.final(first.authBytes))
  if (last.errorCode === 0) scram.verify(last.authBytes)
  return last
}
