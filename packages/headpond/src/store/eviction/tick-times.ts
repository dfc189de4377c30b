const POINTS_MAX = 512

/**
 * When it was which tick of the adaptive policy, so that OBJECT IDLETIME can tell seconds. At most so many points are
 * kept; when they are full every other one goes, so what is long ago is known less exactly.
 */
export class TickTimes {
  readonly #ticks: number[] = []
  readonly #timesMs: number[] = []

  /** Notes that a tick was reached at a time, not before what was noted last. */
  note(tick: number, timeMs: number): void {
    if (this.#ticks.at(-1) === tick) return
    if (this.#ticks.length === POINTS_MAX) {
      for (const points of [this.#ticks, this.#timesMs]) {
        for (let index = 1; index < POINTS_MAX / 2; index++) points[index] = points[index * 2]
        points.length = POINTS_MAX / 2
      }
    }
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
}
