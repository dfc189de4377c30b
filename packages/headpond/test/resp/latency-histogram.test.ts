import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LatencyHistogram } from '#src/resp/latency-histogram.ts'

test('percentiles are exact below 16 microseconds, and at most an eighth too high above', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1 }),
      fc.integer({ max: 100, min: 1 }),
      (durations, percent) => {
        const histogram = new LatencyHistogram()
        for (const duration of durations) histogram.record(duration)
        const sorted = durations.toSorted((a, b) => a - b)
        const exact = sorted[Math.ceil((percent / 100) * sorted.length) - 1]
        const shown = histogram.percentileUs(percent)
        assert.ok(shown >= exact && shown <= exact * 1.125, `${shown} for ${exact}`)
        if (exact < 16) assert.equal(shown, exact)
      },
    ),
  )
})

test('cumulative counts rise to the number of calls, by the bounds of Redis', () => {
  const histogram = new LatencyHistogram()
  for (const duration of [0, 1, 1, 2, 3, 8, 9, 16, 20, 40, 1000, 2_000_000]) histogram.record(duration)
  assert.deepEqual(
    histogram.cumulative().map(({ boundUs, count }) => [boundUs, count]),
    [
      [1, 3],
      [2, 4],
      [4, 5],
      [8, 6],
      [16, 7],
      [33, 9],
      [66, 10],
      [1056, 11],
      [2164260, 12],
    ],
  )
})

test('what takes longer than can be counted counts as the longest', () => {
  const histogram = new LatencyHistogram()
  histogram.record(2 ** 40)
  assert.equal(histogram.percentileUs(50), 2 ** 31 - 1)
  assert.deepEqual(
    histogram.cumulative().map(({ count }) => count),
    [1],
  )
})
