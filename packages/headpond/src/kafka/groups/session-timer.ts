/** Whose clock a group runs by. */
export interface TimerHost {
  nowMs(): number
  schedule(delayMs: number, run: () => void): { cancel(): void }
}

/**
 * Calls when something has not been renewed in time. Renewing costs a number: the entry of the clock stays where it is
 * and, when it comes, looks how long there is still to go.
 */
export class SessionTimer {
  readonly #host: TimerHost
  readonly #expired: () => void
  #deadlineAtMs = 0
  #entryAtMs = 0
  #entry: { cancel(): void } | null = null

  constructor(host: TimerHost, expired: () => void) {
    this.#host = host
    this.#expired = expired
  }

  renew(durationMs: number): void {
    this.#deadlineAtMs = this.#host.nowMs() + durationMs
    if (this.#entry !== null && this.#entryAtMs <= this.#deadlineAtMs) return
    this.stop()
    this.#arm(durationMs)
  }

  stop(): void {
    this.#entry?.cancel()
    this.#entry = null
  }

  #arm(durationMs: number): void {
    this.#entryAtMs = this.#host.nowMs() + durationMs
    this.#entry = this.#host.schedule(durationMs, () => {
      this.#entry = null
      const leftMs = this.#deadlineAtMs - this.#host.nowMs()
      if (leftMs > 0) this.#arm(leftMs)
      else this.#expired()
    })
  }
}
