const POINTS_MAX = 512
/** Of what lies this long ago, time is known to a 24th: for ten years that takes some 470 points. */
const SPACING_SHARE = 1 / 24

/**
 * When it was which tick of the adaptive policy, so that OBJECT IDLETIME can tell seconds. At most so many points are
 * kept; when they are full those go that lie close together for their age, so what is long ago is known less exactly.
 */
export class TickTimes {
  readonly #ticks: number[] = []
  readonly #timesMs: number[] = []

  /** Notes that a tick was reached at a time, not before what was noted last. Amortized O(points / 40). */
  note(tick: number, timeMs: number): void {
    if (this.#ticks.at(-1) === tick) return
    if (this.#ticks.length === POINTS_MAX) this.#thinOut(timeMs)
    this.#ticks.push(tick)
    this.#timesMs.push(timeMs)
  }

  /** The time by which a tick was reached; `nowMs` when that was since the last note. O(log points). */
  timeOf(tick: number, nowMs: number): number {
    let first = 0
    let end = this.#ticks.length
    while (first < end) {
      const middle = (first + end) >>> 1
      if (this.#ticks[middle] < tick) first = middle + 1
      else end = middle
    }
    return first < this.#timesMs.length ? this.#timesMs[first] : nowMs
  }

  #thinOut(nowMs: number): void {
    const ticks = this.#ticks
    const timesMs = this.#timesMs
    let kept = ticks.length
    for (let index = ticks.length - 1; index >= 0; index--) {
      if (kept < ticks.length && timesMs[kept] - timesMs[index] < (nowMs - timesMs[index]) * SPACING_SHARE) continue
      kept--
      ticks[kept] = ticks[index]
      timesMs[kept] = timesMs[index]
    }
    // Centuries, or a clock that jumps: the oldest go.
    const dropped = Math.max(kept, POINTS_MAX / 16)
    ticks.splice(0, dropped)
    timesMs.splice(0, dropped)
  }
}
