/** What a client may do with a topic, a group or the cluster, as answers tell it when they are asked: a bit for each operation. */

/** Kafka's numbers of operations. */
const OPERATION = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const

type Operation = keyof typeof OPERATION

function bitsOf(operations: readonly Operation[]): number {
  return operations.reduce((bits, operation) => bits | (1 << OPERATION[operation]), 0)
}

/** Nobody has asked. */
export const OPERATIONS_NOT_ASKED = -(2 ** 31)

/** Everything that there is: without an authorizer everybody may do all of it. */
export const ALL_OPERATIONS = {
  topic: bitsOf(['read', 'write', 'create', 'delete', 'alter', 'describe', 'describeConfigs', 'alterConfigs']),
  group: bitsOf(['read', 'delete', 'describe', 'describeConfigs', 'alterConfigs']),
  cluster: bitsOf([
    'create',
    'alter',
    'describe',
    'clusterAction',
    'describeConfigs',
    'alterConfigs',
    'idempotentWrite',
  ]),
} as const
