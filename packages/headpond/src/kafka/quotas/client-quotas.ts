import { isIP } from 'node:net'
import { entityKey, isEntityType, normalAddress, type QuotaEntity, quotaEntity, showEntity } from './quota-entity.ts'
import { type QuotaKey, refuseQuota } from './quota-keys.ts'

/** What is set for one entity. */
export interface EntityQuotas {
  readonly entity: QuotaEntity
  readonly values: ReadonlyMap<string, number>
}

/** Null takes a limit away. */
export type QuotaOperation = readonly [key: string, value: number | null]

export interface QuotaChange {
  readonly entity: QuotaEntity
  readonly operations: readonly QuotaOperation[]
}

export interface QuotaChangeResult {
  readonly entity: QuotaEntity
  /** Why nothing was changed for it; null: it was. */
  readonly refusal: string | null
}

/** One type of a filter: entities that have it with this name, as the default, or with any name. */
export interface FilterComponent {
  readonly type: string
  readonly match: { readonly name: string | null } | 'any'
}

/** Where quotas are kept from one run to the next. */
export interface QuotaStorage {
  readonly quotas: readonly StoredQuotas[]
  setQuotas(quotas: readonly StoredQuotas[]): void
}

/** Values are texts: JSON has no infinity. */
export interface StoredQuotas {
  readonly entity: Readonly<Record<string, string | null>>
  readonly values: Readonly<Record<string, string>>
}

/** Who may do how much of what. */
export class ClientQuotas {
  #byEntity = new Map<string, EntityQuotas>()
  #storage: QuotaStorage | null = null
  /** Called after any change. */
  readonly onChange = new Set<() => void>()

  /** Takes over what was kept, and keeps changes there from now on. */
  useStorage(storage: QuotaStorage): void {
    this.#storage = storage
    for (const stored of storage.quotas) {
      const entity = quotaEntity(Object.entries(stored.entity))
      const values = new Map(Object.entries(stored.values).map(([key, value]) => [key, Number(value)]))
      this.#byEntity.set(entityKey(entity), { entity, values })
    }
    this.#changed()
  }

  /** What is set for exactly this entity. */
  limitOf(names: readonly (readonly [type: string, name: string | null])[], key: QuotaKey): number | undefined {
    return this.#byEntity.get(entityKey(quotaEntity(names)))?.values.get(key)
  }

  has(key: QuotaKey): boolean {
    for (const { values } of this.#byEntity.values()) if (values.has(key)) return true
    return false
  }

  /** @param isStrict only those that have no other type than these */
  find(components: readonly FilterComponent[], isStrict: boolean): EntityQuotas[] {
    if (components.length === 0 && isStrict) return []
    return [...this.#byEntity.values()].filter(
      ({ entity }) =>
        (!isStrict || entity.size === components.length) &&
        components.every(({ type, match }) => entity.has(type) && (match === 'any' || entity.get(type) === match.name)),
    )
  }

  /** Each entity is changed as a whole or not at all. Of one that is named again, the first changes count. */
  alter(changes: readonly QuotaChange[], isOnlyAsked: boolean): QuotaChangeResult[] {
    const results = new Map<string, QuotaChangeResult>()
    let isChanged = false
    for (const { entity, operations } of changes) {
      const key = entityKey(entity)
      const isRepeated = results.has(key) || new Set(operations.map(([name]) => name)).size < operations.length
      const refusal = isRepeated
        ? `Ignoring duplicate entity ${showEntity(entity)}`
        : (refuseEntity(entity) ?? refuseOperations(entity, operations))
      results.set(key, { entity, refusal })
      if (refusal !== null || isOnlyAsked) continue
      this.#apply(key, entity, operations)
      isChanged = true
    }
    if (isChanged) this.#save()
    return [...results.values()]
  }

  /** Nobody is limited any more. */
  clear(): void {
    if (this.#byEntity.size === 0) return
    this.#byEntity.clear()
    this.#save()
  }

  #apply(key: string, entity: QuotaEntity, operations: readonly QuotaOperation[]): void {
    const values = new Map(this.#byEntity.get(key)?.values)
    for (const [name, value] of operations) {
      if (value === null) values.delete(name)
      else values.set(name, value)
    }
    if (values.size === 0) this.#byEntity.delete(key)
    else this.#byEntity.set(key, { entity, values })
  }

  #save(): void {
    this.#storage?.setQuotas(
      [...this.#byEntity.values()].map(({ entity, values }) => ({
        entity: Object.fromEntries(entity),
        values: Object.fromEntries([...values].map(([key, value]) => [key, String(value)])),
      })),
    )
    this.#changed()
  }

  #changed(): void {
    for (const listener of [...this.onChange]) listener()
  }
}

/** The entity's name of an address has one form, whatever the request's has. */
export function requestedEntity(names: Iterable<readonly [type: string, name: string | null]>): QuotaEntity {
  return quotaEntity(
    [...names].map(([type, name]) => [type, type === 'ip' && name !== null ? normalAddress(name) : name]),
  )
}

function refuseEntity(entity: QuotaEntity): string | null {
  if (entity.size === 0) return 'Invalid empty client quota entity'
  for (const [type, name] of entity) {
    if (!isEntityType(type)) return `Unhandled client quota entity type: ${type}`
    if (name === '') return `Empty ${type} not supported`
  }
  const address = entity.get('ip')
  if (address === undefined) return null
  if (entity.size > 1) {
    return 'Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId'
  }
  return address === null || isIP(address) !== 0 ? null : `${address} is not a valid IP or resolvable host.`
}

/** To take away what is not there is no mistake, whatever its name. */
function refuseOperations(entity: QuotaEntity, operations: readonly QuotaOperation[]): string | null {
  for (const [key, value] of operations) {
    const refusal = value === null ? null : refuseQuota(entity, key, value)
    if (refusal !== null) return refusal
  }
  return null
}
