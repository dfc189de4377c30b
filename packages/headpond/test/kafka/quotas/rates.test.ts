/** The pauses that follow from what was recorded: Apache Kafka's own, and a model that remembers everything. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { RateWindow, throttleMsOf } from '#src/kafka/quotas/rate-window.ts'
import { TokenBucket } from '#src/kafka/quotas/token-bucket.ts'

interface Sequence {
  readonly kind: 'rate' | 'tokens'
  readonly sampleCount: number
  readonly windowMs: number
  readonly limit: number
  /** Milliseconds since the one before, what is recorded, and the pause that follows. */
  readonly events: readonly (readonly [afterMs: number, value: number, throttleMs: number])[]
}

/** What the classes Rate and TokenBucket of Apache Kafka 4.1.1 have said to random sequences, by the formula of its quotas. */
const FILE = fileURLToPath(new URL('../../../test/kafka/quotas/throttle-times.json', import.meta.url))
const sequences = JSON.parse(readFileSync(FILE, 'utf8')) as Sequence[]
const STARTED_AT_MS = 1_700_000_000_000

for (const { kind, sampleCount, windowMs, limit, events } of sequences) {
  test(`${kind}, ${sampleCount} windows of ${windowMs} ms, limit ${limit}: Apache Kafka's pauses`, () => {
    const rate = new RateWindow({ sampleCount, windowMs })
    const bucket = new TokenBucket({ sampleCount, windowMs })
    let nowMs = STARTED_AT_MS
    const actual = events.map(([afterMs, value]) => {
      nowMs += afterMs
      if (kind === 'tokens') {
        bucket.take(value, limit, nowMs)
        return bucket.throttleMs(limit, nowMs)
      }
      rate.record(value, nowMs)
      return throttleMsOf(rate, limit, nowMs)
    })
    assert.deepEqual(
      actual,
      events.map(([, , throttleMs]) => throttleMs),
    )
    assert.ok(actual.some((throttleMs) => throttleMs > 0))
  })
}

/** All that was recorded, in samples that are never used again. */
class Model {
  readonly #samples: { startMs: number; lastMs: number; sum: number }[] = []
  readonly #sampleCount: number
  readonly #windowMs: number

  constructor(sampleCount: number, windowMs: number) {
    this.#sampleCount = sampleCount
    this.#windowMs = windowMs
  }

  record(value: number, nowMs: number): void {
    const last = this.#samples.at(-1)
    const sample =
      last !== undefined && nowMs - last.startMs < this.#windowMs ? last : { startMs: nowMs, lastMs: nowMs, sum: 0 }
    if (sample !== last) this.#samples.push(sample)
    sample.sum += value
    sample.lastMs = nowMs
  }

  perSecond(nowMs: number): number {
    const alive = this.#samples
      .filter(({ lastMs }) => nowMs - lastMs < this.#sampleCount * this.#windowMs)
      .slice(-this.#sampleCount - 1)
    const sum = alive.reduce((total, sample) => total + sample.sum, 0)
    let spanMs = nowMs - Math.min(nowMs, ...alive.map(({ startMs }) => startMs))
    while (Math.trunc(spanMs / this.#windowMs) < this.#sampleCount - 1) spanMs += this.#windowMs
    return sum / (Math.max(1, spanMs) / 1000)
  }
}

test('a rate is what a model that remembers everything says', () => {
  const event = fc.record({ afterMs: fc.nat(2500), value: fc.nat(5000) })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(100, 1000),
      fc.array(event, { maxLength: 80 }),
      (sampleCount, windowMs, events) => {
        const rate = new RateWindow({ sampleCount, windowMs })
        const model = new Model(sampleCount, windowMs)
        let nowMs = STARTED_AT_MS
        for (const { afterMs, value } of events) {
          nowMs += afterMs
          rate.record(value, nowMs)
          model.record(value, nowMs)
          assert.equal(rate.perSecond(nowMs), model.perSecond(nowMs))
        }
      },
    ),
  )
})

test('what has been idle for all windows is as new', () => {
  const rate = new RateWindow({ sampleCount: 3, windowMs: 1000 })
  assert.equal(rate.isIdle(STARTED_AT_MS), true)
  rate.record(5, STARTED_AT_MS)
  assert.equal(rate.isIdle(STARTED_AT_MS + 2999), false)
  assert.equal(rate.isIdle(STARTED_AT_MS + 3000), true)
  const bucket = new TokenBucket({ sampleCount: 3, windowMs: 1000 })
  assert.equal(bucket.isIdle(10, STARTED_AT_MS), true)
  bucket.take(10, 10, STARTED_AT_MS)
  assert.equal(bucket.isIdle(10, STARTED_AT_MS + 999), false)
  assert.equal(bucket.isIdle(10, STARTED_AT_MS + 1000), true)
})
