import { RateWindow, throttleMsOf, type WindowSettings } from './rate-window.ts'

export interface LimitedRateParts<Client extends readonly string[]> {
  readonly nowMs: () => number
  readonly window: () => WindowSettings
  /** Whether anybody is limited at all. */
  readonly isSet: () => boolean
  /** Null: this client is not. */
  readonly limitOf: (...client: Client) => { readonly limit: number; readonly sharedBy: string } | null
  /** No pause is longer. */
  readonly throttleMsMax?: (() => number) | undefined
}

interface Counted {
  readonly limit: number
  readonly rate: RateWindow
}

/** Names that are looked up once; beyond it they are looked up anew. */
const KNOWN_COUNT_MAX = 10_000

/** What clients do of one kind, and how long they have to pause for it. Who is not limited is not counted. */
export class LimitedRate<Client extends readonly string[]> {
  readonly #parts: LimitedRateParts<Client>
  /** False: nobody is limited, and there is nothing to record. */
  isActive = false
  readonly #known = new Map<string, Counted | null>()
  readonly #rates = new Map<string, RateWindow>()

  constructor(parts: LimitedRateParts<Client>) {
    this.#parts = parts
  }

  /** Limits were changed. What was counted stays. */
  refresh(): void {
    this.isActive = this.#parts.isSet()
    this.#known.clear()
    if (!this.isActive) this.#rates.clear()
  }

  /** The windows were changed: counting begins anew. */
  restart(): void {
    this.#rates.clear()
    this.refresh()
  }

  /** Records, and returns for how long the client has to pause. */
  record(value: number, ...client: Client): number {
    const counted = this.#find(client)
    if (counted === null) return 0
    const nowMs = this.#parts.nowMs()
    counted.rate.record(value, nowMs)
    const throttleMs = throttleMsOf(counted.rate, counted.limit, nowMs)
    return Math.min(throttleMs, this.#parts.throttleMsMax?.() ?? throttleMs)
  }

  /** Records what nobody pauses for now; a negative value takes back. */
  recordOnly(value: number, ...client: Client): void {
    this.#find(client)?.rate.record(value, this.#parts.nowMs())
  }

  /** More than this in one piece is over the limit even for one who has rested. */
  burstOf(...client: Client): number {
    const counted = this.#find(client)
    if (counted === null) return Infinity
    const { sampleCount, windowMs } = this.#parts.window()
    return (counted.limit * (sampleCount - 1) * windowMs) / 1000
  }

  #find(client: Client): Counted | null {
    if (!this.isActive) return null
    const key = client.join('\0')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size >= KNOWN_COUNT_MAX) this.#forgetIdle()
    const found = this.#parts.limitOf(...client)
    const counted = found === null ? null : { limit: found.limit, rate: this.#rateOf(found.sharedBy) }
    this.#known.set(key, counted)
    return counted
  }

  #rateOf(sharedBy: string): RateWindow {
    let rate = this.#rates.get(sharedBy)
    if (rate === undefined) {
      rate = new RateWindow(this.#parts.window())
      this.#rates.set(sharedBy, rate)
    }
    return rate
  }

  #forgetIdle(): void {
    this.#known.clear()
    const nowMs = this.#parts.nowMs()
    for (const [sharedBy, rate] of this.#rates) if (rate.isIdle(nowMs)) this.#rates.delete(sharedBy)
  }
}
