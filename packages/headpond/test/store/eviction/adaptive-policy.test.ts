import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CLASS_OF_USES, USES_MAX } from '#src/store/eviction/access-class.ts'
import { AdaptivePolicy } from '#src/store/eviction/adaptive-policy.ts'
import { AGE_MAX, BUCKET_COUNT, BUCKET_STARTS, BUCKET_WIDTHS, bucketOf } from '#src/store/eviction/age-buckets.ts'
import { Ghosts } from '#src/store/eviction/ghosts.ts'
import { HitDensity } from '#src/store/eviction/hit-density.ts'
import { ReuseHistory } from '#src/store/eviction/reuse-history.ts'
import { TickTimes } from '#src/store/eviction/tick-times.ts'
import { SeededRandom } from '../../seeded-random.ts'
import { zipf } from '../../zipf.ts'
import { hitRatio, type PolicyName, put, read, START_MS, storeWith } from './eviction-store.ts'

test('every age has one bucket, and buckets are in order', () => {
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
    assert.equal(bucketOf(BUCKET_STARTS[bucket]), bucket)
    assert.equal(bucketOf(BUCKET_STARTS[bucket + 1] - 1), bucket)
    assert.equal(BUCKET_WIDTHS[bucket], BUCKET_STARTS[bucket + 1] - BUCKET_STARTS[bucket])
    assert.ok(BUCKET_WIDTHS[bucket] <= BUCKET_STARTS[bucket] / 4 || BUCKET_WIDTHS[bucket] === 1)
  }
  assert.equal(BUCKET_STARTS[BUCKET_COUNT] - 1, AGE_MAX)
})

test('classes rise with the number of uses', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 62, 63].map((uses) => CLASS_OF_USES[uses]),
    [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8],
  )
  assert.equal(CLASS_OF_USES.length, USES_MAX + 1)
})

// ---- The life table ----

test('exposures and reuses of a sample that holds all keys are those that a log of all accesses gives', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: fc.nat(20), gap: fc.integer({ min: 1, max: 300 }), sweeps: fc.boolean() }), {
        minLength: 1,
        maxLength: 200,
      }),
      (accesses) => {
        const history = new ReuseHistory()
        const exposures = new Float64Array(history.exposures.length)
        const reuses = new Float64Array(history.reuses.length)
        const last = new Map<number, { tick: number; accessClass: number }>()
        let tick = 0
        for (const { key, gap, sweeps } of accesses) {
          tick += gap
          const before = last.get(key)
          const accessClass = before === undefined ? 0 : Math.min(before.accessClass + 1, 8)
          if (before !== undefined) {
            const bucket = bucketOf(tick - before.tick)
            for (let each = 0; each <= bucket; each++) exposures[before.accessClass * BUCKET_COUNT + each]++
            reuses[before.accessClass * BUCKET_COUNT + bucket]++
          }
          last.set(key, { tick, accessClass })
          history.accessed(key * 7919, accessClass, tick)
          if (sweeps) history.sweep(tick, 1e6)
        }
        tick++
        history.sweep(tick, 1e6)
        for (const { tick: start, accessClass } of last.values()) {
          for (let each = 0; each <= bucketOf(tick - start); each++) exposures[accessClass * BUCKET_COUNT + each]++
        }
        assert.deepEqual([...history.exposures], [...exposures])
        assert.deepEqual([...history.reuses], [...reuses])
        history.verify()
      },
    ),
  )
})

test('the sample stays bounded however many keys there are, and old ones go', () => {
  const history = new ReuseHistory()
  const random = new SeededRandom(1)
  let tick = 0
  for (; tick < 200_000; tick++) {
    const hash = random.below(2 ** 32) | 0
    if (history.isSampled(hash)) history.accessed(hash, 0, tick)
    if (tick % 10_000 === 0) history.sweep(tick, 1e6)
  }
  history.verify()
  assert.ok(history.keyCount > 2000 && history.keyCount <= 6144, String(history.keyCount))
  history.sweep(tick + 100_000, 50_000)
  assert.equal(history.keyCount, 0)
  history.verify()
})

// ---- The worth of a key ----

/** The densities that come of keys of which `reusedAt` tells when each is used again (0: never). */
function learnt(accessClass: number, reusedAt: readonly number[], keyCount: number): HitDensity {
  const history = new ReuseHistory()
  const horizon = keyCount * 24
  let tick = 1
  for (let round = 0; round < 8; round++) {
    reusedAt.forEach((age, key) => {
      const hash = (round * 1000 + key) * 2_654_435
      history.accessed(hash, accessClass, tick)
      if (age > 0) history.accessed(hash, 7, tick + age)
    })
    tick += horizon + 1
    history.sweep(tick, horizon)
  }
  const densities = new HitDensity()
  densities.learn(history, keyCount, horizon, tick)
  return densities
}

test('where use is soon or never, worth falls with age', () => {
  const densities = learnt(
    0,
    [...Array(50).keys()].map((key) => (key % 2 === 0 ? 1 + (key % 10) : 0)),
    100,
  )
  assert.ok(densities.of(0, 2) > 3 * densities.of(0, 30))
  assert.ok(densities.of(0, 30) > densities.of(0, 10_000))
})

test('in a loop, worth rises until the turn comes', () => {
  const densities = learnt(1, Array(50).fill(1000), 500)
  assert.ok(densities.of(1, 900) > 5 * densities.of(1, 10))
  assert.ok(densities.of(1, 500) > densities.of(1, 10))
  assert.ok(densities.of(1, 4000) < densities.of(1, 900))
})

test('keys of a scan are worth less than keys of which nothing is known', () => {
  const densities = learnt(0, Array(200).fill(0), 100)
  assert.ok(densities.of(0, 5) < densities.of(3, 5))
})

// ---- Ghosts ----

test('evicted keys are remembered, the oldest forgotten first', () => {
  const ghosts = new Ghosts()
  ghosts.resize(1600)
  for (let key = 0; key < 5000; key++) ghosts.add(key * 40_503, key % 64)
  let recent = 0
  for (let key = 4000; key < 5000; key++) if (ghosts.take(key * 40_503) === key % 64) recent++
  assert.ok(recent > 900, String(recent))
  let old = 0
  for (let key = 0; key < 3000; key++) if (ghosts.take(key * 40_503) >= 0) old++
  assert.ok(old < 150, String(old))
})

test('what was taken is gone, and strangers are seldom taken for ghosts', () => {
  const ghosts = new Ghosts()
  assert.equal(ghosts.take(1), -1)
  ghosts.add(1, 5)
  assert.equal(ghosts.take(1), -1, 'without room')
  ghosts.resize(16_000)
  ghosts.add(1, 5)
  assert.equal(ghosts.take(1), 5)
  assert.equal(ghosts.take(1), -1)
  for (let key = 0; key < 16_000; key++) ghosts.add(key * 40_503, 1)
  let mistaken = 0
  for (let key = 100_000; key < 200_000; key++) if (ghosts.take(key * 40_503 + 1) >= 0) mistaken++
  assert.ok(mistaken < 400, String(mistaken))
})

// ---- Time ----

test('seconds are told from ticks, long ago less exactly', () => {
  const times = new TickTimes()
  assert.equal(times.timeOf(0, 99), 99)
  for (let second = 0; second < 10_000; second++) times.note(second * 50, second * 1000)
  assert.equal(times.timeOf(10_000 * 50, 123), 123)
  assert.equal(times.timeOf(9_999 * 50, 123), 9_999_000)
  for (const second of [10, 3000, 7000, 9000, 9900]) {
    const error = times.timeOf(second * 50, 123) - second * 1000
    assert.ok(error >= 0 && error <= (10_000 - second) * 100, `${second}: ${error} ms off`)
  }
})

test('OBJECT IDLETIME goes on under the adaptive policies', () => {
  const { store } = storeWith('allkeys-adaptive')
  const [database] = store.databases
  const idle = (name: string) => store.idleSeconds(database.peek(Buffer.from(name), 0, name.length))
  put(database, 'a')
  store.setNow(START_MS + 5000)
  put(database, 'b')
  store.setNow(START_MS + 65_000)
  assert.deepEqual([idle('a'), idle('b')], [65, 60])
  read(database, 'a')
  assert.deepEqual([idle('a'), idle('b')], [0, 60])
})

test('ticks take several accesses where there are very many keys, and a use within one tick is the same use', () => {
  let keyCount = 10
  const policy = new AdaptivePolicy(
    () => keyCount,
    (handle) => handle,
  )
  keyCount = 10_000_000
  let access = 0
  for (let count = 0; count < 3000; count++) access = policy.created(count, 1, 0)
  const tick = policy.tick
  for (let count = 0; count < 1600; count++) access = policy.accessed(access, 1)
  assert.equal(policy.tick, tick + 100)
  assert.ok((access & 63) <= 63)
})

// ---- Hit ratios ----

/** In [0, 1). */
function fractions(random: SeededRandom): () => number {
  return () => random.below(2 ** 30) / 2 ** 30
}

const workloads: Record<string, { keyCount: number; accesses(): number[]; gain: number }> = {
  'frequencies that stay (LFU is right)': {
    keyCount: 500,
    gain: 0,
    accesses: () => {
      const next = zipf(10_000, 1, fractions(new SeededRandom(2)))
      return Array.from({ length: 60_000 }, next)
    },
  },
  'popularity that drifts': {
    keyCount: 500,
    gain: 0.03,
    accesses: () => {
      const next = zipf(5000, 1, fractions(new SeededRandom(3)))
      return Array.from({ length: 60_000 }, (_, index) => next() + Math.floor(index / 20))
    },
  },
  'each key comes back once, soon (LRU is right)': {
    keyCount: 500,
    gain: -0.005,
    accesses: () =>
      Array.from({ length: 60_000 }, (_, index) => {
        const turn = Math.floor(index / 2)
        return index % 2 === 0 ? turn : Math.max(0, turn - 300)
      }),
  },
  'a loop that does not fit': {
    keyCount: 500,
    gain: 0.08,
    accesses: () => Array.from({ length: 60_000 }, (_, index) => index % 1500),
  },
  'scans between': {
    keyCount: 500,
    gain: 0.005,
    accesses: () => {
      const next = zipf(5000, 1, fractions(new SeededRandom(4)))
      return Array.from({ length: 60_000 }, (_, index) => (Math.floor(index / 2000) % 2 === 0 ? next() : 1e6 + index))
    },
  },
}

for (const [name, { keyCount, accesses, gain }] of Object.entries(workloads)) {
  test(`beats the better of LRU and LFU: ${name}`, () => {
    const ratioOf = (policy: PolicyName) => hitRatio(policy, keyCount, accesses())
    const better = Math.max(ratioOf('allkeys-lru'), ratioOf('allkeys-lfu'))
    const adaptive = ratioOf('allkeys-adaptive')
    assert.ok(adaptive >= better + gain, `${adaptive.toFixed(4)} against ${better.toFixed(4)}`)
  })
}
