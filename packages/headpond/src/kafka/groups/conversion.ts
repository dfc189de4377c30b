import { type Assignment, assignmentOf, NOTHING_ASSIGNED } from './assignment.ts'
import { ClassicGroup, type ClassicGroupHost } from './classic-group.ts'
import type { ClassicMember } from './classic-member.ts'
import { ConsumerGroup, type ConsumerGroupHost, type FormerMember } from './consumer-group.ts'
import { decodeAssignment, decodeSubscription, encodeAssignment, versionOf } from './consumer-protocol.ts'

/**
 * A group changes its protocol while it has members, so that an application can be brought to the new protocol, and back,
 * one member after the other (KIP-848). Members keep their ids, generations become epochs, and what they were assigned last
 * is what they have.
 */

/** The group in the new protocol; or why it cannot be, in Kafka's words. */
export function asConsumerGroup(classic: ClassicGroup, host: ConsumerGroupHost): ConsumerGroup | string {
  const members: FormerMember[] = []
  for (const member of classic.members.values()) {
    const former = formerMember(member, classic.protocolName, host)
    if (typeof former === 'string') return former
    members.push(former)
  }
  return ConsumerGroup.ofFormer(classic.groupId, host, classic.generationId, members)
}

function formerMember(
  member: ClassicMember,
  protocolName: string | null,
  host: ConsumerGroupHost,
): FormerMember | string {
  const { memberId, protocols, sessionTimeoutMs, rebalanceTimeoutMs, clientId, clientHost } = member
  // Before its first generation is complete, a group has no protocol: all of them say the same.
  const subscription = decodeSubscription(member.metadata(protocolName ?? protocols[0]?.name ?? null))
  const assigned = assignedTo(member, host)
  if (subscription === null || assigned === null) return 'the embedded consumer protocol is malformed'
  if (typeof assigned === 'string') return assigned
  return {
    memberId,
    membership: {
      instanceId: member.groupInstanceId,
      rackId: subscription.rackId,
      ...{ clientId, clientHost, rebalanceTimeoutMs },
      subscribedTopicNames: [...new Set(subscription.topics)].sort(),
      subscribedTopicRegex: null,
      serverAssignor: null,
      classic: { sessionTimeoutMs, supportedProtocols: protocols },
    },
    assigned,
  }
}

/** Null: it cannot be read. */
function assignedTo({ assignment }: ClassicMember, host: ConsumerGroupHost): Assignment | string | null {
  // It has joined and not synced.
  if (assignment.length === 0) return NOTHING_ASSIGNED
  const decoded = decodeAssignment(assignment)
  if (decoded === null) return null
  if (decoded.userData !== null && decoded.userData.length > 0) {
    return (
      'an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before ' +
      're-attempting the upgrade'
    )
  }
  return assignmentOf(
    decoded.assignedPartitions.flatMap(({ topic, partitions }) => {
      const found = host.topic(topic)
      return found === undefined ? [] : [{ topicId: found.id, partitions }]
    }),
  )
}

/** The group in the classic protocol, which all of its members speak. Each has what was decided for it last. */
export function asClassicGroup(group: ConsumerGroup, host: ClassicGroupHost, topics: ConsumerGroupHost): ClassicGroup {
  const members = [...group.members.values()].flatMap(({ memberId, membership }) => {
    const { classic, instanceId: groupInstanceId, clientId, clientHost, rebalanceTimeoutMs } = membership
    if (classic === null) return []
    const { sessionTimeoutMs, supportedProtocols: protocols } = classic
    const version = versionOf(protocols[0].metadata)
    const assignment = encodeAssignment(group.targetOf(memberId), topics.topicName, version)
    const identity = { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs }
    return [{ ...identity, protocols, assignment }]
  })
  return ClassicGroup.ofConsumers(group.groupId, host, group.groupEpoch, members)
}
