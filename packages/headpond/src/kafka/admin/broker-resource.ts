/** Settings of brokers: of this one, and of all (the empty name). */

import { readSetting } from '../../log/setting.ts'
import type { RequestContext } from '../api.ts'
import { ALL_BROKERS } from '../broker-config.ts'
import { brokenRule } from '../broker-rules.ts'
import { brokerSettings, findBrokerSetting, isListenerSetting } from '../broker-settings.ts'
import { applyChanges, type ConfigChange, type ConfigMap } from './config-change.ts'
import type { ConfigEntry, ConfigValue } from './config-entry.ts'
import type { Refusal } from './partition-plan.ts'
import { synonymsOf } from './topic-resource.ts'

/** What other directives, or the data directory, decide: shown as settings of the broker. */
function factsOf({ broker, session }: RequestContext): Map<string, string> {
  const id = String(broker.nodeId)
  const shown = (host: string, port: number) => `${host.includes(':') ? `[${host}]` : host}:${port}`
  const portOf = (name: string) => broker.listeningPorts.get(name) ?? session.localPort
  const listeners = broker.listeners.map(({ name, host }) => `${name}://${shown(host ?? '', portOf(name))}`)
  // What clients of other listeners have connected to is not known here.
  const advertised = broker.listeners.map(
    ({ name, advertised: told }) => `${name}://${shown(told?.host ?? session.localHost, told?.port ?? portOf(name))}`,
  )
  const facts = new Map([
    ['advertised.listeners', advertised.join(',')],
    ['broker.id', id],
    ['listeners', listeners.join(',')],
    ['node.id', id],
    ['process.roles', 'broker,controller'],
  ])
  if (broker.metadata.directory !== null) facts.set('log.dirs', broker.metadata.directory)
  return facts
}

export function describeBroker(name: string, context: RequestContext): ConfigEntry[] | Refusal {
  const { config, nodeId } = context.broker
  if (name === ALL_BROKERS) return describeAllBrokers(context)
  if (!/^-?[0-9]+$/.test(name)) {
    return { error: 'INVALID_REQUEST', message: `Broker id must be an integer, but it is: ${name}` }
  }
  if (Number(name) !== nodeId) {
    const message = `Unexpected broker id, expected ${nodeId} or empty string, but received ${name}`
    return { error: 'INVALID_REQUEST', message }
  }
  const facts = factsOf(context)
  const known = brokerSettings.filter(({ isOfAuthorizer }) => isOfAuthorizer !== true).map((setting) => setting.name)
  const others = [...config.namesSet()].filter((each) => !known.includes(each as never))
  return [...known, ...others].map((each) => {
    const synonyms = synonymsOf(each, config)
    const fact = facts.get(each)
    const ofFact: ConfigValue[] =
      fact === undefined
        ? []
        : [
            { name: each, text: fact, source: 'static-broker' },
            ...synonyms.filter(({ source }) => source === 'default'),
          ]
    return entryOf(each, fact ?? config.inForce(each), fact === undefined ? synonyms : ofFact)
  })
}

/** Only what was set for all of them: the rest is a matter of each. */
function describeAllBrokers({ broker: { config } }: RequestContext): ConfigEntry[] {
  return [...config.dynamicConfig(ALL_BROKERS)].map(([name, text]) =>
    entryOf(name, text, [{ name, text, source: 'dynamic-default-broker' }]),
  )
}

function entryOf(name: string, text: string | null, synonyms: readonly ConfigValue[]): ConfigEntry {
  const setting = findBrokerSetting(name)
  // Kafka's broker does not know what its authorizer reads, so that it may be a secret.
  if (setting?.isOfAuthorizer === true) {
    const set = synonyms.filter(({ source }) => source !== 'default')
    return { name, setting: undefined, text, synonyms: set, isReadOnly: true }
  }
  // Kafka goes by the name alone here, and takes changes of one listener's settings all the same.
  const isReadOnly = setting?.update === undefined || isListenerSetting(name)
  return { name, setting, text, synonyms, isReadOnly }
}

/** @param changes null: `replacement` takes the place of everything that is set */
export function planBrokerConfig(
  name: string,
  changes: readonly ConfigChange[] | null,
  replacement: ConfigMap,
  { broker: { config, nodeId } }: RequestContext,
): ConfigMap | Refusal {
  if (name !== ALL_BROKERS) {
    if (!/^-?[0-9]+$/.test(name)) return invalid(`Node id must be an integer, but it is: ${name}`)
    if (Number(name) !== nodeId) return invalid(`Unexpected broker id, expected ${nodeId}, but received ${name}`)
  }
  const next =
    changes === null
      ? replacement
      : applyChanges(config.dynamicConfig(name), changes, findBrokerSetting, (operation, listName) =>
          notAList(operation, listName),
        )
  if ('error' in next) return next
  const refusal = refuseBrokerConfig(name, next)
  if (refusal !== null) return refusal
  const problem = config.refuseDynamicConfig(name, next, () => brokenRule(config))
  return problem === undefined ? next : invalid(problem)
}

function refuseBrokerConfig(broker: string, config: ConfigMap): Refusal | null {
  const names = [...config.keys()]
  const readOnly = names.filter((name) => {
    const setting = findBrokerSetting(name)
    return setting !== undefined && setting.update === undefined && !isListenerSetting(name)
  })
  if (readOnly.length > 0) return invalid(`Cannot update these configs dynamically: ${javaSet(readOnly)}`)
  const ofListeners = names.filter((name) => /^ssl\.(key\.|keystore\.|truststore\.)/.test(name))
  if (ofListeners.length > 0) {
    return invalid(
      'These security configs can be dynamically updated only per-listener using the listener prefix: ' +
        `Hash${javaSet(ofListeners)}`,
    )
  }
  for (const [name, text] of config) {
    const setting = findBrokerSetting(name)
    const read = setting === undefined ? null : readSetting(setting, text)
    if (read !== null && 'refusal' in read) return invalid(read.refusal)
  }
  const perBroker = names.filter((name) => isPerBroker(name) || isListenerSetting(name))
  if (broker !== ALL_BROKERS || perBroker.length === 0) return null
  return invalid(
    `Cannot update these configs at default cluster level, broker id must be specified: ${javaSet(perBroker)}`,
  )
}

function notAList(operation: string, name: string): Refusal {
  return { error: 'INVALID_CONFIG', message: `Config value ${operation} is not allowed for config key: ${name}` }
}

function isPerBroker(name: string): boolean {
  return !isListenerSetting(name) && findBrokerSetting(name)?.update === 'per-broker'
}

/** As Scala prints a set. */
function javaSet(names: readonly string[]): string {
  return `Set(${names.join(', ')})`
}

function invalid(message: string): Refusal {
  return { error: 'INVALID_REQUEST', message }
}
