import { statfs } from 'node:fs/promises'
import { api, type RequestContext } from '../api.ts'
import { mayOnCluster } from '../authorizer/authorization.ts'
import { ERROR } from '../errors.ts'
import {
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponse,
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../schemas/describe-log-dirs.ts'

export const describeLogDirs = api(describeLogDirsRequest, describeLogDirsResponse, [1, 4], handle)

const UNKNOWN_BYTES = -1

/** There is one directory, and every partition is in it. What is not there is left out, as in Kafka. */
async function handle(request: DescribeLogDirsRequest, context: RequestContext): Promise<DescribeLogDirsResponse> {
  if (!mayOnCluster(context, 'describe')) return { errorCode: ERROR.CLUSTER_AUTHORIZATION_FAILED, results: [] }
  const { broker } = context
  const wanted =
    request.topics ??
    [...broker.logs.topics.values()].map(({ name, partitions }) => ({
      topic: name,
      partitions: [...partitions.keys()],
    }))
  const topics = wanted.flatMap(({ topic, partitions }) => {
    const logs = partitions.flatMap((partition) => broker.logs.partition(topic, partition) ?? [])
    if (logs.length === 0) return []
    return {
      name: topic,
      partitions: logs.map((log) => ({
        partitionIndex: log.partition,
        partitionSize: log.sizeBytes,
        offsetLag: 0,
        isFutureKey: false,
      })),
    }
  })
  const { totalBytes, usableBytes } = await spaceOf(broker.metadata.directory)
  const result = { errorCode: ERROR.NONE, logDir: broker.logDirectory, topics, totalBytes, usableBytes }
  return { errorCode: ERROR.NONE, results: [result] }
}

/** Of the file system. A system that cannot tell leaves both unknown. */
async function spaceOf(directory: string | null): Promise<{ totalBytes: number; usableBytes: number }> {
  const found = directory === null ? null : await statfs(directory).catch(() => null)
  if (found === null) return { totalBytes: UNKNOWN_BYTES, usableBytes: UNKNOWN_BYTES }
  return { totalBytes: found.blocks * found.bsize, usableBytes: found.bavail * found.bsize }
}
