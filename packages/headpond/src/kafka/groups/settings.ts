import type { BrokerConfig } from '../broker-config.ts'
import { assignors } from './assignors.ts'

/** What the coordinator does by: the broker's settings, which may change while it runs. */
export interface GroupSettings {
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly initialRebalanceDelayMs: number
  readonly sizeMax: number
  readonly offsetMetadataCharactersMax: number
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckIntervalMs: number
  readonly offsetsPartitionCount: number
  readonly offsetsSegmentBytes: number
  readonly consumerSessionTimeoutMs: number
  readonly consumerHeartbeatIntervalMs: number
  readonly consumerSizeMax: number
  readonly consumerAssignors: readonly string[]
}

/** The settings by Kafka's names. */
export function groupSettings(config: BrokerConfig): GroupSettings {
  return {
    get sessionTimeoutMsMin() {
      return config.integer('group.min.session.timeout.ms')
    },
    get sessionTimeoutMsMax() {
      return config.integer('group.max.session.timeout.ms')
    },
    get initialRebalanceDelayMs() {
      return config.integer('group.initial.rebalance.delay.ms')
    },
    get sizeMax() {
      return config.integer('group.max.size')
    },
    get offsetMetadataCharactersMax() {
      return config.integer('offset.metadata.max.bytes')
    },
    get offsetsRetentionMs() {
      return config.integer('offsets.retention.minutes') * 60_000
    },
    get offsetsRetentionCheckIntervalMs() {
      return config.integer('offsets.retention.check.interval.ms')
    },
    get offsetsPartitionCount() {
      return config.integer('offsets.topic.num.partitions')
    },
    get offsetsSegmentBytes() {
      return config.integer('offsets.topic.segment.bytes')
    },
    get consumerSessionTimeoutMs() {
      return config.integer('group.consumer.session.timeout.ms')
    },
    get consumerHeartbeatIntervalMs() {
      return config.integer('group.consumer.heartbeat.interval.ms')
    },
    get consumerSizeMax() {
      return config.integer('group.consumer.max.size')
    },
    get consumerAssignors() {
      const known = config
        .list('group.consumer.assignors')
        .map(assignorNameOf)
        .filter((name) => name in assignors)
      return known.length > 0 ? known : Object.keys(assignors)
    },
  }
}

/** Settings may name the class that Kafka has for one of them. */
function assignorNameOf(text: string): string {
  const className = /\.(Uniform|Range)Assignor$/.exec(text)
  return className === null ? text : className[1].toLowerCase()
}
