/** What the requests about entries have in common. */

import type { RequestContext } from '../api.ts'
import type { ErrorName } from '../errors.ts'
import {
  type Acl,
  type AclFilter,
  CLUSTER_NAME,
  isKnownNumber,
  nameOf,
  OPERATION,
  PATTERN,
  PERMISSION,
  RESOURCE,
} from './acl.ts'

/** What one request may change, as with topics. */
export const ACL_CHANGES_MAX = 10_000

export interface AclRefusal {
  readonly error: ErrorName
  readonly message: string
}

interface FilterFields {
  readonly resourceTypeFilter: number
  readonly resourceNameFilter: string | null
  readonly patternTypeFilter: number
  readonly principalFilter: string | null
  readonly hostFilter: string | null
  readonly operation: number
  readonly permissionType: number
}

export function filterOf(fields: FilterFields): AclFilter {
  return {
    resourceType: fields.resourceTypeFilter,
    resourceName: fields.resourceNameFilter,
    patternType: fields.patternTypeFilter,
    principal: fields.principalFilter,
    host: fields.hostFilter,
    operation: fields.operation,
    permissionType: fields.permissionType,
  }
}

/** Zero stands for something that a client itself does not know: Kafka takes a request with it for broken. */
export function hasUnknown({ resourceType, patternType, operation, permissionType }: Acl | AclFilter): boolean {
  return resourceType === 0 || patternType === 0 || operation === 0 || permissionType === 0
}

/** Ends the connection, as Kafka does with requests that cannot be read. */
export function closeAsMalformed({ session }: RequestContext, api: string): null {
  session.close(`a malformed ${api} request: it has UNKNOWN elements`)
  return null
}

/** Why there can be no such entry; null when there can. */
export function refuseAcl({ resourceType, resourceName, patternType, ...acl }: Acl): AclRefusal | null {
  if (resourceType === RESOURCE.cluster && resourceName !== CLUSTER_NAME) {
    return invalid(`The only valid name for the CLUSTER resource is ${CLUSTER_NAME}`)
  }
  if (resourceName === '') return invalid('Invalid empty resource name')
  if (!isKnownNumber(RESOURCE, resourceType)) return invalid(`Invalid resourceType ${nameOf(RESOURCE, resourceType)}`)
  if (patternType !== PATTERN.literal && patternType !== PATTERN.prefixed) {
    return invalid(`Invalid patternType ${nameOf(PATTERN, patternType)}`)
  }
  if (!isKnownNumber(OPERATION, acl.operation)) return invalid(`Invalid operation ${nameOf(OPERATION, acl.operation)}`)
  if (acl.permissionType !== PERMISSION.allow && acl.permissionType !== PERMISSION.deny) {
    return invalid(`Invalid permissionType ${nameOf(PERMISSION, acl.permissionType)}`)
  }
  if (!acl.principal.includes(':')) {
    const why = 'no colon is present separating the principal type from the principal name'
    return invalid(`Could not parse principal from \`${acl.principal}\` (${why})`)
  }
  return null
}

/** What only filters may say. */
export function hasAny({ resourceType, patternType, operation, permissionType }: Acl): boolean {
  return (
    resourceType === RESOURCE.any ||
    patternType === PATTERN.any ||
    patternType === PATTERN.match ||
    operation === OPERATION.any ||
    permissionType === PERMISSION.any
  )
}

/** Why nothing can be found with a filter; null when something can. */
export function refuseFilter({ resourceType, patternType, operation, permissionType }: AclFilter): AclRefusal | null {
  if (!isKnownNumber(RESOURCE, resourceType) || !isKnownNumber(PATTERN, patternType)) {
    return invalid('Unknown patternFilter.')
  }
  if (!isKnownNumber(OPERATION, operation) || !isKnownNumber(PERMISSION, permissionType)) {
    return invalid('Unknown entryFilter.')
  }
  return null
}

function invalid(message: string): AclRefusal {
  return { error: 'INVALID_REQUEST', message }
}
