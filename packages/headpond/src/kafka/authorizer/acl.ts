/** Access control lists as Kafka has them: who may, or may not, do what to which resource, and from where. */

/** Kafka's numbers of kinds of resources; `any` stands in filters alone. */
export const RESOURCE = {
  any: 1,
  topic: 2,
  group: 3,
  cluster: 4,
  transactionalId: 5,
  delegationToken: 6,
  user: 7,
} as const

/** What an entry's resource name says; `any` and `match` stand in filters alone. */
export const PATTERN = {
  any: 1,
  /** In a filter: whatever applies to the resource of that name. */
  match: 2,
  /** That name, or every name where it is `*`. */
  literal: 3,
  /** Every name that begins so. */
  prefixed: 4,
} as const

/** `any` stands in filters alone, `all` in entries. */
export const OPERATION = {
  any: 1,
  all: 2,
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
  createTokens: 13,
  describeTokens: 14,
  twoPhaseCommit: 15,
} as const

export const PERMISSION = { any: 1, deny: 2, allow: 3 } as const

/** There is one cluster, and this is its name. */
export const CLUSTER_NAME = 'kafka-cluster'
/** As a name, a host, or (with its type) a principal: all of them. */
export const WILDCARD = '*'

/** One entry. Numbers are those of the tables above. */
export interface Acl {
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  /** `User:alice`; `User:*` is every user. */
  readonly principal: string
  /** An address, or `*`. */
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

/** Null matches anything, as `any` does. */
export interface AclFilter {
  readonly resourceType: number
  readonly resourceName: string | null
  readonly patternType: number
  readonly principal: string | null
  readonly host: string | null
  readonly operation: number
  readonly permissionType: number
}

/** Equal for equal entries. */
export function keyOfAcl(acl: Acl): string {
  return JSON.stringify([
    acl.resourceType,
    acl.patternType,
    acl.resourceName,
    acl.permissionType,
    acl.operation,
    acl.host,
    acl.principal,
  ])
}

export function matchesAcl(filter: AclFilter, acl: Acl): boolean {
  return (
    (filter.resourceType === RESOURCE.any || filter.resourceType === acl.resourceType) &&
    matchesPattern(filter, acl) &&
    (filter.principal === null || filter.principal === acl.principal) &&
    (filter.host === null || filter.host === acl.host) &&
    (filter.operation === OPERATION.any || filter.operation === acl.operation) &&
    (filter.permissionType === PERMISSION.any || filter.permissionType === acl.permissionType)
  )
}

function matchesPattern({ resourceName, patternType }: AclFilter, acl: Acl): boolean {
  const isOpen = patternType === PATTERN.any || patternType === PATTERN.match
  if (!isOpen && patternType !== acl.patternType) return false
  if (resourceName === null) return true
  if (patternType !== PATTERN.match) return resourceName === acl.resourceName
  if (acl.patternType === PATTERN.prefixed) return resourceName.startsWith(acl.resourceName)
  return acl.resourceName === resourceName || acl.resourceName === WILDCARD
}

/** The name of a number as Kafka's messages have it: `ALTER_CONFIGS`; `UNKNOWN` for those that there are not. */
export function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  const name = Object.keys(table).find((each) => table[each] === value)
  return name === undefined ? 'UNKNOWN' : name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

export function isKnownNumber(table: Readonly<Record<string, number>>, value: number): boolean {
  return Object.values(table).includes(value)
}
