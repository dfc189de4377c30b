/**
 * How long calls of one command took, in microseconds: exact below 16, then eight buckets for each power of two, so a
 * percentile is at most an eighth too high. A kilobyte for each command that was ever called.
 */
const EXACT_US = 16
const EXACT_BITS = 4
const PARTS_BITS = 3
const PARTS = 1 << PARTS_BITS
const BUCKET_COUNT = EXACT_US + (31 - EXACT_BITS) * PARTS
const DURATION_US_MAX = 2 ** 31 - 1

export class LatencyHistogram {
  readonly #buckets = new Uint32Array(BUCKET_COUNT)
  #count = 0

  get count(): number {
    return this.#count
  }

  record(durationUs: number): void {
    this.#count++
    this.#buckets[bucketOf(Math.min(durationUs, DURATION_US_MAX))]++
  }

  /** What `percent` of the calls took at most. O(buckets). */
  percentileUs(percent: number): number {
    const wantedCount = Math.max(1, Math.ceil((percent / 100) * this.#count))
    let seenCount = 0
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      seenCount += this.#buckets[bucket]
      if (seenCount >= wantedCount) return upperUs(bucket)
    }
    return 0
  }

  /**
   * How many calls took at most so long, for bounds that double; bounds that add nothing are left out. The bounds are
   * those of Redis's LATENCY HISTOGRAM: 1, 2, 4, 8, 16, 33, 66, 132 ...
   */
  cumulative(): { boundUs: number; count: number }[] {
    const found: { boundUs: number; count: number }[] = []
    let bucket = 0
    let count = 0
    for (let exponent = 0; count < this.#count; exponent++) {
      // Redis counts nanoseconds in powers of two, with 128 parts for each.
      const limitUs = (1024 * 2 ** exponent * (1 + 1 / 128) - 1) / 1000
      const countBefore = count
      while (bucket < BUCKET_COUNT && upperUs(bucket) <= limitUs) count += this.#buckets[bucket++]
      if (count > countBefore) found.push({ boundUs: Math.floor(limitUs), count })
    }
    return found
  }
}

function bucketOf(durationUs: number): number {
  if (durationUs < EXACT_US) return durationUs
  const exponent = 31 - Math.clz32(durationUs)
  return EXACT_US + (exponent - EXACT_BITS) * PARTS + ((durationUs >>> (exponent - PARTS_BITS)) & (PARTS - 1))
}

/** The longest duration that a bucket holds. */
function upperUs(bucket: number): number {
  if (bucket < EXACT_US) return bucket
  const exponent = EXACT_BITS + Math.floor((bucket - EXACT_US) / PARTS)
  const part = (bucket - EXACT_US) % PARTS
  return (PARTS + part + 1) * 2 ** (exponent - PARTS_BITS) - 1
}
