/** The last `capacity` of what was added, the oldest first. */
export class LatestList<T> {
  readonly #capacity: number
  #items: T[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** O(1) amortized. */
  add(item: T): void {
    this.#items.push(item)
    // Cut in large steps: taking the first element away each time would move all others.
    if (this.#items.length >= this.#capacity * 2) this.#items = this.#items.slice(-this.#capacity)
  }

  /** A copy. O(capacity). */
  toArray(): T[] {
    return this.#items.slice(-this.#capacity)
  }

  clear(): void {
    this.#items = []
  }
}
