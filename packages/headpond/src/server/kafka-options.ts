import { ConfigError } from '../config/config-error.ts'

/** A topic of an embedded server: how many partitions, or more about it. */
export type KafkaTopicOptions =
  | number
  | {
      /** 1 by default. */
      readonly partitions?: number
      /** Settings under Kafka's names: `{ 'retention.ms': 60_000 }`. */
      readonly config?: Readonly<Record<string, KafkaConfigValue>>
    }

/** The value of a setting: its text, or what stands for it. */
export type KafkaConfigValue = string | number | boolean

/** What `createServer({ kafka: ... })` takes. */
export interface KafkaOptions {
  /** Topics that are there from the start, and again after `reset`: `{ orders: 3 }`. */
  readonly topics?: Readonly<Record<string, KafkaTopicOptions>>
  /** Settings of the broker under Kafka's names: `{ 'auto.create.topics.enable': false }`. */
  readonly config?: Readonly<Record<string, KafkaConfigValue>>
}

/** A topic to be made. */
export interface TopicPlan {
  readonly name: string
  readonly partitionCount: number
  readonly config: ReadonlyMap<string, string>
}

const PARTITIONS_MAX = 100_000

/** Throws ConfigError for what can be seen without a broker. */
export function topicPlans(topics: Readonly<Record<string, KafkaTopicOptions>>): TopicPlan[] {
  return Object.entries(topics).map(([name, options]) => {
    const { partitions = 1, config = {} } = typeof options === 'object' ? options : { partitions: options }
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
      throw new ConfigError(`topic ${name}`, `partitions: a whole number from 1, not ${partitions}`)
    }
    const texts = Object.entries(config).map(([key, value]) => [key, String(value)] as const)
    return { name, partitionCount: partitions, config: new Map(texts) }
  })
}

/** The broker's settings as directives. */
export function kafkaDirectives(config: Readonly<Record<string, KafkaConfigValue>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [`kafka.${name}`, String(value)]))
}
