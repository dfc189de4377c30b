/**
 * What Kafka holds against settings that are each well by themselves: at the start, and when they change. The words are those
 * of the place where its broker notices.
 */

import type { BrokerConfig, IntegerName } from './broker-config.ts'
import { type BrokerSettingName, brokerSynonymsOf } from './broker-settings.ts'

const CLEANER_BUFFER_PER_THREAD_BYTES = 1024 * 1024

const CLEANER_COUNT: IntegerName = 'log.cleaner.threads'

/** Pools that change their size while Kafka runs: to half or to twice of it at most. */
const poolSizes: readonly IntegerName[] = [
  'background.threads',
  'num.io.threads',
  'num.network.threads',
  'num.recovery.threads.per.data.dir',
  'num.replica.fetchers',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.follower.thread.pool.size',
  'remote.log.reader.threads',
]

export interface BrokenRequirement {
  readonly name: string
  readonly problem: string
}

/** What is wrong with a change while the broker runs. @param config tells, of settings in force, what is to be, and of integers what is */
export function brokenRule(config: BrokerConfig): string | undefined {
  const broken = brokenRequirement(config)
  return broken === undefined ? brokenStep(config) : `requirement failed: ${broken.problem}`
}

/** What is wrong with the settings in force, whenever they came to be. */
export function brokenRequirement(config: BrokerConfig): BrokenRequirement | undefined {
  const broken = (name: BrokerSettingName, requirement: string) => ({ name, problem: `${name} ${requirement}` })
  const numberOf = (name: IntegerName) => Number(config.inForce(name))
  const [nodeId, brokerId] = [numberOf('node.id'), numberOf('broker.id')]
  if (nodeId < 0) return broken('node.id', `must be at least 0, and broker.id is ${brokerId}`)
  if (brokerId >= 0 && brokerId !== nodeId) {
    return { name: 'node.id', problem: 'You must set `node.id` to the same value as `broker.id`.' }
  }
  const retention = brokerSynonymsOf('log.retention.ms').find((name) => config.inForce(name) !== null)
  if (retention !== undefined && Number(config.inForce(retention)) === 0) {
    return broken('log.retention.ms', 'must be unlimited (-1) or, greater than or equal to 1')
  }
  if (config.inForce('log.roll.ms') !== null && numberOf('log.roll.ms') < 1) {
    return broken('log.roll.ms', 'must be greater than or equal to 1')
  }
  if (numberOf('log.roll.jitter.ms') < 0) return broken('log.roll.jitter.ms', 'must be greater than or equal to 0')
  const bufferBytes = Math.trunc(numberOf('log.cleaner.dedupe.buffer.size') / numberOf(CLEANER_COUNT))
  if (bufferBytes <= CLEANER_BUFFER_PER_THREAD_BYTES) {
    return broken('log.cleaner.dedupe.buffer.size', 'must be at least 1MB per cleaner thread.')
  }
  if (numberOf('max.connections.per.ip') === 0 && !config.inForce('max.connections.per.ip.overrides')) {
    return broken(
      'max.connections.per.ip',
      'can be set to zero only if max.connections.per.ip.overrides property is set.',
    )
  }
  return undefined
}

function brokenStep(config: BrokerConfig): string | undefined {
  for (const name of poolSizes) {
    const [now, next] = [config.integer(name), Number(config.inForce(name))]
    const limit =
      next < Math.trunc(now / 2)
        ? 'be at least half the current value'
        : next > now * 2
          ? 'not be greater than double the current value'
          : null
    if (limit === null) continue
    return refused(`Dynamic thread count update validation failed for ${name}=${next}, value should ${limit} ${now}`)
  }
  const [cleaners, nextCleaners] = [config.integer(CLEANER_COUNT), Number(config.inForce(CLEANER_COUNT))]
  if (nextCleaners > cleaners * 2) {
    return refused(`Log cleaner threads cannot be increased to more than double the current value ${cleaners}`)
  }
  for (const name of ['max.connections', 'max.connection.creation.rate'] as const) {
    if (Number(config.inForce(name)) === 0) return refused(`Invalid ${name} 0`)
  }
  return undefined
}

function refused(reason: string): string {
  return `Invalid value org.apache.kafka.common.config.ConfigException: ${reason} for configuration Invalid dynamic configuration`
}
