import type { ServerLog } from '../config/server-log.ts'
import type { Clock } from '../net/clock.ts'

/** A peer that cannot come in tries again, and there may be many: one line in the log so often is enough. */
const WARNING_INTERVAL_MS = 10_000

/** Tells of TLS handshakes that came to nothing. */
export class HandshakeWarnings {
  readonly #log: ServerLog
  readonly #clock: Clock
  #nextAtMs = 0
  #untoldCount = 0

  constructor(log: ServerLog, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  failed(remoteAddress: string, reason: string): void {
    const nowMs = this.#clock.nowMs()
    if (nowMs < this.#nextAtMs) {
      this.#untoldCount++
      return
    }
    const others = this.#untoldCount === 0 ? '' : ` (and ${this.#untoldCount} more since the last warning)`
    this.#nextAtMs = nowMs + WARNING_INTERVAL_MS
    this.#untoldCount = 0
    this.#log.warn(`TLS handshake with ${remoteAddress} failed: ${reason}${others}`)
  }
}
