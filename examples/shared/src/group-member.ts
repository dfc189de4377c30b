import { Consumer, type Message, type MessagesStream, stringDeserializers } from '@platformatic/kafka'

export type StringMessage = Message<string, string, string, string>
export type StringStream = MessagesStream<string, string, string, string>

/**
 * A member of a consumer group. A member that dies is missed after ten seconds. One that cannot reach the broker tries for five
 * seconds; then its stream fails, and its process ends.
 */
export function groupMember(groupId: string, brokers: string[]): Consumer<string, string, string, string> {
  return new Consumer({
    clientId: groupId,
    groupId,
    bootstrapBrokers: brokers,
    deserializers: stringDeserializers,
    autocommit: false,
    sessionTimeout: 10_000,
    rebalanceTimeout: 30_000,
    heartbeatInterval: 1_000,
    maxWaitTime: 1_000,
    retries: 10,
    retryDelay: 500,
    connectTimeout: 20_000, // a process that is very busy takes long to see that it is connected
  })
}

/** What has arrived, as soon as something has: one message at least, `countMax` at most. */
export async function* batches(stream: StringStream, countMax: number): AsyncGenerator<StringMessage[]> {
  for await (const first of stream) {
    const batch = [first]
    while (batch.length < countMax) {
      const next: StringMessage | null = stream.read()
      if (next === null) break
      batch.push(next)
    }
    yield batch
  }
}

export interface CommittedOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly leaderEpoch: number
}

/** Where a group is to go on: behind the last message of each partition. */
export function offsetsBehind(batch: readonly StringMessage[]): CommittedOffset[] {
  const ends = new Map<number, CommittedOffset>()
  for (const { topic, partition, offset } of batch) {
    ends.set(partition, { topic, partition, offset: offset + 1n, leaderEpoch: -1 })
  }
  return [...ends.values()]
}
