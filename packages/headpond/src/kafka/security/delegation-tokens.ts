/**
 * Delegation tokens (KIP-48): credentials that somebody who has logged in hands on, to programs that shall not know the
 * password. A token is a name and a secret; the secret follows from the name by the broker's own
 * (`delegation.token.secret.key`), so that nothing secret is kept. Who has both logs in with SCRAM as the token's owner,
 * for as long as the token lasts.
 */

import { createHmac, randomBytes } from 'node:crypto'
import type { Clock, ScheduledCall } from '../../net/clock.ts'
import {
  ITERATIONS_USUAL,
  keysOf,
  newSalt,
  type ScramMechanism,
  type ScramVerifier,
  saltPassword,
} from '../../security/scram.ts'
import type { BrokerConfig } from '../broker-config.ts'
import type { KafkaPrincipal } from '../principal.ts'

export interface DelegationToken {
  readonly id: string
  /** As whom it lets in. */
  readonly owner: KafkaPrincipal
  readonly requester: KafkaPrincipal
  /** Who else may make it last longer, or end it. */
  readonly renewers: readonly KafkaPrincipal[]
  readonly issuedAtMs: number
  /** It cannot be made to last longer than that. */
  readonly maxAtMs: number
  readonly expiresAtMs: number
}

/** Where tokens outlive the process. */
export interface TokenStorage {
  readonly tokens: readonly DelegationToken[]
  setTokens(tokens: readonly DelegationToken[]): void
}

/** What a login by token is checked with. */
export interface TokenLogin {
  readonly owner: KafkaPrincipal
  readonly expiresAtMs: number
  readonly verifier: ScramVerifier
}

const ID_BYTES = 16

export class DelegationTokens {
  readonly #config: BrokerConfig
  readonly #clock: Clock
  #storage: TokenStorage | null = null
  /** By their ids. */
  readonly #tokens = new Map<string, DelegationToken>()
  /** Salting takes a while: by id and mechanism. */
  readonly #verifiers = new Map<string, Promise<ScramVerifier>>()
  #sweep: ScheduledCall | null = null

  constructor(config: BrokerConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
  }

  useStorage(storage: TokenStorage): void {
    this.#storage = storage
    for (const token of storage.tokens) this.#tokens.set(token.id, token)
    this.#scheduleSweep()
  }

  close(): void {
    this.#sweep?.cancel()
  }

  /** Without a secret there are no tokens. */
  get isEnabled(): boolean {
    return this.#secret !== null
  }

  get #secret(): string | null {
    const secret = this.#config.text('delegation.token.secret.key')
    return secret === '' ? null : secret
  }

  all(): Iterable<DelegationToken> {
    return this.#tokens.values()
  }

  hmacOf({ id }: DelegationToken): Buffer {
    return createHmac('sha512', this.#secret!).update(id).digest()
  }

  /** The token with that secret; undefined: there is none. */
  ofHmac(hmac: Buffer): DelegationToken | undefined {
    for (const token of this.#tokens.values()) if (this.hmacOf(token).equals(hmac)) return token
    return undefined
  }

  /** @param lifetimeMs how long it may be renewed; 0 or less: as long as the broker allows */
  create(parties: Pick<DelegationToken, 'owner' | 'requester' | 'renewers'>, lifetimeMs: number): DelegationToken {
    const issuedAtMs = this.#clock.nowMs()
    const allowedMs = this.#config.integer('delegation.token.max.lifetime.ms')
    const maxAtMs = issuedAtMs + (lifetimeMs > 0 ? Math.min(allowedMs, lifetimeMs) : allowedMs)
    const expiresAtMs = Math.min(maxAtMs, issuedAtMs + this.#config.integer('delegation.token.expiry.time.ms'))
    const id = randomBytes(ID_BYTES).toString('base64url')
    const token = { id, ...parties, issuedAtMs, maxAtMs, expiresAtMs }
    this.#keep(token)
    return token
  }

  isExpired({ maxAtMs, expiresAtMs }: DelegationToken): boolean {
    return Math.min(maxAtMs, expiresAtMs) < this.#clock.nowMs()
  }

  /** Lets it last that long from now on, within its limit; 0 or less: as long as the broker usually does. When it expires. */
  renew(token: DelegationToken, periodMs: number): number {
    const usualMs = this.#config.integer('delegation.token.expiry.time.ms')
    return this.expireAfter(token, periodMs > 0 ? Math.min(usualMs, periodMs) : usualMs)
  }

  expireAfter(token: DelegationToken, periodMs: number): number {
    const expiresAtMs = Math.min(token.maxAtMs, this.#clock.nowMs() + periodMs)
    this.#keep({ ...token, expiresAtMs })
    return expiresAtMs
  }

  remove(token: DelegationToken): void {
    this.#forget(token)
    this.#save()
  }

  /** Null: there is no such token, or it has expired. */
  async login(id: string, mechanism: ScramMechanism): Promise<TokenLogin | null> {
    const token = this.#tokens.get(id)
    if (token === undefined || !this.isEnabled || this.isExpired(token)) return null
    const key = `${mechanism} ${id}`
    let verifier = this.#verifiers.get(key)
    if (verifier === undefined) {
      verifier = verifierOf(mechanism, this.hmacOf(token).toString('base64'))
      this.#verifiers.set(key, verifier)
    }
    return { owner: token.owner, expiresAtMs: token.expiresAtMs, verifier: await verifier }
  }

  #keep(token: DelegationToken): void {
    this.#tokens.set(token.id, token)
    this.#save()
    this.#scheduleSweep()
  }

  #forget({ id }: DelegationToken): void {
    this.#tokens.delete(id)
    for (const key of this.#verifiers.keys()) if (key.endsWith(` ${id}`)) this.#verifiers.delete(key)
  }

  #save(): void {
    this.#storage?.setTokens([...this.#tokens.values()])
  }

  /** Expired tokens let nobody in; some time later they are forgotten. */
  #scheduleSweep(): void {
    if (this.#sweep !== null || this.#tokens.size === 0) return
    this.#sweep = this.#clock.schedule(this.#config.integer('delegation.token.expiry.check.interval.ms'), () => {
      this.#sweep = null
      const expired = [...this.#tokens.values()].filter((token) => this.isExpired(token))
      for (const token of expired) this.#forget(token)
      if (expired.length > 0) this.#save()
      this.#scheduleSweep()
    })
  }
}

async function verifierOf(mechanism: ScramMechanism, password: string): Promise<ScramVerifier> {
  const salt = newSalt()
  const salted = await saltPassword(mechanism, Buffer.from(password), salt, ITERATIONS_USUAL)
  return { salt, iterations: ITERATIONS_USUAL, keys: [keysOf(mechanism, salted)] }
}

/** May see it. */
export function isParty(principal: KafkaPrincipal, token: DelegationToken): boolean {
  return isSame(principal, token.requester) || isRenewer(principal, token)
}

/** May renew it, and end it. */
export function isRenewer(principal: KafkaPrincipal, { owner, renewers }: DelegationToken): boolean {
  return [owner, ...renewers].some((each) => isSame(principal, each))
}

function isSame(one: KafkaPrincipal, other: KafkaPrincipal): boolean {
  return one.type === other.type && one.name === other.name
}
