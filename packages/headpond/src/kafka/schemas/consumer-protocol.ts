/** What members of a group of type `consumer` tell each other through the coordinator, which need not understand it. */
import { array, bytes, int32, string } from '../codec/declaration.ts'
import { type Decoded, message } from '../codec/message.ts'

/**
 * Subscription part of the Consumer Protocol.
 * The current implementation assumes that future versions will not break compatibility. When it encounters a newer
 *   version, it parses it using the current format. This basically means that new versions cannot remove or
 *   reorder any of the existing fields.
 * Version 1 added the "OwnedPartitions" field to allow assigner know what partitions each member owned
 * Version 2 added a new field "GenerationId" to indicate if the member has out-of-date ownedPartitions.
 * Version 3 adds rack id to enable rack-aware assignment.
 */
export const consumerProtocolSubscription = message(
  { name: 'ConsumerProtocolSubscription', versions: '0-3' },
  {
    topics: array('0+', 'string'),
    userData: bytes('0+', { nullable: '0+', default: null }),
    ownedPartitions: array('1+', {
      topic: string('1+'),
      partitions: array('1+', 'int32'),
    }),
    generationId: int32('2+', { default: -1 }),
    rackId: string('3+', { nullable: '3+', default: null }),
  },
)

export type ConsumerProtocolSubscription = Decoded<typeof consumerProtocolSubscription>

/**
 * Assignment part of the Consumer Protocol.
 * The current implementation assumes that future versions will not break compatibility. When it encounters a newer
 *   version, it parses it using the current format. This basically means that new versions cannot remove or
 *   reorder any of the existing fields.
 * Version 2 is to support a new field "GenerationId" in ConsumerProtocolSubscription.
 * Version 3 adds rack id to ConsumerProtocolSubscription.
 */
export const consumerProtocolAssignment = message(
  { name: 'ConsumerProtocolAssignment', versions: '0-3' },
  {
    assignedPartitions: array('0+', {
      topic: string('0+'),
      partitions: array('0+', 'int32'),
    }),
    userData: bytes('0+', { nullable: '0+', default: null }),
  },
)

export type ConsumerProtocolAssignment = Decoded<typeof consumerProtocolAssignment>
