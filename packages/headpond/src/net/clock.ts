import { performance } from 'node:perf_hooks'

/**
 * The one clock of a server: what time it is, and what is to happen when. A test moves it by hand (`advance`), and
 * whatever falls due on the way happens in order, as it would have.
 */
export interface ScheduledCall {
  cancel(): void
}

interface Entry extends ScheduledCall {
  readonly dueAtMs: number
  /** Of two that fall due together, the one that was scheduled first happens first. */
  readonly sequence: number
  /** Null once it is cancelled. */
  run: (() => void) | null
}

/** Up to here, cancelled calls are left lying; thousands of them are cleared away when they are the majority. */
const CANCELLED_COUNT_MIN = 64

export class Clock {
  #offsetMs = 0
  #pausedAtMs: number | null = null
  /** A binary heap, the earliest first: thousands of timeouts are scheduled, and nearly all of them cancelled. */
  #heap: Entry[] = []
  #cancelledCount = 0
  #sequence = 0
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
    this.#disarm()
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

  /** Runs a function once `delayMs` have passed on this clock. It keeps no process alive. O(log n) in the calls pending. */
  schedule(delayMs: number, run: () => void): ScheduledCall {
    const entry: Entry = {
      dueAtMs: this.nowMs() + delayMs,
      sequence: this.#sequence++,
      run,
      cancel: () => {
        if (entry.run === null) return
        entry.run = null
        this.#cancelledCount++
        this.#clearCancelled()
      },
    }
    this.#heap.push(entry)
    siftUp(this.#heap, this.#heap.length - 1)
    this.#arm()
    return entry
  }

  /**
   * Moves time forward, running on the way what falls due, each at its own moment: it does not run on by itself meanwhile, so
   * that who asks twice what time it is schedules nothing beyond the end.
   */
  advance(durationMs: number): void {
    const wasPaused = this.#pausedAtMs !== null
    this.pause()
    try {
      const targetMs = this.nowMs() + durationMs
      for (;;) {
        const next = this.#next()
        if (next === null || next.dueAtMs > targetMs) break
        this.#move(next.dueAtMs)
        this.#happen(next)
      }
      this.#move(targetMs)
    } finally {
      if (!wasPaused) this.resume()
    }
    // The timer was set for a moment that is nearer now.
    this.#disarm()
    this.#arm()
  }

  #move(targetMs: number): void {
    if (this.#pausedAtMs !== null) this.#pausedAtMs = Math.max(this.#pausedAtMs, targetMs)
    else this.#offsetMs += Math.max(0, targetMs - this.nowMs())
  }

  /** Forgets everything that is scheduled. */
  stop(): void {
    for (const entry of this.#heap) entry.run = null
    this.#heap = []
    this.#cancelledCount = 0
    this.#disarm()
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** The earliest call that is not cancelled. */
  #next(): Entry | null {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined) return null
      if (next.run !== null) return next
      takeFirst(this.#heap)
      this.#cancelledCount--
    }
  }

  #happen(first: Entry): void {
    takeFirst(this.#heap)
    const { run } = first
    first.run = null // to cancel it now means nothing
    run?.()
  }

  #clearCancelled(): void {
    if (this.#cancelledCount < CANCELLED_COUNT_MIN || this.#cancelledCount * 2 < this.#heap.length) return
    this.#heap = this.#heap.filter((entry) => entry.run !== null)
    this.#cancelledCount = 0
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) siftDown(this.#heap, index)
  }

  /**
   * The last millisecond that is over. What was scheduled in the midst of one is due in the midst of another: to run it when
   * that begins would be early, and clients that wait just as long themselves count on not being answered before.
   */
  #passedMs(): number {
    return this.#pausedAtMs ?? this.nowMs() - 1
  }

  #arm(): void {
    const next = this.#next()
    if (next === null) return
    if (this.#timer !== null) {
      if (this.#timerDueAtMs <= next.dueAtMs) return
      clearTimeout(this.#timer)
    }
    this.#timerDueAtMs = next.dueAtMs
    const delayMs = Math.min(Math.max(next.dueAtMs + 1 - this.nowMs(), 0), 2 ** 31 - 1)
    this.#timer = setTimeout(() => {
      this.#timer = null
      const passedMs = this.#passedMs()
      for (;;) {
        const due = this.#next()
        if (due === null || due.dueAtMs > passedMs) break
        this.#happen(due)
      }
      this.#arm()
    }, delayMs)
    this.#timer.unref()
  }
}

function isBefore(first: Entry, second: Entry): boolean {
  return first.dueAtMs < second.dueAtMs || (first.dueAtMs === second.dueAtMs && first.sequence < second.sequence)
}

function siftUp(heap: Entry[], index: number): void {
  const entry = heap[index]
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!isBefore(entry, heap[parent])) break
    heap[index] = heap[parent]
    index = parent
  }
  heap[index] = entry
}

function siftDown(heap: Entry[], index: number): void {
  const entry = heap[index]
  for (;;) {
    let child = 2 * index + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
    if (!isBefore(heap[child], entry)) break
    heap[index] = heap[child]
    index = child
  }
  heap[index] = entry
}

function takeFirst(heap: Entry[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  heap[0] = last
  siftDown(heap, 0)
}
