import { type Assignment, filterAssignment, NOTHING_ASSIGNED } from './assignment.ts'

/**
 * Who is to read what, in groups of the new protocol. Every partition of every topic goes to one of the members that
 * subscribe to it. Equal questions have equal answers: members count in the order of their names.
 */
export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly topicIds: ReadonlySet<string>
}

export interface AssignorInput {
  readonly members: readonly AssignorMember[]
  /** Of every topic that somebody subscribes to. */
  readonly partitionCounts: ReadonlyMap<string, number>
  /** What was decided last. */
  readonly current: ReadonlyMap<string, Assignment>
}

export type Assignor = (input: AssignorInput) => Map<string, Assignment>

type Draft = Map<string, Map<string, Set<number>>>

/**
 * Balanced, and with as few moves as that allows. Keep what is subscribed still, give what is free to whoever has least,
 * then move from the fullest to the emptiest of a topic's subscribers until no move makes it more even: every move lowers
 * the sum of squares, so it ends. O(partitions x members).
 */
export function uniformAssignor({ members, partitionCounts, current }: AssignorInput): Map<string, Assignment> {
  const draft: Draft = new Map()
  const loads = new Map<string, number>()
  const ordered = inOrder(members)
  const isTaken = new Map<string, Set<number>>([...partitionCounts.keys()].map((topicId) => [topicId, new Set()]))
  for (const { memberId, topicIds } of ordered) {
    const kept = filterAssignment(current.get(memberId) ?? NOTHING_ASSIGNED, (topicId, partition) => {
      const isFree = isTaken.get(topicId)?.has(partition) === false
      return topicIds.has(topicId) && isFree && partition < (partitionCounts.get(topicId) ?? 0)
    })
    const topics = new Map<string, Set<number>>()
    let load = 0
    for (const [topicId, partitions] of kept) {
      topics.set(topicId, new Set(partitions))
      for (const partition of partitions) isTaken.get(topicId)?.add(partition)
      load += partitions.size
    }
    draft.set(memberId, topics)
    loads.set(memberId, load)
  }
  const give = (memberId: string, topicId: string, partition: number) => {
    const topics = draft.get(memberId) ?? new Map<string, Set<number>>()
    const partitions = topics.get(topicId) ?? new Set<number>()
    topics.set(topicId, partitions.add(partition))
    loads.set(memberId, (loads.get(memberId) ?? 0) + 1)
  }
  const take = (memberId: string, topicId: string): number => {
    const topics = draft.get(memberId)!
    const partitions = topics.get(topicId)!
    // The last one: what others gave is given back first.
    const partition = Math.max(...partitions)
    partitions.delete(partition)
    if (partitions.size === 0) topics.delete(topicId)
    loads.set(memberId, loads.get(memberId)! - 1)
    return partition
  }
  const subscribers = new Map<string, readonly string[]>()
  for (const topicId of partitionCounts.keys()) {
    subscribers.set(
      topicId,
      ordered.filter((member) => member.topicIds.has(topicId)).map(({ memberId }) => memberId),
    )
  }
  // Whoever has fewer to choose from chooses first.
  const topicIds = [...partitionCounts.keys()].sort(
    (a, b) => subscribers.get(a)!.length - subscribers.get(b)!.length || (a < b ? -1 : 1),
  )
  for (const topicId of topicIds) {
    const candidates = subscribers.get(topicId)!
    if (candidates.length === 0) continue
    for (let partition = 0; partition < partitionCounts.get(topicId)!; partition++) {
      if (!isTaken.get(topicId)!.has(partition)) give(leastLoaded(candidates, loads), topicId, partition)
    }
  }
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false
    for (const topicId of topicIds) {
      const candidates = subscribers.get(topicId)!
      for (;;) {
        const owners = candidates.filter((memberId) => draft.get(memberId)!.has(topicId))
        if (owners.length === 0) break
        const fullest = owners.reduce((a, b) => (loads.get(b)! > loads.get(a)! ? b : a))
        const emptiest = leastLoaded(candidates, loads)
        if (loads.get(fullest)! - loads.get(emptiest)! < 2) break
        give(emptiest, topicId, take(fullest, topicId))
        hasMoved = true
      }
    }
  }
  return draft
}

/**
 * Of each topic a run of neighbouring partitions for each of its subscribers: of two topics with as many partitions,
 * the same member reads the same numbers.
 */
export function rangeAssignor({ members, partitionCounts }: AssignorInput): Map<string, Assignment> {
  const draft: Draft = new Map(members.map(({ memberId }) => [memberId, new Map()]))
  const ordered = inOrder(members)
  for (const [topicId, partitionCount] of partitionCounts) {
    const subscribers = ordered.filter(({ topicIds }) => topicIds.has(topicId))
    let partition = 0
    for (const [index, { memberId }] of subscribers.entries()) {
      const shareCount =
        Math.floor(partitionCount / subscribers.length) + (index < partitionCount % subscribers.length ? 1 : 0)
      if (shareCount === 0) continue
      draft.get(memberId)!.set(topicId, new Set(Array.from({ length: shareCount }, (_, nth) => partition + nth)))
      partition += shareCount
    }
  }
  return draft
}

export const assignors: Readonly<Record<string, Assignor>> = { uniform: uniformAssignor, range: rangeAssignor }

function leastLoaded(memberIds: readonly string[], loads: ReadonlyMap<string, number>): string {
  return memberIds.reduce((a, b) => (loads.get(b)! < loads.get(a)! ? b : a))
}

/** Static members first, by their instance ids: these stay when a member comes back under another id. */
function inOrder(members: readonly AssignorMember[]): AssignorMember[] {
  return [...members].sort((a, b) => {
    if ((a.instanceId === null) !== (b.instanceId === null)) return a.instanceId === null ? 1 : -1
    const [left, right] = [a.instanceId ?? a.memberId, b.instanceId ?? b.memberId]
    return left < right ? -1 : left > right ? 1 : 0
  })
}
