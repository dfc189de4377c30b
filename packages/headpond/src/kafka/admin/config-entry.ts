/** Settings as DescribeConfigs shows them, and the numbers that stand for kinds of things there. */

import { type Setting, type SettingType, showSetting } from '../../log/setting.ts'

export const RESOURCE_TYPE = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const

export const CONFIG_SOURCE = {
  topic: 1,
  'dynamic-broker': 2,
  'dynamic-default-broker': 3,
  'static-broker': 4,
  default: 5,
  'broker-logger': 6,
  'client-metrics': 7,
  group: 8,
} as const

export type ConfigSource = keyof typeof CONFIG_SOURCE

const CONFIG_TYPE: Readonly<Record<SettingType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}
const UNKNOWN_TYPE = 0

export interface ConfigValue {
  readonly name: string
  readonly text: string | null
  readonly source: ConfigSource
}

/** One setting of one resource. */
export interface ConfigEntry {
  readonly name: string
  /** None: nobody knows what it is, so that it may be a secret. */
  readonly setting: Setting | undefined
  /** In force. */
  readonly text: string | null
  /** The values that count for it, under whatever name, the one in force first. */
  readonly synonyms: readonly ConfigValue[]
  readonly isReadOnly: boolean
}

export interface DescribeOptions {
  readonly includeSynonyms: boolean
  readonly includeDocumentation: boolean
}

/** What stands in the answer. */
export function wireEntry(entry: ConfigEntry, { includeSynonyms, includeDocumentation }: DescribeOptions) {
  const { name, setting, text, synonyms, isReadOnly } = entry
  const isSensitive = setting === undefined || setting.type === 'PASSWORD'
  const shown = (value: string | null) => (isSensitive || setting === undefined ? null : showSetting(setting, value))
  return {
    name,
    value: shown(text),
    readOnly: isReadOnly,
    configSource: CONFIG_SOURCE[synonyms[0]?.source ?? 'default'],
    isSensitive,
    synonyms: includeSynonyms
      ? synonyms.map((synonym) => ({
          name: synonym.name,
          value: shown(synonym.text),
          source: CONFIG_SOURCE[synonym.source],
        }))
      : [],
    configType: setting === undefined ? UNKNOWN_TYPE : CONFIG_TYPE[setting.type],
    documentation: includeDocumentation ? (setting?.summary ?? '') : null,
  }
}
