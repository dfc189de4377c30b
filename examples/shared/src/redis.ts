import { Redis } from 'ioredis'
import type { Logger } from './log.ts'

const COMMAND_TIMEOUT_MS = 10_000

/** A connection that comes back by itself; a command fails after a few seconds rather than wait for ever. */
export async function connectRedis(url: string, log: Logger, commandTimeout = COMMAND_TIMEOUT_MS): Promise<Redis> {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 3, commandTimeout })
  redis.on('error', (error) => log.warn({ err: error }, 'Redis'))
  await redis.connect()
  return redis
}
