import { randomUUID } from 'node:crypto'
import { api, type RequestContext } from '../api.ts'
import { may, mayQuietly } from '../authorizer/authorization.ts'
import { ERROR, type ErrorName } from '../errors.ts'
import { topicPartitionsOf } from '../groups/assignment.ts'
import { JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from '../groups/consumer-member.ts'
import {
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '../schemas/consumer-group-heartbeat.ts'

export const consumerGroupHeartbeat = api(consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse, [0, 1], handle)

async function handle(
  request: ConsumerGroupHeartbeatRequest,
  context: RequestContext,
): Promise<ConsumerGroupHeartbeatResponse> {
  const { groups } = context.broker
  if (!may(context, 'read', 'group', request.groupId)) return refuse('GROUP_AUTHORIZATION_FAILED', null)
  if (!(request.subscribedTopicNames ?? []).every((topic) => may(context, 'describe', 'topic', topic))) {
    return refuse('TOPIC_AUTHORIZATION_FAILED', null)
  }
  const problem = invalid(request, context.version)
  if (problem !== null) return refuse('INVALID_REQUEST', problem)
  const { groupId, instanceId, memberEpoch, serverAssignor } = request
  if (serverAssignor !== null && !groups.consumerAssignors.includes(serverAssignor)) {
    const supported = groups.consumerAssignors.join(', ')
    return refuse(
      'UNSUPPORTED_ASSIGNOR',
      `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${supported}.`,
    )
  }
  // In version 0 the coordinator gives the ids.
  const memberId = request.memberId === '' ? randomUUID() : request.memberId
  const isLeaving = memberEpoch === LEAVE_EPOCH || memberEpoch === STATIC_LEAVE_EPOCH
  const answer = isLeaving
    ? await groups.consumerLeave(groupId, memberId, instanceId, memberEpoch)
    : await groups.consumerHeartbeat(groupId, {
        memberId,
        memberEpoch,
        instanceId,
        rackId: request.rackId,
        clientId: context.clientId ?? '',
        clientHost: `/${context.session.remoteHost}`,
        rebalanceTimeoutMs: request.rebalanceTimeoutMs,
        subscribedTopicNames: request.subscribedTopicNames,
        subscribedTopicRegex: request.subscribedTopicRegex,
        serverAssignor,
        owned: request.topicPartitions,
        mayDescribe:
          context.broker.authorizer === null ? undefined : (topic) => mayQuietly(context, 'describe', 'topic', topic),
      })
  if ('error' in answer) return refuse(answer.error, answer.message)
  return {
    errorCode: ERROR.NONE,
    memberId: answer.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs: isLeaving ? 0 : groups.consumerHeartbeatIntervalMs(groupId),
    assignment: answer.assignment === null ? null : { topicPartitions: topicPartitionsOf(answer.assignment) },
  }
}

/** Why the request contradicts itself, in Kafka's words; null when it does not. */
function invalid(request: ConsumerGroupHeartbeatRequest, version: number): string | null {
  const { groupId, memberId, memberEpoch, instanceId, rackId, topicPartitions } = request
  if ((version >= 1 || memberEpoch !== JOIN_EPOCH) && memberId === '') return "MemberId can't be empty."
  if (groupId === '') return "GroupId can't be empty."
  if (instanceId === '') return "InstanceId can't be empty."
  if (rackId === '') return "RackId can't be empty."
  if (memberEpoch === JOIN_EPOCH) {
    if (request.rebalanceTimeoutMs === -1) return 'RebalanceTimeoutMs must be provided in first request.'
    if (topicPartitions === null || topicPartitions.length > 0) {
      return 'TopicPartitions must be empty when (re-)joining.'
    }
    const hasSubscription = request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null
    if (!hasSubscription)
      return 'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.'
  }
  if (memberEpoch === STATIC_LEAVE_EPOCH && instanceId === null) return "InstanceId can't be null."
  return memberEpoch < STATIC_LEAVE_EPOCH
    ? `MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`
    : null
}

function refuse(error: ErrorName, errorMessage: string | null): ConsumerGroupHeartbeatResponse {
  return { errorCode: ERROR[error], errorMessage, memberEpoch: 0, heartbeatIntervalMs: 0 }
}
