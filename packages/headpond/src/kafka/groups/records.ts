/**
 * The records of `__consumer_offsets`, in Kafka's own format: either broker reads what the other wrote. What a record is
 * about is its key, whose version says what it is the key of; without a value, it is no more.
 */
import { MalformedMessage } from '../codec/byte-reader.ts'
import type { EncodedRecord } from '../internal-topic.ts'
import {
  type ConsumerGroupCurrentMemberAssignmentValue,
  type ConsumerGroupMemberMetadataValue,
  type ConsumerGroupTargetAssignmentMemberValue,
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataKey,
  consumerGroupMetadataValue,
  consumerGroupPartitionMetadataKey,
  consumerGroupTargetAssignmentMemberKey,
  consumerGroupTargetAssignmentMemberValue,
  consumerGroupTargetAssignmentMetadataKey,
  consumerGroupTargetAssignmentMetadataValue,
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../schemas/group-records.ts'
import type { StoredGeneration } from './classic-group.ts'
import type { CommittedOffset } from './committed-offsets.ts'

// Kafka writes these versions: later ones are flexible, and brokers that are still in use do not read them.
const OFFSET_KEY_VERSION = 1
const OFFSET_VALUE_VERSION = 3
const OFFSET_VALUE_VERSION_WITH_EXPIRY = 1
const GROUP_VALUE_VERSION = 3

const KEY_VERSION = {
  group: 2,
  consumerGroup: 3,
  partitionMetadata: 4,
  member: 5,
  targetEpoch: 6,
  target: 7,
  current: 8,
} as const

export type GroupRecord =
  | {
      kind: 'offset'
      groupId: string
      topic: string
      partition: number
      value: Omit<CommittedOffset, 'recordOffset'> | null
    }
  | { kind: 'classic'; groupId: string; value: StoredGeneration | null }
  | { kind: 'consumer'; groupId: string; value: { epoch: number } | null }
  | { kind: 'member'; groupId: string; memberId: string; value: ConsumerGroupMemberMetadataValue | null }
  | { kind: 'target-epoch'; groupId: string; value: { assignmentEpoch: number } | null }
  | { kind: 'target'; groupId: string; memberId: string; value: ConsumerGroupTargetAssignmentMemberValue | null }
  | { kind: 'current'; groupId: string; memberId: string; value: ConsumerGroupCurrentMemberAssignmentValue | null }
  /** What brokers before 4.1 keep of the topics that a group reads: made anew when it is needed. */
  | { kind: 'ignored' }

export function offsetRecord(
  group: string,
  topic: string,
  partition: number,
  committed: Omit<CommittedOffset, 'recordOffset'> | null,
): EncodedRecord {
  const key = offsetCommitKey.encodeRecord({ group, topic, partition }, OFFSET_KEY_VERSION)
  if (committed === null) return { key, value: null }
  const { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs } = committed
  const value = offsetCommitValue.encodeRecord(
    { offset, leaderEpoch, metadata, commitTimestamp: commitTimestampMs, expireTimestamp: expireTimestampMs },
    expireTimestampMs < 0 ? OFFSET_VALUE_VERSION : OFFSET_VALUE_VERSION_WITH_EXPIRY,
  )
  return { key, value }
}

export function classicGroupRecord(group: string, stored: StoredGeneration | null): EncodedRecord {
  const key = groupMetadataKey.encodeRecord({ group }, KEY_VERSION.group)
  if (stored === null) return { key, value: null }
  const value = groupMetadataValue.encodeRecord(
    {
      protocolType: stored.protocolType,
      generation: stored.generationId,
      protocol: stored.protocolName,
      leader: stored.leaderId,
      currentStateTimestamp: stored.stateSinceMs,
      members: stored.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: member.subscription,
        assignment: member.assignment,
      })),
    },
    GROUP_VALUE_VERSION,
  )
  return { key, value }
}

export function consumerGroupRecord(groupId: string, epoch: number | null): EncodedRecord {
  return {
    key: consumerGroupMetadataKey.encodeRecord({ groupId }, KEY_VERSION.consumerGroup),
    value: epoch === null ? null : consumerGroupMetadataValue.encodeRecord({ epoch }, 0),
  }
}

/** There is none with a value any more; this takes away what an earlier broker wrote. */
export function partitionMetadataTombstone(groupId: string): EncodedRecord {
  return {
    key: consumerGroupPartitionMetadataKey.encodeRecord({ groupId }, KEY_VERSION.partitionMetadata),
    value: null,
  }
}

export function memberRecord(
  groupId: string,
  memberId: string,
  value: ConsumerGroupMemberMetadataValue | null,
): EncodedRecord {
  return {
    key: consumerGroupMemberMetadataKey.encodeRecord({ groupId, memberId }, KEY_VERSION.member),
    value: value === null ? null : consumerGroupMemberMetadataValue.encodeRecord(value, 0),
  }
}

export function targetEpochRecord(groupId: string, assignmentEpoch: number | null): EncodedRecord {
  return {
    key: consumerGroupTargetAssignmentMetadataKey.encodeRecord({ groupId }, KEY_VERSION.targetEpoch),
    value:
      assignmentEpoch === null ? null : consumerGroupTargetAssignmentMetadataValue.encodeRecord({ assignmentEpoch }, 0),
  }
}

export function targetRecord(
  groupId: string,
  memberId: string,
  value: ConsumerGroupTargetAssignmentMemberValue | null,
): EncodedRecord {
  return {
    key: consumerGroupTargetAssignmentMemberKey.encodeRecord({ groupId, memberId }, KEY_VERSION.target),
    value: value === null ? null : consumerGroupTargetAssignmentMemberValue.encodeRecord(value, 0),
  }
}

export function currentAssignmentRecord(
  groupId: string,
  memberId: string,
  value: ConsumerGroupCurrentMemberAssignmentValue | null,
): EncodedRecord {
  return {
    key: consumerGroupCurrentMemberAssignmentKey.encodeRecord({ groupId, memberId }, KEY_VERSION.current),
    value: value === null ? null : consumerGroupCurrentMemberAssignmentValue.encodeRecord(value, 0),
  }
}

/** Throws MalformedMessage. A key of a later version than these is something that nothing here knows: `ignored`. */
export function decodeGroupRecord(key: Uint8Array, value: Uint8Array | null): GroupRecord {
  if (key.length < 2) throw new MalformedMessage('a key without a version')
  switch ((key[0] << 8) | key[1]) {
    case 0:
    case OFFSET_KEY_VERSION: {
      const { group, topic, partition } = offsetCommitKey.decodeRecord(key)
      return { kind: 'offset', groupId: group, topic, partition, value: value === null ? null : decodeOffset(value) }
    }
    case KEY_VERSION.group: {
      const { group } = groupMetadataKey.decodeRecord(key)
      return { kind: 'classic', groupId: group, value: value === null ? null : decodeGeneration(value) }
    }
    case KEY_VERSION.consumerGroup: {
      const { groupId } = consumerGroupMetadataKey.decodeRecord(key)
      return { kind: 'consumer', groupId, value: value && consumerGroupMetadataValue.decodeRecord(value) }
    }
    case KEY_VERSION.member: {
      const { groupId, memberId } = consumerGroupMemberMetadataKey.decodeRecord(key)
      return { kind: 'member', groupId, memberId, value: value && consumerGroupMemberMetadataValue.decodeRecord(value) }
    }
    case KEY_VERSION.targetEpoch: {
      const { groupId } = consumerGroupTargetAssignmentMetadataKey.decodeRecord(key)
      return {
        kind: 'target-epoch',
        groupId,
        value: value && consumerGroupTargetAssignmentMetadataValue.decodeRecord(value),
      }
    }
    case KEY_VERSION.target: {
      const { groupId, memberId } = consumerGroupTargetAssignmentMemberKey.decodeRecord(key)
      return {
        kind: 'target',
        groupId,
        memberId,
        value: value && consumerGroupTargetAssignmentMemberValue.decodeRecord(value),
      }
    }
    case KEY_VERSION.current: {
      const { groupId, memberId } = consumerGroupCurrentMemberAssignmentKey.decodeRecord(key)
      return {
        kind: 'current',
        groupId,
        memberId,
        value: value && consumerGroupCurrentMemberAssignmentValue.decodeRecord(value),
      }
    }
    default:
      return { kind: 'ignored' }
  }
}

function decodeOffset(bytes: Uint8Array): Omit<CommittedOffset, 'recordOffset'> {
  const { offset, leaderEpoch, metadata, commitTimestamp, expireTimestamp } = offsetCommitValue.decodeRecord(bytes)
  return { offset, leaderEpoch, metadata, commitTimestampMs: commitTimestamp, expireTimestampMs: expireTimestamp }
}

function decodeGeneration(bytes: Uint8Array): StoredGeneration {
  const value = groupMetadataValue.decodeRecord(bytes)
  return {
    protocolType: value.protocolType,
    generationId: value.generation,
    protocolName: value.protocol,
    leaderId: value.leader,
    stateSinceMs: value.currentStateTimestamp,
    members: value.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  }
}
