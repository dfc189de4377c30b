import type { BrokerConfig, IntegerName } from '../broker-config.ts'
import type { ClusterMetadata } from '../cluster-metadata.ts'
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
  /** Of a group: it may have settings of its own. */
  readonly consumerSessionTimeoutMs: (groupId: string) => number
  readonly consumerHeartbeatIntervalMs: (groupId: string) => number
  readonly consumerSizeMax: number
  readonly consumerAssignors: readonly string[]
  /** Whether a group changes its protocol while it has members: to the new one, and back. */
  readonly allowsUpgrade: boolean
  readonly allowsDowngrade: boolean
}

/** The settings by Kafka's names. */
export function groupSettings(config: BrokerConfig, metadata: ClusterMetadata): GroupSettings {
  const ofGroup = (groupId: string, name: string, brokersOwn: IntegerName) => {
    const own = metadata.configOf('group', groupId).get(name)
    return own === undefined ? config.integer(brokersOwn) : Number(own)
  }
  const migration = () => config.text('group.consumer.migration.policy')?.toLowerCase() ?? 'bidirectional'
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
    consumerSessionTimeoutMs: (groupId) =>
      ofGroup(groupId, 'consumer.session.timeout.ms', 'group.consumer.session.timeout.ms'),
    consumerHeartbeatIntervalMs: (groupId) =>
      ofGroup(groupId, 'consumer.heartbeat.interval.ms', 'group.consumer.heartbeat.interval.ms'),
    get allowsUpgrade() {
      return ['bidirectional', 'upgrade'].includes(migration())
    },
    get allowsDowngrade() {
      return ['bidirectional', 'downgrade'].includes(migration())
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
