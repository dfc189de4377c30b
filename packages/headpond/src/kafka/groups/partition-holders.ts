import type { Standing } from './reconciliation.ts'

/** Which member holds each partition: reads it, or has not said that it stopped. */
export class PartitionHolders {
  /** By topic id and partition. */
  readonly #holders = new Map<string, Map<number, string>>()

  isHeld(topicId: string, partition: number): boolean {
    return this.#holders.get(topicId)?.has(partition) === true
  }

  /** A member goes on from one standing to the next. What somebody else holds by now stays theirs. */
  change(memberId: string, before: Standing, after: Standing): void {
    for (const held of [before.assigned, before.pendingRevocation]) {
      for (const [topicId, partitions] of held) {
        const holders = this.#holders.get(topicId)
        for (const partition of partitions) {
          if (holders?.get(partition) === memberId) holders.delete(partition)
        }
      }
    }
    for (const held of [after.assigned, after.pendingRevocation]) {
      for (const [topicId, partitions] of held) {
        const holders = this.#holders.get(topicId) ?? new Map<number, string>()
        this.#holders.set(topicId, holders)
        for (const partition of partitions) holders.set(partition, memberId)
      }
    }
  }
}
