import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { ServerLog } from '../config/server-log.ts'
import { apis } from '../kafka/apis.ts'
import { Broker } from '../kafka/broker.ts'
import { BrokerConfig } from '../kafka/broker-config.ts'
import { ClusterMetadata } from '../kafka/cluster-metadata.ts'
import { KafkaEngine } from '../kafka/engine.ts'
import { asksForLogin, type KafkaListener, listenerPlans } from '../kafka/listener.ts'
import { Authentication } from '../kafka/security/authentication.ts'
import { clientAuthOf } from '../kafka/security/tls.ts'
import { LogManager } from '../log/log-manager.ts'
import { settingsOf } from '../log/topic-config.ts'
import type { Clock } from '../net/clock.ts'
import type { ListenerTls } from '../net/listener.ts'
import { ScramCredentials } from '../security/scram-credentials.ts'
import type { UserDirectory } from '../security/user-directory.ts'
import { KafkaEncryption } from './kafka-encryption.ts'

export interface KafkaServiceParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: ServerLog
  readonly random: () => number
  readonly users: UserDirectory
  /** Null: everything stays in memory. */
  readonly directory: string | null
}

const SCRAM_FILE_NAME = 'scram-credentials.json'

/** The Kafka side of a server: the logs on disk, the broker, its protocol. `kafka.ts` loads this file when there is need. */
export class KafkaService {
  readonly broker: Broker
  readonly engine: KafkaEngine
  readonly #encryption: KafkaEncryption
  readonly #scram: ScramCredentials
  readonly #users: UserDirectory

  constructor({ config, clock, log, random, directory, users }: KafkaServiceParts) {
    const brokerConfig = new BrokerConfig(config)
    const listeners = listenerPlans(config)
    const logs = new LogManager({
      directory,
      nowMs: () => clock.nowMs(),
      log,
      settingsOf: (overrides) => settingsOf(overrides, brokerConfig.logDefaults),
      producerIdExpirationMs: () => brokerConfig.integer('producer.id.expiration.ms'),
      random,
      nodeId: brokerConfig.integer('node.id'),
      retentionCheckIntervalMs: () => brokerConfig.integer('log.retention.check.interval.ms'),
      cleaner: () => ({
        isEnabled: brokerConfig.boolean('log.cleaner.enable'),
        backoffMs: brokerConfig.integer('log.cleaner.backoff.ms'),
        memoryBytes: brokerConfig.integer('log.cleaner.dedupe.buffer.size'),
      }),
    })
    this.#users = users
    this.#scram = new ScramCredentials({
      path: directory === null ? null : join(directory, SCRAM_FILE_NAME),
      users,
      isWanted: () => listeners.some((listener) => asksForLogin(listener) && authentication.offersScram(listener)),
      warn: (message) => log.warn(message),
    })
    const authentication = new Authentication({ config: brokerConfig, clock, users, scram: this.#scram })
    this.#encryption = new KafkaEncryption({ config, brokerConfig, listeners, log, clock })
    this.broker = new Broker({
      logs,
      clock,
      config: brokerConfig,
      metadata: new ClusterMetadata(directory),
      log,
      random,
      apis,
      authentication,
      listeners,
    })
    this.engine = new KafkaEngine(this.broker)
  }

  /** Loads what is on disk. Rejects with ConfigError when listeners cannot be as they are to be. */
  async start(): Promise<void> {
    await this.broker.start()
    this.broker.authentication.start(this.broker.listeners)
    this.#encryption.start()
    this.#scram.start()
    const { onDeleted } = this.#users
    this.#users.onDeleted = (user) => {
      onDeleted(user)
      const name = Buffer.from(user.name, 'latin1').toString()
      this.#scram.userDeleted(name)
      this.engine.endSessionsOf(name)
    }
  }

  /** How clients of an encrypted listener are met. */
  encryptionOf(listener: KafkaListener): ListenerTls {
    return this.#encryption.listenerTls(listener)
  }

  /** Nobody comes in by this listener without a certificate. */
  asksForCertificate(listener: KafkaListener): boolean {
    return listener.protocol === 'SSL' && clientAuthOf(listener, this.broker.config) === 'required'
  }

  /** Housekeeping, several times a second. */
  cron(): void {
    this.broker.logs.maintain()
    this.engine.cron()
  }

  /** Does all housekeeping that is due by now. */
  catchUp(): void {
    this.broker.logs.catchUp()
  }

  /** To be called when no client is connected any more. */
  async close(): Promise<void> {
    await this.#scram.settled()
    await this.broker.close()
  }
}
