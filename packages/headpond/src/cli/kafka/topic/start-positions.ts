import type { KafkaClient } from '../../../kafka/client/client.ts'
import { committedOffsets } from '../../../kafka/client/groups.ts'
import { listOffsets, type TopicPartition } from '../../../kafka/client/offsets.ts'
import { PartitionMap } from '../../../kafka/client/partition-map.ts'
import type { StartPosition } from '../moment.ts'

/** Also where a group has got to. */
export type ReadStart = StartPosition | { readonly at: 'group'; readonly group: string }

type Offsets = PartitionMap<number | null>

/** Where reading begins in each partition: within what it holds. Rejects with KafkaClientError. */
export async function startPositions(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  ends: Offsets,
  start: ReadStart,
): Promise<PartitionMap<number>> {
  const starts = await listOffsets(client, partitions, 'earliest')
  const offsetIn = await placer(client, partitions, starts, ends, start)
  const positions = new PartitionMap<number>()
  for (const place of partitions) {
    const earliest = starts.get(place.topic, place.partition) ?? 0
    const latest = ends.get(place.topic, place.partition) ?? 0
    positions.set(place.topic, place.partition, Math.min(Math.max(offsetIn(place), earliest), latest))
  }
  return positions
}

async function placer(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  starts: Offsets,
  ends: Offsets,
  start: ReadStart,
): Promise<(place: TopicPartition) => number> {
  const inside =
    (offsets: Offsets) =>
    ({ topic, partition }: TopicPartition) =>
      offsets.get(topic, partition) ?? 0
  switch (start.at) {
    case 'beginning':
      return inside(starts)
    case 'end':
      return inside(ends)
    case 'offset':
      return () => start.offset
    case 'last':
      return (place) => inside(ends)(place) - start.count
    case 'time': {
      const found = await listOffsets(client, partitions, { timestampMs: start.timestampMs })
      return (place) => found.get(place.topic, place.partition) ?? inside(ends)(place)
    }
    case 'group': {
      const committed = await committedOffsets(client, start.group)
      return (place) => committed.get(place.topic, place.partition)?.offset ?? inside(starts)(place)
    }
  }
}
