import type { Logger } from 'headpond-examples-shared'
import type { SSEStreamingApi } from 'hono/streaming'
import type { Redis } from 'ioredis'
import { type Leaderboard, LIVE_CHANNEL } from './leaderboard.ts'

const LEADERS_SHOWN = 10
/** How long a page that has lost its monitor waits before it tries again. */
const RECONNECT_MS = 500
/** So often at most is the leaderboard sent while wins come in. */
const OVERVIEW_INTERVAL_MS = 200
/** So that a connection that is dead is noticed, and one that is alive is not closed by what lies between. */
const PING_INTERVAL_MS = 15_000

/**
 * Server-sent events for every open page: `overview` (leaders, latest wins, totals) at first and whenever it has changed, and
 * `win` for each win. They come by Redis's pub/sub, so that a page sees all wins, whichever monitor it is connected to.
 */
export class LiveFeed {
  readonly #leaderboard: Leaderboard
  readonly #log: Logger
  readonly #pages = new Set<SSEStreamingApi>()
  readonly #pings: NodeJS.Timeout
  #overviewTimer: NodeJS.Timeout | null = null

  private constructor(leaderboard: Leaderboard, log: Logger) {
    this.#leaderboard = leaderboard
    this.#log = log
    this.#pings = setInterval(() => this.#send('ping', '{}'), PING_INTERVAL_MS)
  }

  /** @param subscriber a connection of its own, as Redis demands of subscribers */
  static async start(subscriber: Redis, leaderboard: Leaderboard, log: Logger): Promise<LiveFeed> {
    const feed = new LiveFeed(leaderboard, log)
    subscriber.on('message', (_channel, win) => {
      feed.#send('win', win)
      feed.#overviewSoon()
    })
    await subscriber.subscribe(LIVE_CHANNEL)
    return feed
  }

  /** Resolves when the page is closed, or the feed. */
  async serve(page: SSEStreamingApi): Promise<void> {
    this.#pages.add(page)
    const left = new Promise<void>((resolve) => page.onAbort(resolve))
    await page.writeSSE({ event: 'overview', data: await this.#overview(), retry: RECONNECT_MS })
    await left
    this.#pages.delete(page)
  }

  async close(): Promise<void> {
    clearInterval(this.#pings)
    if (this.#overviewTimer !== null) clearTimeout(this.#overviewTimer)
    for (const page of this.#pages) page.abort()
  }

  #overviewSoon(): void {
    this.#overviewTimer ??= setTimeout(async () => {
      this.#overviewTimer = null
      try {
        this.#send('overview', await this.#overview())
      } catch (error) {
        this.#log.warn({ err: error }, 'no overview')
      }
    }, OVERVIEW_INTERVAL_MS)
  }

  async #overview(): Promise<string> {
    return JSON.stringify(await this.#leaderboard.overview(LEADERS_SHOWN))
  }

  #send(event: string, data: string): void {
    for (const page of this.#pages) page.writeSSE({ event, data }).catch(() => page.abort())
  }
}
