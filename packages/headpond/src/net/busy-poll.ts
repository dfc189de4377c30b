import { availableParallelism } from 'node:os'

/**
 * Keeps the event loop awake for a moment after a turn that gave answers, while such turns follow each other closely: the
 * next requests then find a process that runs. Falling asleep and being woken, by a client that pays for it with an
 * interrupt to another core, costs more than half of a short command. **(measured)**: a tenth more `GET` without
 * pipelines, and the process keeps its core when others want one. Linux does the same below sockets (`net.core.busy_poll`).
 *
 * A process that has nothing to do, or now and then something, sleeps as before; nor is there any use in it on a machine of one
 * core.
 */
export class BusyPoll {
  readonly #limitUs: () => number
  readonly #isUseful = availableParallelism() > 1
  #lastTurnMs = Number.NEGATIVE_INFINITY
  #isPolling = false

  /** @param limitUs how long to stay awake, and how close turns are that follow each other closely; 0 never does. */
  constructor(limitUs: () => number) {
    this.#limitUs = limitUs
  }

  /** hot: at the end of each turn that has sent something. */
  turnEnded(): void {
    if (!this.#isUseful) return
    const limitMs = this.#limitUs() / 1000
    if (limitMs === 0) return
    const nowMs = performance.now()
    const isClose = nowMs - this.#lastTurnMs < limitMs
    this.#lastTurnMs = nowMs
    if (!isClose || this.#isPolling) return
    this.#isPolling = true
    setImmediate(this.#poll)
  }

  /** While an immediate waits, the loop looks for events and does not sleep. */
  readonly #poll = (): void => {
    this.#isPolling = performance.now() - this.#lastTurnMs < this.#limitUs() / 1000
    if (this.#isPolling) setImmediate(this.#poll)
  }
}
