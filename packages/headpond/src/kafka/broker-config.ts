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
}

const DEFAULTS = {
  'auto.create.topics.enable': 'true',
  'connections.max.idle.ms': '600000',
  'fetch.max.bytes': '57671680',
  'max.connections': '2147483647',
  'max.connections.per.ip': '2147483647',
  'max.incremental.fetch.session.cache.slots': '1000',
  'node.id': '1',
  'num.partitions': '1',
  'producer.id.expiration.ms': '86400000',
  'socket.request.max.bytes': '104857600',
} as const
