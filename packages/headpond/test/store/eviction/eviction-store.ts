import type { Database } from '#src/store/database.ts'
import type { EvictionSettings } from '#src/store/eviction/eviction.ts'
import { Store } from '#src/store/store.ts'
import { SeededRandom } from '../../seeded-random.ts'

export const START_MS = 1_700_000_000_000

export type PolicyName = EvictionSettings['maxmemoryPolicy']

export const POLICIES: readonly PolicyName[] = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'volatile-adaptive',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'allkeys-fifo',
  'allkeys-adaptive',
  'noeviction',
]

type Changeable<T> = { -readonly [K in keyof T]: T[K] }

/** A store with a policy, its limit still to be set; memory is the heap's and the key tables'. */
export function storeWith(
  policy: PolicyName,
  options: { databaseCount?: number; seed?: number } = {},
): { store: Store; settings: Changeable<EvictionSettings> } {
  const random = new SeededRandom(options.seed ?? 1)
  const settings = {
    maxmemory: 0,
    maxmemoryPolicy: policy,
    maxmemorySamples: 5,
    lfuLogFactor: 10,
    lfuDecayTime: 1,
    lazyfreeLazyEviction: false,
  }
  const store = new Store({
    databaseCount: options.databaseCount ?? 1,
    firstArenaBytes: 2 ** 24,
    random: () => random.below(2 ** 30) / 2 ** 30,
    eviction: settings,
  })
  store.eviction.otherBytes = () =>
    store.databases.reduce((sum, { dict }) => sum + dict.directoryBytes, store.eviction.sizeBytes)
  store.setNow(START_MS)
  return { store, settings }
}

export const NO_HURRY = () => false

export function put(database: Database, name: string, sizeBytes = 20, expireAtMs = 0): void {
  const key = Buffer.from(name)
  database.putString(key, 0, key.length, Buffer.alloc(sizeBytes), 0, sizeBytes, expireAtMs)
}

/** Whether a key is there, which counts as a use of it. */
export function read(database: Database, name: string): boolean {
  const key = Buffer.from(name)
  return database.read(key, 0, key.length) !== 0
}

export function has(database: Database, name: string): boolean {
  const key = Buffer.from(name)
  return database.peek(key, 0, key.length) !== 0
}

/**
 * Replays accesses against a cache that holds so many keys: each is a read, and after a miss a write. Returns the share
 * of reads that hit. The limit is what a store with the same policy takes that holds this number of keys.
 */
export function hitRatio(policy: PolicyName, keyCount: number, accesses: Iterable<number>, perSecond = 10_000): number {
  const nameOf = (key: number) => `key:${String(key).padStart(12, '0')}`
  const filled = storeWith(policy).store
  for (let key = 0; key < keyCount; key++) put(filled.databases[0], nameOf(1e9 + key))
  const { store, settings } = storeWith(policy)
  settings.maxmemory = filled.heap.usedBytes + filled.eviction.otherBytes()
  const [database] = store.databases
  let hitCount = 0
  let count = 0
  for (const key of accesses) {
    store.setNow(START_MS + Math.floor((count++ * 1000) / perSecond))
    if (store.eviction.isOver) store.eviction.makeRoom(NO_HURRY)
    const name = nameOf(key)
    if (read(database, name)) hitCount++
    else put(database, name)
  }
  return hitCount / count
}
