/**
 * Ages on a logarithmic scale, four buckets to an octave: fine enough to see at which age a loop comes round, coarse
 * enough that every bucket gathers evidence soon. Ages are counted in ticks (see adaptive-policy.ts).
 */
export const AGE_MAX = 2 ** 24 - 1

/** The bucket of an age from 1 to AGE_MAX. O(1). */
export function bucketOf(age: number): number {
  if (age < 4) return age - 1
  const octave = 29 - Math.clz32(age) // 0 for 4 to 7
  return octave * 4 + (age >>> octave) - 1
}

export const BUCKET_COUNT = bucketOf(AGE_MAX) + 1

/** By bucket, its smallest age; one more, where the last bucket ends. */
export const BUCKET_STARTS = buildStarts()

/** By bucket, how many ages it spans. */
export const BUCKET_WIDTHS = BUCKET_STARTS.slice(0, BUCKET_COUNT).map(
  (start, bucket) => BUCKET_STARTS[bucket + 1] - start,
)

function buildStarts(): Float64Array {
  const starts = new Float64Array(BUCKET_COUNT + 1)
  for (let age = 1, bucket = 0; bucket <= BUCKET_COUNT; bucket++) {
    starts[bucket] = age
    age += age < 8 ? 1 : 2 ** (29 - Math.clz32(age))
  }
  return starts
}
