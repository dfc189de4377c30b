/** Settings of groups and of clients' metrics: resources that come into being when something is set for them. */

import { readSetting, type Setting } from '../../log/setting.ts'
import type { RequestContext } from '../api.ts'
import type { BrokerConfig, IntegerName } from '../broker-config.ts'
import type { ConfigOwner } from '../cluster-metadata.ts'
import { nameRegexProblem } from '../name-regex.ts'
import { applyChanges, type ConfigChange, type ConfigMap } from './config-change.ts'
import type { ConfigEntry, ConfigSource } from './config-entry.ts'
import type { Refusal } from './partition-plan.ts'
import { refuseList } from './topic-resource.ts'

export interface NamedKind {
  readonly owner: ConfigOwner
  readonly source: ConfigSource
  readonly settings: readonly Setting[]
  /** Whether a default in force stands among the synonyms. */
  readonly tellsOfDefaults: boolean
  readonly describesEmptyName: string
  readonly altersEmptyName: string
  readonly refuse: (config: ConfigMap, broker: BrokerConfig) => Refusal | null
}

// biome-ignore format: a table is read down its columns
const groupSettings: readonly Setting[] = [
  { name: 'consumer.heartbeat.interval.ms', type: 'INT', default: '5000', min: 1,
    summary: 'Time between heartbeats that the group’s members are told to keep.' },
  { name: 'consumer.session.timeout.ms', type: 'INT', default: '45000', min: 1,
    summary: 'Time without a heartbeat after which a member of the group is gone.' },
  { name: 'share.auto.offset.reset', type: 'STRING', default: 'latest', check: checkShareStart,
    summary: 'Where a share group begins to read.' },
  { name: 'share.heartbeat.interval.ms', type: 'INT', default: '5000', min: 1,
    summary: 'Time between heartbeats of a share group’s members.' },
  { name: 'share.isolation.level', type: 'STRING', default: 'read_uncommitted', oneOf: ['read_committed', 'read_uncommitted'],
    summary: 'Whether a share group reads what is not committed.' },
  { name: 'share.record.lock.duration.ms', type: 'INT', default: '30000', min: 1000,
    summary: 'How long a member of a share group may keep a record.' },
  { name: 'share.session.timeout.ms', type: 'INT', default: '45000', min: 1,
    summary: 'Time without a heartbeat after which a member of a share group is gone.' },
  { name: 'streams.heartbeat.interval.ms', type: 'INT', default: '5000', min: 1,
    summary: 'Time between heartbeats of a streams group’s members.' },
  { name: 'streams.initial.rebalance.delay.ms', type: 'INT', default: '3000', min: 0,
    summary: 'How long a new streams group waits for more members.' },
  { name: 'streams.num.standby.replicas', type: 'INT', default: '0', min: 0,
    summary: 'Standby replicas of each task of a streams group.' },
  { name: 'streams.session.timeout.ms', type: 'INT', default: '45000', min: 1,
    summary: 'Time without a heartbeat after which a member of a streams group is gone.' },
]

const DURATION = /^by_duration:[+]?P(?=\d|T\d)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d{0,9})?S)?)?$/i

function checkShareStart(value: string): string | undefined {
  if (value === 'earliest' || value === 'latest' || DURATION.test(value)) return undefined
  return (
    `Invalid value \`${value}\` for configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' ` +
    "or of the format 'by_duration:<PnDTnHnMn.nS>'."
  )
}

interface GroupLimit {
  readonly name: string
  readonly min?: IntegerName
  readonly max?: IntegerName
  readonly broker: IntegerName
}

/**
 * A group's value lies between two settings of the broker; where it has none, the broker's own counts. In the order in which
 * Kafka looks at them.
 */
const groupLimits: readonly GroupLimit[] = [
  {
    name: 'consumer.heartbeat.interval.ms',
    min: 'group.consumer.min.heartbeat.interval.ms',
    max: 'group.consumer.max.heartbeat.interval.ms',
    broker: 'group.consumer.heartbeat.interval.ms',
  },
  {
    name: 'consumer.session.timeout.ms',
    min: 'group.consumer.min.session.timeout.ms',
    max: 'group.consumer.max.session.timeout.ms',
    broker: 'group.consumer.session.timeout.ms',
  },
  {
    name: 'share.heartbeat.interval.ms',
    min: 'group.share.min.heartbeat.interval.ms',
    max: 'group.share.max.heartbeat.interval.ms',
    broker: 'group.share.heartbeat.interval.ms',
  },
  {
    name: 'share.session.timeout.ms',
    min: 'group.share.min.session.timeout.ms',
    max: 'group.share.max.session.timeout.ms',
    broker: 'group.share.session.timeout.ms',
  },
  {
    name: 'share.record.lock.duration.ms',
    min: 'group.share.min.record.lock.duration.ms',
    max: 'group.share.max.record.lock.duration.ms',
    broker: 'group.share.record.lock.duration.ms',
  },
  {
    name: 'streams.heartbeat.interval.ms',
    min: 'group.streams.min.heartbeat.interval.ms',
    max: 'group.streams.max.heartbeat.interval.ms',
    broker: 'group.streams.heartbeat.interval.ms',
  },
  {
    name: 'streams.session.timeout.ms',
    min: 'group.streams.min.session.timeout.ms',
    max: 'group.streams.max.session.timeout.ms',
    broker: 'group.streams.session.timeout.ms',
  },
  {
    name: 'streams.num.standby.replicas',
    max: 'group.streams.max.standby.replicas',
    broker: 'group.streams.num.standby.replicas',
  },
  { name: 'streams.initial.rebalance.delay.ms', broker: 'group.streams.initial.rebalance.delay.ms' },
]

/** Why a group cannot have these values; Kafka's words. */
function beyondLimits(config: ConfigMap, broker: BrokerConfig): string | null {
  const inForce = ({ name, broker: fallback }: GroupLimit) => Number(config.get(name) ?? broker.integer(fallback))
  for (const limit of groupLimits) {
    const value = inForce(limit)
    const { name, min, max } = limit
    if (min !== undefined && value < broker.integer(min)) return `${name} must be greater than or equal to ${min}`
    if (max !== undefined && value > broker.integer(max)) return `${name} must be less than or equal to ${max}`
  }
  for (const protocol of ['consumer', 'share', 'streams']) {
    const [heartbeat, session] = ['heartbeat.interval.ms', 'session.timeout.ms'].map(
      (name) => groupLimits.find((limit) => limit.name === `${protocol}.${name}`)!,
    ) as [GroupLimit, GroupLimit]
    if (inForce(session) <= inForce(heartbeat)) return `${session.name} must be greater than ${heartbeat.name}`
  }
  return null
}

export const groupKind: NamedKind = {
  owner: 'group',
  source: 'group',
  settings: groupSettings,
  tellsOfDefaults: true,
  describesEmptyName: 'Group name must not be empty',
  altersEmptyName: 'Default group resources are not allowed.',
  refuse(config, broker) {
    for (const name of config.keys()) {
      if (!groupSettings.some((setting) => setting.name === name)) {
        return { error: 'INVALID_CONFIG', message: `Unknown group config name: ${name}` }
      }
    }
    for (const setting of groupSettings) {
      const text = config.get(setting.name)
      if (text === undefined) continue
      const read = readSetting(setting, text)
      if ('refusal' in read) return { error: 'INVALID_CONFIG', message: read.refusal }
    }
    const problem = beyondLimits(config, broker)
    return problem === null ? null : { error: 'INVALID_CONFIG', message: problem }
  },
}

// biome-ignore format: a table is read down its columns
const clientMetricsSettings: readonly Setting[] = [
  { name: 'interval.ms', type: 'INT', default: '300000', summary: 'Time between two pushes of a client’s metrics.' },
  { name: 'match', type: 'LIST', default: '', summary: 'Clients that are meant, as name=pattern.' },
  { name: 'metrics', type: 'LIST', default: '', summary: 'Beginnings of the names of the metrics that are wanted.' },
]

const INTERVAL_MS_MIN = 100
const INTERVAL_MS_MAX = 3_600_000
const MATCH_PATTERN =
  /^\s*(?:client_instance_id|client_id|client_software_name|client_software_version|client_source_address|client_source_port)\s*=([^=]+)=*$/

/** Java takes the quantifiers of both and makes them possessive besides. */
const POSSESSIVE = /(?<=[*+?}])\+/g

function isMatchPattern(text: string): boolean {
  const regex = MATCH_PATTERN.exec(text)?.[1].trim()
  return regex !== undefined && isJavaRegex(regex.replace(POSSESSIVE, ''))
}

/** As far as can be told without Java: its expressions are those of RE2 and those of JavaScript. */
function isJavaRegex(text: string): boolean {
  if (nameRegexProblem(text) === null) return true
  try {
    new RegExp(text)
    return true
  } catch {
    return false
  }
}

export const clientMetricsKind: NamedKind = {
  owner: 'client-metrics',
  source: 'client-metrics',
  settings: clientMetricsSettings,
  tellsOfDefaults: false,
  describesEmptyName: 'Client metrics subscription name must not be empty',
  altersEmptyName: "Subscription name can't be empty",
  refuse(config) {
    for (const [name, text] of config) {
      const setting = clientMetricsSettings.find((each) => each.name === name)
      if (setting === undefined) {
        return { error: 'INVALID_REQUEST', message: `Unknown client metrics configuration: ${name}` }
      }
      const read = readSetting(setting, text)
      if ('refusal' in read) return { error: 'INVALID_CONFIG', message: read.refusal }
      if (name === 'interval.ms' && !(Number(read.value) >= INTERVAL_MS_MIN && Number(read.value) <= INTERVAL_MS_MAX)) {
        const message = `Invalid value ${text} for interval.ms, interval must be between 100 and 3600000 (1 hour)`
        return { error: 'INVALID_REQUEST', message }
      }
      const patterns = name === 'match' ? (read.value as readonly string[]) : []
      const illegal = patterns.find((pattern) => !isMatchPattern(pattern))
      if (illegal !== undefined) {
        return { error: 'INVALID_CONFIG', message: `Illegal client matching pattern: ${illegal}` }
      }
    }
    return null
  },
}

export function describeNamed(kind: NamedKind, name: string, { broker }: RequestContext): ConfigEntry[] | Refusal {
  if (name === '') return { error: 'INVALID_REQUEST', message: kind.describesEmptyName }
  const own = broker.metadata.configOf(kind.owner, name)
  return kind.settings.map((setting) => {
    const text = own.get(setting.name)
    const limit = groupLimits.find((each) => each.name === setting.name)
    const fallback = limit === undefined ? setting.default : broker.config.inForce(limit.broker)
    const byDefault = kind.tellsOfDefaults ? [{ name: setting.name, text: fallback, source: 'default' } as const] : []
    const synonyms = text === undefined ? byDefault : [{ name: setting.name, text, source: kind.source }]
    return { name: setting.name, setting, text: text ?? fallback, synonyms, isReadOnly: false }
  })
}

/** @param changes null: `replacement` takes the place of everything that is set */
export function planNamed(
  kind: NamedKind,
  name: string,
  changes: readonly ConfigChange[] | null,
  replacement: ConfigMap,
  { broker }: RequestContext,
): ConfigMap | Refusal {
  if (name === '') return { error: 'INVALID_REQUEST', message: kind.altersEmptyName }
  const find = (each: string) => kind.settings.find((setting) => setting.name === each)
  const current = broker.metadata.configOf(kind.owner, name)
  const next = changes === null ? replacement : applyChanges(current, changes, find, refuseList)
  if ('error' in next) return next
  return kind.refuse(next, broker.config) ?? next
}
