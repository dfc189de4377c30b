import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { QUEUE_RETENTION_MS } from './queue.ts'

/** Longer than any attempt to send lasts, so that no two processes are at it together. */
export const LEASE_MS = 30_000

/** Longer than the queue can deliver an email again. */
const MEMORY_MS = QUEUE_RETENTION_MS + 24 * 60 * 60 * 1000

export type FinalStatus = 'sent' | 'refused'

export type Claim =
  | { readonly outcome: 'ours'; readonly token: string }
  /** Nothing is left to do. */
  | { readonly outcome: 'done'; readonly status: FinalStatus }
  /** Somebody sends it, or has died while sending it: the lease tells after a while. */
  | { readonly outcome: 'taken'; readonly leftMs: number }

const COMPARE_AND_DELETE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/**
 * Who sends an email, and whether it was sent: one key for each.
 *
 *     sending TOKEN   claimed, for 30 seconds at most
 *     sent, refused   done, for as long as the queue could deliver it again
 */
export class DeliveryClaims {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async take(id: string): Promise<Claim> {
    const key = keyOf(id)
    const token = `sending ${randomUUID()}`
    const earlier = await this.#redis.set(key, token, 'PX', LEASE_MS, 'NX', 'GET')
    if (earlier === null || earlier === token) return { outcome: 'ours', token }
    if (isFinal(earlier)) return { outcome: 'done', status: earlier }
    return { outcome: 'taken', leftMs: Math.max(0, await this.#redis.pttl(key)) }
  }

  /** It was sent, or will never be. Holds whoever has the claim by now: what has happened, has happened. */
  async finish(id: string, status: FinalStatus): Promise<void> {
    await this.#redis.set(keyOf(id), status, 'PX', MEMORY_MS)
  }

  /** It was not sent, and somebody may try again. */
  async giveBack(id: string, token: string): Promise<void> {
    await this.#redis.eval(COMPARE_AND_DELETE, 1, keyOf(id), token)
  }

  async statusOf(id: string): Promise<FinalStatus | 'sending' | 'unknown'> {
    const value = await this.#redis.get(keyOf(id))
    if (value === null) return 'unknown'
    return isFinal(value) ? value : 'sending'
  }
}

function isFinal(value: string): value is FinalStatus {
  return value === 'sent' || value === 'refused'
}

function keyOf(id: string): string {
  return `email:delivery:${id}`
}
