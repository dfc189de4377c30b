import type { Redis } from 'ioredis'

const WINDOW_SECONDS = 60

/**
 * Whether an email may be sent now:
 * - `entered`: yes, under this id; the window is open for the next 60 seconds
 * - `duplicate`: no, it is on its way under this id already
 * - `pending`: somebody is about to enqueue it, and may fail yet
 */
export interface Admission {
  readonly outcome: 'entered' | 'duplicate' | 'pending'
  readonly id: string
}

/** Replaces a value only where it is still what the caller believes; opens a new window, or leaves the one there is. */
const COMPARE_AND_SET = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1`

/**
 * One key for each email, for 60 seconds: `SET key value NX EX 60`, so that of a thousand who come at once one enters.
 *
 * Its value is a state and the id:
 *
 *     pending ID    entered; not in the queue yet
 *     queued ID     in the queue: from now on everybody else is a duplicate
 *     released ID   could not be enqueued, as far as anybody knows: the next one who comes enters, under the same id
 *
 * The id is kept when a window is released, because an enqueue that has failed may have succeeded unseen (the answer was
 * lost). Were the key deleted, the second attempt would have an id of its own, and the email would go out twice.
 */
export class DedupWindow {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async enter(fingerprint: string, id: string): Promise<Admission> {
    const key = keyOf(fingerprint)
    // GET tells what stood there before, in the same step.
    const earlier = await this.#redis.set(key, `pending ${id}`, 'EX', WINDOW_SECONDS, 'NX', 'GET')
    // The client repeats a command whose answer was lost: then what stands there is our own.
    if (earlier === null || earlier === `pending ${id}`) return { outcome: 'entered', id }
    const [state, earlierId] = earlier.split(' ') as [string, string]
    if (state === 'queued') return { outcome: 'duplicate', id: earlierId }
    if (state === 'released' && (await this.#replace(key, earlier, `pending ${earlierId}`, WINDOW_SECONDS))) {
      return { outcome: 'entered', id: earlierId }
    }
    return { outcome: 'pending', id: earlierId }
  }

  /** The email is in the queue. */
  async confirm(fingerprint: string, id: string): Promise<void> {
    await this.#replace(keyOf(fingerprint), `pending ${id}`, `queued ${id}`)
  }

  /** The email could not be enqueued. */
  async release(fingerprint: string, id: string): Promise<void> {
    await this.#replace(keyOf(fingerprint), `pending ${id}`, `released ${id}`)
  }

  async #replace(key: string, expected: string, value: string, seconds?: number): Promise<boolean> {
    return (await this.#redis.eval(COMPARE_AND_SET, 1, key, expected, value, seconds ?? '')) === 1
  }
}

function keyOf(fingerprint: string): string {
  return `email:window:${fingerprint}`
}
