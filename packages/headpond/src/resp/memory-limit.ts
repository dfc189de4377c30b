import { performance } from 'node:perf_hooks'
import { flushOutboxes } from '../net/turn.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { errors } from './errors.ts'
import { memoryUse } from './memory-report.ts'
import type { Restriction } from './restrictions.ts'

const TENACITY_LINEAR_MAX = 10
const TENACITY_UNLIMITED = 100
/** What a client may say in a transaction though there is no memory to queue it in. */
const ENDS_OF_TRANSACTION = new Set(['exec', 'discard', 'quit', 'reset'])

/**
 * `maxmemory`: before each command room is made, as far as the policy allows; without room, commands that may need more
 * memory are refused.
 */
export class MemoryLimit {
  /** There was no room when the current command began: a script may not run commands that need memory. */
  isOutOfMemory = false
  /** Buffers that are not to be reason for evictions, since these would make them larger: what replicas and files wait for. */
  notCountedBytes: () => number = () => 0
  readonly #engine: RespEngine
  #continuation: NodeJS.Immediate | null = null
  /** Since when memory is above the limit, by `performance.now()`; -1 when it is not. */
  #exceededSinceMs = -1
  #exceededMs = 0

  constructor(engine: RespEngine) {
    this.#engine = engine
    const { eviction, heap } = engine.store
    eviction.otherBytes = () => {
      // Messages about evicted keys that only wait for the turn to end must not be taken for a reason to evict more.
      flushOutboxes()
      return memoryUse(engine).usedBytes - heap.usedBytes - this.notCountedBytes()
    }
    engine.config.onChange('maxmemory', () => {
      this.#limitChanged()
      return undefined
    })
    for (const name of ['maxmemory-policy', 'lfu-log-factor', 'lfu-decay-time'] as const) {
      engine.config.onChange(name, () => {
        eviction.applySettings()
        return undefined
      })
    }
    engine.restrictions.set(this.#restriction, engine.settings.maxmemory > 0)
  }

  /** For how long memory was above the limit, all in all, in milliseconds. */
  get exceededMs(): number {
    return Math.floor(this.#exceededMs + this.currentlyExceededMs)
  }

  /** For how long it is by now. */
  get currentlyExceededMs(): number {
    return this.#exceededSinceMs < 0 ? 0 : Math.floor(performance.now() - this.#exceededSinceMs)
  }

  resetStatistics(): void {
    this.#engine.store.eviction.evictedCount = 0
    this.#exceededMs = 0
    if (this.#exceededSinceMs >= 0) this.#exceededSinceMs = performance.now()
  }

  /** Housekeeping: memory may have grown without a command (buffers), or become enough by itself (expired keys). */
  cron(): void {
    if (this.#engine.settings.maxmemory === 0 || this.#continuation !== null) return
    this.#engine.store.eviction.countOtherBytes()
    this.makeRoom()
  }

  /** Makes room, going on later where it takes long. Returns false when there is none to be had. */
  makeRoom(): boolean {
    const engine = this.#engine
    const { eviction } = engine.store
    // A paused server is to stay as it is; while loading the file decides what is there.
    if (!eviction.isOver || engine.pause.isOn || engine.persistence.loading.isActive) {
      if (this.#exceededSinceMs >= 0) this.#noted(eviction.excessBytes > 0)
      return true
    }
    if (engine.settings.importMode) {
      this.#noted(true)
      return false
    }
    const startMs = performance.now()
    const endMs = startMs + tenacityMs(engine.settings.maxmemoryEvictionTenacity)
    const evictedCount = eviction.evictedCount
    const room = eviction.makeRoom(() => performance.now() >= endMs)
    this.#noted(room !== 'enough')
    if (eviction.evictedCount !== evictedCount) {
      const durationUs = Math.round((performance.now() - startMs) * 1000)
      engine.latencyMonitor.addIfSlow('eviction-cycle', durationUs, engine.clock.nowMs())
    }
    if (room === 'more') this.#goOnSoon()
    return room !== 'full'
  }

  /** The server ends. */
  stop(): void {
    if (this.#continuation !== null) clearImmediate(this.#continuation)
    this.#continuation = null
  }

  readonly #restriction: Restriction = (client: Client, command: Command) => {
    if (client.isReplaying) return null
    // Whoever asks is to see a server that keeps its limit, down to buffers that grew a moment ago.
    if (command.fullName === 'info') this.#engine.store.eviction.countOtherBytes()
    this.isOutOfMemory = !this.makeRoom()
    // Its reply has not begun: what it is told of evicted keys comes before.
    this.#engine.outgoing.sendDeferredPushes(client)
    if (!this.isOutOfMemory) return null
    return needsMemory(client, command) ? errors.OUT_OF_MEMORY : null
  }

  #limitChanged(): void {
    const { settings, restrictions, log, store } = this.#engine
    const isLimited = settings.maxmemory > 0
    restrictions.set(this.#restriction, isLimited)
    if (!isLimited) {
      this.isOutOfMemory = false
      this.#noted(false)
      return
    }
    if (store.eviction.excessBytes <= 0) return
    log.warn(
      `maxmemory is now ${settings.maxmemory}, less than what is in use: keys are evicted, or writes refused, as maxmemory-policy says`,
    )
    this.#goOnSoon()
  }

  /** Slices between which commands run: each makes room itself, so what is left is soon little. */
  #goOnSoon(): void {
    this.#continuation ??= setImmediate(() => {
      this.#continuation = null
      this.#engine.store.setNow(this.#engine.clock.nowMs())
      this.#engine.store.eviction.countOtherBytes()
      this.makeRoom()
    })
  }

  #noted(isExceeded: boolean): void {
    if (isExceeded === this.#exceededSinceMs >= 0) return
    const nowMs = performance.now()
    if (!isExceeded) this.#exceededMs += nowMs - this.#exceededSinceMs
    this.#exceededSinceMs = isExceeded ? nowMs : -1
  }
}

function needsMemory(client: Client, command: Command): boolean {
  const { transaction } = client
  if (command.denyOutOfMemory) return true
  if (transaction === null) return false
  return command.fullName === 'exec' ? transaction.needsMemory : !ENDS_OF_TRANSACTION.has(command.fullName)
}

/** How long evicting may hold up a command, as in Redis (evict.c): half a millisecond by default. */
function tenacityMs(tenacity: number): number {
  if (tenacity >= TENACITY_UNLIMITED) return Number.POSITIVE_INFINITY
  if (tenacity <= TENACITY_LINEAR_MAX) return 0.05 * tenacity
  return 0.5 * 1.15 ** (tenacity - TENACITY_LINEAR_MAX)
}
