import type { Config } from '../config/config.ts'
import { advertisedAddress } from '../kafka/advertised-address.ts'
import { apis } from '../kafka/apis.ts'
import { Broker } from '../kafka/broker.ts'
import { BrokerConfig } from '../kafka/broker-config.ts'
import { ClusterMetadata } from '../kafka/cluster-metadata.ts'
import { KafkaEngine } from '../kafka/engine.ts'
import { LogManager } from '../log/log-manager.ts'
import { settingsOf } from '../log/topic-config.ts'
import type { Clock } from '../net/clock.ts'
import type { EngineLog } from '../resp/engine.ts'

export interface KafkaServiceParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: EngineLog
  readonly random: () => number
  /** Null: everything stays in memory. */
  readonly directory: string | null
}

/** The Kafka side of a server: the logs on disk, the broker, its protocol. `kafka.ts` loads this file when there is need. */
export class KafkaService {
  readonly broker: Broker
  readonly engine: KafkaEngine

  constructor({ config, clock, log, random, directory }: KafkaServiceParts) {
    const brokerConfig = new BrokerConfig(config)
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
    this.broker = new Broker({
      logs,
      clock,
      config: brokerConfig,
      metadata: new ClusterMetadata(directory),
      log,
      random,
      apis,
      advertised: advertisedAddress(config),
    })
    this.engine = new KafkaEngine(this.broker)
  }

  /** Loads what is on disk. */
  start(): Promise<void> {
    return this.broker.start()
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
  close(): Promise<void> {
    return this.broker.close()
  }
}
