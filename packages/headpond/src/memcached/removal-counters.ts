import type { Handle } from '../memory/heap.ts'
import { itemState } from '../store/item.ts'
import type { Items } from './items.ts'

/** What became of items of one class that nobody deleted. */
export interface ClassRemovals {
  evictedCount: number
  /** Of those, items that would have expired some day. */
  evictedExpiringCount: number
  /** Of those, items that nobody had asked for. */
  evictedUnfetchedCount: number
  /** For how long nobody had used the last one. */
  evictedIdleSeconds: number
  expiredCount: number
  expiredUnfetchedCount: number
  /** Of those that expired, items that went before anybody looked for them: memcached has a crawler for this. */
  crawledCount: number
}

/** Evictions and expiries, by the size class that an item has in memcached: `stats items`. */
export class RemovalCounters {
  readonly #items: Items
  #byClass: ClassRemovals[] = []

  constructor(items: Items) {
    this.#items = items
  }

  of(sizeClass: number): Readonly<ClassRemovals> {
    return this.#byClass[sizeClass] ?? noRemovals()
  }

  /** Classes of which items have gone so. */
  get classes(): number[] {
    return Object.keys(this.#byClass).map(Number)
  }

  total(name: keyof ClassRemovals): number {
    return this.#byClass.reduce((sum, counts) => sum + counts[name], 0)
  }

  /** hot: once for each item that is about to be evicted. */
  countEvicted(handle: Handle): void {
    const counts = this.#countsOf(handle)
    counts.evictedCount++
    if (this.#items.store.records.hasExpiry(handle)) counts.evictedExpiringCount++
    if (!this.#isFetched(handle)) counts.evictedUnfetchedCount++
    counts.evictedIdleSeconds = this.#items.idleSeconds(handle)
  }

  /** hot: once for each item that is about to go because its time has come. */
  countExpired(handle: Handle, isUnasked: boolean): void {
    const counts = this.#countsOf(handle)
    counts.expiredCount++
    if (isUnasked) counts.crawledCount++
    if (!this.#isFetched(handle)) counts.expiredUnfetchedCount++
  }

  reset(): void {
    this.#byClass = []
  }

  #countsOf(handle: Handle): ClassRemovals {
    return (this.#byClass[this.#items.classOf(handle)] ??= noRemovals())
  }

  #isFetched(handle: Handle): boolean {
    return (this.#items.stateOf(handle) & itemState.FETCHED) !== 0
  }
}

function noRemovals(): ClassRemovals {
  return {
    evictedCount: 0,
    evictedExpiringCount: 0,
    evictedUnfetchedCount: 0,
    evictedIdleSeconds: 0,
    expiredCount: 0,
    expiredUnfetchedCount: 0,
    crawledCount: 0,
  }
}
