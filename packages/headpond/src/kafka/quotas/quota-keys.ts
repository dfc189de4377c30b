import type { QuotaEntity } from './quota-entity.ts'

/** What is limited, under its name in requests. */
export type QuotaKey =
  | 'producer_byte_rate'
  | 'consumer_byte_rate'
  | 'request_percentage'
  | 'controller_mutation_rate'
  | 'connection_creation_rate'

type QuotaType = 'double' | 'long' | 'int'

const OF_CLIENTS: ReadonlyMap<string, QuotaType> = new Map<QuotaKey, QuotaType>([
  ['producer_byte_rate', 'long'],
  ['consumer_byte_rate', 'long'],
  ['request_percentage', 'double'],
  ['controller_mutation_rate', 'double'],
])
const OF_ADDRESSES: ReadonlyMap<string, QuotaType> = new Map<QuotaKey, QuotaType>([['connection_creation_rate', 'int']])

const INT_MAX = 2 ** 31 - 1
const LONG_MAX = 2 ** 63
const FRACTION_MIN = 1e-6

/** Why this cannot be the limit of this entity, in Kafka's words; null when it can. */
export function refuseQuota(entity: QuotaEntity, key: string, value: number): string | null {
  const type = (entity.has('ip') ? OF_ADDRESSES : OF_CLIENTS).get(key)
  if (type === undefined) return `Invalid configuration key ${key}`
  if (!(value > 0)) return `Quota ${key} must be greater than 0`
  if (type === 'double') return null
  if (value > (type === 'int' ? INT_MAX : LONG_MAX)) {
    return `Proposed value for ${key} is too large for ${type === 'int' ? 'an INT' : 'a LONG'}.`
  }
  return value % 1 > FRACTION_MIN ? `${key} cannot be a fractional value.` : null
}
