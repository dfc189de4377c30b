import { performance } from 'node:perf_hooks'
import type { Client } from './client.ts'
import type { RespEngine } from './engine.ts'
import type { Reply } from './reply.ts'

/** What a client waits for. */
export interface Wait {
  /** Answers when nothing has come within the timeout. */
  readonly onTimeout: (reply: Reply) => void
  /** The wait is over, for whatever reason. */
  readonly cancel: () => void
  /** Whether CLIENT UNBLOCK ends it; so unless it says otherwise. */
  readonly isUnblockable?: boolean
}

/** Clients that wait, for whatever: their next requests are not read until the wait is over. */
export class Waiting {
  readonly #engine: RespEngine
  /** Clients that wait. */
  count = 0

  constructor(engine: RespEngine) {
    this.#engine = engine
  }

  /**
   * Lets the current client wait. With a timeout (0: none), `onTimeout` answers; within EXEC it answers at once.
   */
  begin(client: Client, timeoutMs: number, wait: Wait): void {
    const engine = this.#engine
    if (client.deniesBlocking) {
      wait.onTimeout(engine.outgoing.reply)
      wait.cancel()
      return
    }
    client.blocked = { isUnblockable: true, ...wait, timer: null, args: null }
    this.count++
    if (timeoutMs > 0) {
      client.blocked.timer = engine.clock.schedule(timeoutMs, () => this.end(client, wait.onTimeout))
    }
  }

  /** Ends a client's wait with an answer; its next requests go on. */
  end(client: Client, answer: (reply: Reply) => void): void {
    if (client.blocked === null) return
    this.cancel(client)
    this.#engine.outgoing.replyTo(client, answer)
    this.#engine.resumeSoon(client)
  }

  /** Lets `serve` answer a client that waits: if it does and says so, the wait is over. Returns what it said. */
  serve(client: Client, serve: (reply: Reply) => boolean): boolean {
    const { outgoing, propagation, propagates, slowLog, clock } = this.#engine
    let isServed = false
    const args = client.blocked?.args ?? null
    const startMs = args === null ? 0 : performance.now()
    if (propagates) propagation.begin()
    outgoing.replyTo(client, (reply) => {
      isServed = serve(reply)
    })
    if (propagates) propagation.endServed(client)
    if (!isServed) return false
    if (args !== null) {
      const durationUs = Math.round((performance.now() - startMs) * 1000)
      if (durationUs >= slowLog.threshold) slowLog.add(client, args, durationUs, clock.nowMs())
    }
    this.cancel(client)
    this.#engine.resumeSoon(client)
    return true
  }

  /** Ends a client's wait, if it waits, without an answer. */
  cancel(client: Client): void {
    const { blocked } = client
    if (blocked === null) return
    client.blocked = null
    this.count--
    blocked.timer?.cancel()
    blocked.cancel()
  }
}
