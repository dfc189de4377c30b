import { THROTTLE_MS_MAX, type WindowSettings } from './rate-window.ts'

/**
 * What may be done now and then much of at once (KIP-599): tokens come at the rate of the limit, up to what all windows allow. One
 * who has any left may take more than there are, and owes the rest.
 */
export class TokenBucket {
  readonly #settings: WindowSettings
  #tokens = 0
  #filledAtMs = 0

  constructor(settings: WindowSettings) {
    this.#settings = settings
  }

  take(count: number, limit: number, nowMs: number): void {
    this.#fill(limit, nowMs)
    this.#tokens = Math.min(this.#burst(limit), this.#tokens - count)
  }

  /** How long nothing more may be taken. */
  throttleMs(limit: number, nowMs: number): number {
    this.#fill(limit, nowMs)
    if (this.#tokens >= 0) return 0
    return Math.min(Math.round((-this.#tokens / limit) * 1000), THROTTLE_MS_MAX)
  }

  /** It is full: a new one would be the same. */
  isIdle(limit: number, nowMs: number): boolean {
    this.#fill(limit, nowMs)
    return this.#tokens === this.#burst(limit)
  }

  #fill(limit: number, nowMs: number): void {
    this.#tokens = Math.min(this.#burst(limit), this.#tokens + (limit * (nowMs - this.#filledAtMs)) / 1000)
    this.#filledAtMs = nowMs
  }

  #burst(limit: number): number {
    return (this.#settings.sampleCount * this.#settings.windowMs * limit) / 1000
  }
}
