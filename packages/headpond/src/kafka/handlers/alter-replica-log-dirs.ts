import { api, type RequestContext } from '../api.ts'
import { mayOnCluster } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import {
  type AlterReplicaLogDirsRequest,
  type AlterReplicaLogDirsResponse,
  alterReplicaLogDirsRequest,
  alterReplicaLogDirsResponse,
} from '../schemas/alter-replica-log-dirs.ts'

export const alterReplicaLogDirs = api(alterReplicaLogDirsRequest, alterReplicaLogDirsResponse, [1, 2], handle)

/** There is one directory, and every log is in it: a log may be wanted there, and nowhere else. */
function handle({ dirs }: AlterReplicaLogDirsRequest, context: RequestContext): AlterReplicaLogDirsResponse {
  const { logs, logDirectory } = context.broker
  const isAllowed = mayOnCluster(context, 'alter')
  const problemOf = (path: string, topic: string, partition: number): ErrorName => {
    if (!isAllowed) return 'CLUSTER_AUTHORIZATION_FAILED'
    if (path !== logDirectory) return 'LOG_DIR_NOT_FOUND'
    return logs.partition(topic, partition) === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'NONE'
  }
  // Of a partition that comes twice, the last place counts.
  const errors = new Map<string, Map<number, ErrorName>>()
  for (const { path, topics } of dirs) {
    for (const { name, partitions } of topics) {
      const ofTopic = errors.get(name) ?? new Map<number, ErrorName>()
      errors.set(name, ofTopic)
      for (const partition of partitions) ofTopic.set(partition, problemOf(path, name, partition))
    }
  }
  return {
    results: [...errors].map(([topicName, ofTopic]) => ({
      topicName,
      partitions: [...ofTopic].map(([partitionIndex, error]) => ({ partitionIndex, errorCode: ERROR[error] })),
    })),
  }
}
