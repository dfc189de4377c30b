/** Which partitions of which topics: by the topic's id. Neither the map nor its sets are changed once they are made. */
export type Assignment = ReadonlyMap<string, ReadonlySet<number>>

export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export const NOTHING_ASSIGNED: Assignment = new Map()

export function assignmentOf(topics: readonly TopicPartitions[]): Assignment {
  const assignment = new Map<string, Set<number>>()
  for (const { topicId, partitions } of topics) {
    const known = assignment.get(topicId) ?? new Set<number>()
    for (const partition of partitions) known.add(partition)
    if (known.size > 0) assignment.set(topicId, known)
  }
  return assignment
}

/** In the order of their numbers. */
export function topicPartitionsOf(assignment: Assignment): { topicId: string; partitions: number[] }[] {
  return [...assignment].map(([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions].sort((a, b) => a - b),
  }))
}

export function isSameAssignment(one: Assignment, other: Assignment): boolean {
  return one.size === other.size && isPartOf(one, other) && isPartOf(other, one)
}

export function isPartOf(part: Assignment, whole: Assignment): boolean {
  for (const [topicId, partitions] of part) {
    const known = whole.get(topicId)
    if (known === undefined) return false
    for (const partition of partitions) if (!known.has(partition)) return false
  }
  return true
}

export function haveCommon(one: Assignment, other: Assignment): boolean {
  for (const [topicId, partitions] of one) {
    const known = other.get(topicId)
    if (known === undefined) continue
    for (const partition of partitions) if (known.has(partition)) return true
  }
  return false
}

/** Those partitions that a test approves. */
export function filterAssignment(
  assignment: Assignment,
  isKept: (topicId: string, partition: number) => boolean,
): Assignment {
  const kept = new Map<string, Set<number>>()
  for (const [topicId, partitions] of assignment) {
    const some = new Set([...partitions].filter((partition) => isKept(topicId, partition)))
    if (some.size > 0) kept.set(topicId, some)
  }
  return kept
}

export function joinAssignments(one: Assignment, other: Assignment): Assignment {
  const joined = new Map<string, ReadonlySet<number>>(one)
  for (const [topicId, partitions] of other) {
    joined.set(topicId, new Set([...(joined.get(topicId) ?? []), ...partitions]))
  }
  return joined
}

export function holds(assignment: Assignment, topicId: string, partition: number): boolean {
  return assignment.get(topicId)?.has(partition) === true
}
