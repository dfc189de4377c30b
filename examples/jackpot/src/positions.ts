import type { Consumer } from '@platformatic/kafka'
import { groupMember, type StringStream } from 'headpond-examples-shared'
import { WINS_TOPIC } from './topic.ts'

/** The offset of the next win in each partition; what is not in it begins at the beginning. */
export type Positions = ReadonlyMap<number, number>

/**
 * Reads the wins from positions that are kept beside what was made of them, and not from those that the group has committed: so
 * the two cannot disagree. The commits only tell others how far this group is.
 */
export async function readFrom(
  positions: Positions,
  groupId: string,
  brokers: string[],
): Promise<{ consumer: Consumer<string, string, string, string>; stream: StringStream }> {
  const consumer = groupMember(groupId, brokers)
  const offsets = [...positions].map(([partition, next]) => ({
    topic: WINS_TOPIC.name,
    partition,
    offset: BigInt(next),
  }))
  const stream = await consumer.consume({
    topics: [WINS_TOPIC.name],
    mode: 'manual',
    offsets,
    fallbackMode: 'earliest',
    autocommit: false,
  })
  return { consumer, stream }
}
