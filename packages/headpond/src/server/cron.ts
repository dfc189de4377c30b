import type { Server } from './server.ts'

/** How long background work may hold up commands at a time. */
const SLICE_MS = 1
/** The pause after a slice that was not enough: background work gets a third of the time at most. */
const PAUSE_MS = 2

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
      const { store, clock, resp, config } = this.#server
      store.setNow(clock.nowMs())
      resp.cron()
      this.#work()
      this.#timer = setTimeout(tick, 1000 / config.settings.hz).unref()
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
    while (this.#server.store.background(() => false)) {}
  }

  #work(): void {
    if (this.#continuation !== null) return
    const endMs = performance.now() + SLICE_MS
    this.#server.store.setNow(this.#server.clock.nowMs())
    const hasMore = this.#server.store.background(() => performance.now() >= endMs)
    if (!hasMore) return
    this.#continuation = setTimeout(() => {
      this.#continuation = null
      this.#work()
    }, PAUSE_MS).unref()
  }
}
