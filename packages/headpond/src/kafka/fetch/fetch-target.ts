import type { LogManager } from '../../log/log-manager.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import type { ErrorName } from '../errors.ts'

/** What a client asks of one partition. */
export interface FetchPosition {
  readonly fetchOffset: number
  /** -1: not to be checked. */
  readonly currentLeaderEpoch: number
  /** Of the last record that the client has; -1: not to be checked. */
  readonly lastFetchedEpoch: number
  readonly partitionMaxBytes: number
}

/** One partition that is fetched from, for one request or for as long as a session has it. */
export class FetchTarget {
  /** As the client named it; versions that name topics by id leave it empty. */
  readonly topic: string
  /** The zero id in versions that name topics by name. */
  readonly topicId: string
  readonly partition: number
  readonly namesTopicById: boolean
  position: FetchPosition
  /** What the session last told of the partition; -1: nothing, or an error, so that the next answer tells it again. */
  toldHighWatermark = -1
  toldLogStartOffset = -1
  #log: PartitionLog | null = null

  constructor(
    topic: { readonly topic: string; readonly topicId: string },
    partition: number,
    namesTopicById: boolean,
    position: FetchPosition,
  ) {
    this.topic = topic.topic
    this.topicId = topic.topicId
    this.partition = partition
    this.namesTopicById = namesTopicById
    this.position = position
  }

  /** The log as it is now, or why there is none: topics come and go while a session lasts. */
  find(logs: LogManager): PartitionLog | ErrorName {
    if (this.#log !== null && !this.#log.isDeleted) return this.#log
    this.#log = null
    const topic = this.namesTopicById ? logs.topicById(this.topicId) : logs.topics.get(this.topic)
    if (topic === undefined) return this.namesTopicById ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
    const log = topic.partitions[this.partition]
    if (log === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
    this.#log = log
    return log
  }
}
