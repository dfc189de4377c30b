import type { BrokerConfig } from '../broker-config.ts'
import type { ClusterMetadata } from '../cluster-metadata.ts'
import { levelOf, TRANSACTION_VERSION } from '../features.ts'

/** What the coordinator does by: the broker's settings, which may change while it runs. */
export interface TransactionSettings {
  readonly timeoutMsMax: number
  readonly idExpirationMs: number
  /** How often transactions that take too long are looked for. */
  readonly timeoutCheckIntervalMs: number
  /** How often ids that nobody uses are looked for. */
  readonly expirationCheckIntervalMs: number
  readonly partitionCount: number
  readonly segmentBytes: number
  /** The level of the feature `transaction.version`. */
  readonly version: number
}

/** The settings by Kafka's names. */
export function transactionSettings(config: BrokerConfig, metadata: ClusterMetadata): TransactionSettings {
  return {
    get timeoutMsMax() {
      return config.integer('transaction.max.timeout.ms')
    },
    get idExpirationMs() {
      return config.integer('transactional.id.expiration.ms')
    },
    get timeoutCheckIntervalMs() {
      return config.integer('transaction.abort.timed.out.transaction.cleanup.interval.ms')
    },
    get expirationCheckIntervalMs() {
      return config.integer('transaction.remove.expired.transaction.cleanup.interval.ms')
    },
    get partitionCount() {
      return config.integer('transaction.state.log.num.partitions')
    },
    get segmentBytes() {
      return config.integer('transaction.state.log.segment.bytes')
    },
    get version() {
      return levelOf(metadata.features, TRANSACTION_VERSION)
    },
  }
}
