import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Dict } from '#src/memory/dict.ts'
import { Heap, NONE } from '#src/memory/heap.ts'
import { SeededRandom } from '../seeded-random.ts'

/**
 * The dict beside a plain Map. Handles are numbers that nobody looks behind; `spread` is how many different hashes
 * there are, so that few mean many collisions.
 */
class Pair {
  readonly heap = new Heap(2 ** 17)
  readonly dict = new Dict(this.heap)
  readonly hashes = new Map<number, number>()
  readonly #random: SeededRandom
  readonly #spread: number
  #nextHandle = 1
  readonly #live: number[] = []

  constructor(random: SeededRandom, spread: number) {
    this.#random = random
    this.#spread = spread
  }

  get count(): number {
    return this.hashes.size
  }

  insert(): number {
    const handle = this.#nextHandle++
    // Spread over the whole range: neighbours in the table come from all over it.
    const hash = Math.imul(this.#random.below(this.#spread), 0x9e3779b1) >>> 0
    this.hashes.set(handle, hash)
    this.#live.push(handle)
    this.dict.insert(hash, handle)
    return handle
  }

  /** Removes any handle but those in `kept`; returns false when the one picked is kept. */
  remove(kept?: ReadonlySet<number>): boolean {
    const index = this.#random.below(this.#live.length)
    const handle = this.#live[index]
    if (kept?.has(handle)) return false
    this.dict.remove(this.hashes.get(handle)!, handle)
    this.hashes.delete(handle)
    this.#live[index] = this.#live[this.#live.length - 1]
    this.#live.pop()
    return true
  }

  replace(): void {
    const index = this.#random.below(this.#live.length)
    const handle = this.#live[index]
    const hash = this.hashes.get(handle)!
    const replacement = this.#nextHandle++
    this.dict.replace(hash, handle, replacement)
    this.hashes.delete(handle)
    this.hashes.set(replacement, hash)
    this.#live[index] = replacement
  }

  anyHandle(): number {
    return this.#live[this.#random.below(this.#live.length)]
  }

  has(hash: number, wanted: number): boolean {
    for (let handle = this.dict.find(hash, NONE); handle !== NONE; handle = this.dict.find(hash, handle)) {
      if (handle === wanted) return true
    }
    return false
  }
}

const spreads = fc.constantFrom(2 ** 32, 2 ** 16, 5000, 700)

test('it holds what a Map holds, through growth and shrinking', () => {
  fc.assert(
    fc.property(fc.nat(), spreads, fc.constantFrom(0, 3000, 20_000), (seed, spread, reservedCount) => {
      const random = new SeededRandom(seed)
      const pair = new Pair(random, spread)
      pair.dict.reserve(reservedCount)
      pair.dict.verify()
      for (let step = 0; step < 60_000; step++) {
        const isGrowing = step % 30_000 < 17_000
        const choice = random.below(20)
        if (pair.count === 0 || choice < (isGrowing ? 11 : 2)) pair.insert()
        else if (choice < 13) pair.remove()
        else if (choice < 15) pair.replace()
        else {
          const handle = pair.anyHandle()
          const hash = pair.hashes.get(handle)!
          assert.ok(pair.has(hash, handle))
          assert.ok(!pair.has(hash, handle + 0x4000_0000))
          assert.ok(!pair.has((hash ^ 0x8000_0001) >>> 0, handle))
        }
        if (step % 7500 === 0) pair.dict.verify()
      }
      pair.dict.verify()
      pair.heap.verify()
      assert.equal(pair.dict.count, pair.count)
      const seen = new Map<number, number>()
      pair.dict.forEach((handle, hash) => void seen.set(handle, hash))
      assert.deepEqual([...seen].sort(byHandle), [...pair.hashes].sort(byHandle))
      while (pair.count > 0) pair.remove()
      pair.dict.verify()
      pair.dict.clear()
      assert.equal(pair.heap.usedBytes, 0)
    }),
    { numRuns: 30 },
  )
})

test('a scan shows what is there all the time exactly once, however the table grows and shrinks meanwhile', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      spreads,
      fc.integer({ min: 0, max: 4000 }),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 0, max: 2000 }),
      (seed, spread, keptCount, countHint, changesPerCall) => {
        const random = new SeededRandom(seed)
        const pair = new Pair(random, spread)
        const kept = new Set(Array.from({ length: keptCount }, () => pair.insert()))
        for (let count = random.below(6000); count > 0; count--) pair.insert()
        const timesSeen = new Map<number, number>()
        let cursor = 0
        let calls = 0
        let hasGrown = random.once(2)
        do {
          const before = cursor
          cursor = pair.dict.scan(cursor, countHint, (handle) => {
            timesSeen.set(handle, (timesSeen.get(handle) ?? 0) + 1)
          })
          assert.ok(cursor === 0 || cursor > before, 'the cursor must go on')
          if (calls++ % 4 === 0) hasGrown = !hasGrown
          for (let count = calls < 200 ? changesPerCall : 0; count > 0; count--) {
            if (hasGrown || pair.count === kept.size) pair.insert()
            else pair.remove(kept)
          }
        } while (cursor !== 0)
        for (const handle of kept) assert.equal(timesSeen.get(handle), 1)
        for (const [handle, times] of timesSeen) assert.equal(times, 1, `${handle} was shown ${times} times`)
        pair.dict.verify()
      },
    ),
    { numRuns: 40 },
  )
})

test('elements may be removed and added from within a scan', () => {
  const pair = new Pair(new SeededRandom(1), 2 ** 32)
  for (let count = 0; count < 20_000; count++) pair.insert()
  let removedCount = 0
  let cursor = 0
  do {
    cursor = pair.dict.scan(cursor, 100, (handle, hash) => {
      pair.dict.remove(hash, handle)
      removedCount++
    })
  } while (cursor !== 0)
  assert.equal(removedCount, 20_000)
  assert.equal(pair.dict.count, 0)
  pair.dict.verify()
})

test('an element picked by chance is one of them, and each has its chance', () => {
  const pair = new Pair(new SeededRandom(2), 2 ** 32)
  assert.equal(pair.dict.random(Math.random), NONE)
  for (let count = 0; count < 3000; count++) pair.insert()
  const random = new SeededRandom(3)
  const seen = new Set<number>()
  for (let count = 0; count < 60_000; count++) seen.add(pair.dict.random(() => random.below(2 ** 30) / 2 ** 30))
  for (const handle of seen) assert.ok(pair.hashes.has(handle))
  assert.ok(seen.size > 2990, `${seen.size} of 3000 were picked`)
})

test('memory follows the number of elements, up and down', () => {
  const pair = new Pair(new SeededRandom(4), 2 ** 32)
  for (const count of [1, 10, 100, 1000, 10_000, 100_000, 10_000, 1000, 100, 10]) {
    while (pair.count < count) pair.insert()
    while (pair.count > count) pair.remove()
    pair.dict.verify()
    const bytesPerElement = pair.dict.sizeBytes / count
    if (count >= 10) assert.ok(bytesPerElement < 27, `${bytesPerElement} bytes an element at ${count}`)
  }
})

test('elements may come in the order of their hashes, upwards or downwards, and others between them later', () => {
  for (const spread of [2 ** 32, 700]) {
    for (const isUpwards of [true, false]) {
      const source = new Pair(new SeededRandom(6), spread)
      while (source.count < 20_000) source.insert()
      const hashes = [...source.hashes.values()].sort((a, b) => (isUpwards ? a - b : b - a))
      const heap = new Heap(2 ** 17)
      const copy = new Dict(heap)
      for (const [index, hash] of hashes.entries()) {
        copy.insert(hash, index + 1)
        if (index % 1000 === 0) copy.verify()
      }
      copy.verify()
      const seen: number[] = []
      let cursor = 0
      do cursor = copy.scan(cursor, 10, (_handle, hash) => seen.push(hash))
      while (cursor !== 0)
      assert.deepEqual(
        seen.sort((a, b) => a - b),
        hashes.sort((a, b) => a - b),
      )
      const random = new SeededRandom(7)
      for (let handle = 20_001; handle <= 60_000; handle++) copy.insert(random.below(2 ** 32), handle)
      copy.verify()
      assert.ok(copy.sizeBytes / copy.count < 27, `${copy.sizeBytes / copy.count} bytes an element`)
    }
  }
})

test('room made beforehand is enough, and no more than growth takes', () => {
  for (const count of [2500, 40_000, 100_000]) {
    const [grown, reserved] = [0, count].map((reservedCount) => {
      const pair = new Pair(new SeededRandom(1), 2 ** 32)
      pair.dict.reserve(reservedCount)
      const before = pair.dict.slotCount
      for (let index = 0; index < count; index++) pair.insert()
      pair.dict.verify()
      return { before, after: pair.dict.slotCount }
    })
    assert.ok(
      reserved.after <= reserved.before * 1.05,
      `${count}: it grew from ${reserved.before} to ${reserved.after}`,
    )
    assert.ok(reserved.after <= grown.after * 1.35, `${count}: ${reserved.after} slots, ${grown.after} by growth`)
  }
})

test('a table that is dismantled gives back all its memory, a segment at a time', () => {
  const pair = new Pair(new SeededRandom(5), 2 ** 32)
  for (let count = 0; count < 50_000; count++) pair.insert()
  let mostAtOnce = 0
  for (let hasMore = true; hasMore; ) {
    let visitedCount = 0
    hasMore = pair.dict.dismantle((handle) => {
      assert.ok(pair.hashes.delete(handle))
      visitedCount++
    })
    assert.equal(pair.dict.count, pair.hashes.size)
    mostAtOnce = Math.max(mostAtOnce, visitedCount)
  }
  assert.equal(pair.dict.count, 0)
  assert.ok(mostAtOnce < 2048)
  assert.equal(pair.heap.usedBytes, 0)
})

function byHandle([first]: [number, number], [second]: [number, number]): number {
  return first - second
}
