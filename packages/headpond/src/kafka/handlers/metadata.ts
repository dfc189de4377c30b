import type { Topic } from '../../log/topic.ts'
import { api, type RequestContext } from '../api.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import { type MetadataRequest, type MetadataResponse, metadataRequest, metadataResponse } from '../schemas/metadata.ts'
import { findCollidingTopic, refuseTopicName } from '../topic-names.ts'

export const metadata = api(metadataRequest, metadataResponse, [0, 13], handle)

type TopicAnswer = MetadataResponse['topics'][number]

async function handle(request: MetadataRequest, context: RequestContext): Promise<MetadataResponse> {
  const { broker, session } = context
  const topics = topicAnswers(request, context)
  // A topic that was just made is one for good when a client hears of it.
  if (topics.some(({ isNew }) => isNew)) await broker.logs.written()
  const { host, port } = broker.endpointFor(session)
  return {
    brokers: [{ nodeId: broker.nodeId, host, port, rack: null }],
    clusterId: broker.logs.clusterId,
    controllerId: broker.nodeId,
    topics: topics.map(({ answer }) => answer),
    errorCode: ERROR.NONE,
  }
}

function topicAnswers(
  { topics, allowAutoTopicCreation }: MetadataRequest,
  { version, broker }: RequestContext,
): { answer: TopicAnswer; isNew: boolean }[] {
  // Version 0 has no null: there, none named means all.
  if (topics === null || (version === 0 && topics.length === 0)) {
    return [...broker.logs.topics.values()].map((topic) => ({ answer: describe(topic, broker.nodeId), isNew: false }))
  }
  return topics.map(({ name, topicId }) => {
    const isById = name === null || (version >= 10 && topicId !== ZERO_UUID)
    const topic = isById ? broker.logs.topicById(topicId) : broker.logs.topics.get(name)
    if (topic !== undefined) return { answer: describe(topic, broker.nodeId), isNew: false }
    if (isById) return { answer: refuse(version >= 12 ? null : '', topicId, 'UNKNOWN_TOPIC_ID'), isNew: false }
    return createOrRefuse(name, allowAutoTopicCreation, broker)
  })
}

/** A topic that is not there is made when client and broker both agree to it. */
function createOrRefuse(
  name: string,
  isAllowed: boolean,
  { logs, config, nodeId }: RequestContext['broker'],
): { answer: TopicAnswer; isNew: boolean } {
  if (refuseTopicName(name) !== null)
    return { answer: refuse(name, ZERO_UUID, 'INVALID_TOPIC_EXCEPTION'), isNew: false }
  if (!isAllowed || !config.boolean('auto.create.topics.enable')) {
    return { answer: refuse(name, ZERO_UUID, 'UNKNOWN_TOPIC_OR_PARTITION'), isNew: false }
  }
  if (findCollidingTopic(name, logs.topics) !== null) {
    return { answer: refuse(name, ZERO_UUID, 'INVALID_TOPIC_EXCEPTION'), isNew: false }
  }
  const topic = logs.createTopic(name, { partitionCount: config.integer('num.partitions') })
  return { answer: describe(topic, nodeId), isNew: true }
}

function describe(topic: Topic, nodeId: number): TopicAnswer {
  return {
    errorCode: ERROR.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map(({ partition, leaderEpoch }) => ({
      errorCode: ERROR.NONE,
      partitionIndex: partition,
      leaderId: nodeId,
      leaderEpoch,
      replicaNodes: [nodeId],
      isrNodes: [nodeId],
      offlineReplicas: [],
    })),
  }
}

function refuse(name: string | null, topicId: string, error: ErrorName): TopicAnswer {
  return { errorCode: ERROR[error], name, topicId, partitions: [] }
}
