import { isIP } from 'node:net'

/** `user`, `client-id` or `ip`. */
export type EntityType = 'user' | 'client-id' | 'ip'

/** Whom a quota is for: names by type, in the order of the types. Null is everybody who has no quota of his own. */
export type QuotaEntity = ReadonlyMap<string, string | null>

/** In the order in which Kafka's hash tables have them. */
const TYPES: readonly string[] = ['client-id', 'ip', 'user'] satisfies EntityType[]

export function isEntityType(type: string): type is EntityType {
  return TYPES.includes(type)
}

/** Of a type that is named twice the last name counts. */
export function quotaEntity(names: Iterable<readonly [type: string, name: string | null]>): QuotaEntity {
  return new Map([...new Map(names)].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function entityKey(entity: QuotaEntity): string {
  return JSON.stringify([...entity])
}

/** As Kafka writes one down. */
export function showEntity(entity: QuotaEntity): string {
  return `ClientQuotaEntity(entries={${[...entity].map(([type, name]) => `${type}=${name}`).join(', ')}})`
}

/** The one form of an address; others are left as they are. */
export function normalAddress(address: string): string {
  if (isIP(address) !== 6) return address
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}
