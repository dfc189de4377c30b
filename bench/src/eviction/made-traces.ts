// Loads of one kind each, made by chance from a seed: what a policy does well or badly shows more plainly than in
// recorded ones, and whoever tunes to the recorded ones alone sees it here.

import { zipf } from 'headpond/test/zipf.ts'
import type { Trace } from './traces.ts'

const ACCESS_COUNT = 400_000

/** Mulberry32: numbers in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** How far back a reuse reaches: mostly little, sometimes very far. */
function pareto(shape: number, random: () => number): number {
  return Math.floor((1 - random()) ** (-1 / shape))
}

const makers: Record<string, { sizes: readonly number[]; make(): Iterable<number> }> = {
  zipf: {
    sizes: [500, 2000, 8000],
    make: () => {
      const next = zipf(40_000, 0.9, randomFrom(1))
      return Array.from({ length: ACCESS_COUNT }, next)
    },
  },
  // What is popular moves on, slowly.
  drift: {
    sizes: [500, 2000, 8000],
    make: () => {
      const next = zipf(30_000, 1, randomFrom(2))
      return Array.from({ length: ACCESS_COUNT }, (_, index) => next() + Math.floor(index / 40))
    },
  },
  // What is popular changes all at once, three times.
  shift: {
    sizes: [400, 1500, 6000],
    make: () => {
      const keyCount = 20_000
      const next = zipf(keyCount, 0.9, randomFrom(3))
      const phaseAt = (index: number) => Math.floor((index * 4) / ACCESS_COUNT)
      return Array.from({ length: ACCESS_COUNT }, (_, index) => (next() * 7919 + phaseAt(index) * 4001) % keyCount)
    },
  },
  // Four loops of different lengths, taking turns.
  loops: {
    sizes: [2000, 5000, 12_000],
    *make() {
      const random = randomFrom(4)
      const lengths = [800, 3000, 6000, 12_000]
      const positions = [0, 0, 0, 0]
      for (let count = 0; count < ACCESS_COUNT; ) {
        const loop = Math.floor(random() * lengths.length)
        for (let left = 100 + Math.floor(random() * 700); left > 0; left--, count++) {
          yield loop * 100_000 + positions[loop]
          positions[loop] = (positions[loop] + 1) % lengths[loop]
        }
      }
    },
  },
  // Each key comes back once, after a time that varies, or never.
  once: {
    sizes: [1000, 2500, 8000],
    *make() {
      const random = randomFrom(5)
      const due = new Map<number, number[]>()
      for (let key = 0, count = 0; count < ACCESS_COUNT; key++) {
        for (const back of due.get(key) ?? []) {
          yield back
          count++
        }
        due.delete(key)
        yield key
        count++
        if (random() < 0.4) continue
        const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
        const at = key + 1 + Math.floor(Math.exp(6.5 + normal))
        due.set(at, [...(due.get(at) ?? []), key])
      }
    },
  },
  // What was used lately is used again: LRU's own load.
  recency: {
    sizes: [1000, 4000, 16_000],
    make: () => {
      const random = randomFrom(6)
      const keys: number[] = []
      let newest = 0
      while (keys.length < ACCESS_COUNT) {
        const distance = random() < 0.35 ? 0 : pareto(0.35, random)
        keys.push(distance === 0 || distance > keys.length ? newest++ : keys[keys.length - distance])
      }
      return keys
    },
  },
  // A database: some rows are hot, some come back soon, some come once, and now and then a table is scanned.
  database: {
    sizes: [2000, 6000, 20_000],
    make: () => {
      const random = randomFrom(7)
      const next = zipf(60_000, 0.8, random)
      const keys: number[] = []
      const chosen: number[] = []
      let fresh = 10_000_000
      while (keys.length < ACCESS_COUNT) {
        const kind = random()
        if (kind < 0.55) {
          chosen.push(next())
          keys.push(chosen[chosen.length - 1])
        } else if (kind < 0.85 && chosen.length > 0) {
          keys.push(chosen[chosen.length - Math.min(pareto(0.6, random), chosen.length)])
        } else {
          const scanned = kind < 0.8505 ? 1000 + Math.floor(random() * 7000) : 1
          for (let left = scanned; left > 0; left--) keys.push(fresh++)
        }
      }
      return keys
    },
  },
  // One kind after the other, twice.
  phases: {
    sizes: [1500, 4000, 10_000],
    *make() {
      const next = zipf(30_000, 0.9, randomFrom(8))
      const length = ACCESS_COUNT / 8
      for (let phase = 0; phase < 8; phase++) {
        const base = phase * 10_000_000
        for (let index = 0; index < length; index++) {
          if (phase % 4 === 0) yield next()
          else if (phase % 4 === 1) yield 1_000_000 + (index % 9000)
          else if (phase % 4 === 2) yield base + (index % 2 === 0 ? index : Math.max(0, index - 2001))
          else yield next() + Math.floor(index / 30)
        }
      }
    },
  },
}

export const madeTraces: readonly Trace[] = Object.entries(makers).map(([name, { sizes, make }]) => ({
  name,
  sizes,
  load: () => Int32Array.from(make()),
}))
