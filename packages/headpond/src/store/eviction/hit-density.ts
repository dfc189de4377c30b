import { CLASS_COUNT } from './access-class.ts'
import { BUCKET_COUNT, BUCKET_STARTS, BUCKET_WIDTHS, bucketOf } from './age-buckets.ts'
import type { ReuseHistory } from './reuse-history.ts'

/** Before anything is known, a key is expected back once in twice as many accesses as there are keys. */
const PRIOR_RATE = 0.5
/** What that guess weighs, in exposures. */
const PRIOR_WEIGHT = 2
/** How much of a neighbouring age's evidence counts for an age. */
const NEIGHBOUR_SHARE = 0.85
/** Beyond the horizon nothing is known but that the key was not used for long. */
const BEYOND_HORIZON = 0.25

/**
 * How worthwhile it is to keep a key, by class and age: the hits to be expected from it for each tick that it stays, if
 * it stays as long as is best (Gittins' index). The key with the least is to go.
 *
 * "As long as is best" is what makes one number right for all workloads: keys of a loop are worth little until their
 * turn approaches, keys of a scan never; where use is soon or never, worth falls with age (LRU); where it is
 * independent of age, worth is the frequency (LFU).
 *
 * Evidence is thin in two ways. Few exposures: the class is then taken for like all others at that age. And a short
 * time: a hundred keys that came back together at one age, because a loop came round, are one observation. An age
 * is seen anew about every `age` ticks; with T ticks observed, what was seen at it weighs T / age against the smoothed
 * rate of the ages around it.
 */
export class HitDensity {
  /** By class and bucket; the last bucket of a class is for ages beyond the horizon. */
  readonly #densities = new Float32Array(CLASS_COUNT * (BUCKET_COUNT + 1))
  #horizonBucket = 0
  readonly #chances = new Float64Array(BUCKET_COUNT)
  readonly #smoothed = new Float64Array(BUCKET_COUNT)
  /** By bucket, the ticks that a key lives and the hits it gives, from its last access until this age. */
  readonly #ticks = new Float64Array(BUCKET_COUNT + 1)
  readonly #hits = new Float64Array(BUCKET_COUNT + 1)
  readonly #hull = new Int32Array(BUCKET_COUNT + 1)

  get sizeBytes(): number {
    return this.#densities.byteLength + this.#chances.byteLength * 5
  }

  // hot: some ten times for each eviction.
  of(accessClass: number, ageTicks: number): number {
    const bucket = ageTicks < 1 ? 0 : bucketOf(ageTicks)
    const place = bucket > this.#horizonBucket ? BUCKET_COUNT : bucket
    return this.#densities[accessClass * (BUCKET_COUNT + 1) + place]
  }

  /**
   * Takes in what the history tells. O(classes * buckets).
   * @param keyTicks the ticks in which as many accesses come as there are keys
   * @param horizonTicks up to which age the history tells
   * @param observedTicks the time that the history speaks of, in ticks
   */
  learn(history: ReuseHistory, keyTicks: number, horizonTicks: number, observedTicks: number): void {
    const { exposures, reuses } = history
    this.#horizonBucket = bucketOf(horizonTicks)
    for (let bucket = 0; bucket <= this.#horizonBucket; bucket++) {
      let exposureSum = 1
      let reuseSum = Math.min(0.5, (PRIOR_RATE * BUCKET_WIDTHS[bucket]) / keyTicks)
      for (let cell = bucket; cell < exposures.length; cell += BUCKET_COUNT) {
        exposureSum += exposures[cell]
        reuseSum += reuses[cell]
      }
      this.#chances[bucket] = reuseSum / exposureSum
    }
    for (let accessClass = 0; accessClass < CLASS_COUNT; accessClass++) {
      this.#learnClass(accessClass, exposures, reuses, observedTicks)
    }
  }

  #learnClass(accessClass: number, exposures: Float32Array, reuses: Float32Array, observedTicks: number): void {
    const end = this.#horizonBucket + 1
    const base = accessClass * BUCKET_COUNT
    this.#smooth(base, exposures, reuses)
    const ticks = this.#ticks
    const hits = this.#hits
    let survivors = 1
    for (let bucket = 0; bucket < end; bucket++) {
      const exposureCount = exposures[base + bucket]
      const smoothedWeight = (exposureCount * BUCKET_STARTS[bucket]) / Math.max(1, observedTicks)
      const likeAll = (reuses[base + bucket] + PRIOR_WEIGHT * this.#chances[bucket]) / (exposureCount + PRIOR_WEIGHT)
      const reuseSum = reuses[base + bucket] + PRIOR_WEIGHT * likeAll + smoothedWeight * this.#smoothed[bucket]
      const chance = Math.min(1, reuseSum / (exposureCount + PRIOR_WEIGHT + smoothedWeight))
      hits[bucket + 1] = hits[bucket] + survivors * chance
      ticks[bucket + 1] = ticks[bucket] + survivors * BUCKET_WIDTHS[bucket] * (1 - chance / 2)
      survivors *= 1 - chance
    }
    this.#takeSteepest(accessClass * (BUCKET_COUNT + 1), end)
  }

  /** By bucket, the chance of reuse that the ages around it suggest. */
  #smooth(base: number, exposures: Float32Array, reuses: Float32Array): void {
    const end = this.#horizonBucket + 1
    const smoothed = this.#smoothed
    const weights = this.#ticks // free until the points are made
    let reuseSum = 0
    let tickSum = 0
    for (let bucket = 0; bucket < end; bucket++) {
      reuseSum = reuseSum * NEIGHBOUR_SHARE + reuses[base + bucket]
      tickSum = tickSum * NEIGHBOUR_SHARE + exposures[base + bucket] * BUCKET_WIDTHS[bucket]
      smoothed[bucket] = reuseSum
      weights[bucket] = tickSum
    }
    reuseSum = 0
    tickSum = 0
    for (let bucket = end - 1; bucket >= 0; bucket--) {
      const width = BUCKET_WIDTHS[bucket]
      const allReuses = smoothed[bucket] + reuseSum + PRIOR_WEIGHT * this.#chances[bucket]
      smoothed[bucket] = (allReuses / (weights[bucket] + tickSum + PRIOR_WEIGHT * width)) * width
      reuseSum = (reuseSum + reuses[base + bucket]) * NEIGHBOUR_SHARE
      tickSum = (tickSum + exposures[base + bucket] * width) * NEIGHBOUR_SHARE
    }
  }

  /**
   * By bucket, the most hits for a tick that any moment to stop gives: the steepest line from its point (ticks, hits) to
   * a later one, which is an edge of the upper convex hull of the points behind it. O(buckets).
   */
  #takeSteepest(base: number, end: number): void {
    const ticks = this.#ticks
    const hits = this.#hits
    const hull = this.#hull
    let hullCount = 0
    hull[hullCount++] = end
    for (let bucket = end - 1; bucket >= 0; bucket--) {
      while (hullCount > 1) {
        const near = hull[hullCount - 1]
        const far = hull[hullCount - 2]
        const toNear = (hits[near] - hits[bucket]) * (ticks[far] - ticks[bucket])
        const toFar = (hits[far] - hits[bucket]) * (ticks[near] - ticks[bucket])
        if (toFar < toNear) break
        hullCount--
      }
      const next = hull[hullCount - 1]
      const spanTicks = ticks[next] - ticks[bucket]
      this.#densities[base + bucket] = spanTicks > 0 ? (hits[next] - hits[bucket]) / spanTicks : 0
      hull[hullCount++] = bucket
    }
    this.#densities[base + BUCKET_COUNT] = this.#densities[base + end - 1] * BEYOND_HORIZON
  }
}
