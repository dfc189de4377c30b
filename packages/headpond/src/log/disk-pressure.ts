/** A write that takes as long has waited for the disk: the system holds back whoever writes faster than it can. */
const STALL_MS = 4
/** After one, nobody is made to wait for the next: at first for so long, since the thread may merely have lost its processor. */
const ASIDE_MS_MIN = 250
/** When the first write after that is slow again, for twice as long, up to this. */
const ASIDE_MS_MAX = 10_000

/** Up to this size a copy into the system's memory takes less than another thread costs: a fifth of a millisecond. */
const HUGE_BYTES = 2 ** 20
/** What is smaller is worth no thread even where the system is slow **(measured)**. */
const LARGE_BYTES = 192 * 1024
/** What is smaller says nothing of the system's speed. */
const TELLING_BYTES = 16 * 1024
/**
 * Slower than this the system has to find memory first: a virtual machine gives back what nobody uses, and gets it again page by
 * page, at a third of a gigabyte a second. Threads do that side by side.
 */
const SLOW_MS_PER_BYTE = 2 / 2 ** 20
/** So many slow ones in a row; one may have lost its processor. */
const SLOW_COUNT = 8
/** While they are slow, one in so long is timed. */
const TRY_MS = 100

/** Whether a write is to go on beside the event loop, since it would hold up everybody: by what those before it have taken. */
export class DiskPressure {
  #asideMs = 0
  #untilMs = 0
  #slowCount = 0
  #timedAtMs = 0

  /** hot: once for each partition written in a turn. */
  isHigh(nowMs: number, sizeBytes: number): boolean {
    if (nowMs < this.#untilMs || sizeBytes > HUGE_BYTES) return true
    return sizeBytes >= LARGE_BYTES && this.#slowCount >= SLOW_COUNT && nowMs < this.#timedAtMs + TRY_MS
  }

  /** A write has kept the event loop waiting. hot: as `isHigh`. */
  wrote(startedAtMs: number, endedAtMs: number, sizeBytes: number): void {
    const tookMs = endedAtMs - startedAtMs
    if (sizeBytes >= TELLING_BYTES) {
      this.#timedAtMs = endedAtMs
      this.#slowCount = tookMs > sizeBytes * SLOW_MS_PER_BYTE ? this.#slowCount + 1 : 0
    }
    if (tookMs < STALL_MS) return
    const isAgain = startedAtMs < this.#untilMs + this.#asideMs
    this.#asideMs = isAgain ? Math.min(ASIDE_MS_MAX, Math.max(ASIDE_MS_MIN, this.#asideMs * 2)) : ASIDE_MS_MIN
    this.#untilMs = endedAtMs + this.#asideMs
  }
}
