import { ERROR } from '../errors.ts'
import { listOffsetsRequest, listOffsetsResponse } from '../schemas/list-offsets.ts'
import type { KafkaClient } from './client.ts'
import { RefusedError } from './kafka-client-error.ts'
import { PartitionMap } from './partition-map.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A timestamp asks for the first record with it or a later one. */
export type OffsetQuestion = 'earliest' | 'latest' | { readonly timestampMs: number }

const LIST_OFFSETS = { request: listOffsetsRequest, response: listOffsetsResponse }
const SPECIAL = { earliest: -2, latest: -1 }
const READ_UNCOMMITTED = 0
const NO_SUCH_RECORD = -1
const ATTEMPTS = 3

/** Offsets by partition; null where no record is that young. Rejects with KafkaClientError. */
export async function listOffsets(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  question: OffsetQuestion,
): Promise<PartitionMap<number | null>> {
  const found = new PartitionMap<number | null>()
  let missing = partitions
  for (let attempt = 1; missing.length > 0; attempt++) {
    const failures = await askLeaders(client, missing, question, found)
    if (failures.size > 0 && attempt === ATTEMPTS) {
      const [{ topic, partition, value: code }] = failures
      throw new RefusedError(`${topic}, partition ${partition}`, code)
    }
    for (const topic of failures.topics) client.forgetLeaders(topic)
    missing = [...failures]
  }
  return found
}

/** Whatever answers goes into `found`. Returns the rest with its errors. */
async function askLeaders(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  question: OffsetQuestion,
  found: PartitionMap<number | null>,
): Promise<PartitionMap<number>> {
  const timestamp = typeof question === 'string' ? SPECIAL[question] : question.timestampMs
  const failures = new PartitionMap<number>()
  const byLeader = await groupByLeader(client, partitions)
  await Promise.all(
    [...byLeader].map(async ([leader, byTopic]) => {
      const answer = await client.call(leader, LIST_OFFSETS, {
        replicaId: -1,
        isolationLevel: READ_UNCOMMITTED,
        timeoutMs: client.timeoutMs,
        topics: [...byTopic].map(([name, numbers]) => ({
          name,
          partitions: numbers.map((partitionIndex) => ({ partitionIndex, timestamp })),
        })),
      })
      for (const { name, partitions: answers } of answer.topics) {
        for (const { partitionIndex, errorCode, offset } of answers) {
          if (errorCode !== ERROR.NONE) failures.set(name, partitionIndex, errorCode)
          else found.set(name, partitionIndex, offset === NO_SUCH_RECORD ? null : offset)
        }
      }
    }),
  )
  return failures
}

/** Partition numbers by leader and topic. */
export async function groupByLeader(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
): Promise<Map<number, Map<string, number[]>>> {
  const byLeader = new Map<number, Map<string, number[]>>()
  for (const { topic, partition } of partitions) {
    const leader = await client.leaderOf(topic, partition)
    let byTopic = byLeader.get(leader)
    if (byTopic === undefined) {
      byTopic = new Map()
      byLeader.set(leader, byTopic)
    }
    const numbers = byTopic.get(topic)
    if (numbers === undefined) byTopic.set(topic, [partition])
    else numbers.push(partition)
  }
  return byLeader
}
