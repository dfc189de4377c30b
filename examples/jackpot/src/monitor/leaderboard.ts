import type { Redis } from 'ioredis'
import type { Positions } from '../positions.ts'
import type { Win } from '../win.ts'

/** Every win, as it is counted, for all monitors. */
export const LIVE_CHANNEL = 'jackpot:live'

const RECENT_WINS_MAX = 20

export interface Standing {
  readonly player: string
  readonly amountCents: number
}

export interface Overview {
  readonly leaders: readonly Standing[]
  /** The latest first. */
  readonly recent: readonly Win[]
  readonly winCount: number
  readonly amountCents: number
}

/**
 * Counts a win and moves the position past it, in one step: what was counted is not counted again, whoever reads it again.
 * KEYS: positions, leaders, recent, totals. ARGV: partition, offset, player, cents, the win as JSON, wins kept, channel.
 */
const COUNT_ONCE = `
local next = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) < next then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] + 1)
if ARGV[5] == '' then return 0 end
redis.call('ZINCRBY', KEYS[2], ARGV[4], ARGV[3])
redis.call('LPUSH', KEYS[3], ARGV[5])
redis.call('LTRIM', KEYS[3], 0, ARGV[6] - 1)
redis.call('HINCRBY', KEYS[4], 'winCount', 1)
redis.call('HINCRBY', KEYS[4], 'amountCents', ARGV[4])
redis.call('PUBLISH', ARGV[7], ARGV[5])
return 1`

/** What the dashboard shows, in Redis: a sorted set of players by what they have won, the latest wins, totals. */
export class Leaderboard {
  readonly #redis: Redis
  readonly #keys: readonly string[]

  /** One for each topic: one of the same name that was made anew is counted from nothing. */
  constructor(redis: Redis, topicId: string) {
    this.#redis = redis
    this.#keys = ['positions', 'leaders', 'recent', 'totals'].map((name) => `jackpot:{${topicId}}:${name}`)
  }

  async positions(): Promise<Positions> {
    const fields = await this.#redis.hgetall(this.#keys[0]!)
    return new Map(Object.entries(fields).map(([partition, next]) => [Number(partition), Number(next)]))
  }

  /** Null for a message that is no win: only the position moves. True when it was counted now. */
  async count(win: Win | null, partition: number, offset: number): Promise<boolean> {
    const { player, amountCents, text } =
      win === null
        ? { player: '', amountCents: 0, text: '' }
        : { player: win.player, amountCents: win.amountCents, text: JSON.stringify(win) }
    const values = [partition, offset, player, amountCents, text, RECENT_WINS_MAX, LIVE_CHANNEL]
    return (await this.#redis.eval(COUNT_ONCE, this.#keys.length, ...this.#keys, ...values)) === 1
  }

  async overview(leaderCountMax: number): Promise<Overview> {
    const [, leaders, recent, totals] = this.#keys as [string, string, string, string]
    const [standings, wins, sums] = await Promise.all([
      this.#redis.zrevrange(leaders, 0, leaderCountMax - 1, 'WITHSCORES'),
      this.#redis.lrange(recent, 0, -1),
      this.#redis.hgetall(totals),
    ])
    return {
      leaders: pairs(standings).map(([player, score]) => ({ player, amountCents: Number(score) })),
      recent: wins.map((win) => JSON.parse(win)),
      winCount: Number(sums['winCount'] ?? 0),
      amountCents: Number(sums['amountCents'] ?? 0),
    }
  }

  /** Forgets everything, so that it is counted again from the topic. */
  async clear(): Promise<void> {
    await this.#redis.del(...this.#keys)
  }
}

function pairs(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index]!, list[2 * index + 1]!])
}
