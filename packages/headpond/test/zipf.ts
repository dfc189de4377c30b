/** Draws ranks from 0 to `count` - 1 as popularity spreads: rank r as often as (r + 1) to the power of `-exponent`. O(log n) each. */
export function zipf(count: number, exponent: number, random: () => number): () => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1) ** exponent
    sums[rank] = sum
  }
  return () => {
    const wanted = random() * sum
    let first = 0
    let end = count - 1
    while (first < end) {
      const middle = (first + end) >>> 1
      if (sums[middle] < wanted) first = middle + 1
      else end = middle
    }
    return first
  }
}
