import type { BrokerConfig } from '../broker-config.ts'
import type { ClusterMetadata } from '../cluster-metadata.ts'
import { levelOf, TRANSACTION_VERSION } from '../features.ts'

/** What the coordinator does by: the broker's settings, which may change while it runs. */
export class TransactionSettings {
  readonly #config: BrokerConfig
  readonly #metadata: ClusterMetadata

  constructor(config: BrokerConfig, metadata: ClusterMetadata) {
    this.#config = config
    this.#metadata = metadata
  }

  get timeoutMsMax(): number {
    return this.#config.integer('transaction.max.timeout.ms')
  }

  get idExpirationMs(): number {
    return this.#config.integer('transactional.id.expiration.ms')
  }

  /** How often transactions that take too long are looked for. */
  get timeoutCheckIntervalMs(): number {
    return this.#config.integer('transaction.abort.timed.out.transaction.cleanup.interval.ms')
  }

  /** How often ids that nobody uses are looked for. */
  get expirationCheckIntervalMs(): number {
    return this.#config.integer('transaction.remove.expired.transaction.cleanup.interval.ms')
  }

  get partitionCount(): number {
    return this.#config.integer('transaction.state.log.num.partitions')
  }

  get segmentBytes(): number {
    return this.#config.integer('transaction.state.log.segment.bytes')
  }

  /** The level of the feature `transaction.version`. */
  get version(): number {
    return levelOf(this.#metadata.features, TRANSACTION_VERSION)
  }
}
