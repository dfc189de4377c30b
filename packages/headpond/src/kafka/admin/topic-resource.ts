/** Settings of topics. */

import { findTopicSetting, refuseTopicConfig, type TopicSetting, topicSettings } from '../../log/topic-config.ts'
import type { RequestContext } from '../api.ts'
import type { BrokerConfig } from '../broker-config.ts'
import { refuseTopicName } from '../topic-names.ts'
import { applyChanges, type ConfigChange, type ConfigMap } from './config-change.ts'
import type { ConfigEntry, ConfigValue } from './config-entry.ts'
import type { Refusal } from './partition-plan.ts'

/** All settings of a topic that has these of its own: what is in force, and where it comes from. */
export function effectiveTopicConfig(config: ConfigMap, broker: BrokerConfig): ConfigValue[] {
  return settingsToShow(config).map((setting) => {
    const own = config.get(setting.name)
    if (own !== undefined) return { name: setting.name, text: own, source: 'topic' }
    const { text, source } = brokerValue(setting, broker) ?? { text: setting.default, source: 'default' as const }
    return { name: setting.name, text, source }
  })
}

/** What the broker says for topics that do not, in the unit of the topic's setting. */
function brokerValue(setting: TopicSetting, broker: BrokerConfig): ConfigValue | undefined {
  if (setting.brokerSetting === undefined) return undefined
  const [value] = broker.valuesOf(setting.brokerSetting)
  if (value === undefined || value.text === null) return undefined
  const coarser = setting.coarserBrokerSettings?.find(({ name }) => name === value.name)
  if (coarser === undefined) return value
  const amount = BigInt(value.text.trim())
  return { ...value, text: String(amount < 0n ? -1n : amount * BigInt(coarser.unitMs)) }
}

/** Those that are gone from Kafka 4 are shown where they are set. */
function settingsToShow(config: ConfigMap): TopicSetting[] {
  return topicSettings.filter(({ name, isOld }) => !isOld || config.has(name))
}

export function describeTopic(name: string, { broker }: RequestContext): ConfigEntry[] | Refusal {
  const problem = refuseTopicName(name)
  if (problem !== null) return { error: 'INVALID_TOPIC_EXCEPTION', message: problem }
  const topic = broker.logs.topics.get(name)
  if (topic === undefined) return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: '' }
  const effective = new Map(effectiveTopicConfig(topic.config, broker.config).map((value) => [value.name, value]))
  return settingsToShow(topic.config).map((setting) => {
    const own = topic.config.get(setting.name)
    const ofBroker = setting.brokerSetting === undefined ? [] : synonymsOf(setting.brokerSetting, broker.config)
    const synonyms: ConfigValue[] =
      own === undefined ? ofBroker : [{ name: setting.name, text: own, source: 'topic' }, ...ofBroker]
    return { name: setting.name, setting, text: effective.get(setting.name)!.text, synonyms, isReadOnly: false }
  })
}

/** As Kafka shows them: what stands before the first value of this very name is left out. */
export function synonymsOf(brokerSetting: string, broker: BrokerConfig): ConfigValue[] {
  const values = broker.valuesOf(brokerSetting)
  const at = values.findIndex(({ name }) => name === brokerSetting)
  return at < 0 ? [] : values.slice(at)
}

/** @param changes null: `replacement` takes the place of everything that is set */
export function planTopicConfig(
  name: string,
  changes: readonly ConfigChange[] | null,
  replacement: ConfigMap,
  { broker }: RequestContext,
): ConfigMap | Refusal {
  if (name === '') return { error: 'INVALID_REQUEST', message: 'Default topic resources are not allowed.' }
  const problem = refuseTopicName(name)
  if (problem !== null) return { error: 'INVALID_TOPIC_EXCEPTION', message: problem }
  const topic = broker.logs.topics.get(name)
  if (topic === undefined) {
    return { error: 'UNKNOWN_TOPIC_OR_PARTITION', message: `The topic '${name}' does not exist.` }
  }
  const next = changes === null ? replacement : applyChanges(topic.config, changes, findTopicSetting, refuseList)
  if ('error' in next) return next
  const refusal = refuseTopicConfig(next, broker.config.logDefaults)
  return refusal === undefined ? next : { error: 'INVALID_CONFIG', message: refusal }
}

export function refuseList(operation: 'append' | 'subtract', name: string): Refusal {
  const message = `Can't ${operation.toUpperCase()} to key ${name} because its type is not LIST.`
  return { error: 'INVALID_CONFIG', message }
}
