import type { BrokerConfig, IntegerName } from '../broker-config.ts'
import type { ClusterMetadata } from '../cluster-metadata.ts'
import { assignors } from './assignors.ts'

/** What the coordinator does by: the broker's settings, which may change while it runs. */
export class GroupSettings {
  readonly #config: BrokerConfig
  readonly #metadata: ClusterMetadata

  constructor(config: BrokerConfig, metadata: ClusterMetadata) {
    this.#config = config
    this.#metadata = metadata
  }

  get sessionTimeoutMsMin(): number {
    return this.#config.integer('group.min.session.timeout.ms')
  }

  get sessionTimeoutMsMax(): number {
    return this.#config.integer('group.max.session.timeout.ms')
  }

  get initialRebalanceDelayMs(): number {
    return this.#config.integer('group.initial.rebalance.delay.ms')
  }

  get sizeMax(): number {
    return this.#config.integer('group.max.size')
  }

  /** Kafka calls them bytes, and counts the characters. */
  get offsetMetadataCharactersMax(): number {
    return this.#config.integer('offset.metadata.max.bytes')
  }

  get offsetsRetentionMs(): number {
    return this.#config.integer('offsets.retention.minutes') * 60_000
  }

  get offsetsRetentionCheckIntervalMs(): number {
    return this.#config.integer('offsets.retention.check.interval.ms')
  }

  get offsetsPartitionCount(): number {
    return this.#config.integer('offsets.topic.num.partitions')
  }

  get offsetsSegmentBytes(): number {
    return this.#config.integer('offsets.topic.segment.bytes')
  }

  consumerSessionTimeoutMs(groupId: string): number {
    return this.#ofGroup(groupId, 'consumer.session.timeout.ms', 'group.consumer.session.timeout.ms')
  }

  consumerHeartbeatIntervalMs(groupId: string): number {
    return this.#ofGroup(groupId, 'consumer.heartbeat.interval.ms', 'group.consumer.heartbeat.interval.ms')
  }

  get consumerSizeMax(): number {
    return this.#config.integer('group.consumer.max.size')
  }

  get consumerAssignors(): readonly string[] {
    const known = this.#config
      .list('group.consumer.assignors')
      .map(assignorNameOf)
      .filter((name) => name in assignors)
    return known.length > 0 ? known : Object.keys(assignors)
  }

  /** Whether a group changes to the new protocol while it has members. */
  get allowsUpgrade(): boolean {
    return ['bidirectional', 'upgrade'].includes(this.#migrationPolicy)
  }

  /** Whether a group changes back to the classic protocol while it has members. */
  get allowsDowngrade(): boolean {
    return ['bidirectional', 'downgrade'].includes(this.#migrationPolicy)
  }

  get #migrationPolicy(): string {
    return this.#config.text('group.consumer.migration.policy')?.toLowerCase() ?? 'bidirectional'
  }

  /** A group may have settings of its own. */
  #ofGroup(groupId: string, name: string, brokersOwn: IntegerName): number {
    const own = this.#metadata.configOf('group', groupId).get(name)
    return own === undefined ? this.#config.integer(brokersOwn) : Number(own)
  }
}

/** Settings may name the class that Kafka has for one of them. */
function assignorNameOf(text: string): string {
  const className = /\.(Uniform|Range)Assignor$/.exec(text)
  return className === null ? text : className[1].toLowerCase()
}
