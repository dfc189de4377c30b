import type { ServerLog } from '../../config/server-log.ts'
import { KafkaError } from '../errors.ts'
import { type KafkaPrincipal, textOfPrincipal } from '../principal.ts'
import {
  type Acl,
  type AclFilter,
  matchesAcl,
  nameOf,
  OPERATION,
  PATTERN,
  PERMISSION,
  RESOURCE,
  WILDCARD,
} from './acl.ts'
import type { AclFile } from './acl-file.ts'
import { AclIndex } from './acl-index.ts'
import { DecisionCache } from './decision-cache.ts'
import { canonicalHost } from './host.ts'

/** Who asks, and from where. */
export interface Requester {
  readonly principal: KafkaPrincipal
  readonly remoteHost: string
  /** What was decided for it before. */
  decisions: DecisionCache | null
}

/** What an authorizer goes by beside its entries. */
export interface AuthorizerSettings {
  /** Principals who may do anything: `User:admin`. */
  readonly superUsers: ReadonlySet<string>
  /** Whether a resource that no entry speaks of is open to everybody. */
  readonly allowsWithoutAcl: boolean
}

/** Operations that are allowed with another one. A refusal refuses nothing but what it names. */
const IMPLIED_BY: Readonly<Record<number, readonly number[]>> = {
  [OPERATION.describe]: [OPERATION.describe, OPERATION.read, OPERATION.write, OPERATION.delete, OPERATION.alter],
  [OPERATION.describeConfigs]: [OPERATION.describeConfigs, OPERATION.alterConfigs],
}

const EVERY_USER = 'User:*'

/**
 * Decides as Kafka's StandardAuthorizer: a super user may do anything; else whatever an entry denies is denied, then what
 * one allows is allowed; and what nothing is said of is denied, unless the resource has no entry at all and
 * `allow.everyone.if.no.acl.found` is set.
 */
export class Authorizer {
  readonly #file: AclFile
  readonly #log: ServerLog
  readonly #index = new AclIndex()
  #settings: AuthorizerSettings
  /** Counts changes, so that what was decided before is not asked any more. */
  #changeCount = 0

  constructor(file: AclFile, settings: AuthorizerSettings, log: ServerLog) {
    this.#file = file
    this.#settings = settings
    this.#log = log
  }

  /** Reads what was saved. */
  load(): void {
    for (const acl of this.#file.load()) this.#index.add(acl)
    this.#changeCount++
  }

  useSettings(settings: AuthorizerSettings): void {
    this.#settings = settings
    this.#changeCount++
  }

  // ---- Decisions ----

  /** Whether the requester may do this. A refusal stands in the log, save where `quietly`: nobody has asked for that resource. */
  allows(
    requester: Requester,
    operation: number,
    resourceType: number,
    resourceName: string,
    quietly = false,
  ): boolean {
    const decisions = this.#decisionsOf(requester)
    const known = decisions.get(operation, resourceType, resourceName)
    const isAllowed = known ?? this.#decide(requester, operation, resourceType, resourceName)
    if (known === undefined) decisions.set(operation, resourceType, resourceName, isAllowed)
    if (!isAllowed && !quietly) {
      this.#log.info(
        `Principal = ${textOfPrincipal(requester.principal)} is Denied operation = ${nameOf(OPERATION, operation)} ` +
          `from host = ${requester.remoteHost} on resource = ${nameOf(RESOURCE, resourceType)}:${escaped(resourceName)}`,
      )
    }
    return isAllowed
  }

  #decisionsOf(requester: Requester): DecisionCache {
    const { decisions, principal } = requester
    if (decisions !== null && decisions.principal === principal && decisions.changeCount === this.#changeCount) {
      return decisions
    }
    return (requester.decisions = new DecisionCache(principal, this.#changeCount))
  }

  #decide(
    { principal, remoteHost }: Requester,
    operation: number,
    resourceType: number,
    resourceName: string,
  ): boolean {
    const name = textOfPrincipal(principal)
    if (this.#settings.superUsers.has(name)) return true
    const host = canonicalHost(remoteHost)
    const implying = IMPLIED_BY[operation]
    let isAnyEntry = false
    let isAllowed = false
    let isDenied = false
    this.#index.visit(resourceType, resourceName, (entries) => {
      isAnyEntry = true
      for (const acl of entries) {
        if (!isFor(acl, name, host)) continue
        const { operation: named } = acl
        if (acl.permissionType === PERMISSION.deny) {
          if (named === operation || named === OPERATION.all) isDenied = true
        } else if (named === operation || named === OPERATION.all || implying?.includes(named)) isAllowed = true
      }
      return !isDenied
    })
    if (isDenied) return false
    return isAllowed || (!isAnyEntry && this.#settings.allowsWithoutAcl)
  }

  /**
   * Whether there is any resource of a kind that the requester may do this to: one that an entry for exactly this operation
   * allows, and that none denies, as far as names and prefixes tell.
   */
  allowsSomewhere(requester: Requester, operation: number, resourceType: number): boolean {
    // Super users, wildcards, and what is open to everybody: a name that no entry is about.
    if (this.allows(requester, operation, resourceType, SOME_NAME, true)) return true
    const name = textOfPrincipal(requester.principal)
    const host = canonicalHost(requester.remoteHost)
    const allowed: Acl[] = []
    const deniedNames = new Set<string>()
    const deniedPrefixes = new Set<string>()
    for (const acl of this.#index.ofType(resourceType)) {
      if (!isFor(acl, name, host) || (acl.operation !== operation && acl.operation !== OPERATION.all)) continue
      const { patternType, resourceName, permissionType } = acl
      if (permissionType === PERMISSION.allow) allowed.push(acl)
      else if (patternType === PATTERN.prefixed) deniedPrefixes.add(resourceName)
      else if (resourceName === WILDCARD) return false
      else deniedNames.add(resourceName)
    }
    return allowed.some(({ patternType, resourceName }) => {
      if (patternType === PATTERN.literal) {
        if (resourceName === WILDCARD) return true
        if (deniedNames.has(resourceName)) return false
      }
      return ![...deniedPrefixes].some((prefix) => resourceName.startsWith(prefix))
    })
  }

  // ---- Entries ----

  get aclCount(): number {
    return this.#index.size
  }

  /** Those that a filter matches. */
  find(filter: AclFilter): Acl[] {
    return [...this.#index.values()].filter((acl) => matchesAcl(filter, acl))
  }

  has(acl: Acl): boolean {
    return this.#index.has(acl)
  }

  /** On disk when it returns. Entries that there are already stay as they are. */
  add(acls: Iterable<Acl>): void {
    const added = [...acls].filter((acl) => this.#index.add(acl))
    this.#save(added, (acl) => this.#index.remove(acl))
  }

  /** On disk when it returns. */
  remove(acls: Iterable<Acl>): void {
    const removed = [...acls].filter((acl) => this.#index.remove(acl))
    this.#save(removed, (acl) => this.#index.add(acl))
  }

  /** What the disk does not take has not happened. */
  #save(changed: readonly Acl[], undo: (acl: Acl) => void): void {
    if (changed.length === 0) return
    this.#changeCount++
    try {
      this.#file.save(this.#index.values())
    } catch (error) {
      for (const acl of changed) undo(acl)
      throw new KafkaError('KAFKA_STORAGE_ERROR', `Access control entries were not saved: ${(error as Error).message}`)
    }
  }
}

/** Clients think up names: a line of the log stays a line. */
function escaped(name: string): string {
  return JSON.stringify(name).slice(1, -1)
}

const SOME_NAME = 'hardcode'

function isFor(acl: Acl, principal: string, host: string): boolean {
  if (acl.principal !== principal && acl.principal !== EVERY_USER) return false
  return acl.host === WILDCARD || canonicalHost(acl.host) === host
}
