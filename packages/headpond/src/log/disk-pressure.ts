/** A write that takes as long has waited for the disk: the system holds back whoever writes faster than it can. */
const SLOW_WRITE_MS = 4
/** After one, nobody is made to wait for the next: at first for so long, since the thread may merely have lost its processor. */
const ASIDE_MS_MIN = 250
/** When the first write after that is slow again, for twice as long, up to this. */
const ASIDE_MS_MAX = 10_000

/** Whether writes are to go on beside the event loop, since those that did not have held up everybody. */
export class DiskPressure {
  #asideMs = 0
  #untilMs = 0

  /** hot: once for each partition written in a turn. */
  isHigh(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }

  /** A write has kept the event loop waiting. hot: as `isHigh`. */
  wrote(startedAtMs: number, endedAtMs: number): void {
    if (endedAtMs - startedAtMs < SLOW_WRITE_MS) return
    const isAgain = startedAtMs < this.#untilMs + this.#asideMs
    this.#asideMs = isAgain ? Math.min(ASIDE_MS_MAX, Math.max(ASIDE_MS_MIN, this.#asideMs * 2)) : ASIDE_MS_MIN
    this.#untilMs = endedAtMs + this.#asideMs
  }
}
