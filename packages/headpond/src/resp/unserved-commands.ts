import type { ACL_CATEGORIES } from './command-description.ts'

export interface UnservedCommand {
  readonly name: string
  readonly categories: readonly (typeof ACL_CATEGORIES)[number][]
}

const administration = ['admin', 'slow', 'dangerous'] as const
const writing = ['keyspace', 'write', 'slow', 'dangerous'] as const

/**
 * Commands of Redis that are not served. Its users' rules (`-replicaof`, `+psync`) and its configuration files
 * (`rename-command SLAVEOF ""`) name them all the same, and come here as they are.
 */
export const UNSERVED_COMMANDS: readonly UnservedCommand[] = [
  { name: 'failover', categories: administration },
  { name: 'migrate', categories: writing },
  { name: 'psync', categories: administration },
  { name: 'replconf', categories: administration },
  { name: 'replicaof', categories: administration },
  { name: 'restore-asking', categories: writing },
  { name: 'slaveof', categories: administration },
  { name: 'sync', categories: administration },
]
