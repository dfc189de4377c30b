/** How a broker learns who its clients are: by what each listener asks of them. */

import { ConfigError } from '../../config/config-error.ts'
import type { Clock } from '../../net/clock.ts'
import { subjectOf } from '../../security/distinguished-name.ts'
import { isScramMechanism } from '../../security/scram.ts'
import type { ScramCredentials } from '../../security/scram-credentials.ts'
import type { UserDirectory } from '../../security/user-directory.ts'
import type { BrokerConfig } from '../broker-config.ts'
import { asksForLogin, type KafkaListener } from '../listener.ts'
import type { KafkaSession } from '../session.ts'
import { DelegationTokens } from './delegation-tokens.ts'
import { delayOfFailure } from './failed-login.ts'
import { PrincipalMapping } from './principal-mapping.ts'
import { SASL_MECHANISMS, SaslConversation, type SaslMechanism, type TokenOutcome } from './sasl.ts'

export interface AuthenticationParts {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly users: UserDirectory
  readonly scram: ScramCredentials
}

export class Authentication {
  readonly tokens: DelegationTokens
  readonly #parts: AuthenticationParts
  /** By the names of listeners. */
  readonly #mappings = new Map<string, PrincipalMapping>()

  constructor(parts: AuthenticationParts) {
    this.#parts = parts
    this.tokens = new DelegationTokens(parts.config, parts.clock)
  }

  get scram(): ScramCredentials {
    return this.#parts.scram
  }

  /** Looks at what the listeners ask for. Throws ConfigError when nobody could come in by one of them. */
  start(listeners: readonly KafkaListener[]): void {
    const problem = this.#problemOf(listeners)
    if (problem !== null) throw problem
    this.#parts.config.checks.add(() => this.#problemOf(listeners)?.message)
  }

  #problemOf(listeners: readonly KafkaListener[]): ConfigError | null {
    const { config } = this.#parts
    for (const listener of listeners) {
      const { name } = listener
      const enabled = config.ofListener(name, 'sasl.enabled.mechanisms') ?? ''
      const strange = enabled.split(',').find((each) => !SASL_MECHANISMS.some((known) => known === each.trim()))
      if (asksForLogin(listener) && strange !== undefined) {
        const what = strange.trim() === '' ? 'there is no mechanism in it' : `there is no ${strange.trim()} here`
        return new ConfigError(
          `kafka.sasl.enabled.mechanisms ${enabled}`,
          what,
          `Name some of ${SASL_MECHANISMS.join(', ')}.`,
        )
      }
      const rules = config.ofListener(name, 'ssl.principal.mapping.rules') ?? 'DEFAULT'
      const mapping = PrincipalMapping.parse(rules)
      if (typeof mapping === 'string') return new ConfigError(`kafka.ssl.principal.mapping.rules ${rules}`, mapping)
      this.#mappings.set(name, mapping)
    }
    return null
  }

  offersScram(listener: KafkaListener): boolean {
    return this.mechanismsOf(listener).some(isScramMechanism)
  }

  /** A new connection is here. False: it cannot be told who that is, and it must go. */
  welcome(session: KafkaSession): boolean {
    const { listener, connection } = session
    const { users, scram } = this.#parts
    if (listener.protocol === 'SSL') {
      const name = this.#certifiedName(listener, connection.socket.peerCertificate)
      if (name === null) return false
      if (name !== undefined) session.principal = { type: 'User', name }
    }
    if (!asksForLogin(listener)) return true
    session.sasl = new SaslConversation({
      users,
      scram,
      tokens: this.tokens,
      mechanisms: () => this.mechanismsOf(listener),
      sessionLifetimeMs: (mechanism) => this.#sessionLifetimeMs(listener, mechanism),
    })
    return true
  }

  /**
   * Who a client's certificate says it is; undefined: it has shown none, as always without `requested` or `required`; null: the rules
   * know nobody of that name.
   */
  #certifiedName({ name }: KafkaListener, certificate: Uint8Array | null): string | null | undefined {
    return certificate === null ? undefined : this.#mappings.get(name)!.nameOf(subjectOf(certificate))
  }

  /** `sasl.enabled.mechanisms` of a listener, as far as they are known here. */
  mechanismsOf({ name }: KafkaListener): readonly SaslMechanism[] {
    const enabled = this.#parts.config.ofListener(name, 'sasl.enabled.mechanisms') ?? ''
    const wanted = enabled.split(',').map((each) => each.trim())
    return SASL_MECHANISMS.filter((mechanism) => wanted.includes(mechanism))
  }

  #sessionLifetimeMs({ name }: KafkaListener, mechanism: SaslMechanism): number {
    const text = this.#parts.config.ofListener(name, 'connections.max.reauth.ms', mechanism)
    return Math.max(0, Number(text ?? 0))
  }

  /** The most that a client which has not logged in may send at a time. */
  get tokenBytesMax(): number {
    return this.#parts.config.integer('sasl.server.max.receive.size')
  }

  /** Looks at a token of a client's; when that is its last, the client is known from now on. */
  async receiveToken(session: KafkaSession, token: Uint8Array): Promise<TokenOutcome> {
    const { sasl } = session
    const outcome = await sasl!.receive(token, () => this.#parts.clock.nowMs())
    if (outcome.kind === 'done') {
      session.principal = { type: 'User', name: outcome.user }
      session.isTokenLogin = outcome.isByToken
      session.decisions = null
      // Nothing of its requests has to be looked at any more.
      if (!sasl!.expires) session.sasl = null
    }
    return outcome
  }

  /** Lets a client that has failed wait for its answer, and ends its connection behind it. */
  async refuseLogin<T>(session: KafkaSession, reason: string, answer: T): Promise<T> {
    const { config, clock } = this.#parts
    await delayOfFailure(session, clock, config.integer('connection.failed.authentication.delay.ms'))
    session.farewell = reason
    return answer
  }
}
