/** Logging in by SASL, on a listener that asks for it: the conversation of one connection, as Kafka has it (KIP-152, KIP-368). */

import { byteText } from '../../security/configured-users.ts'
import {
  isScramMechanism,
  SCRAM_MECHANISMS,
  ScramFailure,
  ScramServer,
  type ScramVerifier,
} from '../../security/scram.ts'
import type { ScramCredentials } from '../../security/scram-credentials.ts'
import type { UserDirectory } from '../../security/user-directory.ts'
import type { KafkaPrincipal } from '../principal.ts'
import { apiVersionsRequest } from '../schemas/api-versions.ts'
import { saslAuthenticateRequest } from '../schemas/sasl-authenticate.ts'
import { saslHandshakeRequest } from '../schemas/sasl-handshake.ts'
import type { DelegationTokens } from './delegation-tokens.ts'
import { partsOfPlainToken } from './plain.ts'

export const SASL_MECHANISMS = ['PLAIN', ...SCRAM_MECHANISMS] as const
export type SaslMechanism = (typeof SASL_MECHANISMS)[number]

/** What a conversation needs to know of its listener. */
export interface SaslPolicy {
  readonly users: UserDirectory
  readonly scram: ScramCredentials
  readonly tokens: Pick<DelegationTokens, 'login'>
  /** Those that clients may choose from. */
  mechanisms(): readonly SaslMechanism[]
  /** How long a login lasts; 0: as long as the connection. */
  sessionLifetimeMs(mechanism: SaslMechanism): number
}

/** What came of a token. */
export type TokenOutcome =
  | { readonly kind: 'challenge'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'done'
      readonly bytes: Uint8Array
      readonly user: string
      readonly sessionLifetimeMs: number
      readonly isByToken: boolean
    }
  /** `message` is for the client and tells little; `reason` is for the log. */
  | { readonly kind: 'failed'; readonly message: string; readonly reason: string }

/** Why a request may not be carried out. */
export type SaslRefusal =
  /** The connection ends without an answer. */
  | { readonly kind: 'close'; readonly reason: string }
  /** It is answered by ILLEGAL_SASL_STATE, and the connection ends. */
  | { readonly kind: 'illegal-state'; readonly reason: string }

/** A second login may not follow sooner, so that nobody keeps the broker busy with them. */
const REAUTHENTICATION_INTERVAL_MS_MIN = 1000
const NO_BYTES = new Uint8Array(0)

type State =
  /** Nothing has been said. */
  | 'new'
  /** Versions have been told. */
  | 'versions-told'
  /** A mechanism is agreed on, and tokens are expected. */
  | 'tokens'
  /** A second login wanted another mechanism than the first: its next request ends the connection. */
  | 'wrong-mechanism'
  | 'done'

export class SaslConversation {
  readonly #policy: SaslPolicy
  #state: State = 'new'
  #mechanism: SaslMechanism | null = null
  #scram: ScramServer | null = null
  #scramUser = ''
  /** By which the client wants to come in; null: by a password of its own. */
  #token: { readonly owner: KafkaPrincipal; readonly expiresAtMs: number } | null = null
  /** Tokens come in SaslAuthenticate requests rather than bare: the handshake was of version 1. */
  #hasHeaders = false
  /** Who logged in first: a second login must be of the same. */
  #user: string | null = null
  #expiresAtMs = Number.POSITIVE_INFINITY
  #begunAgainAtMs = Number.NEGATIVE_INFINITY

  constructor(policy: SaslPolicy) {
    this.#policy = policy
  }

  /** Who it is has been proved, and is not being proved again. */
  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** The next frame is a token without a header. */
  get expectsBareToken(): boolean {
    return this.#state === 'tokens' && !this.#hasHeaders
  }

  /** The login ends some time: requests must go on being looked at. */
  get expires(): boolean {
    return this.#expiresAtMs < Number.POSITIVE_INFINITY
  }

  /** What stands in the way of a request, by the key of its API. */
  refuse(apiKey: number, apiName: string, nowMs: number): SaslRefusal | null {
    switch (this.#state) {
      case 'new':
      case 'versions-told':
        if (apiKey === saslHandshakeRequest.apiKey) return null
        if (apiKey === apiVersionsRequest.apiKey && this.#state === 'new') return null
        return { kind: 'close', reason: `Unexpected Kafka request of type ${apiName} during SASL handshake.` }
      case 'tokens':
        if (apiKey === saslAuthenticateRequest.apiKey) return null
        return {
          kind: 'illegal-state',
          reason: `Unexpected Kafka request of type ${apiName} during SASL authentication.`,
        }
      case 'wrong-mechanism':
        return { kind: 'close', reason: 'it wanted to log in again by another SASL mechanism than before' }
      case 'done':
        if (nowMs <= this.#expiresAtMs || apiKey === saslHandshakeRequest.apiKey) return null
        return { kind: 'close', reason: 'its login has expired, and it has not logged in again' }
    }
  }

  /** ApiVersions was answered. */
  versionsTold(): void {
    if (this.#state === 'new') this.#state = 'versions-told'
  }

  /** 'illegal-state': a handshake is not expected now. */
  handshake(mechanism: string, version: number, nowMs: number): 'agreed' | 'unsupported' | 'illegal-state' {
    if (this.#state === 'done') {
      if (!this.expires || nowMs - this.#begunAgainAtMs < REAUTHENTICATION_INTERVAL_MS_MIN) return 'illegal-state'
      this.#begunAgainAtMs = nowMs
    }
    const wanted = this.#policy.mechanisms().find((each) => each === mechanism)
    if (wanted === undefined) return 'unsupported'
    if (version >= 1) this.#hasHeaders = true
    if (this.#user !== null && wanted !== this.#mechanism) {
      this.#state = 'wrong-mechanism'
      return 'agreed'
    }
    this.#mechanism = wanted
    this.#scram = isScramMechanism(wanted) ? new ScramServer(wanted) : null
    this.#scramUser = ''
    this.#token = null
    this.#state = 'tokens'
    return 'agreed'
  }

  /** Must not be called while an earlier token is looked at. */
  async receive(token: Uint8Array, nowMs: () => number): Promise<TokenOutcome> {
    const outcome = await (this.#scram === null ? this.#receivePlain(token) : this.#receiveScram(this.#scram, token))
    if (typeof outcome !== 'string') return outcome
    if (this.#user !== null && this.#user !== outcome) {
      return failed(`Cannot change principals during re-authentication from User.${this.#user}: User.${outcome}`)
    }
    const allowedMs = this.#policy.sessionLifetimeMs(this.#mechanism!)
    const limitMs = allowedMs > 0 ? allowedMs : Number.POSITIVE_INFINITY
    const tokenMs = this.#token === null ? Number.POSITIVE_INFINITY : Math.max(0, this.#token.expiresAtMs - nowMs())
    const lasting = Math.min(limitMs, tokenMs)
    const lifetimeMs = lasting === Number.POSITIVE_INFINITY ? 0 : lasting
    this.#user = outcome
    this.#expiresAtMs = nowMs() + lasting
    this.#state = 'done'
    const bytes = this.#finalBytes
    return { kind: 'done', bytes, user: outcome, sessionLifetimeMs: lifetimeMs, isByToken: this.#token !== null }
  }

  /** The last answer of the mechanism. */
  #finalBytes: Uint8Array = NO_BYTES

  /** The user's name when that is who it is. */
  #receivePlain(token: Uint8Array): TokenOutcome | string {
    const parts = partsOfPlainToken(token)
    if (parts.length !== 3) return failed(`Invalid SASL/PLAIN response: expected 3 tokens, got ${parts.length}`)
    const [authorizationId, user, password] = parts
    if (user === '') return failed('Authentication failed: username not specified')
    if (password === '') return failed('Authentication failed: password not specified')
    const found = this.#policy.users.authenticate(byteText(user), Buffer.from(password))
    if (found === null) return failed(WRONG_PASSWORD, `as ${JSON.stringify(user)}`)
    // Whoever asks for a login wants proof, and any password proves nothing.
    if (found.credentials.acceptsAny) return failed(WRONG_PASSWORD, `as ${JSON.stringify(user)}, who has no password`)
    if (authorizationId !== '' && authorizationId !== user) return failed(OTHER_IDENTITY)
    this.#finalBytes = NO_BYTES
    return user
  }

  async #receiveScram(scram: ScramServer, token: Uint8Array): Promise<TokenOutcome | string> {
    try {
      if (this.#scramUser !== '') {
        this.#finalBytes = scram.receiveFinal(token)
        // In the meantime it may have been deleted or disabled.
        const verifier = await this.#verifierOf(this.#scramUser, scram)
        if (verifier === null) return this.#failed(`as ${JSON.stringify(this.#scramUser)}`)
        return this.#token === null ? this.#scramUser : this.#token.owner.name
      }
      const user = scram.receiveFirst(token)
      const verifier = await this.#verifierOf(user, scram)
      if (verifier === null) return this.#failed(`as ${JSON.stringify(user)}, who has no credential`)
      if (scram.asksForAnother) return failed(OTHER_IDENTITY)
      this.#scramUser = user
      return { kind: 'challenge', bytes: scram.challenge(verifier) }
    } catch (error) {
      if (!(error instanceof ScramFailure)) throw error
      return this.#failed(
        this.#scramUser === '' ? error.message : `as ${JSON.stringify(this.#scramUser)}: ${error.message}`,
      )
    }
  }

  async #verifierOf(user: string, { mechanism, isForToken }: ScramServer): Promise<ScramVerifier | null> {
    if (!isForToken) return this.#policy.scram.verifierOf(user, mechanism)
    const login = await this.#policy.tokens.login(user, mechanism)
    if (login === null) return null
    this.#token = login
    return login.verifier
  }

  /** What is wrong with credentials is not told, since it would help those who guess. */
  #failed(reason: string): TokenOutcome {
    const what = this.#user === null ? 'authentication' : 're-authentication'
    const message = `Authentication failed during ${what} due to invalid credentials with SASL mechanism ${this.#mechanism}`
    return failed(message, reason)
  }
}

const WRONG_PASSWORD = 'Authentication failed: Invalid username or password'
const OTHER_IDENTITY = 'Authentication failed: Client requested an authorization id that is different from username'

function failed(message: string, detail = ''): TokenOutcome {
  return { kind: 'failed', message, reason: detail === '' ? message : `${message} (${detail})` }
}
