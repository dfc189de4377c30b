import type { KafkaClient } from '../../../kafka/client/client.ts'
import { type CommittedOffset, committedOffsets } from '../../../kafka/client/groups.ts'
import { listOffsets, type TopicPartition } from '../../../kafka/client/offsets.ts'
import { PartitionMap } from '../../../kafka/client/partition-map.ts'

/** Where a group is in one partition. */
export interface Progress {
  /** Null: it has committed nothing. */
  readonly committed: CommittedOffset | null
  readonly startOffset: number
  readonly endOffset: number
  /** Null as long as nothing is committed. */
  readonly lag: number | null
}

/** By what a group has committed, and by what its members read beyond that. Partitions that are gone are left out. */
export async function groupProgress(
  client: KafkaClient,
  group: string,
  assigned: readonly TopicPartition[] = [],
): Promise<PartitionMap<Progress>> {
  const committed = await committedOffsets(client, group)
  const wanted = new PartitionMap<CommittedOffset | null>()
  for (const { topic, partition, value } of committed) wanted.set(topic, partition, value)
  for (const { topic, partition } of assigned) {
    if (!wanted.has(topic, partition)) wanted.set(topic, partition, null)
  }
  const topics = await client.topics([...wanted.topics])
  const led = topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ partition, leader }) => leader >= 0 && wanted.has(name, partition))
      .map(({ partition }) => ({ topic: name, partition })),
  )
  const [starts, ends] = await Promise.all([listOffsets(client, led, 'earliest'), listOffsets(client, led, 'latest')])
  const progress = new PartitionMap<Progress>()
  for (const { topic, partition } of led.sort(inOrder)) {
    const offset = wanted.get(topic, partition) ?? null
    const endOffset = ends.get(topic, partition) ?? 0
    progress.set(topic, partition, {
      committed: offset,
      startOffset: starts.get(topic, partition) ?? 0,
      endOffset,
      lag: offset === null ? null : Math.max(0, endOffset - offset.offset),
    })
  }
  return progress
}

function inOrder(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}
