import { api, type RequestContext } from '../api.ts'
import { authorizedOperations, may } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import { type Assignment, topicPartitionsOf } from '../groups/assignment.ts'
import type { ConsumerGroup } from '../groups/consumer-group.ts'
import {
  type ConsumerGroupDescribeRequest,
  type ConsumerGroupDescribeResponse,
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from '../schemas/consumer-group-describe.ts'

export const consumerGroupDescribe = api(consumerGroupDescribeRequest, consumerGroupDescribeResponse, [0, 1], handle)

type GroupAnswer = ConsumerGroupDescribeResponse['groups'][number]
type AssignmentAnswer = GroupAnswer['members'][number]['assignment']

const MEMBER_TYPES = { classic: 0, consumer: 1 }

function handle(request: ConsumerGroupDescribeRequest, context: RequestContext): ConsumerGroupDescribeResponse {
  const { groups, logs } = context.broker
  const named = (assignment: Assignment): AssignmentAnswer => ({
    topicPartitions: topicPartitionsOf(assignment).flatMap(({ topicId, partitions }) => {
      const topic = logs.topicById(topicId)
      return topic === undefined ? [] : [{ topicId, topicName: topic.name, partitions }]
    }),
  })
  return {
    groups: request.groupIds.map((groupId): GroupAnswer => {
      if (!may(context, 'describe', 'group', groupId)) return refuse(groupId, 'GROUP_AUTHORIZATION_FAILED', null)
      const refusal = groupId === '' ? 'INVALID_GROUP_ID' : groups.administrationRefusal(groupId)
      if (refusal !== null) return refuse(groupId, refusal, refusal)
      const group = groups.consumerGroup(groupId)
      if (group !== undefined) {
        const described = describe(group, named)
        if (!maySeeTopics(described, context)) {
          const problem = 'The group has described topic(s) that the client is not authorized to describe.'
          return refuse(groupId, 'TOPIC_AUTHORIZATION_FAILED', problem)
        }
        if (!request.includeAuthorizedOperations) return described
        return { ...described, authorizedOperations: authorizedOperations(context, 'group', groupId) }
      }
      const isOther = groups.hasGroup(groupId)
      return refuse(
        groupId,
        'GROUP_ID_NOT_FOUND',
        isOther ? `Group ${groupId} is not a consumer group.` : `Group ${groupId} not found.`,
      )
    }),
  }
}

function maySeeTopics({ members }: GroupAnswer, context: RequestContext): boolean {
  if (context.broker.authorizer === null) return true
  return members.every(({ assignment, targetAssignment }) =>
    [...assignment.topicPartitions, ...targetAssignment.topicPartitions].every(({ topicName }) =>
      may(context, 'describe', 'topic', topicName),
    ),
  )
}

function refuse(groupId: string, error: ErrorName, errorMessage: string | null): GroupAnswer {
  return {
    groupId,
    errorCode: ERROR[error],
    errorMessage,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  }
}

function describe(group: ConsumerGroup, named: (assignment: Assignment) => AssignmentAnswer): GroupAnswer {
  return {
    groupId: group.groupId,
    errorCode: ERROR.NONE,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.assignorName,
    members: [...group.members.values()].map(({ memberId, membership, standing }) => ({
      memberId,
      instanceId: membership.instanceId,
      rackId: membership.rackId,
      memberEpoch: standing.memberEpoch,
      clientId: membership.clientId,
      clientHost: membership.clientHost,
      subscribedTopicNames: membership.subscribedTopicNames,
      subscribedTopicRegex: membership.subscribedTopicRegex ?? '',
      assignment: named(standing.assigned),
      targetAssignment: named(group.targetOf(memberId)),
      memberType: membership.classic === null ? MEMBER_TYPES.consumer : MEMBER_TYPES.classic,
    })),
  }
}
