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
 * seconds, and happens between commands.
 */
export class LazyFree {
  readonly #jobs: FreeJob[] = []
  /** Keys and values freed this way since the start. */
  freedObjectCount = 0

  /** Elements that wait to be freed. */
  get pendingCount(): number {
    return this.#jobs.reduce((sum, job) => sum + job.leftCount, 0)
  }

  /** Keys and values that wait to be freed. */
  get pendingObjectCount(): number {
    return this.#jobs.reduce((sum, job) => sum + objectCount(job), 0)
  }

  add(job: FreeJob): void {
    if (job.leftCount > 0) this.#jobs.push(job)
    // Even what is empty may hold memory.
    else job.freeSome()
  }

  /** Frees until nothing is left or `isOutOfTime` says so, which is asked after every few hundred elements. Returns whether more is left. */
  run(isOutOfTime: () => boolean): boolean {
    while (this.#jobs.length > 0) {
      const job = this.#jobs[0]
      const pendingCount = objectCount(job)
      job.freeSome()
      this.freedObjectCount += pendingCount - objectCount(job)
      if (job.leftCount === 0) this.#jobs.shift()
      if (isOutOfTime()) break
    }
    return this.#jobs.length > 0
  }

  /** Frees everything that waits, however long it takes. */
  finish(): void {
    this.run(() => false)
  }

  /** Drops what waits: the whole heap is being reset. */
  forget(): void {
    this.#jobs.length = 0
  }
}

function objectCount(job: FreeJob): number {
  return job.holdsKeys ? job.leftCount : Math.min(1, job.leftCount)
}
