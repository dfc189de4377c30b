import type { PartitionLog } from '../../log/partition-log.ts'
import type { Topic } from '../../log/topic.ts'
import { api, type RequestContext } from '../api.ts'
import { OPERATIONS_NOT_ASKED } from '../authorized-operations.ts'
import {
  authorizedOperations,
  authorizedOperationsOfCluster,
  may,
  mayOnClusterQuietly,
  mayQuietly,
} from '../authorizer/authorization.ts'
import { ZERO_UUID } from '../codec/byte-reader.ts'
import { ERROR, type ErrorName, KafkaError } from '../errors.ts'
import { type MetadataRequest, type MetadataResponse, metadataRequest, metadataResponse } from '../schemas/metadata.ts'
import { findCollidingTopic, isInternalTopic, refuseTopicName } from '../topic-names.ts'

/** The first version that may ask for topics by their ids alone. */
const BY_ID_VERSION = 12

export const metadata = api(metadataRequest, metadataResponse, [0, 13], handle, { refuse })

type TopicAnswer = MetadataResponse['topics'][number]
type TopicQuestion = NonNullable<MetadataRequest['topics']>[number]

function handle(request: MetadataRequest, context: RequestContext): MetadataResponse | Promise<MetadataResponse> {
  const { broker, session, version } = context
  refuseIdsOfOldVersions(request, version)
  const topicCount = broker.logs.topics.size
  const topics = topicsAskedFor(request, context)
  const { host, port } = broker.endpointFor(session)
  const answer: MetadataResponse = {
    brokers: [{ nodeId: broker.nodeId, host, port, rack: broker.rack }],
    clusterId: broker.logs.clusterId,
    controllerId: broker.nodeId,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? authorizedOperationsOfCluster(context)
      : OPERATIONS_NOT_ASKED,
    errorCode: ERROR.NONE,
  }
  // A topic that was just made is one for good when a client hears of it.
  return broker.logs.topics.size === topicCount ? answer : broker.logs.written().then(() => answer)
}

/** Versions 10 and 11 have room for ids and no meaning for them. */
function refuseIdsOfOldVersions({ topics }: MetadataRequest, version: number): void {
  if (version >= BY_ID_VERSION) return
  for (const { name, topicId } of topics ?? []) {
    if (name === null) {
      throw new KafkaError('INVALID_REQUEST', `Topic name can not be null for version ${version}`)
    }
    if (topicId !== ZERO_UUID) {
      throw new KafkaError('INVALID_REQUEST', `Topic IDs are not supported in requests with version ${version}`)
    }
  }
}

function topicsAskedFor(request: MetadataRequest, context: RequestContext): TopicAnswer[] {
  const { topics, includeTopicAuthorizedOperations } = request
  const { version, broker } = context
  const operationsOn = (name: string) =>
    includeTopicAuthorizedOperations ? authorizedOperations(context, 'topic', name) : OPERATIONS_NOT_ASKED
  const describe = (topic: Topic) => describeTopic(topic, broker.nodeId, operationsOn(topic.name))
  // Version 0 has no null: there, naming none means all.
  if (topics === null || (version === 0 && topics.length === 0)) {
    const visible = [...broker.logs.topics.values()].filter(({ name }) =>
      mayQuietly(context, 'describe', 'topic', name),
    )
    return visible.map(describe)
  }
  return withoutRepetitions(topics).map(({ name, topicId }) => {
    if (topicId !== ZERO_UUID) {
      const topic = broker.logs.topicById(topicId)
      if (topic === undefined) return refuseTopic(null, topicId, 'UNKNOWN_TOPIC_ID')
      // That there is a topic of this id is no secret, its name is.
      const isVisible = may(context, 'describe', 'topic', topic.name)
      return isVisible ? describe(topic) : refuseTopic(null, topicId, 'TOPIC_AUTHORIZATION_FAILED')
    }
    const asked = name ?? ''
    // Not even whether there is such a topic.
    if (!may(context, 'describe', 'topic', asked)) {
      return { ...refuseTopic(asked, ZERO_UUID, 'TOPIC_AUTHORIZATION_FAILED'), isInternal: false }
    }
    const topic = broker.logs.topics.get(asked) ?? createTopic(asked, request, context)
    if (typeof topic !== 'string') return describe(topic)
    const refused = refuseTopic(asked, ZERO_UUID, topic)
    // The one error that Kafka gives no operations with is that the topic must not be made.
    return topic === 'TOPIC_AUTHORIZATION_FAILED'
      ? refused
      : { ...refused, topicAuthorizedOperations: operationsOn(asked) }
  })
}

function withoutRepetitions(topics: readonly TopicQuestion[]): readonly TopicQuestion[] {
  if (topics.length < 2) return topics
  return [...new Map(topics.map((topic) => [`${topic.topicId} ${topic.name}`, topic])).values()]
}

/** A topic that is not there is made when client and broker both agree to it. */
function createTopic(
  name: string,
  { allowAutoTopicCreation }: MetadataRequest,
  context: RequestContext,
): Topic | ErrorName {
  const { logs, config, quotas } = context.broker
  const isWanted = allowAutoTopicCreation && config.boolean('auto.create.topics.enable')
  if (isWanted && !mayOnClusterQuietly(context, 'create') && !may(context, 'create', 'topic', name)) {
    return 'TOPIC_AUTHORIZATION_FAILED'
  }
  if (refuseTopicName(name) !== null) return 'INVALID_TOPIC_EXCEPTION'
  if (!isWanted) return 'UNKNOWN_TOPIC_OR_PARTITION'
  // Coordinators make their own topics when they are first needed.
  if (isInternalTopic(name)) return 'UNKNOWN_TOPIC_OR_PARTITION'
  if (findCollidingTopic(name, logs.topics) !== null) return 'INVALID_TOPIC_EXCEPTION'
  const partitionCount = config.integer('num.partitions')
  // Whoever may make no more topics now asks again until it may.
  if (!quotas.mutationsOf(context, 0).take(partitionCount)) return 'UNKNOWN_TOPIC_OR_PARTITION'
  return logs.createTopic(name, { partitionCount })
}

function describeTopic(topic: Topic, nodeId: number, topicAuthorizedOperations: number): TopicAnswer {
  return {
    errorCode: ERROR.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((log) => describePartition(log, nodeId)),
    topicAuthorizedOperations,
  }
}

/** One whose disk has failed has no leader any more. */
function describePartition(
  { partition, leaderEpoch, storageProblem }: PartitionLog,
  nodeId: number,
): TopicAnswer['partitions'][number] {
  const isOffline = storageProblem !== null
  return {
    errorCode: isOffline ? ERROR.LEADER_NOT_AVAILABLE : ERROR.NONE,
    partitionIndex: partition,
    leaderId: isOffline ? -1 : nodeId,
    leaderEpoch,
    replicaNodes: [nodeId],
    isrNodes: [nodeId],
    offlineReplicas: isOffline ? [nodeId] : [],
  }
}

function refuseTopic(name: string | null, topicId: string, error: ErrorName): TopicAnswer {
  return { errorCode: ERROR[error], name, topicId, isInternal: isInternalTopic(name ?? ''), partitions: [] }
}

/** Before version 13 only a topic can say what is wrong. */
function refuse({ topics }: MetadataRequest, { code }: KafkaError, { version }: RequestContext): MetadataResponse {
  return {
    brokers: [],
    topics: (topics ?? []).map(({ name, topicId }) => ({
      errorCode: code,
      name: name ?? (version < BY_ID_VERSION ? '' : null),
      topicId,
      partitions: [],
    })),
    errorCode: code,
  }
}
