import type { TlsOptions } from 'node:tls'
import type { Config } from '../config/config.ts'
import { type DirectiveName, directives } from '../config/directives.ts'
import type { Clock } from '../net/clock.ts'
import type { ListenerTls } from '../net/listener.ts'
import type { EngineLog } from '../resp/engine.ts'
import { tlsOptionsOf } from '../security/tls.ts'

/** A peer that cannot come in tries again, and there may be many: one line in the log so often is enough. */
const WARNING_INTERVAL_MS = 10_000

/** What is not about how clients are met. */
const OTHER_DIRECTIVES: readonly DirectiveName[] = ['tls-port', 'tls-replication', 'tls-cluster']

/**
 * TLS of a server: what its listeners meet clients with, whatever protocol they speak. Files are read when it begins to
 * listen, and at each CONFIG SET of a `tls-` directive; connections that are open keep what they have.
 */
export class Encryption {
  readonly #config: Config
  readonly #log: EngineLog
  readonly #clock: Clock
  #options: TlsOptions | null = null
  #nextWarningAtMs = 0
  #unwarnedCount = 0

  /** @param isInUse whether there is a listener that has to be able to go on */
  constructor(config: Config, log: EngineLog, clock: Clock, isInUse: () => boolean) {
    this.#config = config
    this.#log = log
    this.#clock = clock
    const reload = () => {
      if (!isInUse()) return undefined
      try {
        this.load()
        return undefined
      } catch (error) {
        return `Unable to update TLS configuration: ${(error as Error).message}`
      }
    }
    for (const { name } of directives) {
      if (name.startsWith('tls-') && !OTHER_DIRECTIVES.includes(name)) config.onChange(name, reload)
    }
  }

  /** Reads certificates and keys. Throws ConfigError when something is wrong; then what was read before stays. */
  load(): void {
    this.#options = tlsOptionsOf(this.#config.settings, (path) => this.#config.absolutePath(path))
  }

  /** For a listener that begins after `load`. */
  get listener(): ListenerTls {
    return {
      options: () => this.#options!,
      clock: this.#clock,
      onFailure: (remoteAddress, reason) => this.#warn(remoteAddress, reason),
    }
  }

  #warn(remoteAddress: string, reason: string): void {
    const nowMs = this.#clock.nowMs()
    if (nowMs < this.#nextWarningAtMs) {
      this.#unwarnedCount++
      return
    }
    const others = this.#unwarnedCount === 0 ? '' : ` (and ${this.#unwarnedCount} more since the last warning)`
    this.#nextWarningAtMs = nowMs + WARNING_INTERVAL_MS
    this.#unwarnedCount = 0
    this.#log.warn(`TLS handshake with ${remoteAddress} failed: ${reason}${others}`)
  }
}
