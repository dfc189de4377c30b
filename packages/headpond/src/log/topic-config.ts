/**
 * The table of all settings of topics: those of Apache Kafka 4.x, and those that 3.9 still had, so that scripts written
 * for it go on. A row feeds the validation of CreateTopics and AlterConfigs, the answer of DescribeConfigs, `headpond
 * topic`, and what a log is told (`settingsOf`).
 *
 * `segment.bytes` may be small, as in Kafka 3.9: 4.1 wants a megabyte, which tests and small machines do not.
 */

import type { LogSettings } from './log-settings.ts'
import { readSetting, type Setting, type SettingValue, settingValue } from './setting.ts'

export interface TopicSetting extends Setting {
  /** The broker's setting that a topic without an own value follows; none: the default above counts. */
  readonly brokerSetting?: string
  /** The same in coarser units, which count where the broker's setting above has no value. */
  readonly coarserBrokerSettings?: readonly { readonly name: string; readonly unitMs: number }[]
  /** Whether a value changes what Headpond does; false: it is kept and shown. */
  readonly acts: boolean
  /** Gone from Kafka 4: taken, and shown where it is set. */
  readonly isOld?: true
}

const HOUR_MS = 3_600_000
const LONG_MAX = '9223372036854775807'
const WEEK_MS = '604800000'
const OLD_TIMESTAMP_LIMIT = 'message.timestamp.difference.max.ms'

/** Of `compression.gzip.level` of topics and brokers. */
export function checkGzipLevel(value: string): string | undefined {
  const level = Number(value)
  return level === -1 || (level >= 1 && level <= 9) ? undefined : 'Value must be between 1 and 9 or equal to -1'
}

function checkThrottledReplicas(name: string): Pick<Setting, 'check' | 'showsListsAsJava'> {
  const reason =
    `${name} must be the literal '*' or a list of replicas in the following format: ` +
    '[partitionId]:[brokerId],[partitionId]:[brokerId],...'
  return {
    check: (value) => (/^(\*|([0-9]+:[0-9]+(,[0-9]+:[0-9]+)*)?)$/.test(value) ? undefined : reason),
    showsListsAsJava: true,
  }
}

// biome-ignore format: a table is read down its columns
export const topicSettings: readonly TopicSetting[] = [
  { name: 'cleanup.policy', type: 'LIST', default: 'delete', oneOf: ['compact', 'delete'], acts: true,
    brokerSetting: 'log.cleanup.policy',
    summary: 'What becomes of old segments: delete drops them by age and size, compact keeps the last record of each key; both may be given.' },
  { name: 'compression.gzip.level', type: 'INT', default: '-1', check: checkGzipLevel, acts: false,
    brokerSetting: 'compression.gzip.level',
    summary: 'Level of gzip where compression.type is gzip: 1 is fast, 9 small, -1 the default.' },
  { name: 'compression.lz4.level', type: 'INT', default: '9', min: 1, max: 17, acts: false,
    brokerSetting: 'compression.lz4.level',
    summary: 'Level of lz4 where compression.type is lz4.' },
  { name: 'compression.type', type: 'STRING', default: 'producer', acts: true,
    oneOf: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'], brokerSetting: 'compression.type',
    summary: 'Codec that batches are stored with; producer keeps them as they were sent.' },
  { name: 'compression.zstd.level', type: 'INT', default: '3', min: -131072, max: 22, acts: false,
    brokerSetting: 'compression.zstd.level',
    summary: 'Level of zstd where compression.type is zstd.' },
  { name: 'delete.retention.ms', type: 'LONG', default: '86400000', min: 0, acts: true,
    brokerSetting: 'log.cleaner.delete.retention.ms',
    summary: 'How long compaction keeps a tombstone, so that a consumer that began at the start sees it.' },
  { name: 'file.delete.delay.ms', type: 'LONG', default: '60000', min: 0, acts: true,
    brokerSetting: 'log.segment.delete.delay.ms',
    summary: 'How long the file of a dropped segment stays on disk.' },
  { name: 'flush.messages', type: 'LONG', default: LONG_MAX, min: 1, acts: true,
    brokerSetting: 'log.flush.interval.messages',
    summary: 'Records after which the log is forced to disk; 1 makes every acknowledged record durable.' },
  { name: 'flush.ms', type: 'LONG', default: LONG_MAX, min: 0, acts: true, brokerSetting: 'log.flush.interval.ms',
    coarserBrokerSettings: [{ name: 'log.flush.scheduler.interval.ms', unitMs: 1 }],
    summary: 'Time after which the log is forced to disk.' },
  { name: 'follower.replication.throttled.replicas', type: 'LIST', default: '', acts: false,
    ...checkThrottledReplicas('follower.replication.throttled.replicas'),
    summary: 'Replicas whose followers replicate no faster than the throttled rate; * is all.' },
  { name: 'index.interval.bytes', type: 'INT', default: '4096', min: 0, acts: true,
    brokerSetting: 'log.index.interval.bytes',
    summary: 'Bytes of log between two entries of the offset index.' },
  { name: 'leader.replication.throttled.replicas', type: 'LIST', default: '', acts: false,
    ...checkThrottledReplicas('leader.replication.throttled.replicas'),
    summary: 'Replicas whose leaders serve followers no faster than the throttled rate; * is all.' },
  { name: 'local.retention.bytes', type: 'LONG', default: '-2', min: -2, acts: false,
    brokerSetting: 'log.local.retention.bytes',
    summary: 'What stays on local disk of a topic with remote storage; -2 follows retention.bytes.' },
  { name: 'local.retention.ms', type: 'LONG', default: '-2', min: -2, acts: false,
    brokerSetting: 'log.local.retention.ms',
    summary: 'How long segments stay on local disk of a topic with remote storage; -2 follows retention.ms.' },
  { name: 'max.compaction.lag.ms', type: 'LONG', default: LONG_MAX, min: 1, acts: true,
    brokerSetting: 'log.cleaner.max.compaction.lag.ms',
    summary: 'Longest time that a record waits for compaction, whatever the dirty ratio is.' },
  { name: 'max.message.bytes', type: 'INT', default: '1048588', min: 0, acts: true,
    brokerSetting: 'message.max.bytes',
    summary: 'Largest batch that is taken, as it is stored: compressed, with its header.' },
  { name: 'message.downconversion.enable', type: 'BOOLEAN', default: 'true', isOld: true, acts: false,
    summary: 'Of Kafka 3: whether batches are converted for consumers of old formats. None is converted here.' },
  { name: 'message.format.version', type: 'STRING', default: '3.0-IV1', check: checkFormatVersion, isOld: true, acts: false,
    summary: 'Of Kafka 3: the format that batches are stored in. It is always the newest.' },
  { name: 'message.timestamp.after.max.ms', type: 'LONG', default: '3600000', min: 0, acts: true,
    brokerSetting: 'log.message.timestamp.after.max.ms',
    summary: 'How far ahead of the clock a record may be dated where the type is CreateTime.' },
  { name: 'message.timestamp.before.max.ms', type: 'LONG', default: LONG_MAX, min: 0, acts: true,
    brokerSetting: 'log.message.timestamp.before.max.ms',
    summary: 'How far behind the clock a record may be dated where the type is CreateTime.' },
  { name: OLD_TIMESTAMP_LIMIT, type: 'LONG', default: LONG_MAX, min: 0, isOld: true, acts: true,
    summary: 'Of Kafka 3: both of message.timestamp.before.max.ms and message.timestamp.after.max.ms in one.' },
  { name: 'message.timestamp.type', type: 'STRING', default: 'CreateTime', oneOf: ['CreateTime', 'LogAppendTime'],
    acts: true, brokerSetting: 'log.message.timestamp.type',
    summary: 'Whose clock dates records: the producer’s, or the broker’s as it appends.' },
  { name: 'min.cleanable.dirty.ratio', type: 'DOUBLE', default: '0.5', min: 0, max: 1, acts: true,
    brokerSetting: 'log.cleaner.min.cleanable.ratio',
    summary: 'Share of a log that must be new since the last compaction before the next one begins.' },
  { name: 'min.compaction.lag.ms', type: 'LONG', default: '0', min: 0, acts: true,
    brokerSetting: 'log.cleaner.min.compaction.lag.ms',
    summary: 'Time that a record surely stays as it is before compaction may drop it.' },
  { name: 'min.insync.replicas', type: 'INT', default: '1', min: 1, acts: false, brokerSetting: 'min.insync.replicas',
    summary: 'In-sync replicas that a write with acks=all needs, as far as the partition has so many: here it has one.' },
  { name: 'preallocate', type: 'BOOLEAN', default: 'false', acts: false, brokerSetting: 'log.preallocate',
    summary: 'Whether the file of a new segment gets its whole size at once.' },
  { name: 'remote.log.copy.disable', type: 'BOOLEAN', default: 'false', acts: false,
    summary: 'Whether nothing more is copied to remote storage.' },
  { name: 'remote.log.delete.on.disable', type: 'BOOLEAN', default: 'false', acts: false,
    summary: 'Whether remote data goes when remote storage is switched off.' },
  { name: 'remote.storage.enable', type: 'BOOLEAN', default: 'false', acts: false,
    summary: 'Whether old segments move to remote storage.' },
  { name: 'retention.bytes', type: 'LONG', default: '-1', acts: true, brokerSetting: 'log.retention.bytes',
    summary: 'Size that a partition may reach before its oldest segments go; -1 is no limit.' },
  { name: 'retention.ms', type: 'LONG', default: WEEK_MS, min: -1, acts: true, brokerSetting: 'log.retention.ms',
    coarserBrokerSettings: [
      { name: 'log.retention.minutes', unitMs: 60_000 }, { name: 'log.retention.hours', unitMs: HOUR_MS } ],
    summary: 'Age at which a segment goes, counted from its newest record; -1 is never.' },
  { name: 'segment.bytes', type: 'INT', default: '1073741824', min: 14, acts: true, brokerSetting: 'log.segment.bytes',
    summary: 'Size at which a segment is closed and a new one begun; old records go a whole segment at a time.' },
  { name: 'segment.index.bytes', type: 'INT', default: '10485760', min: 4, acts: true,
    brokerSetting: 'log.index.size.max.bytes',
    summary: 'Largest size of a segment’s index; a full one closes the segment.' },
  { name: 'segment.jitter.ms', type: 'LONG', default: '0', min: 0, acts: true, brokerSetting: 'log.roll.jitter.ms',
    coarserBrokerSettings: [{ name: 'log.roll.jitter.hours', unitMs: HOUR_MS }],
    summary: 'Largest random part taken off segment.ms, so that segments do not all roll at once.' },
  { name: 'segment.ms', type: 'LONG', default: WEEK_MS, min: 1, acts: true, brokerSetting: 'log.roll.ms',
    coarserBrokerSettings: [{ name: 'log.roll.hours', unitMs: HOUR_MS }],
    summary: 'Age at which a segment that is not full is closed.' },
  { name: 'unclean.leader.election.enable', type: 'BOOLEAN', default: 'false', acts: false,
    brokerSetting: 'unclean.leader.election.enable',
    summary: 'Whether a replica that lags may become leader, losing records.' },
]

/** Kafka 3.9 takes any version that it knows, and warns. */
function checkFormatVersion(value: string): string | undefined {
  return /^([0-4]\.[0-9]{1,2})(\.[0-9])?(-IV[0-9])?$/.test(value)
    ? undefined
    : `Version ${value} is not a valid version`
}

const settingByName: ReadonlyMap<string, TopicSetting> = new Map(
  topicSettings.map((setting) => [setting.name, setting]),
)

export function findTopicSetting(name: string): TopicSetting | undefined {
  return settingByName.get(name)
}

/**
 * Why this name cannot have this value, in Kafka's words, or undefined.
 */
function refuseTopicSetting(name: string, text: string | null): string | undefined {
  const setting = settingByName.get(name)
  if (setting === undefined) return `Unknown topic config name: ${name}`
  const read = readSetting(setting, text)
  return 'refusal' in read ? read.refusal : undefined
}

/** Why a topic cannot have these overrides, in Kafka's words, or undefined. */
export function refuseTopicConfig(
  overrides: ReadonlyMap<string, string>,
  brokerDefaults: LogSettings,
): string | undefined {
  for (const name of overrides.keys()) if (!settingByName.has(name)) return `Unknown topic config name: ${name}`
  for (const [name, text] of overrides) {
    const refusal = refuseTopicSetting(name, text)
    if (refusal !== undefined) return refusal
  }
  if (overrides.get('remote.storage.enable')?.trim().toLowerCase() === 'true') {
    return 'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.'
  }
  const { minCompactionLagMs, maxCompactionLagMs } = settingsOf(overrides, brokerDefaults)
  if (minCompactionLagMs <= maxCompactionLagMs) return undefined
  return (
    `conflict topic config setting min.compaction.lag.ms (${showLong(minCompactionLagMs)}) > ` +
    `max.compaction.lag.ms (${showLong(maxCompactionLagMs)})`
  )
}

function showLong(value: number): string {
  return value === Number.POSITIVE_INFINITY ? LONG_MAX : String(value)
}

/** What a log whose topic has these overrides, checked before, is to do. */
export function settingsOf(overrides: ReadonlyMap<string, string>, brokerDefaults: LogSettings): LogSettings {
  const settings = { ...brokerDefaults }
  const difference = overrides.get(OLD_TIMESTAMP_LIMIT)
  if (difference !== undefined) applyTimestampLimit(settings, difference)
  for (const [name, text] of overrides) applyTopicSetting(settings, name, text)
  return settings
}

/** Puts one value, checked before, in force. A setting that does not act changes nothing. */
export function applyTopicSetting(settings: LogSettings, name: string, text: string | null): void {
  const setting = settingByName.get(name)
  if (setting === undefined || !setting.acts || setting.isOld) return
  const value = settingValue(setting, text)
  if (setting.name === 'cleanup.policy') {
    const policies = value as readonly string[]
    settings.isDeleted = policies.includes('delete')
    settings.isCompacted = policies.includes('compact')
    return
  }
  const field = name.replace(/\.(.)/g, (_, letter: string) => letter.toUpperCase())
  ;(settings as unknown as Record<string, SettingValue>)[field] = value
}

/** Kafka 3's one limit for both sides; the two names that replaced it win over it. */
function applyTimestampLimit(settings: LogSettings, text: string): void {
  const limitMs = settingValue(settingByName.get(OLD_TIMESTAMP_LIMIT)!, text) as number
  settings.messageTimestampBeforeMaxMs = limitMs
  settings.messageTimestampAfterMaxMs = limitMs
}
