import type { Config } from '../config/config.ts'

/** The broker's settings: `kafka.` directives under Kafka's own names. */
export class BrokerConfig {
  readonly #config: Config

  constructor(config: Config) {
    this.#config = config
  }

  integer(name: keyof typeof DEFAULTS): number {
    return Number(this.#config.kafka.get(name) ?? DEFAULTS[name])
  }

  boolean(name: keyof typeof DEFAULTS): boolean {
    return (this.#config.kafka.get(name) ?? DEFAULTS[name]).toLowerCase() === 'true'
  }

  /** Null: not set. */
  text(name: 'broker.rack'): string | null {
    return this.#config.kafka.get(name) ?? null
  }
}

const DEFAULTS = {
  'auto.create.topics.enable': 'true',
  'connections.max.idle.ms': '600000',
  'fetch.max.bytes': '57671680',
  'group.initial.rebalance.delay.ms': '3000',
  'group.max.session.timeout.ms': '1800000',
  'group.max.size': '2147483647',
  'group.min.session.timeout.ms': '6000',
  'max.connections': '2147483647',
  'max.connections.per.ip': '2147483647',
  'max.incremental.fetch.session.cache.slots': '1000',
  'node.id': '1',
  'num.partitions': '1',
  'offset.metadata.max.bytes': '4096',
  'offsets.retention.check.interval.ms': '600000',
  'offsets.retention.minutes': '10080',
  'offsets.topic.num.partitions': '50',
  'offsets.topic.segment.bytes': '104857600',
  'producer.id.expiration.ms': '86400000',
  'socket.request.max.bytes': '104857600',
} as const
