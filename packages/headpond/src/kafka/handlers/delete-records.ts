import { api, type RequestContext } from '../api.ts'
import { may } from '../authorizer/authorization.ts'
import { type ErrorName, errorCodeOf } from '../errors.ts'
import { inTurns } from '../in-turns.ts'
import {
  type DeleteRecordsRequest,
  type DeleteRecordsResponse,
  deleteRecordsRequest,
  deleteRecordsResponse,
} from '../schemas/delete-records.ts'

type PartitionAnswer = DeleteRecordsResponse['topics'][number]['partitions'][number]

/** Moves the start of logs; segments that lie wholly before it go. */
export const deleteRecords = api(deleteRecordsRequest, deleteRecordsResponse, [0, 2], handle)

async function handle(request: DeleteRecordsRequest, context: RequestContext): Promise<DeleteRecordsResponse> {
  const topics: DeleteRecordsResponse['topics'][number][] = []
  for (const { name, partitions } of request.topics) {
    const answers: PartitionAnswer[] = []
    // A start that moves over an epoch's is a file written: thousands of them take seconds.
    await inTurns(partitions, ({ partitionIndex, offset }) => {
      answers.push(deleteBefore(name, partitionIndex, offset, context))
    })
    topics.push({ name, partitions: answers })
  }
  await context.broker.logs.written()
  return { topics }
}

function deleteBefore(topic: string, partitionIndex: number, offset: number, context: RequestContext): PartitionAnswer {
  const { broker } = context
  const failed = (error: ErrorName) => ({ partitionIndex, lowWatermark: -1, errorCode: errorCodeOf(error) })
  if (!may(context, 'delete', 'topic', topic)) return failed('TOPIC_AUTHORIZATION_FAILED')
  const found = broker.logs.topics.get(topic)
  const log = found?.partitions[partitionIndex]
  if (found === undefined || log === undefined) return failed('UNKNOWN_TOPIC_OR_PARTITION')
  if (found.isInternal) return failed('INVALID_TOPIC_EXCEPTION')
  // What is only compacted promises the last record of each key to whoever reads it from the start.
  const { isCompacted, isDeleted } = found.settings
  if (isCompacted && !isDeleted) return failed('POLICY_VIOLATION')
  const error = log.deleteRecordsBefore(offset)
  if (error !== null) return failed(error)
  return { partitionIndex, lowWatermark: log.logStartOffset, errorCode: 0 }
}
