/**
 * What handlers ask before they answer. Without an authorizer everything is allowed, and nothing is looked up.
 *
 * Which operation an API needs on what, and what is answered to those who may not, is as in Kafka; docs/kafka-acls.md has
 * the table.
 */

import type { RequestContext } from '../api.ts'
import { operationBits } from '../authorized-operations.ts'
import { type ErrorName, KafkaError } from '../errors.ts'
import { CLUSTER_NAME, nameOf, OPERATION, RESOURCE } from './acl.ts'

export type OperationName = Exclude<keyof typeof OPERATION, 'any' | 'all'>
export type ResourceName = Exclude<keyof typeof RESOURCE, 'any'>

interface Refused {
  readonly error: ErrorName
  readonly message: string
}

/** What is answered about a resource that the client may not touch. */
export const REFUSED = {
  topic: { error: 'TOPIC_AUTHORIZATION_FAILED', message: 'Topic authorization failed.' },
  group: { error: 'GROUP_AUTHORIZATION_FAILED', message: 'Group authorization failed.' },
  cluster: { error: 'CLUSTER_AUTHORIZATION_FAILED', message: 'Cluster authorization failed.' },
  transactionalId: {
    error: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    message: 'Transactional Id authorization failed.',
  },
} as const satisfies Partial<Record<ResourceName, Refused>>

/** Whether the client may do this to the resource of that name. A refusal stands in the log. */
export function may(
  { broker: { authorizer }, session }: RequestContext,
  operation: OperationName,
  resource: ResourceName,
  name: string,
): boolean {
  return authorizer === null || authorizer.allows(session, OPERATION[operation], RESOURCE[resource], name)
}

/** The same for what the client has not asked for by name: a refusal is not worth a line in the log. */
export function mayQuietly(
  { broker: { authorizer }, session }: RequestContext,
  operation: OperationName,
  resource: ResourceName,
  name: string,
): boolean {
  return authorizer === null || authorizer.allows(session, OPERATION[operation], RESOURCE[resource], name, true)
}

export function mayOnCluster(context: RequestContext, operation: OperationName): boolean {
  return may(context, operation, 'cluster', CLUSTER_NAME)
}

export function mayOnClusterQuietly(context: RequestContext, operation: OperationName): boolean {
  return mayQuietly(context, operation, 'cluster', CLUSTER_NAME)
}

/** Whether there is any resource of that kind that the client may do this to. */
export function maySomewhere(
  { broker: { authorizer }, session }: RequestContext,
  operation: OperationName,
  resource: ResourceName,
): boolean {
  return authorizer === null || authorizer.allowsSomewhere(session, OPERATION[operation], RESOURCE[resource])
}

/** Refuses the whole request of a client that may not do this to the cluster. */
export function requireOnCluster(context: RequestContext, operation: OperationName): void {
  if (mayOnCluster(context, operation)) return
  const needed = nameOf(OPERATION, OPERATION[operation])
  throw new KafkaError('CLUSTER_AUTHORIZATION_FAILED', `The request needs ${needed} permission on the cluster.`)
}

/** A bit for each operation that the client may do to the resource. */
export function authorizedOperations(
  context: RequestContext,
  resource: 'topic' | 'group' | 'cluster',
  name: string,
): number {
  return operationBits(resource, (operation) => mayQuietly(context, operation, resource, name))
}

export function authorizedOperationsOfCluster(context: RequestContext): number {
  // Whoever may not see the cluster does not learn what else it may do to it.
  return mayOnCluster(context, 'describe') ? authorizedOperations(context, 'cluster', CLUSTER_NAME) : 0
}
