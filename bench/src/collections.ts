// The commands that fill one key of a collection type with many small elements, named as redis-benchmark names them.

export const collectionTypes = ['hash', 'list', 'set', 'zset', 'stream'] as const
export type CollectionType = (typeof collectionTypes)[number]

export interface Collection {
  type: CollectionType
  key: string
  elementCount: number
  /** Of each field of a hash or stream, or of each element of a list: what comes in place of 20 bytes of its own. */
  value?: string
}

/** A stream takes one element in a command, everything else many. */
const elementsPerCommand = 500

export function* fillCommands({ type, key, elementCount, value }: Collection): Generator<string[]> {
  if (type === 'stream') {
    for (let i = 0; i < elementCount; i++) yield ['XADD', key, '*', 'field', value ?? elementName(i)]
    return
  }
  for (let first = 0; first < elementCount; first += elementsPerCommand) {
    const end = Math.min(first + elementsPerCommand, elementCount)
    const command = [commandNames[type], key]
    for (let i = first; i < end; i++) {
      if (type === 'zset') command.push(String(scoreOf(i)))
      command.push(type === 'list' ? (value ?? elementName(i)) : elementName(i))
      if (type === 'hash') command.push(value ?? elementName(i))
    }
    yield command
  }
}

const commandNames = { hash: 'HSET', list: 'RPUSH', set: 'SADD', zset: 'ZADD' } as const

/** 20 bytes; what `element:__rand_int__` becomes. */
function elementName(index: number): string {
  return `element:${String(index).padStart(12, '0')}`
}

/** Below a million, in no order: what comes last does not always go to the end. */
function scoreOf(index: number): number {
  return (index * 7919) % 1_000_000
}
