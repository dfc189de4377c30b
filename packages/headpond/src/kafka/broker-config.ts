/**
 * The settings of the broker in force. A value comes from the first of these that has one, as in Kafka:
 *
 *   set for this broker while it ran > set for all brokers while it ran > `kafka.` directives > the table's default
 *
 * The first two are changed by AlterConfigs and kept in the cluster's metadata. CONFIG SET changes a directive, and takes
 * away what was set while the broker ran, so that the last word counts, whoever said it.
 */

import type { Config, KafkaSettings } from '../config/config.ts'
import { ConfigError, nearestName } from '../config/config-error.ts'
import type { ServerLog } from '../config/server-log.ts'
import { DEFAULT_LOG_SETTINGS, type LogSettings } from '../log/log-settings.ts'
import { readSetting, type SettingValue, settingValue, showSetting } from '../log/setting.ts'
import { applyTopicSetting, type TopicSetting, topicSettings } from '../log/topic-config.ts'
import { type BrokenRequirement, brokenRequirement } from './broker-rules.ts'
import {
  type BrokerSettingName,
  brokerSettings,
  brokerSynonymsOf,
  findBrokerSetting,
  type NameOfType,
} from './broker-settings.ts'
import { ClusterMetadata } from './cluster-metadata.ts'

/** The name under which the settings of all brokers stand. */
export const ALL_BROKERS = ''

export type IntegerName = NameOfType<'INT' | 'SHORT' | 'LONG' | 'DOUBLE'>
export type BooleanName = NameOfType<'BOOLEAN'>
export type TextName = NameOfType<'STRING' | 'CLASS' | 'PASSWORD'>
export type ListName = NameOfType<'LIST'>

/** Where a value comes from. */
export type BrokerSource = 'dynamic-broker' | 'dynamic-default-broker' | 'static-broker' | 'default'

export interface SourcedValue {
  readonly name: string
  readonly text: string | null
  readonly source: BrokerSource
}

/** What is decided at start, by other directives or by what lies in the data directory. */
const fixedNames: ReadonlySet<string> = new Set<BrokerSettingName>([
  'advertised.listeners',
  'authorizer.class.name',
  'broker.id',
  'listener.security.protocol.map',
  'listeners',
  'log.dir',
  'log.dirs',
  'node.id',
  'offsets.topic.num.partitions',
  'process.roles',
  'transaction.state.log.num.partitions',
])

export class BrokerConfig implements KafkaSettings {
  readonly #config: Config
  #metadata = new ClusterMetadata(null)
  readonly #values = new Map<string, SettingValue>()
  /** For the logs of topics that do not say otherwise. Live: its values change in place. */
  readonly logDefaults: LogSettings = { ...DEFAULT_LOG_SETTINGS }
  /**
   * Asked before settings that go together are changed: what is wrong with what is then in force. Values by themselves have
   * been looked at.
   */
  readonly checks = new Set<() => string | undefined>()
  /** What would be set while the broker runs, as long as the checks look at it. */
  #trial: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map()
  /** Called after any setting has changed. */
  readonly onChange = new Set<() => void>()

  /**
   * Throws ConfigError for a `kafka.` directive whose value is none, or does not go with the others. Those that Kafka does not
   * know are left aside.
   */
  constructor(config: Config) {
    this.#config = config
    for (const [name, text] of config.kafka) {
      const refusal = this.refuse(name, text)
      if (refusal !== undefined) throw new ConfigError(`kafka.${name} ${text}`, refusal)
    }
    const broken = this.#broken()
    if (broken !== undefined) throw new ConfigError(`kafka.${broken.name}`, broken.problem)
    this.#refresh()
    config.kafkaSettings = this
  }

  /** Puts what was set while an earlier broker ran in force, and keeps changes there from now on. */
  useMetadata(metadata: ClusterMetadata): void {
    this.#metadata = metadata
    this.#changed()
  }

  integer(name: IntegerName): number {
    return this.#values.get(name) as number
  }

  boolean(name: BooleanName): boolean {
    return this.#values.get(name) as boolean
  }

  /** Null: not set, and without a default. */
  text(name: TextName): string | null {
    return this.#values.get(name) as string | null
  }

  list(name: ListName): readonly string[] {
    return (this.#values.get(name) ?? []) as readonly string[]
  }

  /** `kafka.` directives that are no settings of Kafka, each with the name that may have been meant. */
  unknownDirectives(): { name: string; meant: string | undefined }[] {
    const names = brokerSettings.map((setting) => setting.name)
    return [...this.#config.kafka.keys()]
      .filter((name) => findBrokerSetting(name) === undefined)
      .map((name) => ({ name, meant: nearestName(name, names) }))
  }

  // ---- Values and where they come from ----

  /** What was set while the broker ran: for it alone, or for all (`ALL_BROKERS`). */
  dynamicConfig(broker: string): ReadonlyMap<string, string> {
    return this.#trial.get(broker) ?? this.#metadata.configOf('broker', broker)
  }

  /**
   * Why this cannot be in the place of what is set; undefined when it can.
   * @param rule asked as the checks are, and first
   */
  refuseDynamicConfig(
    broker: string,
    config: ReadonlyMap<string, string>,
    rule: () => string | undefined,
  ): string | undefined {
    return this.#try(new Map([[broker, config]]), [rule, ...this.checks])
  }

  #try(
    trial: ReadonlyMap<string, ReadonlyMap<string, string>>,
    checks: Iterable<() => string | undefined>,
  ): string | undefined {
    this.#trial = trial
    try {
      for (const check of checks) {
        const problem = check()
        if (problem !== undefined) return problem
      }
      return undefined
    } finally {
      this.#trial = new Map()
    }
  }

  /** Replaces that. The values have been checked. */
  setDynamicConfig(broker: string, config: ReadonlyMap<string, string>): void {
    this.#metadata.setConfig('broker', broker, config)
    this.#changed()
  }

  /** The broker's number as its resource is called. */
  get nodeName(): string {
    return String(Number(this.#directive('node.id') ?? findBrokerSetting('node.id')!.default))
  }

  /** What a directive says. The number of the broker has two names, and whichever is set sets the other, as in Kafka. */
  #directive(name: string): string | undefined {
    const { kafka } = this.#config
    if (name === 'node.id') return kafka.get('node.id') ?? kafka.get('broker.id')
    if (name === 'broker.id') return kafka.get('broker.id') ?? kafka.get('node.id')
    return kafka.get(name)
  }

  /** All values that count for a setting, the one in force first. */
  valuesOf(name: string): SourcedValue[] {
    const values: SourcedValue[] = []
    const synonyms = brokerSynonymsOf(name)
    const add = (source: BrokerSource, find: (synonym: string) => string | null | undefined) => {
      for (const synonym of synonyms) {
        const text = find(synonym)
        if (text !== undefined) values.push({ name: synonym, text, source })
      }
    }
    const own = this.dynamicConfig(this.nodeName)
    const ofAll = this.dynamicConfig(ALL_BROKERS)
    add('dynamic-broker', (synonym) => own.get(synonym))
    add('dynamic-default-broker', (synonym) => ofAll.get(synonym))
    add('static-broker', (synonym) => this.#directive(synonym))
    add('default', (synonym) => findBrokerSetting(synonym)?.default ?? undefined)
    return values
  }

  /** The text in force; null: none. The finer and the coarser unit of a setting each have their own. */
  inForce(name: string): string | null {
    const dynamic = this.dynamicConfig(this.nodeName).get(name) ?? this.dynamicConfig(ALL_BROKERS).get(name)
    return dynamic ?? this.#directive(name) ?? findBrokerSetting(name)?.default ?? null
  }

  /**
   * The text in force for one listener: its own (`listener.name.<name>.`, and there of a SASL mechanism), else that of all.
   */
  ofListener(listener: string, name: BrokerSettingName, mechanism?: string): string | null {
    return this.ofListenerAlone(listener, name, mechanism) ?? this.inForce(name)
  }

  /** What stands under the listener's own name; null: nothing. */
  ofListenerAlone(listener: string, name: BrokerSettingName, mechanism?: string): string | null {
    const prefix = `listener.name.${listener.toLowerCase()}.`
    const ofMechanism = mechanism === undefined ? [] : [`${prefix}${mechanism.toLowerCase()}.${name}`]
    for (const each of [...ofMechanism, `${prefix}${name}`]) {
      const text = this.dynamicConfig(this.nodeName).get(each) ?? this.#config.kafka.get(each)
      if (text !== undefined) return text
    }
    return null
  }

  #changed(): void {
    this.#refresh()
    for (const listener of [...this.onChange]) listener()
  }

  #refresh(): void {
    for (const setting of brokerSettings)
      this.#values.set(setting.name, settingValue(setting, this.inForce(setting.name)))
    for (const { setting, text } of this.#topicDefaults()) {
      // As in Kafka, what no topic could have is kept as a setting, and topics go on with what they had.
      if (!('refusal' in readSetting(setting, text))) applyTopicSetting(this.logDefaults, setting.name, text)
    }
  }

  /** What the broker's settings in force are for topics that do not say otherwise. */
  *#topicDefaults(): Generator<{ setting: TopicSetting; brokerSetting: string; text: string }> {
    for (const setting of topicSettings) {
      const { acts, brokerSetting, coarserBrokerSettings = [] } = setting
      if (!acts || brokerSetting === undefined) continue
      let text = this.inForce(brokerSetting)
      for (const coarser of coarserBrokerSettings) text ??= inMs(this.inForce(coarser.name), coarser.unitMs)
      if (text !== null) yield { setting, brokerSetting, text }
    }
  }

  /** What directives must not say: the broker would not start. */
  #broken(): BrokenRequirement | undefined {
    const broken = brokenRequirement(this)
    if (broken !== undefined) return broken
    for (const { setting, brokerSetting, text } of this.#topicDefaults()) {
      const read = readSetting(setting, text)
      if ('refusal' in read) return { name: brokerSetting, problem: read.refusal }
    }
    return undefined
  }

  // ---- The directive `loglevel` ----

  get logLevel(): string {
    return this.#config.settings.loglevel
  }

  /** Resolves with the reason when it cannot be set. */
  async setLogLevel(level: string): Promise<string | undefined> {
    return this.#config.set([['loglevel', level]])
  }

  // ---- For CONFIG GET and CONFIG SET ----

  refuse(name: string, text: string): string | undefined {
    const setting = findBrokerSetting(name)
    if (setting === undefined) return undefined
    const read = readSetting(setting, text)
    return 'refusal' in read ? read.refusal : undefined
  }

  refuseChange(name: string, text: string): string | undefined {
    if (findBrokerSetting(name) === undefined) return `there is no such setting of Kafka`
    if (fixedNames.has(name)) return "can't set immutable config"
    return this.refuse(name, text)
  }

  shown(name: string): string | undefined {
    const setting = findBrokerSetting(name)
    if (setting === undefined) return undefined
    const text = this.inForce(name)
    return setting.type === 'PASSWORD' && text !== null ? '[hidden]' : (showSetting(setting, text) ?? '')
  }

  namesSet(): string[] {
    const dynamic = this.#metadata.configuredNames('broker').flatMap((broker) => [...this.dynamicConfig(broker).keys()])
    return [...new Set([...this.#config.kafka.keys(), ...dynamic])]
  }

  directivesChanged(names: readonly string[]): string | undefined {
    const keptOf = (broker: string) =>
      new Map([...this.dynamicConfig(broker)].filter(([name]) => !names.includes(name)))
    const brokers = this.#metadata.configuredNames('broker')
    const checks = [() => this.#broken()?.problem, ...this.checks]
    const refusal = this.#try(new Map(brokers.map((broker) => [broker, keptOf(broker)])), checks)
    if (refusal !== undefined) return refusal
    for (const broker of brokers) {
      const kept = keptOf(broker)
      if (kept.size < this.dynamicConfig(broker).size) this.#metadata.setConfig('broker', broker, kept)
    }
    this.#changed()
    return undefined
  }

  /** Tells of directives that do nothing. */
  warnOfUnknown(log: ServerLog): void {
    for (const { name, meant } of this.unknownDirectives()) {
      const hint = meant === undefined ? '' : ` Did you mean kafka.${meant}?`
      log.warn(`kafka.${name}: there is no such setting of Kafka, and it is left aside.${hint}`)
    }
  }
}

function inMs(text: string | null, unitMs: number): string | null {
  if (text === null) return null
  const value = BigInt(text.trim())
  return String(value < 0n ? -1n : value * BigInt(unitMs))
}
