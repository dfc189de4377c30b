/**
 * What becomes of delegation tokens, in lines: between users of a listener that asks for SASL. Held with Headpond here, and
 * with Apache Kafka's own broker in interop: the lines are the same.
 *
 * The broker has users alice, bob and carol for PLAIN, each with the password `<name>-secret`.
 */
import { errorNameOf } from '#src/kafka/errors.ts'
import {
  createDelegationTokenRequest,
  createDelegationTokenResponse,
} from '#src/kafka/schemas/create-delegation-token.ts'
import {
  describeDelegationTokenRequest,
  describeDelegationTokenResponse,
} from '#src/kafka/schemas/describe-delegation-token.ts'
import {
  expireDelegationTokenRequest,
  expireDelegationTokenResponse,
} from '#src/kafka/schemas/expire-delegation-token.ts'
import { renewDelegationTokenRequest, renewDelegationTokenResponse } from '#src/kafka/schemas/renew-delegation-token.ts'
import type { WireClient } from '../wire-client.ts'
import { logIn } from './login.ts'

export interface TokenPlaces {
  /** To the listener that asks for SASL. */
  connect(): Promise<WireClient>
  /** Until what was changed is known everywhere. */
  settle(): Promise<void>
  nowMs(): number
}

interface Token {
  readonly id: string
  readonly hmac: Buffer
}

const DAY_MS = 86_400_000
const USER = 'User'

class TokenDialog {
  readonly #places: TokenPlaces
  readonly #lines: string[] = []
  readonly #clients: WireClient[] = []

  constructor(places: TokenPlaces) {
    this.#places = places
  }

  /** Everything that was heard. */
  end(): string[] {
    for (const client of this.#clients) client.close()
    return this.#lines
  }

  async #connect(): Promise<WireClient> {
    const client = await this.#places.connect()
    this.#clients.push(client)
    return client
  }

  settle(): Promise<void> {
    return this.#places.settle()
  }

  #say(what: string, errorCode: number, ...more: string[]): void {
    this.#lines.push([`${what}: ${errorNameOf(errorCode)}`, ...more].join(', '))
  }

  #inAbout(atMs: number): string {
    return atMs <= 0 ? String(atMs) : `in about ${Math.round((atMs - this.#places.nowMs()) / 60_000)} min`
  }

  async asUser(name: string): Promise<WireClient> {
    const client = await this.#connect()
    await logIn(client, 'PLAIN', name, `${name}-secret`)
    return client
  }

  async create(
    what: string,
    client: WireClient,
    { owner = null, ownerType = null, renewers = [], maxLifetimeMs = -1, version = 3 }: CreateOptions = {},
  ): Promise<Token> {
    const answer = await client.call(createDelegationTokenRequest, createDelegationTokenResponse, version, {
      ownerPrincipalType: ownerType,
      ownerPrincipalName: owner,
      renewers: renewers.map((text) => {
        const [principalName, principalType = USER] = text.split('@')
        return { principalType, principalName }
      }),
      maxLifetimeMs,
    })
    const { errorCode, issueTimestampMs, expiryTimestampMs, maxTimestampMs, tokenId, hmac } = answer
    const parties =
      `of ${answer.principalType}:${answer.principalName}` +
      (version >= 3 ? ` by ${answer.tokenRequesterPrincipalType}:${answer.tokenRequesterPrincipalName}` : '')
    const times =
      errorCode === 0
        ? `expires after ${expiryTimestampMs - issueTimestampMs} ms, ends after ${maxTimestampMs - issueTimestampMs} ms`
        : `${issueTimestampMs} ${expiryTimestampMs} ${maxTimestampMs}`
    this.#say(`create ${what}`, errorCode, parties, times, `id of ${tokenId.length}`, `secret of ${hmac.length}`)
    await this.settle()
    return { id: tokenId, hmac: Buffer.from(hmac) }
  }

  async renew(what: string, client: WireClient, hmac: Buffer, renewPeriodMs: number): Promise<void> {
    const body = { hmac, renewPeriodMs }
    const answer = await client.call(renewDelegationTokenRequest, renewDelegationTokenResponse, 2, body)
    this.#say(`renew ${what}`, answer.errorCode, this.#inAbout(answer.expiryTimestampMs))
    await this.settle()
  }

  async expire(what: string, client: WireClient, hmac: Buffer, expiryTimePeriodMs: number): Promise<void> {
    const body = { hmac, expiryTimePeriodMs }
    const answer = await client.call(expireDelegationTokenRequest, expireDelegationTokenResponse, 2, body)
    this.#say(`expire ${what}`, answer.errorCode, this.#inAbout(answer.expiryTimestampMs))
    await this.settle()
  }

  async describe(what: string, client: WireClient, names: readonly string[] | null): Promise<void> {
    const owners = names?.map((principalName) => ({ principalType: USER, principalName })) ?? null
    const answer = await client.call(describeDelegationTokenRequest, describeDelegationTokenResponse, 3, { owners })
    const tokens = answer.tokens.map(
      (token) =>
        `${token.principalName} by ${token.tokenRequesterPrincipalName} for ` +
        `[${token.renewers.map(({ principalType, principalName }) => `${principalType}:${principalName}`).join(' ')}] ` +
        `secret of ${token.hmac.length}`,
    )
    this.#say(`describe ${what}`, answer.errorCode, ...tokens.sort())
  }

  async enter(
    what: string,
    { id, hmac }: Token,
    mechanism: string,
    password = hmac.toString('base64'),
  ): Promise<WireClient> {
    const client = await this.#connect()
    const { errorCode, errorMessage, sessionLifetimeMs } = await logIn(client, mechanism, id, password, true)
    const minutes = Math.round(sessionLifetimeMs / 60_000)
    this.#say(`enter ${what} by ${mechanism}`, errorCode, `'${errorMessage}'`, `for about ${minutes} min`)
    return client
  }
}

/** Where the broker has no secret to make tokens with. */
export async function holdDisabledTokenDialogs(places: TokenPlaces): Promise<string[]> {
  const dialog = new TokenDialog(places)
  const alice = await dialog.asUser('alice')
  await dialog.create('of her own', alice)
  await dialog.create('that a group renews', alice, { renewers: ['staff@Group'] })
  await dialog.renew('nothing', alice, Buffer.from('of no token'), -1)
  await dialog.expire('nothing', alice, Buffer.from('of no token'), -1)
  await dialog.describe('all', alice, null)
  await dialog.describe('those of no owner', alice, [])
  await dialog.enter('without a token', { id: 'of-no-token', hmac: Buffer.from('guess') }, 'SCRAM-SHA-256')
  return dialog.end()
}

export async function holdTokenDialogs(places: TokenPlaces): Promise<string[]> {
  const dialog = new TokenDialog(places)
  const alice = await dialog.asUser('alice')
  const bob = await dialog.asUser('bob')
  const carol = await dialog.asUser('carol')
  const own = await dialog.create('of her own', alice)
  await dialog.create('for a minute', alice, { maxLifetimeMs: 60_000 })
  await dialog.create('for ever', alice, { maxLifetimeMs: 10_000 * DAY_MS })
  await dialog.create('for no time', alice, { maxLifetimeMs: 0 })
  await dialog.create('in version 1', bob, { version: 1 })
  const renewable = await dialog.create('that others renew', alice, { renewers: ['bob', 'carol'] })
  await dialog.create('that a group renews', alice, { renewers: ['bob', 'staff@Group'] })
  const others = await dialog.create("of another's", bob, { owner: 'carol', ownerType: USER })
  await dialog.create('of an owner without a type', bob, { owner: 'carol', ownerType: '' })
  await dialog.create('of a group', bob, { owner: 'staff', ownerType: 'Group' })
  await dialog.create('of nobody', bob, { owner: '', ownerType: USER })

  await dialog.renew('nothing', alice, Buffer.from('of no token'), -1)
  await dialog.renew('her own', alice, own.hmac, -1)
  await dialog.renew('for an hour', alice, own.hmac, DAY_MS / 24)
  await dialog.renew('for longer than is allowed', alice, own.hmac, 10_000 * DAY_MS)
  await dialog.renew("somebody's", bob, own.hmac, -1)
  await dialog.renew('as a renewer', bob, renewable.hmac, DAY_MS / 24)
  await dialog.renew('as requester', bob, others.hmac, DAY_MS / 24)
  await dialog.renew('as owner', carol, others.hmac, 0)

  await dialog.describe('all that alice may see', alice, null)
  await dialog.describe('those of bob', alice, ['bob'])
  await dialog.describe('those of carol and nobody', carol, ['carol', 'nobody'])
  await dialog.describe('those of no owner', carol, [])

  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) await dialog.enter('as alice', own, mechanism)
  await dialog.enter('with another secret', own, 'SCRAM-SHA-256', 'guess')
  await dialog.enter('without a token', { id: 'of-no-token', hmac: own.hmac }, 'SCRAM-SHA-256')
  const entered = await dialog.enter("by another's token", others, 'SCRAM-SHA-512')
  await dialog.create('with a token', entered)
  await dialog.renew('with a token', entered, others.hmac, -1)
  await dialog.expire('with a token', entered, others.hmac, -1)
  await dialog.describe('with a token', entered, null)

  await dialog.expire('nothing', alice, Buffer.from('of no token'), -1)
  await dialog.expire("somebody's", carol, own.hmac, -1)
  await dialog.expire('as requester', bob, others.hmac, DAY_MS / 24)
  await dialog.expire('as owner', carol, others.hmac, DAY_MS / 24)
  await dialog.expire('in an hour', alice, own.hmac, DAY_MS / 24)
  await dialog.expire('later than it can', alice, own.hmac, 10_000 * DAY_MS)
  await dialog.expire('at once', alice, own.hmac, -1)
  await dialog.expire('again', alice, own.hmac, -1)
  await dialog.renew('what is gone', alice, own.hmac, -1)
  await dialog.enter('by what is gone', own, 'SCRAM-SHA-256')
  await dialog.expire('now', bob, renewable.hmac, 0)
  await dialog.settle()
  await dialog.renew('what is over', alice, renewable.hmac, -1)
  await dialog.expire('what is over', alice, renewable.hmac, 1000)
  await dialog.expire('what is over, at once', alice, renewable.hmac, -1)
  return dialog.end()
}

interface CreateOptions {
  readonly owner?: string | null
  readonly ownerType?: string | null
  /** Names, or `name@type`. */
  readonly renewers?: readonly string[]
  readonly maxLifetimeMs?: number
  readonly version?: number
}
