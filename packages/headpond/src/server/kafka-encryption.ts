import type { TlsOptions } from 'node:tls'
import type { Config } from '../config/config.ts'
import { directives } from '../config/directives.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { BrokerConfig } from '../kafka/broker-config.ts'
import { isEncrypted, type KafkaListener } from '../kafka/listener.ts'
import { listenerTlsOptions } from '../kafka/security/tls.ts'
import type { Clock } from '../net/clock.ts'
import type { ListenerTls } from '../net/listener.ts'
import { HandshakeWarnings } from './handshake-warnings.ts'

export interface KafkaEncryptionParts {
  readonly config: Config
  readonly brokerConfig: BrokerConfig
  readonly listeners: readonly KafkaListener[]
  readonly log: ServerLog
  readonly clock: Clock
}

/**
 * TLS of Kafka's listeners. Files are read when they begin to listen and whenever a setting is changed, even to what it was:
 * that is how a certificate that has been renewed is put in force. Connections that are open keep what they have.
 */
export class KafkaEncryption {
  readonly #parts: KafkaEncryptionParts
  readonly #encrypted: readonly KafkaListener[]
  readonly #warnings: HandshakeWarnings
  #options = new Map<string, TlsOptions>()

  constructor(parts: KafkaEncryptionParts) {
    this.#parts = parts
    this.#encrypted = parts.listeners.filter(isEncrypted)
    this.#warnings = new HandshakeWarnings(parts.log, parts.clock)
  }

  /** Reads everything. Throws ConfigError. */
  start(): void {
    if (this.#encrypted.length === 0) return
    this.#options = this.#read()
    const { config, brokerConfig, log } = this.#parts
    brokerConfig.checks.add(() => this.problem())
    brokerConfig.onChange.add(() => {
      try {
        this.#reload()
      } catch (error) {
        log.warn(`Kafka's listeners keep their certificates: ${(error as Error).message}`)
      }
    })
    for (const { name } of directives) {
      if (!/^tls-(cert|key|ca)/.test(name)) continue
      config.onChange(name, () => {
        try {
          this.#reload()
          return undefined
        } catch (error) {
          return `Unable to update TLS configuration: ${(error as Error).message}`
        }
      })
    }
  }

  /** What is wrong with the settings as they are now. */
  problem(): string | undefined {
    try {
      this.#read()
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  listenerTls({ name }: KafkaListener): ListenerTls {
    return {
      options: () => this.#options.get(name)!,
      clock: this.#parts.clock,
      onFailure: (remoteAddress, reason) => this.#warnings.failed(remoteAddress, reason),
    }
  }

  #read(): Map<string, TlsOptions> {
    const { brokerConfig, config } = this.#parts
    return new Map(
      this.#encrypted.map((listener) => [listener.name, listenerTlsOptions(listener, brokerConfig, config)]),
    )
  }

  /** Options that are the same stay the same object: with others, a listener begins anew. */
  #reload(): void {
    for (const [name, options] of this.#read()) {
      if (JSON.stringify(options) !== JSON.stringify(this.#options.get(name))) this.#options.set(name, options)
    }
  }
}
