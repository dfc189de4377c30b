import { performance } from 'node:perf_hooks'
import type { KafkaSession } from './session.ts'

/**
 * What requests may take of one turn of the event loop; those that are left go on in the next, after every socket of the process
 * has had its turn. So what a GET waits for is this and one request, however many producers there are.
 */
const TURN_MS = 0.5

/** What of a session the budget needs. */
type Deferrable = Pick<KafkaSession, 'isDeferred' | 'isGone'> & { readonly connection: { resume(): void } }

export class TurnBudget {
  #isRunning = false
  #startedAtMs = 0
  /** Whose requests wait, the longest first. */
  #waiting: Deferrable[] = []
  readonly #nowMs: () => number

  /** @param nowMs the real time, whatever the server's clock says */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** hot: once for each request. */
  hasTime(): boolean {
    const nowMs = this.#nowMs()
    if (this.#isRunning) return nowMs - this.#startedAtMs < TURN_MS
    this.#isRunning = true
    this.#startedAtMs = nowMs
    setImmediate(this.#endTurn)
    return true
  }

  /** The session's next request runs in another turn. */
  defer(session: Deferrable): void {
    session.isDeferred = true
    this.#waiting.push(session)
  }

  readonly #endTurn = (): void => {
    this.#isRunning = false
    const due = this.#waiting
    if (due.length === 0) return
    this.#waiting = []
    let resumedCount = 0
    while (resumedCount < due.length && this.hasTime()) {
      const session = due[resumedCount++]
      session.isDeferred = false
      if (!session.isGone) session.connection.resume()
    }
    // Before those who were put off again just now.
    this.#waiting = [...due.slice(resumedCount), ...this.#waiting]
  }
}
