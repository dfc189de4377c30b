/** How far a group has read a partition. */
export interface CommittedOffset {
  /** The next one that it reads. */
  readonly offset: bigint
  /** -1: the client did not say. */
  readonly leaderEpoch: number
  /** The client's own. */
  readonly metadata: string
  readonly commitTimestampMs: number
  /** -1: by the broker's retention. Only old clients say how long they want it kept. */
  readonly expireTimestampMs: number
  /** Where it stands in `__consumer_offsets`: of two commits the later one counts, whichever was decided later. */
  readonly recordOffset: number
}

type Visit = (topic: string, partition: number, committed: CommittedOffset) => void

/** Offsets by topic and partition. */
class OffsetTable {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>()

  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  set(topic: string, partition: number, committed: CommittedOffset): void {
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) this.#topics.set(topic, (partitions = new Map()))
    partitions.set(partition, committed)
  }

  delete(topic: string, partition: number): boolean {
    const partitions = this.#topics.get(topic)
    if (partitions?.delete(partition) !== true) return false
    if (partitions.size === 0) this.#topics.delete(topic)
    return true
  }

  partitionsOf(topic: string): readonly number[] {
    return [...(this.#topics.get(topic)?.keys() ?? [])]
  }

  get topics(): readonly string[] {
    return [...this.#topics.keys()]
  }

  forEach(visit: Visit): void {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, committed] of partitions) visit(topic, partition, committed)
    }
  }
}

/**
 * The committed offsets of all groups, and those that transactions have not decided on. It holds what
 * `__consumer_offsets` says; whoever changes it has written that first.
 */
export class CommittedOffsets {
  readonly #groups = new Map<string, OffsetTable>()
  /** By producer, then by group. */
  readonly #pending = new Map<number, Map<string, OffsetTable>>()

  /** Groups that have an offset, committed or pending. */
  get groupIds(): readonly string[] {
    const groupIds = new Set(this.#groups.keys())
    for (const groups of this.#pending.values()) for (const groupId of groups.keys()) groupIds.add(groupId)
    return [...groupIds]
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(groupId)?.get(topic, partition)
  }

  set(groupId: string, topic: string, partition: number, committed: CommittedOffset): void {
    tableOf(this.#groups, groupId).set(topic, partition, committed)
  }

  /** Also what transactions would make of it: a group that is deleted does not come back with the next marker. */
  delete(groupId: string, topic: string, partition: number): void {
    const table = this.#groups.get(groupId)
    if (table !== undefined) {
      table.delete(topic, partition)
      if (table.isEmpty) this.#groups.delete(groupId)
    }
    for (const [producerId, groups] of this.#pending) {
      const pending = groups.get(groupId)
      if (pending === undefined) continue
      pending.delete(topic, partition)
      if (pending.isEmpty) groups.delete(groupId)
      if (groups.size === 0) this.#pending.delete(producerId)
    }
  }

  /** Something of the group is known, committed or pending. */
  has(groupId: string): boolean {
    if (this.#groups.has(groupId)) return true
    for (const groups of this.#pending.values()) if (groups.has(groupId)) return true
    return false
  }

  forEach(groupId: string, visit: Visit): void {
    this.#groups.get(groupId)?.forEach(visit)
  }

  topicsOf(groupId: string): readonly string[] {
    return this.#groups.get(groupId)?.topics ?? []
  }

  /** All partitions of a topic with an offset, committed or pending. */
  partitionsOf(groupId: string, topic: string): readonly number[] {
    const partitions = new Set(this.#groups.get(groupId)?.partitionsOf(topic))
    for (const groups of this.#pending.values()) {
      for (const partition of groups.get(groupId)?.partitionsOf(topic) ?? []) partitions.add(partition)
    }
    return [...partitions]
  }

  // ---- Transactions ----

  /** Counts when the producer's transaction commits. */
  setPending(producerId: number, groupId: string, topic: string, partition: number, committed: CommittedOffset): void {
    let groups = this.#pending.get(producerId)
    if (groups === undefined) this.#pending.set(producerId, (groups = new Map()))
    tableOf(groups, groupId).set(topic, partition, committed)
  }

  isPending(groupId: string, topic: string, partition: number): boolean {
    for (const groups of this.#pending.values()) {
      if (groups.get(groupId)?.get(topic, partition) !== undefined) return true
    }
    return false
  }

  hasPending(groupId: string): boolean {
    for (const groups of this.#pending.values()) if (groups.has(groupId)) return true
    return false
  }

  /**
   * A transaction has ended, as far as the groups are concerned that `isOf` tells: those whose partition has the marker.
   * Returns the groups whose offsets have changed.
   */
  endTransaction(producerId: number, isCommitted: boolean, isOf: (groupId: string) => boolean): string[] {
    const groups = this.#pending.get(producerId)
    if (groups === undefined) return []
    const changed: string[] = []
    for (const [groupId, pending] of groups) {
      if (!isOf(groupId)) continue
      groups.delete(groupId)
      changed.push(groupId)
      if (!isCommitted) continue
      pending.forEach((topic, partition, committed) => {
        const current = this.get(groupId, topic, partition)
        if (current === undefined || current.recordOffset < committed.recordOffset) {
          this.set(groupId, topic, partition, committed)
        }
      })
    }
    if (groups.size === 0) this.#pending.delete(producerId)
    return changed
  }

  clear(): void {
    this.#groups.clear()
    this.#pending.clear()
  }
}

function tableOf(groups: Map<string, OffsetTable>, groupId: string): OffsetTable {
  let table = groups.get(groupId)
  if (table === undefined) groups.set(groupId, (table = new OffsetTable()))
  return table
}
