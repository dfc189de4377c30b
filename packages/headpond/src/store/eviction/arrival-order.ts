import type { AccessMarker } from '../access.ts'

/** Under `allkeys-fifo` the access word of a record is the number of its arrival, modulo 2^32; use does not change it. */
export class ArrivalOrder implements AccessMarker {
  #arrivalCount = 0

  accessed(access: number): number {
    return access
  }

  created(): number {
    this.#arrivalCount = (this.#arrivalCount + 1) >>> 0
    return this.#arrivalCount
  }

  secondPassed(): void {}

  /** How many keys arrived after the one with this word. */
  arrivedSince(access: number): number {
    return (this.#arrivalCount - access) >>> 0
  }
}
