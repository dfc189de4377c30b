import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { errors } from '../errors.ts'
import { isAsyncFlush } from '../flush-mode.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function dbSize(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.database.count)
}

function flushDb(client: Client, request: Request, reply: Reply): void {
  if (!takesMode(request)) return reply.error(errors.SYNTAX)
  const { store } = client.engine
  store.lazyFree.asked = isAsyncFlush(client, request, 1)
  store.flush(client.database)
  store.lazyFree.asked = null
  client.engine.propagation.force()
  // The keys are gone at once in every mode; SYNC waits for their memory too.
  if (request.count === 2 && request.is(1, 'SYNC')) store.lazyFree.finish()
  reply.ok()
}

function flushAll(client: Client, request: Request, reply: Reply): void {
  if (!takesMode(request)) return reply.error(errors.SYNTAX)
  const { store } = client.engine
  store.lazyFree.asked = isAsyncFlush(client, request, 1)
  store.flushAll()
  store.lazyFree.asked = null
  client.engine.persistence.flushedAll()
  client.engine.propagation.force()
  reply.ok()
}

function takesMode(request: Request): boolean {
  return request.count === 1 || (request.count === 2 && (request.is(1, 'SYNC') || request.is(1, 'ASYNC')))
}

function swapDb(client: Client, request: Request, reply: Reply): void {
  const { store } = client.engine
  const first = request.integer(1)
  if (first !== (first | 0)) return reply.error('ERR invalid first DB index')
  const second = request.integer(2)
  if (second !== (second | 0)) return reply.error('ERR invalid second DB index')
  if (store.databases[first] === undefined || store.databases[second] === undefined) {
    return reply.error(errors.DB_INDEX)
  }
  if (first !== second) store.swap(first, second)
  store.dirtyCount++
  reply.ok()
}

const FLUSH_TIPS = ['request_policy:all_shards', 'response_policy:all_succeeded']

export const databaseCommands: readonly CommandSpec[] = [
  {
    name: 'DBSIZE',
    arity: 1,
    flags: ['readonly', 'fast'],
    acl: ['keyspace'],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'How many keys the selected database holds.',
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    handler: dbSize,
  },
  {
    name: 'FLUSHDB',
    arity: -1,
    flags: ['write'],
    acl: ['keyspace', 'dangerous'],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys in the selected database',
    summary: 'Deletes all keys of the selected database.',
    args: '[async(ASYNC@4.0.0 | SYNC@6.2.0)]',
    tips: FLUSH_TIPS,
    handler: flushDb,
  },
  {
    name: 'FLUSHALL',
    arity: -1,
    flags: ['write'],
    acl: ['keyspace', 'dangerous'],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(N) where N is the total number of keys in all databases',
    summary: 'Deletes all keys of all databases.',
    args: '[async(ASYNC@4.0.0 | SYNC@6.2.0)]',
    tips: FLUSH_TIPS,
    handler: flushAll,
  },
  {
    name: 'SWAPDB',
    arity: 3,
    flags: ['write', 'fast'],
    acl: ['keyspace', 'dangerous'],
    group: 'server',
    since: '4.0.0',
    complexity: 'O(N) where N is the count of clients watching or blocking on keys from both databases.',
    summary: 'Exchanges what two databases hold.',
    args: 'index1:integer index2:integer',
    handler: swapDb,
  },
]
