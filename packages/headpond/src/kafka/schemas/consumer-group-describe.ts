import { array, bool, int8, int16, int32, string, struct, uuid } from '../codec/declaration.ts'
import { type Decoded, type Encodable, message } from '../codec/message.ts'

const topicPartitions = {
  topicId: uuid('0+'),
  topicName: string('0+'),
  partitions: array('0+', 'int32'),
}

const assignment = {
  topicPartitions: array('0+', topicPartitions),
}

/**
 * Version 1 adds MemberType field to ConsumerGroupDescribeResponse (KIP-1099). For ConsumerGroupDescribeRequest,
 *   version 1 is same as version 0.
 */
export const consumerGroupDescribeRequest = message(
  { name: 'ConsumerGroupDescribeRequest', apiKey: 69, versions: '0-1', flexible: '0+' },
  {
    groupIds: array('0+', 'string'),
    includeAuthorizedOperations: bool('0+'),
  },
)

export type ConsumerGroupDescribeRequest = Decoded<typeof consumerGroupDescribeRequest>

/**
 * Version 1 adds MemberType field (KIP-1099). Supported errors: - GROUP_AUTHORIZATION_FAILED (version 0+) -
 *   NOT_COORDINATOR (version 0+) - COORDINATOR_NOT_AVAILABLE (version 0+) - COORDINATOR_LOAD_IN_PROGRESS (version
 *   0+) - INVALID_REQUEST (version 0+) - INVALID_GROUP_ID (version 0+) - GROUP_ID_NOT_FOUND (version 0+) -
 *   TOPIC_AUTHORIZATION_FAILED (version 0+)
 */
export const consumerGroupDescribeResponse = message(
  { name: 'ConsumerGroupDescribeResponse', apiKey: 69, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32('0+', { default: 0 }),
    groups: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+', default: null }),
      groupId: string('0+'),
      groupState: string('0+'),
      groupEpoch: int32('0+'),
      assignmentEpoch: int32('0+'),
      assignorName: string('0+'),
      members: array('0+', {
        memberId: string('0+'),
        instanceId: string('0+', { nullable: '0+', default: null }),
        rackId: string('0+', { nullable: '0+', default: null }),
        memberEpoch: int32('0+'),
        clientId: string('0+'),
        clientHost: string('0+'),
        subscribedTopicNames: array('0+', 'string'),
        subscribedTopicRegex: string('0+', { nullable: '0+', default: null }),
        assignment: struct('0+', assignment),
        targetAssignment: struct('0+', assignment),
        memberType: int8('1+', { default: -1 }),
      }),
      authorizedOperations: int32('0+', { default: -2147483648 }),
    }),
  },
)

export type ConsumerGroupDescribeResponse = Encodable<typeof consumerGroupDescribeResponse>
