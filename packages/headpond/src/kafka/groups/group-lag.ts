import type { LogManager } from '../../log/log-manager.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { CommittedOffset, CommittedOffsets } from './committed-offsets.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { decodeAssignment } from './consumer-protocol.ts'

/** How far a group is in a partition. */
export interface GroupLag {
  readonly topic: string
  readonly partition: number
  /** Null: the group has a member for this partition, and has not committed yet. */
  readonly committedOffset: number | null
  /** What consumers can see ends here. */
  readonly endOffset: number
  /** How many offsets there are still to read; without a commit, all. */
  readonly lag: number
}

/** How far a group is: in what it has committed, in what its members read, and in the rest of those topics. */
export function groupLag(
  groupId: string,
  group: ClassicGroup | ConsumerGroup | undefined,
  offsets: CommittedOffsets,
  logs: LogManager,
): GroupLag[] {
  const rows: GroupLag[] = []
  const isListed = new Set<string>()
  const add = (topic: string, partition: number, committed: CommittedOffset | undefined) => {
    const log = logs.topics.get(topic)?.partitions[partition]
    if (log === undefined || isListed.has(`${topic}/${partition}`)) return
    isListed.add(`${topic}/${partition}`)
    const endOffset = log.highWatermark
    const committedOffset = committed === undefined ? null : Number(committed.offset)
    const lag = Math.max(endOffset - Math.max(committedOffset ?? 0, log.logStartOffset), 0)
    rows.push({ topic, partition, committedOffset, endOffset, lag })
  }
  offsets.forEach(groupId, add)
  if (group?.isOfConsumers !== true) return rows
  for (const { topic, partition } of assignedTo(group, logs)) add(topic, partition, undefined)
  // Between two assignments nobody is asked: what it has read of a topic tells that it reads all of it.
  for (const topic of new Set(rows.map((row) => row.topic))) {
    for (const { partition } of logs.topics.get(topic)?.partitions ?? []) add(topic, partition, undefined)
  }
  return rows
}

function* assignedTo(
  group: ClassicGroup | ConsumerGroup,
  logs: LogManager,
): Generator<{ topic: string; partition: number }> {
  if (group.type === 'consumer') {
    for (const { standing } of group.members.values()) {
      for (const [topicId, partitions] of standing.assigned) {
        const topic = logs.topicById(topicId)?.name
        for (const partition of partitions) if (topic !== undefined) yield { topic, partition }
      }
    }
  } else if (group.state === 'Stable') {
    for (const { assignment } of group.members.values()) {
      for (const { topic, partitions } of decodeAssignment(assignment)?.assignedPartitions ?? []) {
        for (const partition of partitions) yield { topic, partition }
      }
    }
  }
}
