import type { TlsOptions } from 'node:tls'
import type { Config } from '../config/config.ts'
import { type DirectiveName, directives } from '../config/directives.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { Clock } from '../net/clock.ts'
import type { ListenerTls } from '../net/listener.ts'
import { tlsOptionsOf } from '../security/tls.ts'
import { HandshakeWarnings } from './handshake-warnings.ts'

/** What is not about how clients are met. */
const OTHER_DIRECTIVES: readonly DirectiveName[] = ['tls-port', 'tls-replication', 'tls-cluster']

/**
 * TLS of a server: what its listeners meet clients with, whatever protocol they speak. Files are read when it begins to
 * listen, and at each CONFIG SET of a `tls-` directive; connections that are open keep what they have.
 */
export class Encryption {
  readonly #config: Config
  readonly #clock: Clock
  readonly #warnings: HandshakeWarnings
  #options: TlsOptions | null = null

  /** @param isInUse whether there is a listener that has to be able to go on */
  constructor(config: Config, log: ServerLog, clock: Clock, isInUse: () => boolean) {
    this.#config = config
    this.#clock = clock
    this.#warnings = new HandshakeWarnings(log, clock)
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
      onFailure: (remoteAddress, reason) => this.#warnings.failed(remoteAddress, reason),
    }
  }
}
