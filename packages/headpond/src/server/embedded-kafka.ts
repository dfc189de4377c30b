import type { KafkaCall, KafkaCallLog } from '../kafka/call-log.ts'
import type { KafkaFaults } from '../kafka/faults.ts'
import { refuseUnknownApi } from './faults.ts'
import type { Kafka } from './kafka.ts'
import { type KafkaTopicOptions, type TopicPlan, topicPlans } from './kafka-options.ts'
import type { KafkaTools } from './kafka-tools.ts'

/** Names and values; a name that comes more than once has all its values. */
export type KafkaHeaders<B> = Readonly<Record<string, B | null | readonly (B | null)[]>>

/** A record as it stands in a topic: text, or bytes where they are asked for. */
export interface KafkaRecord<B = string> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly key: B | null
  /** Null is a tombstone. */
  readonly value: B | null
  readonly headers: KafkaHeaders<B>
}

/** A record to be produced. */
export interface KafkaMessage {
  readonly value: string | Uint8Array | null
  readonly key?: string | Uint8Array | null
  readonly headers?: KafkaHeaders<string | Uint8Array>
  /** By default what Kafka's Java client would take: by the key, else one after the other. */
  readonly partition?: number
  /** Milliseconds since 1970; by default the server's time. */
  readonly timestamp?: number
}

/** Where a record has gone. */
export interface ProducedRecord {
  readonly partition: number
  readonly offset: number
}

export interface RecordsOptions {
  /** Only this partition. */
  readonly partition?: number
  /** Also records of transactions that are open or were aborted. */
  readonly uncommitted?: boolean
}

/** What is waited for. */
export interface GroupCondition {
  /** So far behind at most, in all partitions together; 0: everything that is there is committed. */
  readonly lag?: number
  /** So many members, who know what they read. */
  readonly members?: number
  /** 'Stable', 'Empty' ...; stable by default when neither `lag` nor `members` is given. */
  readonly state?: string
  /** In real time; 10,000 by default. */
  readonly timeoutMs?: number
}

/** How far a group is in one partition. */
export interface GroupOffset {
  readonly topic: string
  readonly partition: number
  /** Null: nothing is committed. */
  readonly committedOffset: number | null
  readonly endOffset: number
  readonly lag: number
}

/** A group as it is at this moment. */
export interface KafkaGroup {
  readonly group: string
  /** 'Stable', 'PreparingRebalance', 'CompletingRebalance', 'Empty', 'Dead'. */
  readonly state: string
  readonly memberCount: number
  readonly lag: number
  readonly offsets: readonly GroupOffset[]
}

/**
 * The broker of this process, without a client: what is in its topics, how far its groups are. The first use loads it, when no
 * client has come before.
 */
export class EmbeddedKafka {
  readonly #kafka: Kafka
  readonly #plans: readonly TopicPlan[]
  readonly #calls: KafkaCallLog | null
  readonly #faults: KafkaFaults
  #tools: Promise<KafkaTools> | null = null

  constructor(
    kafka: Kafka,
    parts: { readonly plans: readonly TopicPlan[]; readonly calls: KafkaCallLog | null; readonly faults: KafkaFaults },
  ) {
    this.#kafka = kafka
    this.#plans = parts.plans
    this.#calls = parts.calls
    this.#faults = parts.faults
  }

  /** Where clients of each listener connect to, by its name: `{ PLAINTEXT: '127.0.0.1:40124' }`. */
  get listeners(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#kafka.listeners.map(({ plan, address }) => [plan.name, address]))
  }

  /**
   * All records of a topic, by partition and offset: `(await server.kafka.records('orders')).map(({ value }) => value)`.
   * Keys, values and headers are text, or bytes with `binary: true`. Rejects when there is no such topic.
   */
  records(topic: string, options?: RecordsOptions & { readonly binary?: false }): Promise<KafkaRecord[]>
  records(topic: string, options: RecordsOptions & { readonly binary: true }): Promise<KafkaRecord<Buffer>[]>
  async records(
    topic: string,
    options: RecordsOptions & { readonly binary?: boolean } = {},
  ): Promise<KafkaRecord[] | KafkaRecord<Buffer>[]> {
    return (await this.#loaded()).records(topic, options)
  }

  /**
   * As `records`, once there are so many of them. Rejects after ten seconds of real time, or `timeoutMs`, and says how many
   * there are. A topic that does not exist yet is waited for.
   */
  async waitForRecords(
    topic: string,
    count: number,
    options: RecordsOptions & { readonly timeoutMs?: number } = {},
  ): Promise<KafkaRecord[]> {
    return (await this.#loaded()).waitForRecords(topic, count, options)
  }

  /**
   * Puts records into a topic, as a producer with `acks=all` would; a text alone is a value. Resolves when consumers can
   * read them. Rejects when there is no such topic, or when a record is refused.
   */
  async produce(
    topic: string,
    messages: KafkaMessage | string | readonly (KafkaMessage | string)[],
  ): Promise<ProducedRecord[]> {
    const list = Array.isArray(messages) ? messages : [messages]
    return (await this.#loaded()).produce(
      topic,
      list.map((message) => (typeof message === 'string' ? { value: message } : message)),
    )
  }

  /** Makes topics: `{ orders: 3 }`. Those that are there already stay as they are. Rejects with ConfigError. */
  async createTopics(topics: Readonly<Record<string, KafkaTopicOptions>>): Promise<void> {
    const plans = topicPlans(topics)
    await (await this.#loaded()).createTopics(plans)
  }

  /** The names of all topics but Kafka's own. */
  async topics(): Promise<string[]> {
    return (await this.#loaded()).topics()
  }

  /** A group as it is; undefined when nobody knows it. */
  async group(group: string): Promise<KafkaGroup | undefined> {
    return (await this.#loaded()).group(group)
  }

  /**
   * Resolves when a group is where a test wants it: `waitForGroup('billing', { lag: 0 })` when it has committed everything,
   * `waitForGroup('billing', { members: 2 })` when two members read. By events, not by asking again and again. Rejects after
   * ten seconds of real time, or `timeoutMs`, and says how far the group is.
   */
  async waitForGroup(group: string, condition: GroupCondition = {}): Promise<KafkaGroup> {
    return (await this.#loaded()).waitForGroup(group, condition)
  }

  /**
   * What Kafka clients asked of the server since the start or the last `reset`, the oldest first: of one API ('Produce'), or
   * all. Throws when the server does not remember any, and RangeError when there is no such API.
   */
  calls(api?: string): readonly KafkaCall[] {
    if (this.#calls === null) throw new Error('calls: this server remembers none; set the option callsKept')
    if (api !== undefined) refuseUnknownApi(api)
    return this.#calls.of(api)
  }

  /** Deletes all topics and groups, and makes those of the options again. */
  async reset(): Promise<void> {
    this.#faults.clear()
    this.#calls?.clear()
    if (this.#kafka.service !== null) await (await this.#loaded()).reset(this.#plans)
  }

  /** Loads the broker, with the topics of the options. */
  async prepare(): Promise<void> {
    await (await this.#loaded()).createTopics(this.#plans)
  }

  #loaded(): Promise<KafkaTools> {
    this.#tools ??= this.#load()
    return this.#tools
  }

  async #load(): Promise<KafkaTools> {
    const [service, { KafkaTools }] = await Promise.all([this.#kafka.load(), import('./kafka-tools.ts')])
    return new KafkaTools(service.broker)
  }
}
