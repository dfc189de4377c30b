import { ByteReader, MalformedMessage } from '../codec/byte-reader.ts'
import type { Message } from '../codec/message.ts'
import {
  type ConsumerProtocolAssignment,
  type ConsumerProtocolSubscription,
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../schemas/consumer-protocol.ts'
import { type Assignment, topicPartitionsOf } from './assignment.ts'

/**
 * What members of a group of consumers tell each other through the coordinator. It is theirs: nothing here is a condition
 * to be in a group, and what cannot be read is null.
 */
export function decodeSubscription(bytes: Uint8Array): ConsumerProtocolSubscription | null {
  return decode(consumerProtocolSubscription, bytes)
}

export function decodeAssignment(bytes: Uint8Array): ConsumerProtocolAssignment | null {
  return decode(consumerProtocolAssignment, bytes)
}

/** In the version that the member speaks. Topics that are gone meanwhile are left out. */
export function encodeAssignment(
  assignment: Assignment,
  topicName: (topicId: string) => string | undefined,
  version: number,
): Buffer {
  const assignedPartitions = topicPartitionsOf(assignment).flatMap(({ topicId, partitions }) => {
    const topic = topicName(topicId)
    return topic === undefined ? [] : [{ topic, partitions }]
  })
  const { min, max } = consumerProtocolAssignment.versions
  return consumerProtocolAssignment.encodeRecord({ assignedPartitions }, Math.max(min, Math.min(version, max)))
}

/** Of what a member says or is told; 0 when it says nothing. */
export function versionOf(bytes: Uint8Array): number {
  return readOrNull(() => new ByteReader().open(bytes).int16()) ?? 0
}

/** The topics alone, which stand at the same place in every version, those to come too. */
export function subscribedTopicsOf(bytes: Uint8Array): readonly string[] | null {
  return readOrNull(() => {
    const reader = new ByteReader().open(bytes)
    return reader.int16() < 0 ? null : consumerProtocolSubscription.decode(reader, 0).topics
  })
}

/** A version that is not known yet begins as the last one that is. */
function decode<D>(message: Message<D, never>, bytes: Uint8Array): D | null {
  return readOrNull(() => {
    const reader = new ByteReader().open(bytes)
    const version = reader.int16()
    return version < 0 ? null : message.decode(reader, Math.min(version, message.versions.max))
  })
}

function readOrNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedMessage) return null
    throw error
  }
}
