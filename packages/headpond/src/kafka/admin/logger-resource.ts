/** The level of the broker's log. Headpond has one logger, for all of its parts: `root`, the directive `loglevel`. */

import type { RequestContext } from '../api.ts'
import { type ConfigChange, OPERATION } from './config-change.ts'
import type { ConfigEntry } from './config-entry.ts'
import type { Refusal } from './partition-plan.ts'

const ROOT = 'root'

/** Kafka's levels, and the value of `loglevel` that shows as much. */
const directiveLevels: Readonly<Record<string, string>> = {
  DEBUG: 'debug',
  ERROR: 'warning',
  FATAL: 'warning',
  INFO: 'notice',
  TRACE: 'debug',
  WARN: 'warning',
}

const shownLevels: Readonly<Record<string, string>> = {
  debug: 'DEBUG',
  verbose: 'DEBUG',
  notice: 'INFO',
  warning: 'WARN',
}

export function describeLogger(name: string, { broker }: RequestContext): ConfigEntry[] | Refusal {
  if (name === '') return invalid('Broker id must not be empty')
  if (!/^-?[0-9]+$/.test(name)) return invalid(`Broker id must be an integer, but it is: ${name}`)
  if (Number(name) !== broker.nodeId) {
    return invalid(`Unexpected broker id, expected ${broker.nodeId} but received ${name}`)
  }
  const text = shownLevels[broker.config.logLevel]
  const synonyms = [{ name: ROOT, text, source: 'broker-logger' }] as const
  return [{ name: ROOT, setting: LEVEL_SETTING, text, synonyms, isReadOnly: false }]
}

const LEVEL_SETTING = { name: ROOT, type: 'STRING', default: null, summary: '' } as const

/** The level to set, null for none, or why these changes cannot be made. */
export function planLogger(
  name: string,
  changes: readonly ConfigChange[],
  { broker }: RequestContext,
): string | null | Refusal {
  if (!/^-?[0-9]+$/.test(name)) return invalid(`Node id must be an integer, but it is: ${name}`)
  if (Number(name) !== broker.nodeId) {
    return invalid(`Unexpected node id. Expected ${broker.nodeId}, but received ${name}`)
  }
  let level: string | null = null
  for (const { name: logger, operation, value } of changes) {
    if (operation === OPERATION.append || operation === OPERATION.subtract) {
      const word = operation === OPERATION.append ? 'APPEND' : 'SUBTRACT'
      return invalid(`${word} operation is not allowed for the BROKER_LOGGER resource`)
    }
    if (logger !== ROOT) return { error: 'INVALID_CONFIG', message: `Logger ${logger} does not exist!` }
    if (operation === OPERATION.delete) return invalid('Removing the log level of the root logger is not allowed')
    if (!Object.hasOwn(directiveLevels, value!)) {
      const valid = Object.keys(directiveLevels).join(', ')
      const message =
        `Cannot set the log level of ${logger} to ${value} as it is not a supported log level. ` +
        `Valid log levels are ${valid}`
      return { error: 'INVALID_CONFIG', message }
    }
    level = directiveLevels[value!]
  }
  return level
}

function invalid(message: string): Refusal {
  return { error: 'INVALID_REQUEST', message }
}
