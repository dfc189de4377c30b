import type { RequestContext } from '../api.ts'
import { may, mayOnCluster } from '../authorizer/authorization.ts'
import type { FetchRequest } from '../schemas/fetch.ts'
import { failed, type PartitionReading } from './fetch-reader.ts'
import type { FetchTarget } from './fetch-target.ts'

interface Opened {
  /** What may be read. */
  readonly targets: readonly FetchTarget[]
  /** What is answered about the rest. */
  readonly refused: readonly PartitionReading[]
}

const NOTHING: readonly PartitionReading[] = []

/** hot: once for each request. Who may read a topic is decided when a request comes, not again while it waits. */
export function openTo(targets: readonly FetchTarget[], request: FetchRequest, context: RequestContext): Opened {
  const { authorizer, logs } = context.broker
  if (authorizer === null) return { targets, refused: NOTHING }
  // Replicas of other brokers read whatever there is.
  const isReplica = request.replicaId >= 0 || request.replicaState.replicaId >= 0
  const isBroker = isReplica && mayOnCluster(context, 'clusterAction')
  const open: FetchTarget[] = []
  const refused: PartitionReading[] = []
  for (const target of targets) {
    const name = target.namesTopicById ? logs.topicById(target.topicId)?.name : target.topic
    // An id that there is not belongs to no topic that could be closed.
    const isOpen = isReplica ? isBroker : name === undefined || may(context, 'read', 'topic', name)
    if (isOpen) open.push(target)
    else refused.push(failed(target, null, 'TOPIC_AUTHORIZATION_FAILED'))
  }
  return { targets: open, refused }
}
