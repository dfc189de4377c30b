import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { apis } from '../kafka/apis.ts'
import { Broker } from '../kafka/broker.ts'
import { BrokerConfig } from '../kafka/broker-config.ts'
import { KafkaEngine } from '../kafka/engine.ts'
import { LogManager } from '../log/log-manager.ts'
import { DEFAULT_LOG_SETTINGS } from '../log/log-settings.ts'
import { settingsOf } from '../log/topic-config.ts'
import type { Clock } from '../net/clock.ts'
import { OutputGate } from '../net/output-gate.ts'
import type { EngineLog } from '../resp/engine.ts'
import { Endpoint, hostOf } from './endpoint.ts'

export interface KafkaServiceParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: EngineLog
  readonly random: () => number
}

/** Below the data directory, unless `kafka.log.dirs` says otherwise. */
const LOGS_DIRECTORY = 'kafka-logs'

/**
 * The Kafka side of a server: the logs on disk, the broker, its port. The server imports this file when everything else
 * runs already, so that nobody waits for it who came for something else.
 */
export class KafkaService {
  readonly broker: Broker
  readonly engine: KafkaEngine
  readonly #config: Config
  readonly #log: EngineLog
  readonly #endpoint: Endpoint

  constructor({ config, clock, log, random }: KafkaServiceParts) {
    this.#config = config
    this.#log = log
    const brokerConfig = new BrokerConfig(config)
    const { dir, ephemeral, kafkaAdvertisedHost } = config.settings
    const logs = new LogManager({
      directory: ephemeral ? null : join(dir, LOGS_DIRECTORY),
      nowMs: () => clock.nowMs(),
      log,
      settingsOf: (overrides) => settingsOf(overrides, DEFAULT_LOG_SETTINGS),
      producerIdExpirationMs: () => brokerConfig.integer('producer.id.expiration.ms'),
      random,
      nodeId: brokerConfig.integer('node.id'),
    })
    this.broker = new Broker({
      logs,
      clock,
      config: brokerConfig,
      log,
      random,
      apis,
      advertisedHost: kafkaAdvertisedHost === '' ? null : kafkaAdvertisedHost,
      isProtected: () => config.settings.protectedMode,
    })
    this.engine = new KafkaEngine(this.broker)
    this.#endpoint = new Endpoint({
      config,
      directive: 'kafka-port',
      protocol: this.engine,
      listener: {
        keepAliveSeconds: () => config.settings.tcpKeepalive,
        // What the append-only file has to keep does not concern these clients: they never wait for it.
        limits: { inputBytesMax: () => this.engine.inputBytesMax, gate: new OutputGate() },
        refuse: (peer) => this.engine.refusal(peer),
      },
      prepare: () => this.#refuseUnknownAddress(),
    })
  }

  /** 0 when it is not listened on. */
  get port(): number {
    return this.#endpoint.port
  }

  get address(): string | undefined {
    return this.#endpoint.address
  }

  /** Loads the logs, then listens. Rejects with ConfigError when the address cannot be had. */
  async start(): Promise<void> {
    await this.broker.start()
    await this.#endpoint.open()
    const { kafkaAdvertisedHost } = this.#config.settings
    const told =
      kafkaAdvertisedHost === '' ? 'the address that they connected to' : `${kafkaAdvertisedHost}:${this.port}`
    this.#log.info(`Kafka clients are told to connect to ${told}`)
  }

  /** Housekeeping, several times a second. */
  cron(): void {
    this.broker.logs.maintain()
    this.engine.cron()
  }

  /** Stops accepting, and closes every connection once its answers are sent. */
  async close(): Promise<void> {
    await this.#endpoint.close()
    await this.broker.close()
  }

  /** Closes every connection at once; answers that are under way are lost. */
  destroyConnections(): void {
    this.#endpoint.destroyConnections()
  }

  /**
   * Clients connect a second time, to what Metadata tells them. Behind a wildcard address that is what they connected to,
   * as long as this machine has an address that others can know.
   */
  #refuseUnknownAddress(): void {
    const { bind, kafkaAdvertisedHost } = this.#config.settings
    const hosts = bind.map((address) => hostOf(address.replace(/^-/, '')))
    if (kafkaAdvertisedHost !== '' || !hosts.some((host) => host === '0.0.0.0' || host === '::')) return
    const isReachable = Object.values(networkInterfaces()).some((addresses) =>
      addresses?.some(({ internal }) => !internal),
    )
    if (isReachable) return
    throw new ConfigError(
      `bind ${bind.join(' ')}`,
      'there is no address that Kafka clients could be told to connect to',
      'Name one with --kafka-advertised-host.',
    )
  }
}
