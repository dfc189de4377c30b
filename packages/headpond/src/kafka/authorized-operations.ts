/** What a client may do with a topic, a group or the cluster, as answers tell it when they are asked: a bit for each operation. */

import { OPERATION } from './authorizer/acl.ts'

type Operation = Exclude<keyof typeof OPERATION, 'any' | 'all'>

/** Nobody has asked. */
export const OPERATIONS_NOT_ASKED = -(2 ** 31)

/** The operations that there are for each kind of resource. */
const OPERATIONS: Readonly<Record<'topic' | 'group' | 'cluster', readonly Operation[]>> = {
  topic: ['read', 'write', 'create', 'delete', 'alter', 'describe', 'describeConfigs', 'alterConfigs'],
  group: ['read', 'delete', 'describe', 'describeConfigs', 'alterConfigs'],
  cluster: ['create', 'alter', 'describe', 'clusterAction', 'describeConfigs', 'alterConfigs', 'idempotentWrite'],
}

export function operationBits(resource: keyof typeof OPERATIONS, isAllowed: (operation: Operation) => boolean): number {
  let bits = 0
  for (const operation of OPERATIONS[resource]) if (isAllowed(operation)) bits |= 1 << OPERATION[operation]
  return bits
}
