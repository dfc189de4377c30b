import type { Client } from './client.ts'
import { describeClient } from './client-description.ts'
import { memoryOf } from './client-memory.ts'
import type { RespEngine } from './engine.ts'

/** With less than this for all of them, nobody could say that the limit is wrong. As in Redis. */
const LIMIT_BYTES_MIN = 128 * 1024

/**
 * `maxmemory-clients`: when all clients together take more, those that take most are closed until the others are within
 * the limit, except those that have said CLIENT NO-EVICT.
 *
 * What each takes is noted whenever it has been served or its output has piled up, and now and then for all, so that
 * nothing is added up over all clients for one of them.
 */
export class ClientEviction {
  readonly #engine: RespEngine
  readonly #bytesOf = new Map<Client, number>()
  #sumBytes = 0
  #limitBytes = 0
  /** Clients that were closed. */
  evictedCount = 0

  constructor(engine: RespEngine) {
    this.#engine = engine
    const changed = () => {
      this.#limitChanged()
      return undefined
    }
    engine.config.onChange('maxmemory-clients', changed)
    engine.config.onChange('maxmemory', changed)
    changed()
  }

  /** The one check for those who would call `update`. */
  get isOn(): boolean {
    return this.#limitBytes > 0
  }

  #limitChanged(): void {
    const { maxmemory, maxmemoryClients } = this.#engine.settings
    // Below 0 it is a percentage.
    const limitBytes = maxmemoryClients < 0 ? Math.floor((maxmemory * -maxmemoryClients) / 100) : maxmemoryClients
    this.#limitBytes = limitBytes === 0 ? 0 : Math.max(limitBytes, LIMIT_BYTES_MIN)
    this.#bytesOf.clear()
    this.#sumBytes = 0
    this.cron()
  }

  /** Housekeeping: what has become less is noted too. */
  cron(): void {
    if (!this.isOn) return
    for (const client of this.#engine.clients.values()) this.#note(client)
    if (this.#sumBytes > this.#limitBytes) this.#evict()
  }

  /** To be called, while it is on, when a client may take more than before. */
  update(client: Client): void {
    this.#note(client)
    if (this.#sumBytes > this.#limitBytes) this.#evict()
  }

  forget(client: Client): void {
    this.#sumBytes -= this.#bytesOf.get(client) ?? 0
    this.#bytesOf.delete(client)
  }

  #note(client: Client): void {
    // Who is being closed gives everything back, and clients in this process have no buffers.
    if (client.closesAfterReply || client.connection === null || client.connection.isClosing) return
    const { totalBytes } = memoryOf(client)
    this.#sumBytes += totalBytes - (this.#bytesOf.get(client) ?? 0)
    this.#bytesOf.set(client, totalBytes)
  }

  #evict(): void {
    const candidates = [...this.#bytesOf].filter(([client]) => !client.isNoEvict).sort(([, a], [, b]) => b - a)
    for (const [client] of candidates) {
      if (this.#sumBytes <= this.#limitBytes) return
      this.#close(client)
    }
  }

  #close(client: Client): void {
    const engine = this.#engine
    engine.log.info(`Evicting client: ${describeClient(client, engine.clock.nowMs())}`)
    this.evictedCount++
    this.forget(client)
    engine.cutOff(client)
  }
}
