import { type Argument, isArgument } from './local-client.ts'

/** What `seed` makes a string, hash, list, set, sorted set or stream of. */
export type SeedValue =
  | Argument
  /** Elements make a list, plain objects the entries of a stream. */
  | readonly Argument[]
  | readonly { readonly [field: string]: Argument }[]
  /** A set. */
  | ReadonlySet<Argument>
  /** Members with their scores: a sorted set. */
  | ReadonlyMap<Argument, number>
  /** Fields and values: a hash. */
  | { readonly [field: string]: Argument }

export interface SeedOptions {
  /** 0 by default. */
  readonly database?: number
  /** How long the keys are to live: 60_000, '60s', '5m'. For ever by default. */
  readonly ttl?: number | string
}

/** The commands that make a key hold a value. Throws TypeError for what no key can hold. */
export function seedCommands(key: string, value: SeedValue): Argument[][] {
  const commands = makingCommands(key, value)
  return [['DEL', key], ...commands]
}

function makingCommands(key: string, value: SeedValue): Argument[][] {
  if (isArgument(value)) return [['SET', key, value]]
  if (value instanceof Set) return value.size === 0 ? [] : [['SADD', key, ...checked(key, value)]]
  if (value instanceof Map) {
    const pairs = [...value].flatMap(([member, score]) => [score, member])
    return pairs.length === 0 ? [] : [['ZADD', key, ...checked(key, pairs)]]
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return []
    if (value.every(isArgument)) return [['RPUSH', key, ...value]]
    return value.map((entry) => ['XADD', key, '*', ...fields(key, entry)])
  }
  const pairs = fields(key, value)
  return pairs.length === 0 ? [] : [['HSET', key, ...pairs]]
}

function fields(key: string, value: unknown): Argument[] {
  // Dates and their like have no fields of their own: they would make nothing.
  if (Object.prototype.toString.call(value) !== '[object Object]') throw unfit(key, value)
  return checked(key, Object.entries(value as object).flat())
}

function checked(key: string, values: Iterable<unknown>): Argument[] {
  return Array.from(values, (value) => {
    if (!isArgument(value)) throw unfit(key, value)
    return value
  })
}

function unfit(key: string, value: unknown): TypeError {
  return new TypeError(
    `seed: ${key} cannot hold ${value === null ? 'null' : typeof value}: give text, numbers or bytes`,
  )
}
