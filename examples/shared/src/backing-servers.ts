import { createServer } from 'headpond'
import type { Environment } from './environment.ts'
import type { Logger } from './log.ts'

export interface BackingServers {
  /** For the environment of the services. */
  readonly env: { readonly REDIS_URL: string; readonly KAFKA_BROKERS: string }
  close(): Promise<void>
}

/**
 * Redis and Kafka: those that REDIS_URL and KAFKA_BROKERS name, and a Headpond in this process for what they leave open.
 * It keeps its data in the directory, so that nothing is lost when the example is stopped or killed.
 */
export async function backingServers(env: Environment, directory: string, log: Logger): Promise<BackingServers> {
  const { REDIS_URL, KAFKA_BROKERS } = env
  if (REDIS_URL && KAFKA_BROKERS) {
    return { env: { REDIS_URL, KAFKA_BROKERS }, close: async () => {} }
  }
  const headpond = await createServer({
    dir: directory,
    appendonly: true,
    memcachedPort: 0,
    kafka: { config: { 'group.initial.rebalance.delay.ms': 0 } },
    log: {
      info: () => {},
      warn: (message) => log.warn(message),
      error: (details, message) => log.error(details, message),
    },
  })
  const { redis, kafka } = headpond.urls
  log.info({ redis, kafka, directory }, 'embedded Headpond')
  return {
    env: { REDIS_URL: REDIS_URL || redis, KAFKA_BROKERS: KAFKA_BROKERS || kafka },
    close: () => headpond.close(),
  }
}
