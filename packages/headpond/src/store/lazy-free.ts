import type { Settings } from '../config/directives.ts'
import type { Dict } from '../memory/dict.ts'
import type { Handle } from '../memory/heap.ts'

/** Something large that nobody can reach any more, on its way back to the heap. */
export interface FreeJob {
  /** Elements (keys of a database, members of a value) that are not freed yet. 0: done. */
  readonly leftCount: number
  /** The elements are keys: each counts as an object. Otherwise the whole is one. */
  readonly holdsKeys?: boolean
  /** Frees some hundred elements. */
  freeSome(): void
}

/** The directives that say which deletions are meant to be freed in the background. */
export type LazyFreeSettings = Pick<Settings, 'lazyfreeLazyServerDel' | 'lazyfreeLazyExpire' | 'lazyfreeLazyEviction'>

/** The directives' defaults, for a store that stands alone. */
export const NOT_LAZY: LazyFreeSettings = {
  lazyfreeLazyServerDel: false,
  lazyfreeLazyExpire: false,
  lazyfreeLazyEviction: false,
}

/** Redis frees smaller values at once in any case. */
const COUNTED_ELEMENTS_MIN = 65

/** The job of freeing a dict with its elements. */
export function dismantling(dict: Dict, freeElement: (element: Handle) => void): FreeJob {
  return {
    get leftCount() {
      return dict.count
    },
    freeSome() {
      const leftCount = dict.count
      // Segments may be empty: go on until something is freed, and past those behind the last element.
      while (dict.dismantle(freeElement) && (dict.count === leftCount || dict.count === 0)) {}
    },
  }
}

/**
 * Gives memory back in slices. What is deleted is out of the clients' sight at once; freeing ten million records takes
 * seconds, and happens between commands, always. What Redis would have freed there and then is not counted: the counters
 * tell of what was asked to be freed in the background, by the command or by a directive.
 */
export class LazyFree {
  readonly settings: LazyFreeSettings
  readonly #jobs: FreeJob[] = []
  /** The jobs among them that count. */
  readonly #asked = new Set<FreeJob>()
  /** Keys and values that were asked to be freed this way, and are, since the start. */
  freedObjectCount = 0
  /** Whether what is being deleted is asked to be freed in the background; null leaves it to `lazyfree-lazy-server-del`. */
  asked: boolean | null = null

  constructor(settings: LazyFreeSettings) {
    this.settings = settings
  }

  get #isAsked(): boolean {
    return this.asked ?? this.settings.lazyfreeLazyServerDel
  }

  /** Elements that wait to be freed. */
  get pendingCount(): number {
    return this.#jobs.reduce((sum, job) => sum + job.leftCount, 0)
  }

  /** Keys and values that were asked to be freed and wait for it. */
  get pendingObjectCount(): number {
    let count = 0
    for (const job of this.#asked) count += objectCount(job)
    return count
  }

  add(job: FreeJob): void {
    // Even what is empty may hold memory.
    if (job.leftCount === 0) return job.freeSome()
    this.#jobs.push(job)
    if (this.#isAsked) this.#asked.add(job)
  }

  /** Frees a value at once when it has few elements, else in the background. */
  dispose(job: FreeJob, elementsAtOnceMax: number): void {
    const { leftCount } = job
    if (leftCount > elementsAtOnceMax) return this.add(job)
    if (leftCount >= COUNTED_ELEMENTS_MIN && this.#isAsked) this.freedObjectCount++
    do job.freeSome()
    while (job.leftCount > 0)
  }

  /** What is no key, so many of them, is being freed as a whole by those who own it. */
  freedElsewhere(count: number, isAsked: boolean): void {
    if (isAsked && count >= COUNTED_ELEMENTS_MIN) this.freedObjectCount += count
  }

  /** So many keys were freed by throwing away all that there is. */
  freedAtOnce(keyCount: number): void {
    if (this.#isAsked) this.freedObjectCount += keyCount
  }

  /** Frees until nothing is left or `isOutOfTime` says so, which is asked after every few hundred elements. Returns whether more is left. */
  run(isOutOfTime: () => boolean): boolean {
    // The values of a database's keys are freed with them: the keys alone count.
    const { asked } = this
    this.asked = false
    while (this.#jobs.length > 0) {
      const job = this.#jobs[0]
      const pendingCount = objectCount(job)
      job.freeSome()
      if (this.#asked.has(job)) this.freedObjectCount += pendingCount - objectCount(job)
      if (job.leftCount === 0) {
        this.#jobs.shift()
        this.#asked.delete(job)
      }
      if (isOutOfTime()) break
    }
    this.asked = asked
    return this.#jobs.length > 0
  }

  /** Frees everything that waits, however long it takes. */
  finish(): void {
    this.run(() => false)
  }

  /** Drops what waits: the whole heap is being reset. */
  forget(): void {
    for (const job of this.#asked) this.freedObjectCount += objectCount(job)
    this.#jobs.length = 0
    this.#asked.clear()
  }
}

function objectCount(job: FreeJob): number {
  return job.holdsKeys ? job.leftCount : Math.min(1, job.leftCount)
}
