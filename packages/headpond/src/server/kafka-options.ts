import { ConfigError, refuseUnknownNames, refuseUnlessObject } from '../config/config-error.ts'
import { KAFKA_PREFIX } from '../config/directives.ts'

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
export function topicPlans(topics: Readonly<Record<string, KafkaTopicOptions>> = {}): TopicPlan[] {
  refuseUnlessObject('kafka.topics', topics, '{ orders: 3 }')
  return definedEntries(topics).map(([name, options]) => {
    const place = `topic ${name}`
    if (typeof options !== 'number') {
      refuseUnlessObject(place, options, "3, or { partitions: 3, config: { 'retention.ms': 60_000 } }")
      refuseUnknownNames(place, options, ['partitions', 'config'])
    }
    const { partitions = 1, config } = typeof options === 'number' ? { partitions: options } : options
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
      throw new ConfigError(place, `partitions: a whole number from 1, not ${String(partitions)}`)
    }
    return { name, partitionCount: partitions, config: new Map(settingTexts(`${place} config`, config)) }
  })
}

/** The broker's settings as directives. Throws ConfigError. */
export function kafkaDirectives(options: KafkaOptions = {}): Record<string, string> {
  refuseUnlessObject('option kafka', options, "{ topics: { orders: 3 }, config: { 'num.partitions': 2 } }")
  refuseUnknownNames('option kafka', options, ['topics', 'config'])
  const texts = settingTexts('option kafka.config', options.config)
  return Object.fromEntries(texts.map(([name, text]) => [KAFKA_PREFIX + name, text]))
}

function settingTexts(
  place: string,
  config: Readonly<Record<string, KafkaConfigValue>> = {},
): (readonly [name: string, text: string])[] {
  refuseUnlessObject(place, config, "{ 'retention.ms': 60_000 }")
  return definedEntries(config).map(([name, value]) => {
    if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value)) {
      throw new ConfigError(`${place} ${name}`, 'must be text, a number, true or false')
    }
    return [name, String(value)] as const
  })
}

/** What is undefined is as good as left out, as with every option. */
function definedEntries<V>(object: Readonly<Record<string, V>>): [string, V][] {
  return Object.entries(object).filter(([, value]) => value !== undefined)
}
