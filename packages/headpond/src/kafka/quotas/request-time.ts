import { performance } from 'node:perf_hooks'

/**
 * The main thread's time that one request takes: decoding, its handler until it first waits, and sending the answer. What a
 * handler does after it has waited is not in it, nor what is done for many requests together at the end of a turn.
 */
export class RequestTime {
  /** Its client has been told of the pause for it. */
  isCharged = false
  #startedAtMs = performance.now()
  #spentMs = 0

  /** Something that belongs to the request begins. */
  begin(): void {
    this.#startedAtMs = performance.now()
  }

  /** It waits for something, or is done. */
  pause(): void {
    this.#spentMs += performance.now() - this.#startedAtMs
  }

  /** What was spent since this was last asked. */
  takeMs(): number {
    const spentMs = this.#spentMs
    this.#spentMs = 0
    return spentMs
  }
}
