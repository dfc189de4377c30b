import { api } from '../api.ts'
import { ERROR } from '../errors.ts'
import {
  type ListPartitionReassignmentsResponse,
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../schemas/list-partition-reassignments.ts'

/** Only partitions that are being moved are listed, and with one broker none ever is. */
export const listPartitionReassignments = api(
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
  [0, 0],
  (): ListPartitionReassignmentsResponse => ({ errorCode: ERROR.NONE, errorMessage: null, topics: [] }),
)
