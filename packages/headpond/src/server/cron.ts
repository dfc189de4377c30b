import type { Server } from './server.ts'

/** How long background work may hold up commands at a time. */
const SLICE_MS = 1
/**
 * The share of the time that background work takes while there is much of it, by `active-expire-effort` 1 to 10:
 * Redis's 25 to 43 percent.
 */
function backgroundShare(effort: number): number {
  return 0.25 + 0.02 * (effort - 1)
}

/**
 * What the server does by itself: expiring keys, freeing memory, and the housekeeping of each protocol. In slices of a
 * millisecond, so that no client waits longer for it.
 */
export class Cron {
  readonly #server: Server
  #timer: NodeJS.Timeout | null = null
  #continuation: NodeJS.Timeout | null = null

  constructor(server: Server) {
    this.#server = server
  }

  start(): void {
    const tick = () => {
      const { store, clock, resp, memcached, kafka } = this.#server
      store.setNow(clock.nowMs())
      if (!resp.isCronPaused && !resp.scripts.runner.isBusy) {
        resp.cron()
        memcached.cron()
        store.cron()
        this.#work()
      }
      kafka.cron()
      this.#timer = setTimeout(tick, 1000 / resp.effectiveHz).unref()
    }
    tick()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#continuation !== null) clearTimeout(this.#continuation)
    this.#timer = null
    this.#continuation = null
  }

  /** Does all background work that is due by now. */
  catchUp(): void {
    this.#server.store.finishBackground()
    this.#server.kafka.catchUp()
  }

  #work(): void {
    if (this.#continuation !== null) return
    const startMs = performance.now()
    const endMs = startMs + SLICE_MS
    this.#server.store.setNow(this.#server.clock.nowMs())
    const hasMore = this.#server.store.background(() => performance.now() >= endMs)
    this.#server.resp.backgroundWorked(Math.round((performance.now() - startMs) * 1000))
    if (!hasMore) return
    const pauseMs = SLICE_MS / backgroundShare(this.#server.config.settings.activeExpireEffort) - SLICE_MS
    this.#continuation = setTimeout(() => {
      this.#continuation = null
      if (!this.#server.resp.scripts.runner.isBusy) this.#work()
    }, pauseMs).unref()
  }
}
