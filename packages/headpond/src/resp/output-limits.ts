import type { Client } from './client.ts'
import { describeClient } from './client-description.ts'
import type { RespEngine } from './engine.ts'

/**
 * `client-output-buffer-limit`: a client that leaves too much unread is closed, at once beyond the hard limit, and
 * beyond the soft one when it stays there for too long.
 */
export class OutputLimits {
  readonly #engine: RespEngine
  /** Since when each client has been beyond its soft limit. */
  readonly #slowSinceMs = new Map<Client, number>()

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /** To be called when output of a client could not be sent at once, and from time to time while it lies there. */
  check(client: Client, unsentBytes: number): void {
    if (client.connection === null || client.connection.isClosing) return
    const limits = this.#engine.settings.clientOutputBufferLimit
    const { hardBytes, softBytes, softSeconds } = client.isSubscribed ? limits.pubsub : limits.normal
    if (hardBytes > 0 && unsentBytes >= hardBytes) return this.#close(client)
    if (softBytes === 0 || unsentBytes < softBytes) {
      this.#slowSinceMs.delete(client)
      return
    }
    const nowMs = this.#engine.clock.nowMs()
    const sinceMs = this.#slowSinceMs.get(client)
    if (sinceMs === undefined) this.#slowSinceMs.set(client, nowMs)
    else if (nowMs - sinceMs > softSeconds * 1000) this.#close(client)
  }

  checkSlowClients(): void {
    for (const client of this.#slowSinceMs.keys()) this.check(client, client.connection!.unsentBytes)
  }

  forget(client: Client): void {
    this.#slowSinceMs.delete(client)
  }

  #close(client: Client): void {
    const engine = this.#engine
    const description = describeClient(client, engine.clock.nowMs())
    engine.log.warn(`Client ${description} scheduled to be closed ASAP for overcoming of output buffer limits.`)
    engine.outputOverflowCount++
    this.#slowSinceMs.delete(client)
    engine.cutOff(client)
  }
}
