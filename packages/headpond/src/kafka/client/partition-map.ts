/** Values by topic and partition, in the order in which they came. */
export class PartitionMap<T> {
  readonly #topics = new Map<string, Map<number, T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get topics(): Iterable<string> {
    return this.#topics.keys()
  }

  get(topic: string, partition: number): T | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  has(topic: string, partition: number): boolean {
    return this.#topics.get(topic)?.has(partition) === true
  }

  set(topic: string, partition: number, value: T): void {
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(topic, partitions)
    }
    if (!partitions.has(partition)) this.#size++
    partitions.set(partition, value)
  }

  delete(topic: string, partition: number): void {
    if (this.#topics.get(topic)?.delete(partition) === true) this.#size--
  }

  /** The partitions of a topic. */
  of(topic: string): ReadonlyMap<number, T> {
    return this.#topics.get(topic) ?? new Map()
  }

  *entries(): IterableIterator<{ topic: string; partition: number; value: T }> {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, value] of partitions) yield { topic, partition, value }
    }
  }

  [Symbol.iterator](): IterableIterator<{ topic: string; partition: number; value: T }> {
    return this.entries()
  }
}
