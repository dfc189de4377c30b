/** How many partitions a new or growing topic gets, and on which brokers: here there is one broker, so most plans are refused. */

import type { ErrorName } from '../errors.ts'

/** A refusal in Kafka's words. */
export interface Refusal {
  readonly error: ErrorName
  readonly message: string | null
}

/** What a request asks of a topic that is to be made; -1: what the broker's settings say. */
export interface WantedPartitions {
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly assignments: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[]
}

/** What one request may make: more is an error of the client more often than not, and would hold up everybody. */
export const NEW_PARTITIONS_MAX = 10_000

export const TOO_MANY_PARTITIONS: Refusal = {
  error: 'POLICY_VIOLATION',
  message: 'Excessively large number of partitions per request.',
}

/** The number of partitions of a new topic, or why there can be none. */
export function planTopic(wanted: WantedPartitions, defaultCount: number, nodeId: number): number | Refusal {
  const { numPartitions, replicationFactor, assignments } = wanted
  if (assignments.length > 0) {
    if (replicationFactor !== -1) return notWithAssignment('replication factor')
    if (numPartitions !== -1) return notWithAssignment('numPartitions')
    return planAssigned(assignments, nodeId)
  }
  if (replicationFactor < -1 || replicationFactor === 0) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.'
    return { error: 'INVALID_REPLICATION_FACTOR', message }
  }
  if (numPartitions < -1 || numPartitions === 0) {
    const message = 'Number of partitions was set to an invalid non-positive value.'
    return { error: 'INVALID_PARTITIONS', message }
  }
  if (replicationFactor > 1) {
    const message =
      `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ` +
      `${replicationFactor} cannot be reached because only 1 broker(s) are registered.`
    return { error: 'INVALID_REPLICATION_FACTOR', message }
  }
  return numPartitions === -1 ? defaultCount : numPartitions
}

function notWithAssignment(what: string): Refusal {
  const message = `A manual partition assignment was specified, but ${what} was not set to -1.`
  return { error: 'INVALID_REQUEST', message }
}

function planAssigned(assignments: WantedPartitions['assignments'], nodeId: number): number | Refusal {
  const seen = new Set<number>()
  for (const { partitionIndex, brokerIds } of assignments) {
    if (seen.has(partitionIndex)) {
      return misassigned(`Found multiple manual partition assignments for partition ${partitionIndex}`)
    }
    seen.add(partitionIndex)
    const refusal = refuseReplicas(brokerIds, nodeId)
    if (refusal !== null) return refusal
  }
  for (let partition = 0; partition < seen.size; partition++) {
    if (!seen.has(partition)) return misassigned('partitions should be a consecutive 0-based integer sequence')
  }
  return seen.size
}

/** Why a partition cannot lie on these brokers, of which only one is there; null when it can. */
export function refuseReplicas(brokerIds: readonly number[], nodeId: number): Refusal | null {
  if (brokerIds.length === 0) return misassigned('The manual partition assignment includes an empty replica list.')
  let previous: number | undefined
  for (const id of [...brokerIds].sort((a, b) => a - b)) {
    if (id !== nodeId) {
      return misassigned(`The manual partition assignment includes broker ${id}, but no such broker is registered.`)
    }
    if (id === previous) {
      return misassigned(`The manual partition assignment includes the broker ${id} more than once.`)
    }
    previous = id
  }
  return null
}

function misassigned(message: string): Refusal {
  return { error: 'INVALID_REPLICA_ASSIGNMENT', message }
}
