/** What `__consumer_offsets` holds. The version of a key says what it is the key of, so each has one of its own. */
import { array, bytes, int8, int32, int64, int64Exact, string, struct, uuid } from '../codec/declaration.ts'
import { type Decoded, message } from '../codec/message.ts'

const memberMetadata = {
  memberId: string('0+'),
  groupInstanceId: string('3+', { nullable: '3+', default: null }),
  clientId: string('0+'),
  clientHost: string('0+'),
  rebalanceTimeout: int32('1+', { default: -1 }),
  sessionTimeout: int32('0+'),
  subscription: bytes('0+'),
  assignment: bytes('0+'),
}

const topicPartitions = {
  topicId: uuid('0+'),
  partitions: array('0+', 'int32'),
}

export const offsetCommitKey = message(
  { name: 'OffsetCommitKey', versions: '0-1' },
  {
    group: string('0+'),
    topic: string('0+'),
    partition: int32('0+'),
  },
)

export type OffsetCommitKey = Decoded<typeof offsetCommitKey>

/**
 * Version 4 is the first flexible version. KIP-915: bumping the version will no longer make this record backward
 *   compatible. We suggest to add/remove only tagged fields to maintain backward compatibility.
 */
export const offsetCommitValue = message(
  { name: 'OffsetCommitValue', versions: '0-4', flexible: '4+' },
  {
    offset: int64Exact('0+'),
    leaderEpoch: int32('3+', { default: -1 }),
    metadata: string('0+'),
    commitTimestamp: int64('0+'),
    expireTimestamp: int64('1', { default: -1 }),
  },
)

export type OffsetCommitValue = Decoded<typeof offsetCommitValue>

export const groupMetadataKey = message(
  { name: 'GroupMetadataKey', versions: '2' },
  {
    group: string('2+'),
  },
)

export type GroupMetadataKey = Decoded<typeof groupMetadataKey>

/**
 * Version 4 is the first flexible version. KIP-915: bumping the version will no longer make this record backward
 *   compatible. We suggest to add/remove only tagged fields to maintain backward compatibility.
 */
export const groupMetadataValue = message(
  { name: 'GroupMetadataValue', versions: '0-4', flexible: '4+' },
  {
    protocolType: string('0+'),
    generation: int32('0+'),
    protocol: string('0+', { nullable: '0+' }),
    leader: string('0+', { nullable: '0+' }),
    currentStateTimestamp: int64('2+', { default: -1 }),
    members: array('0+', memberMetadata),
  },
)

export type GroupMetadataValue = Decoded<typeof groupMetadataValue>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupMetadataKey = message(
  { name: 'ConsumerGroupMetadataKey', versions: '3' },
  {
    groupId: string('3+'),
  },
)

export type ConsumerGroupMetadataKey = Decoded<typeof consumerGroupMetadataKey>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupMetadataValue = message(
  { name: 'ConsumerGroupMetadataValue', versions: '0', flexible: '0+' },
  {
    epoch: int32('0+'),
  },
)

export type ConsumerGroupMetadataValue = Decoded<typeof consumerGroupMetadataValue>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupPartitionMetadataKey = message(
  { name: 'ConsumerGroupPartitionMetadataKey', versions: '4' },
  {
    groupId: string('4+'),
  },
)

export type ConsumerGroupPartitionMetadataKey = Decoded<typeof consumerGroupPartitionMetadataKey>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupPartitionMetadataValue = message(
  { name: 'ConsumerGroupPartitionMetadataValue', versions: '0', flexible: '0+' },
  {
    topics: array('0+', {
      topicId: uuid('0+'),
      topicName: string('0+'),
      numPartitions: int32('0+'),
      partitionMetadata: array('0+', {
        partition: int32('0+'),
        racks: array('0+', 'string'),
      }),
    }),
  },
)

export type ConsumerGroupPartitionMetadataValue = Decoded<typeof consumerGroupPartitionMetadataValue>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupMemberMetadataKey = message(
  { name: 'ConsumerGroupMemberMetadataKey', versions: '5' },
  {
    groupId: string('5+'),
    memberId: string('5+'),
  },
)

export type ConsumerGroupMemberMetadataKey = Decoded<typeof consumerGroupMemberMetadataKey>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupMemberMetadataValue = message(
  { name: 'ConsumerGroupMemberMetadataValue', versions: '0', flexible: '0+' },
  {
    instanceId: string('0+', { nullable: '0+' }),
    rackId: string('0+', { nullable: '0+' }),
    clientId: string('0+'),
    clientHost: string('0+'),
    subscribedTopicNames: array('0+', 'string'),
    subscribedTopicRegex: string('0+', { nullable: '0+' }),
    rebalanceTimeoutMs: int32('0+', { default: -1 }),
    serverAssignor: string('0+', { nullable: '0+' }),
    classicMemberMetadata: struct(
      '0+',
      {
        sessionTimeoutMs: int32('0+'),
        supportedProtocols: array('0+', {
          name: string('0+'),
          metadata: bytes('0+'),
        }),
      },
      { nullable: '0+', default: null, tag: 0 },
    ),
  },
)

export type ConsumerGroupMemberMetadataValue = Decoded<typeof consumerGroupMemberMetadataValue>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupTargetAssignmentMetadataKey = message(
  { name: 'ConsumerGroupTargetAssignmentMetadataKey', versions: '6' },
  {
    groupId: string('6+'),
  },
)

export type ConsumerGroupTargetAssignmentMetadataKey = Decoded<typeof consumerGroupTargetAssignmentMetadataKey>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupTargetAssignmentMetadataValue = message(
  { name: 'ConsumerGroupTargetAssignmentMetadataValue', versions: '0', flexible: '0+' },
  {
    assignmentEpoch: int32('0+'),
  },
)

export type ConsumerGroupTargetAssignmentMetadataValue = Decoded<typeof consumerGroupTargetAssignmentMetadataValue>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupTargetAssignmentMemberKey = message(
  { name: 'ConsumerGroupTargetAssignmentMemberKey', versions: '7' },
  {
    groupId: string('7+'),
    memberId: string('7+'),
  },
)

export type ConsumerGroupTargetAssignmentMemberKey = Decoded<typeof consumerGroupTargetAssignmentMemberKey>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupTargetAssignmentMemberValue = message(
  { name: 'ConsumerGroupTargetAssignmentMemberValue', versions: '0', flexible: '0+' },
  {
    topicPartitions: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', 'int32'),
    }),
  },
)

export type ConsumerGroupTargetAssignmentMemberValue = Decoded<typeof consumerGroupTargetAssignmentMemberValue>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupCurrentMemberAssignmentKey = message(
  { name: 'ConsumerGroupCurrentMemberAssignmentKey', versions: '8' },
  {
    groupId: string('8+'),
    memberId: string('8+'),
  },
)

export type ConsumerGroupCurrentMemberAssignmentKey = Decoded<typeof consumerGroupCurrentMemberAssignmentKey>

/** KIP-848 is in development. This schema is subject to non-backwards-compatible changes. */
export const consumerGroupCurrentMemberAssignmentValue = message(
  { name: 'ConsumerGroupCurrentMemberAssignmentValue', versions: '0', flexible: '0+' },
  {
    memberEpoch: int32('0+'),
    previousMemberEpoch: int32('0+'),
    state: int8('0+'),
    assignedPartitions: array('0+', topicPartitions),
    partitionsPendingRevocation: array('0+', topicPartitions),
  },
)

export type ConsumerGroupCurrentMemberAssignmentValue = Decoded<typeof consumerGroupCurrentMemberAssignmentValue>
