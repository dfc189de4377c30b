import type { Topic } from '../../log/topic.ts'
import { api, type RequestContext } from '../api.ts'
import { authorizedOperations, may, mayQuietly } from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName, KafkaError } from '../errors.ts'
import {
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '../schemas/describe-topic-partitions.ts'
import { refuseTopicName } from '../topic-names.ts'

export const describeTopicPartitions = api(
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
  [0, 0],
  handle,
  { refuse },
)

type TopicAnswer = DescribeTopicPartitionsResponse['topics'][number]

/** Topics by name, a page of partitions at a time: the cursor says where the next page begins. */
function handle(request: DescribeTopicPartitionsRequest, context: RequestContext): DescribeTopicPartitionsResponse {
  const { topics: logs } = context.broker.logs
  const { cursor } = request
  const wantsAll = request.topics.length === 0
  const names = wantsAll ? [...logs.keys()] : [...new Set(request.topics.map(({ name }) => name))]
  const maySee = (name: string) => (wantsAll ? mayQuietly : may)(context, 'describe', 'topic', name)
  if (cursor !== null) {
    if (cursor.partitionIndex < 0) {
      const problem = `DescribeTopicPartitionsRequest cursor partition must be valid: ${cursor.partitionIndex}`
      throw new KafkaError('INVALID_REQUEST', problem)
    }
    if (!wantsAll && !names.includes(cursor.topicName)) {
      const problem = `DescribeTopicPartitionsRequest topic list should contain the cursor topic: ${cursor.topicName}`
      throw new KafkaError('INVALID_REQUEST', problem)
    }
  }
  const isOnPage = (name: string) => cursor === null || name >= cursor.topicName
  // As Kafka sorts: by code units.
  const sorted = names.filter(isOnPage).sort((a, b) => (a < b ? -1 : 1))
  const visible = new Set(sorted.filter(maySee))
  const page = pageOf(request, [...visible], context)
  // Asked for all, a client does not hear of those that it may not see; asked by name, not whether they are there.
  const refusals = wantsAll
    ? []
    : sorted.filter((name) => !visible.has(name)).map((name) => refused(name, 'TOPIC_AUTHORIZATION_FAILED'))
  return { ...page, topics: [...page.topics, ...refusals] }
}

function pageOf(
  request: DescribeTopicPartitionsRequest,
  names: readonly string[],
  context: RequestContext,
): DescribeTopicPartitionsResponse {
  const { cursor } = request
  const { topics: logs } = context.broker.logs
  let leftCount = pageSize(request, context)
  const answers: TopicAnswer[] = []
  for (const name of names) {
    const start = name === cursor?.topicName ? cursor.partitionIndex : 0
    if (leftCount === 0) return { topics: answers, nextCursor: { topicName: name, partitionIndex: start } }
    const topic = logs.get(name)
    if (topic === undefined) {
      const isLegal = refuseTopicName(name) === null
      const refusal = refused(name, isLegal ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'INVALID_TOPIC_EXCEPTION')
      answers.push({ ...refusal, topicAuthorizedOperations: authorizedOperations(context, 'topic', name) })
      continue
    }
    const end = Math.min(topic.partitions.length, start + leftCount)
    answers.push(describe(topic, start, end, context))
    leftCount -= Math.max(0, end - start)
    if (end < topic.partitions.length && end >= start) {
      return { topics: answers, nextCursor: { topicName: name, partitionIndex: end } }
    }
  }
  return { topics: answers, nextCursor: null }
}

function pageSize({ responsePartitionLimit }: DescribeTopicPartitionsRequest, { broker }: RequestContext): number {
  return Math.max(1, Math.min(responsePartitionLimit, broker.config.integer('max.request.partition.size.limit')))
}

function describe(topic: Topic, start: number, end: number, context: RequestContext): TopicAnswer {
  const { nodeId } = context.broker
  return {
    errorCode: ERROR.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: topic.partitions.slice(start, end).map(({ partition, leaderEpoch }) => ({
      errorCode: ERROR.NONE,
      partitionIndex: partition,
      leaderId: nodeId,
      leaderEpoch,
      replicaNodes: [nodeId],
      isrNodes: [nodeId],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: authorizedOperations(context, 'topic', topic.name),
  }
}

function refused(name: string, error: ErrorName): TopicAnswer {
  return { errorCode: ERROR[error], name, topicId: ZERO_UUID, partitions: [] }
}

function refuse({ topics }: DescribeTopicPartitionsRequest, error: KafkaError): DescribeTopicPartitionsResponse {
  return { topics: topics.map(({ name }) => refused(name, error.errorName)), nextCursor: null }
}
