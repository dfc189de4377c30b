/**
 * The one clock of a server: what time it is, and what is to happen when. A test moves it by hand (`advance`), and
 * whatever falls due on the way happens in order, as it would have.
 */
export interface ScheduledCall {
  cancel(): void
}

interface Entry extends ScheduledCall {
  dueAtMs: number
  run: (() => void) | null
}

export class Clock {
  #offsetMs = 0
  #pausedAtMs: number | null = null
  readonly #entries: Entry[] = []
  #timer: NodeJS.Timeout | null = null
  #timerDueAtMs = 0

  /** Milliseconds since 1970. */
  nowMs(): number {
    return this.#pausedAtMs ?? Date.now() + this.#offsetMs
  }

  /** Stops time; `advance` still moves it. What falls due waits for that, or for `resume`. */
  pause(): void {
    this.#pausedAtMs ??= this.nowMs()
  }

  /** Lets time go on from where it is. */
  resume(): void {
    if (this.#pausedAtMs === null) return
    this.#offsetMs = this.#pausedAtMs - Date.now()
    this.#pausedAtMs = null
    this.#arm()
  }

  /** Microseconds since 1970, in step with `nowMs`. */
  nowUs(): number {
    const nowMs = this.nowMs()
    const elapsedMs = performance.now()
    // The fine clock runs on from where it last agreed with the coarse one, which may be set to another time.
    const fineUs = Math.floor((elapsedMs + this.#fineOffsetMs) * 1000)
    if (fineUs >= nowMs * 1000 && fineUs < (nowMs + 1) * 1000) return fineUs
    this.#fineOffsetMs = nowMs - elapsedMs
    return nowMs * 1000
  }
  #fineOffsetMs = 0

  /** Runs a function once `delayMs` have passed on this clock. It keeps no process alive. O(n) in the calls pending. */
  schedule(delayMs: number, run: () => void): ScheduledCall {
    const entry: Entry = {
      dueAtMs: this.nowMs() + delayMs,
      run,
      cancel: () => {
        const index = this.#entries.indexOf(entry)
        if (index >= 0) this.#entries.splice(index, 1)
        entry.run = null
      },
    }
    // Sorted by time, the latest first: due entries are popped from the end.
    let index = this.#entries.length
    while (index > 0 && this.#entries[index - 1].dueAtMs <= entry.dueAtMs) index--
    this.#entries.splice(index, 0, entry)
    this.#arm()
    return entry
  }

  /** Moves time forward, running on the way what falls due, each at its own moment. */
  advance(durationMs: number): void {
    const targetMs = this.nowMs() + durationMs
    for (;;) {
      const next = this.#entries[this.#entries.length - 1]
      if (next === undefined || next.dueAtMs > targetMs) break
      this.#move(next.dueAtMs)
      this.#entries.pop()
      next.run?.()
    }
    this.#move(targetMs)
    this.#arm()
  }

  #move(targetMs: number): void {
    if (this.#pausedAtMs !== null) this.#pausedAtMs = Math.max(this.#pausedAtMs, targetMs)
    else this.#offsetMs += Math.max(0, targetMs - this.nowMs())
  }

  /** Forgets everything that is scheduled. */
  stop(): void {
    this.#entries.length = 0
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #arm(): void {
    const next = this.#entries[this.#entries.length - 1]
    if (next === undefined) return
    if (this.#timer !== null) {
      if (this.#timerDueAtMs <= next.dueAtMs) return
      clearTimeout(this.#timer)
    }
    this.#timerDueAtMs = next.dueAtMs
    const delayMs = Math.min(Math.max(next.dueAtMs - this.nowMs(), 0), 2 ** 31 - 1)
    this.#timer = setTimeout(() => {
      this.#timer = null
      const nowMs = this.nowMs()
      for (;;) {
        const due = this.#entries[this.#entries.length - 1]
        if (due === undefined || due.dueAtMs > nowMs) break
        this.#entries.pop()
        due.run?.()
      }
      this.#arm()
    }, delayMs)
    this.#timer.unref()
  }
}
