/** All that a server holds, read over the wire in commands that every version of Redis has. */
import type { RawReply } from '../raw-client.ts'
import type { LoadConnection } from './load-connection.ts'
import { canonical, type FoundKey, type Value } from './model.ts'

/** Of one database. */
export type Keyspace = ReadonlyMap<string, FoundKey>

export async function readKeyspaces(connection: LoadConnection, databaseCount: number): Promise<Keyspace[]> {
  const keyspaces: Keyspace[] = []
  for (let database = 0; database < databaseCount; database++) {
    await ask(connection, 'SELECT', String(database))
    const keys = texts(await ask(connection, 'KEYS', '*'))
    const found = new Map<string, FoundKey>()
    const all = await Promise.all(keys.map((key) => readKey(connection, key)))
    for (const [index, key] of keys.entries()) {
      const one = all[index]
      if (one !== null) found.set(key, one)
    }
    keyspaces.push(found)
  }
  return keyspaces
}

async function ask(connection: LoadConnection, ...args: string[]): Promise<RawReply> {
  const reply = await connection.ask(...args)
  if (reply === null) throw new Error(`the server went away at ${args.join(' ')}`)
  if (reply.marker === '-') throw new Error(`${args.join(' ')}: ${reply.text}`)
  return reply
}

async function readKey(connection: LoadConnection, key: string): Promise<FoundKey | null> {
  const [expiry, type] = await Promise.all([ask(connection, 'PEXPIRETIME', key), ask(connection, 'TYPE', key)])
  const value = await readValue(connection, key, text(type))
  return value === null ? null : { value: canonical(value), expireAtMs: Number(text(expiry)) }
}

async function readValue(connection: LoadConnection, key: string, kind: string): Promise<Value | null> {
  switch (kind) {
    case 'none':
      return null
    case 'string':
      return { kind, text: text(await ask(connection, 'GET', key)) }
    case 'list':
      return { kind, items: texts(await ask(connection, 'LRANGE', key, '0', '-1')) }
    case 'hash':
      return { kind, fields: new Map(pairs(texts(await ask(connection, 'HGETALL', key)))) }
    case 'set':
      return { kind, members: new Set(texts(await ask(connection, 'SMEMBERS', key))) }
    case 'zset': {
      const scores = pairs(texts(await ask(connection, 'ZRANGE', key, '0', '-1', 'WITHSCORES')))
      return { kind, scores: new Map(scores.map(([member, score]) => [member, Number(score)])) }
    }
    case 'stream': {
      const entries = items(await ask(connection, 'XRANGE', key, '-', '+'))
      return { kind, entries: entries.map((entry) => [text(items(entry)[0]), texts(items(entry)[1])[1]] as const) }
    }
    default:
      throw new Error(`a key of type ${kind}`)
  }
}

export function text(reply: RawReply): string {
  return 'text' in reply ? String(reply.text ?? '') : ''
}

export function items(reply: RawReply): readonly RawReply[] {
  return 'items' in reply ? (reply.items ?? []) : []
}

export function texts(reply: RawReply): string[] {
  return items(reply).map(text)
}

function pairs(all: readonly string[]): [string, string][] {
  return Array.from({ length: all.length / 2 }, (_, index) => [all[index * 2], all[index * 2 + 1]])
}
