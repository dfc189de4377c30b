import type { RequestContext } from '../api.ts'
import type { TokenBucket } from './token-bucket.ts'

/** What one request may change of topics and partitions (KIP-599). */
export interface MutationQuota {
  /** False: it may not, and is to be refused. */
  take(count: number): boolean
  /** How long the client has to pause now. */
  throttleMs(): number
}

export const NO_MUTATION_QUOTA: MutationQuota = { take: () => true, throttleMs: () => 0 }

/**
 * @param isStrict true: what comes while something is owed is refused. Requests of clients that do not know this error are
 *   carried out, and paid for with a pause.
 */
export function mutationQuota(
  bucket: TokenBucket,
  limit: number,
  isStrict: boolean,
  nowMs: () => number,
): MutationQuota {
  let throttledUntilMs = 0
  return {
    take(count) {
      const now = nowMs()
      if (!isStrict) bucket.take(count, limit, now)
      const throttleMs = bucket.throttleMs(limit, now)
      if (throttleMs > 0) throttledUntilMs = now + throttleMs
      if (!isStrict) return true
      if (throttleMs > 0) return false
      bucket.take(count, limit, now)
      return true
    },
    throttleMs: () => Math.max(0, throttledUntilMs - nowMs()),
  }
}

/** The error says all there is to say. */
export const OVER_QUOTA = { error: 'THROTTLING_QUOTA_EXCEEDED', message: null } as const

/** What the answer tells of the pause, which begins. */
export function throttleForMutations(quota: MutationQuota, { session, broker }: RequestContext): number {
  const throttleMs = quota.throttleMs()
  session.throttle(throttleMs, broker.clock)
  return throttleMs
}
