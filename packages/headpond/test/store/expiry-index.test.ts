import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Handle, Heap } from '#src/memory/heap.ts'
import { ExpiryIndex } from '#src/store/expiry-index.ts'
import { SeededRandom } from '../seeded-random.ts'

const START_MS = 1_700_000_000_000
const YEAR_MS = 365 * 86_400_000

/** Things that expire, as the index sees them: handles with a time and a slot. */
class Expiring {
  readonly heap = new Heap(2 ** 17)
  readonly times = new Map<Handle, number>()
  readonly #slots = new Map<Handle, number>()
  readonly index = new ExpiryIndex(this.heap, {
    expireAtMs: (handle) => this.times.get(handle)!,
    expirySlot: (handle) => this.#slots.get(handle)!,
    setExpirySlot: (handle, slot) => void this.#slots.set(handle, slot),
  })

  add(handle: Handle, expireAtMs: number): void {
    this.times.set(handle, expireAtMs)
    this.index.add(handle)
  }

  remove(handle: Handle): void {
    this.index.remove(handle)
    this.times.delete(handle)
    this.#slots.delete(handle)
  }

  /** Takes out all that is due, some at a time, and returns it. */
  collect(nowMs: number, entryCountMax: number, expireCountMax: number): Handle[] {
    const due: Handle[] = []
    this.index.rewind()
    let lookedLeft = this.index.count
    while (lookedLeft > 0) {
      const { looked, expired } = this.index.collectDue(nowMs, entryCountMax, expireCountMax, (handle) => {
        due.push(handle)
        this.remove(handle)
      })
      assert.ok(expired <= expireCountMax)
      lookedLeft -= looked + expired
    }
    return due
  }
}

/** From what has passed already to what no 32 bits of ticks reach. */
function randomTime(random: SeededRandom, nowMs: number): number {
  const kind = random.below(10)
  if (kind === 0) return nowMs - random.below(100_000)
  if (kind === 1) return nowMs + random.below(20) * YEAR_MS
  if (kind < 6) return nowMs + random.below(1000)
  return nowMs + random.below(10_000_000)
}

test('a round finds exactly what is due, in whatever steps it goes', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 500 }),
      (seed, entriesPerStep, expiredPerStep) => {
        const random = new SeededRandom(seed)
        const expiring = new Expiring()
        const live: Handle[] = []
        let nextHandle = 1
        let nowMs = START_MS
        for (let round = 0; round < 12; round++) {
          const addedCount = random.below(4000)
          for (let count = 0; count < addedCount; count++) {
            expiring.add(nextHandle, randomTime(random, nowMs))
            live.push(nextHandle++)
          }
          for (let count = random.below(2000); count > 0 && live.length > 0; count--) {
            const index = random.below(live.length)
            const handle = live[index]
            if (random.once(2)) {
              expiring.remove(handle)
              live[index] = live[live.length - 1]
              live.pop()
            } else {
              expiring.remove(handle)
              expiring.add(handle, randomTime(random, nowMs))
            }
          }
          nowMs += random.once(6) ? random.below(10) * YEAR_MS : random.below(1_000_000)
          const expected = live.filter((handle) => expiring.times.get(handle)! <= nowMs)
          const due = expiring.collect(nowMs, entriesPerStep, expiredPerStep)
          assert.deepEqual(due.sort(ascending), expected.sort(ascending))
          const gone = new Set(due)
          live.splice(0, live.length, ...live.filter((handle) => !gone.has(handle)))
          assert.equal(expiring.index.count, live.length)
          if (live.length > 0) assert.ok(live.includes(expiring.index.random(() => random.below(1000) / 1000)))
        }
        for (const handle of live) expiring.remove(handle)
        assert.equal(expiring.index.count, 0)
        assert.equal(expiring.heap.usedBytes, 0)
      },
    ),
    { numRuns: 20 },
  )
})

test('one call that looks at everything is exact wherever the last one stopped', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 10_000 }),
      (seed, many, stop) => {
        const random = new SeededRandom(seed)
        const expiring = new Expiring()
        for (let handle = 1; handle <= many; handle++) expiring.add(handle, START_MS + random.below(10_000))
        expiring.index.collectDue(START_MS + 2000, many, stop, (handle) => expiring.remove(handle))
        const nowMs = START_MS + 5000
        expiring.index.collectDue(nowMs, expiring.index.count, many, (handle) => expiring.remove(handle))
        for (const expireAtMs of expiring.times.values()) assert.ok(expireAtMs > nowMs)
      },
    ),
  )
})

test('a clock that goes back expires nothing early', () => {
  const expiring = new Expiring()
  expiring.add(1, START_MS)
  expiring.add(2, START_MS - YEAR_MS)
  assert.deepEqual(expiring.collect(START_MS - 2 * YEAR_MS, 100, 100), [])
  assert.deepEqual(expiring.collect(START_MS - YEAR_MS, 100, 100), [2])
  assert.deepEqual(expiring.collect(START_MS - 1, 100, 100), [])
  assert.deepEqual(expiring.collect(START_MS, 100, 100), [1])
})

test('the mean time to live is of those that are left', () => {
  const expiring = new Expiring()
  assert.equal(expiring.index.averageTtlMs(START_MS), 0)
  expiring.add(1, START_MS + 1000)
  expiring.add(2, START_MS + 3000)
  assert.equal(expiring.index.averageTtlMs(START_MS), 2000)
  expiring.remove(1)
  assert.equal(expiring.index.averageTtlMs(START_MS), 3000)
  assert.equal(expiring.index.averageTtlMs(START_MS + 9000), 0)
})

function ascending(first: number, second: number): number {
  return first - second
}
