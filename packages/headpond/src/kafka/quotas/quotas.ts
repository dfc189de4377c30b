import type { RequestContext } from '../api.ts'
import type { BrokerConfig } from '../broker-config.ts'
import { clientLimit } from './client-limits.ts'
import { ClientQuotas } from './client-quotas.ts'
import { LimitedRate } from './limited-rate.ts'
import { type MutationQuota, mutationQuota, NO_MUTATION_QUOTA } from './mutation-quota.ts'
import { normalAddress } from './quota-entity.ts'
import type { QuotaKey } from './quota-keys.ts'
import type { WindowSettings } from './rate-window.ts'
import type { RequestTime } from './request-time.ts'
import { TokenBucket } from './token-bucket.ts'

type Client = readonly [user: string, clientId: string]

/** Buckets beyond this are looked through for such as are full. */
const BUCKET_COUNT_MAX = 10_000

/** What is counted of clients against their quotas. Where nobody has one, a request costs a look at `isActive`. */
export class Quotas {
  readonly clients = new ClientQuotas()
  /** Bytes of Produce requests. */
  readonly produce: LimitedRate<Client>
  /** Bytes of answers to Fetch. */
  readonly fetch: LimitedRate<Client>
  /** The main thread's time, in percent. */
  readonly request: LimitedRate<Client>
  /** New connections from an address. */
  readonly connections: LimitedRate<readonly [address: string]>
  readonly #config: BrokerConfig
  readonly #nowMs: () => number
  #hasMutationQuotas = false
  readonly #buckets = new Map<string, { readonly bucket: TokenBucket; readonly limit: number }>()

  constructor(config: BrokerConfig, nowMs: () => number) {
    this.#config = config
    this.#nowMs = nowMs
    const window = () => this.#window
    const windowMs = () => window().windowMs
    const ofClients = (key: QuotaKey, throttleMsMax?: () => number) =>
      new LimitedRate<Client>({
        nowMs,
        window,
        isSet: () => this.clients.has(key),
        limitOf: (user, clientId) => clientLimit(this.clients, key, user, clientId),
        throttleMsMax,
      })
    this.produce = ofClients('producer_byte_rate')
    this.fetch = ofClients('consumer_byte_rate')
    this.request = ofClients('request_percentage', windowMs)
    this.connections = new LimitedRate({
      nowMs,
      window,
      isSet: () => this.clients.has('connection_creation_rate'),
      limitOf: (address) => this.#connectionLimit(normalAddress(address)),
      throttleMsMax: windowMs,
    })
    this.clients.onChange.add(() => {
      for (const rate of this.#rates) rate.refresh()
      this.#hasMutationQuotas = this.clients.has('controller_mutation_rate')
      if (!this.#hasMutationQuotas) this.#buckets.clear()
    })
    let known = this.#windows
    config.onChange.add(() => {
      if (this.#windows === known) return
      known = this.#windows
      for (const rate of this.#rates) rate.restart()
      this.#buckets.clear()
    })
  }

  /** For one request that changes topics. @param strictSince the first version whose clients know the error */
  mutationsOf({ session, clientId, version }: RequestContext, strictSince: number): MutationQuota {
    if (!this.#hasMutationQuotas) return NO_MUTATION_QUOTA
    const found = clientLimit(this.clients, 'controller_mutation_rate', session.principal.name, clientId ?? '')
    if (found === null) return NO_MUTATION_QUOTA
    const bucket = this.#bucketOf(found.sharedBy, found.limit)
    return mutationQuota(bucket, found.limit, version >= strictSince, this.#nowMs)
  }

  /** Counts the time that a request has taken so far. Its client pauses for as long as is returned. */
  throttleForTime({ time, session, clientId, broker }: RequestContext): number {
    if (time === null) return 0
    time.isCharged = true
    const throttleMs = this.request.record(percentOf(time), session.principal.name, clientId ?? '')
    session.throttle(throttleMs, broker.clock)
    return throttleMs
  }

  /** Counts what it has taken since. */
  countTime({ time, session, clientId }: RequestContext): void {
    if (time !== null) this.request.recordOnly(percentOf(time), session.principal.name, clientId ?? '')
  }

  get #rates(): readonly { refresh(): void; restart(): void }[] {
    return [this.produce, this.fetch, this.request, this.connections]
  }

  get #window(): WindowSettings {
    return {
      sampleCount: this.#config.integer('quota.window.num'),
      windowMs: this.#config.integer('quota.window.size.seconds') * 1000,
    }
  }

  get #mutationWindow(): WindowSettings {
    return {
      sampleCount: this.#config.integer('controller.quota.window.num'),
      windowMs: this.#config.integer('controller.quota.window.size.seconds') * 1000,
    }
  }

  get #windows(): string {
    return JSON.stringify([this.#window, this.#mutationWindow])
  }

  #connectionLimit(address: string): { limit: number; sharedBy: string } | null {
    const key = 'connection_creation_rate'
    const limit = this.clients.limitOf([['ip', address]], key) ?? this.clients.limitOf([['ip', null]], key)
    return limit === undefined ? null : { limit, sharedBy: address }
  }

  #bucketOf(sharedBy: string, limit: number): TokenBucket {
    let bucket = this.#buckets.get(sharedBy)?.bucket
    if (bucket === undefined) {
      if (this.#buckets.size >= BUCKET_COUNT_MAX) this.#forgetFull()
      bucket = new TokenBucket(this.#mutationWindow)
    }
    this.#buckets.set(sharedBy, { bucket, limit })
    return bucket
  }

  #forgetFull(): void {
    const nowMs = this.#nowMs()
    for (const [sharedBy, { bucket, limit }] of this.#buckets) {
      if (bucket.isIdle(limit, nowMs)) this.#buckets.delete(sharedBy)
    }
  }
}

/** A second of time, spread over a second, is 100 %. */
function percentOf(time: RequestTime): number {
  return time.takeMs() / 10
}
