import { type Handle, NONE } from '../../memory/heap.ts'

/** Redis's number. */
const CANDIDATES_MAX = 16

/**
 * The best victims seen so far. Samples are small; what they brought up and did not go stays for the next time, so that
 * a few keys looked at for each eviction choose nearly as well as all keys would.
 *
 * A candidate is a note, not a reference: by the time it is chosen its key may have been used, deleted or moved. Whoever
 * takes it looks whether the table still has the handle under the hash, and whether the mark is the same.
 */
export class Candidates {
  #count = 0
  readonly databases = new Int32Array(CANDIDATES_MAX)
  readonly hashes = new Int32Array(CANDIDATES_MAX)
  readonly handles = new Uint32Array(CANDIDATES_MAX)
  readonly marks = new Float64Array(CANDIDATES_MAX)
  /** By what a rank is multiplied, for the size of the key. */
  readonly weights = new Float64Array(CANDIDATES_MAX)
  /** Including the weight. */
  readonly ranks = new Float64Array(CANDIDATES_MAX)

  get count(): number {
    return this.#count
  }

  clear(): void {
    this.#count = 0
  }

  /** Takes a key in, if it ranks lower than one of those that are there or there is room. O(candidates). */
  offer(database: number, hash: number, handle: Handle, mark: number, weight: number, rank: number): void {
    let place = this.#placeOf(database, handle)
    if (place < 0) {
      if (this.#count < CANDIDATES_MAX) {
        place = this.#count++
      } else {
        place = 0
        for (let index = 1; index < CANDIDATES_MAX; index++) if (this.ranks[index] > this.ranks[place]) place = index
        if (rank >= this.ranks[place]) return
      }
    }
    this.databases[place] = database
    this.hashes[place] = hash
    this.handles[place] = handle
    this.marks[place] = mark
    this.weights[place] = weight
    this.ranks[place] = rank
  }

  /** The place of the candidate that ranks lowest, the one found last among equals; -1 when there is none. */
  lowest(): number {
    let lowest = this.#count - 1
    for (let index = lowest - 1; index >= 0; index--) if (this.ranks[index] < this.ranks[lowest]) lowest = index
    return lowest
  }

  remove(place: number): void {
    const last = --this.#count
    this.databases[place] = this.databases[last]
    this.hashes[place] = this.hashes[last]
    this.handles[place] = this.handles[last]
    this.marks[place] = this.marks[last]
    this.weights[place] = this.weights[last]
    this.ranks[place] = this.ranks[last]
    this.handles[last] = NONE
  }

  #placeOf(database: number, handle: Handle): number {
    for (let index = 0; index < this.#count; index++) {
      if (this.handles[index] === handle && this.databases[index] === database) return index
    }
    return -1
  }
}
