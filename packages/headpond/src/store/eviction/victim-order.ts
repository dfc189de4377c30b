import type { Handle } from '../../memory/heap.ts'
import type { AccessFrequency } from '../access.ts'
import { ACCESS_CLOCK_RANGE, idleSeconds } from '../access.ts'
import type { Store } from '../store.ts'
import type { AdaptivePolicy } from './adaptive-policy.ts'
import type { ArrivalOrder } from './arrival-order.ts'

/** In which order keys go: what a policy is, beside which keys it may touch. */
export interface VictimOrder {
  /** Keys looked at for each one evicted, by default; null: as many as `maxmemory-samples` says. */
  readonly sampleCount: number | null
  /** What a record says of itself that decides: while it is the same, a candidate is what it was when it was found. */
  markOf(handle: Handle): number
  /** The candidate of the lowest rank goes first. O(1), from the mark alone. */
  rankOf(mark: number): number
  /** Ranks change with time: a candidate's is asked for anew each time. */
  readonly ranksDrift: boolean
  /** A key is worth less the more memory it takes. */
  readonly weighsSize: boolean
}

/** Least recently used: by the second of the last access, as in Redis. */
export class LruOrder implements VictimOrder {
  readonly sampleCount = null
  readonly ranksDrift = false
  readonly weighsSize = false
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  markOf(handle: Handle): number {
    return this.#store.records.access(handle) % ACCESS_CLOCK_RANGE
  }

  rankOf(mark: number): number {
    return this.#store.nowSeconds - idleSeconds(mark, this.#store.accessClock)
  }
}

/** Least frequently used: by Redis's logarithmic counter, which time takes back. */
export class LfuOrder implements VictimOrder {
  readonly sampleCount = null
  readonly ranksDrift = false
  readonly weighsSize = false
  readonly #store: Store
  readonly #frequency: AccessFrequency

  constructor(store: Store, frequency: AccessFrequency) {
    this.#store = store
    this.#frequency = frequency
  }

  markOf(handle: Handle): number {
    return this.#store.records.access(handle)
  }

  rankOf(mark: number): number {
    return this.#frequency.counter(mark, this.#store.nowMs)
  }
}

/** Nearest to its expiry. */
export class TtlOrder implements VictimOrder {
  readonly sampleCount = null
  readonly ranksDrift = false
  readonly weighsSize = false
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  markOf(handle: Handle): number {
    return this.#store.records.expireAtMs(handle)
  }

  rankOf(mark: number): number {
    return mark
  }
}

/** First in, first out. */
export class FifoOrder implements VictimOrder {
  readonly sampleCount = null
  readonly ranksDrift = false
  readonly weighsSize = false
  readonly #store: Store
  readonly #arrivals: ArrivalOrder

  constructor(store: Store, arrivals: ArrivalOrder) {
    this.#store = store
    this.#arrivals = arrivals
  }

  markOf(handle: Handle): number {
    return this.#store.records.access(handle)
  }

  rankOf(mark: number): number {
    return -this.#arrivals.arrivedSince(mark)
  }
}

/** Half as many would cost one hit of a hundred on some workloads; twice as many gain little. */
const ADAPTIVE_SAMPLES = 16

/** Fewest hits to be expected: see AdaptivePolicy. */
export class AdaptiveOrder implements VictimOrder {
  readonly sampleCount = ADAPTIVE_SAMPLES
  readonly ranksDrift = true
  readonly weighsSize = true
  readonly #store: Store
  readonly #policy: AdaptivePolicy

  constructor(store: Store, policy: AdaptivePolicy) {
    this.#store = store
    this.#policy = policy
  }

  markOf(handle: Handle): number {
    return this.#store.records.access(handle)
  }

  rankOf(mark: number): number {
    return this.#policy.density(mark)
  }
}
