import { bytesEqual } from '../../bytes/ascii.ts'
import { globMatch } from '../../bytes/glob.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import type { Database } from '../../store/database.ts'
import { NEVER, TYPE_NAMES } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key, keyRange } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { scanCursor, scanMatches, scanOptions } from '../scan-arguments.ts'

// ---- Deleting and asking ----

/** hot: as SET. */
function del(client: Client, request: Request, reply: Reply): void {
  deleteKeys(client, request, reply, client.engine.settings.lazyfreeLazyUserDel)
}

function unlink(client: Client, request: Request, reply: Reply): void {
  deleteKeys(client, request, reply, true)
}

/** DEL and UNLINK alike: large values are freed in the background either way, and count if that is asked (see LazyFree). */
function deleteKeys(client: Client, request: Request, reply: Reply, isLazy: boolean): void {
  const database = client.database
  const { lazyFree } = database.store
  lazyFree.asked = isLazy
  let deletedCount = 0
  for (let index = 1, fetchedEnd = 1; index < request.count; index++) {
    if (index >= fetchedEnd) fetchedEnd = request.prefetchKeys(database, index, 1)
    const start = request.start(index)
    const end = request.end(index)
    const handle = database.peek(request.chunk, start, end)
    if (handle === NONE) continue
    database.delete(handle, request.chunk, start, end)
    deletedCount++
  }
  lazyFree.asked = null
  reply.integer(deletedCount)
}

function exists(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  let foundCount = 0
  for (let index = 1, fetchedEnd = 1; index < request.count; index++) {
    if (index >= fetchedEnd) fetchedEnd = request.prefetchKeys(database, index, 1)
    const handle = database.readUntouched(request.chunk, request.start(index), request.end(index))
    if (handle !== NONE) foundCount++
  }
  reply.integer(foundCount)
}

function touch(client: Client, request: Request, reply: Reply): void {
  const { store } = client.engine
  // TOUCH marks the access even for a client that asked for NO-TOUCH.
  const wasTouchless = store.touchless
  store.touchless = false
  let foundCount = 0
  for (let index = 1; index < request.count; index++) {
    if (client.database.read(request.chunk, request.start(index), request.end(index)) !== NONE) foundCount++
  }
  store.touchless = wasTouchless
  reply.integer(foundCount)
}

function type(client: Client, request: Request, reply: Reply): void {
  const handle = client.database.readUntouched(request.chunk, request.start(1), request.end(1))
  reply.simple(handle === NONE ? 'none' : TYPE_NAMES[client.database.records.type(handle)])
}

// ---- Walking the keyspace ----

function keys(client: Client, request: Request, reply: Reply): void {
  const { dict, records, store } = client.database
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const matchesAll = end - start === 1 && chunk[start] === STAR
  const found: Handle[] = []
  dict.forEach((handle) => {
    const expireAtMs = records.expireAtMs(handle)
    if (expireAtMs !== NEVER && expireAtMs <= store.nowMs && !store.keepsExpired) return
    if (!matchesAll) {
      const keyStart = records.keyStart(handle)
      const keyEnd = keyStart + records.keySize(handle)
      if (!globMatch(chunk, start, end, records.keyBytes(handle), keyStart, keyEnd, false)) return
    }
    found.push(handle)
  })
  reply.array(found.length)
  for (const handle of found) replyKey(reply, client.database, handle)
}

/** Slots that one SCAN looks at, for each element that it is to find: when most slots are empty, it finds fewer. */
const SCAN_SLOTS_PER_ELEMENT = 10

/** The cursor is the hash that the walk has reached: see Dict.scan for why nothing is missed or shown twice. */
function scan(client: Client, request: Request, reply: Reply): void {
  let cursor = scanCursor(request, reply, 1)
  if (Number.isNaN(cursor)) return
  const options = scanOptions(request, reply, 2, true)
  if (options === null) return
  const { typeName } = options
  // -1, which no record has, for a type that does not exist.
  const typeNumber = typeName === null ? null : TYPE_NAMES.findIndex((name) => name.toLowerCase() === typeName)

  const { database } = client
  const { records, store } = database
  const found: Handle[] = []
  let lookedCount = 0
  let slotBudget = options.countHint * SCAN_SLOTS_PER_ELEMENT
  do {
    const slots = Math.min(options.countHint - lookedCount, slotBudget)
    slotBudget -= slots
    cursor = database.dict.scan(cursor, slots, (handle, hash) => {
      lookedCount++
      const start = records.keyStart(handle)
      if (!scanMatches(options, records.keyBytes(handle), start, start + records.keySize(handle))) return
      if (typeNumber !== null && records.type(handle) !== typeNumber) return
      const expireAtMs = records.expireAtMs(handle)
      const isExpired = expireAtMs !== NEVER && expireAtMs <= store.nowMs && !store.keepsExpired
      if (!isExpired) found.push(handle)
      else if (!store.defersExpiry) database.expire(handle, hash)
    })
  } while (cursor !== 0 && lookedCount < options.countHint && slotBudget > 0)

  reply.array(2)
  reply.bulkInteger(cursor)
  reply.array(found.length)
  for (const handle of found) replyKey(reply, database, handle)
}

/** Tries to find a key that has not expired, where expired ones may not be deleted. */
const RANDOM_TRIES_MAX = 100

function randomKey(client: Client, _request: Request, reply: Reply): void {
  const { database } = client
  const { records, store } = database
  for (let tries = 1; ; tries++) {
    const handle = database.dict.random(store.random)
    if (handle === NONE) return reply.nil()
    const expireAtMs = records.expireAtMs(handle)
    const isExpired = expireAtMs !== NEVER && expireAtMs <= store.nowMs
    const isKept = store.keepsExpired || store.defersExpiry
    if (!isExpired || (isKept && tries === RANDOM_TRIES_MAX)) return replyKey(reply, database, handle)
    if (!isKept) database.expire(handle)
  }
}

function replyKey(reply: Reply, database: Database, handle: Handle): void {
  const start = database.records.keyStart(handle)
  reply.bulk(database.records.keyBytes(handle), start, start + database.records.keySize(handle))
}

// ---- Giving a value another key ----

function rename(client: Client, request: Request, reply: Reply): void {
  if (renameKey(client, request, reply, false)) reply.ok()
}

function renameNx(client: Client, request: Request, reply: Reply): void {
  if (renameKey(client, request, reply, true)) reply.integer(1)
}

/** True when the key has the new name; otherwise the reply is written. */
function renameKey(client: Client, request: Request, reply: Reply, onlyToNew: boolean): boolean {
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const newStart = request.start(2)
  const newEnd = request.end(2)
  const handle = database.write(chunk, start, end)
  if (handle === NONE) {
    reply.error(errors.NO_KEY)
    return false
  }
  if (bytesEqual(chunk, start, end, chunk, newStart, newEnd)) {
    if (onlyToNew) reply.integer(0)
    else reply.ok()
    return false
  }
  if (database.write(chunk, newStart, newEnd) !== NONE && onlyToNew) {
    reply.integer(0)
    return false
  }
  database.moveTo(database, handle, chunk, newStart, newEnd)
  database.changed(KEYSPACE_EVENTS.generic, 'rename_from', chunk, start, end)
  database.changedToo(KEYSPACE_EVENTS.generic, 'rename_to', chunk, newStart, newEnd)
  return true
}

function move(client: Client, request: Request, reply: Reply): void {
  const target = databaseAt(client, request, reply, 2)
  if (target === null) return
  const source = client.database
  if (target === source) return reply.error(errors.SAME_OBJECT)
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = source.write(chunk, start, end)
  if (handle === NONE || target.write(chunk, start, end) !== NONE) return reply.integer(0)
  source.moveTo(target, handle, chunk, start, end)
  source.changed(KEYSPACE_EVENTS.generic, 'move_from', chunk, start, end)
  target.changedToo(KEYSPACE_EVENTS.generic, 'move_to', chunk, start, end)
  reply.integer(1)
}

function copy(client: Client, request: Request, reply: Reply): void {
  const source = client.database
  let target: Database | null = source
  let replaces = false
  for (let index = 3; index < request.count; index++) {
    if (request.is(index, 'REPLACE')) {
      replaces = true
    } else if (request.is(index, 'DB') && index + 1 < request.count) {
      target = databaseAt(client, request, reply, ++index)
      if (target === null) return
    } else {
      return reply.error(errors.SYNTAX)
    }
  }
  const { chunk } = request
  const newStart = request.start(2)
  const newEnd = request.end(2)
  if (target === source && bytesEqual(chunk, request.start(1), request.end(1), chunk, newStart, newEnd)) {
    return reply.error(errors.SAME_OBJECT)
  }
  const handle = source.read(chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  if (target.write(chunk, newStart, newEnd) !== NONE && !replaces) return reply.integer(0)
  source.copyTo(target, handle, chunk, newStart, newEnd)
  target.changed(KEYSPACE_EVENTS.generic, 'copy_to', chunk, newStart, newEnd)
  reply.integer(1)
}

/** The database that an argument numbers, or null: an error has been written then. */
function databaseAt(client: Client, request: Request, reply: Reply, index: number): Database | null {
  const number = request.integer(index)
  if (Number.isNaN(number)) {
    reply.error(errors.NOT_AN_INTEGER)
    return null
  }
  if (number !== (number | 0)) {
    reply.error('ERR value is out of range, value must between -2147483648 and 2147483647')
    return null
  }
  const database = client.engine.store.databases[number]
  if (database === undefined) reply.error(errors.DB_INDEX)
  return database ?? null
}

const STAR = 0x2a

const PER_KEY = ['request_policy:multi_shard', 'response_policy:agg_sum']

export const keyCommands: readonly CommandSpec[] = [
  {
    name: 'DEL',
    arity: -2,
    flags: ['write'],
    keys: [keyRange(1, -1, 1, 'RM', 'DELETE')],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity:
      'O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).',
    summary: 'Deletes keys, and answers how many there were.',
    args: 'key...',
    tips: PER_KEY,
    handler: del,
  },
  {
    name: 'UNLINK',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [keyRange(1, -1, 1, 'RM', 'DELETE')],
    acl: ['keyspace'],
    group: 'generic',
    since: '4.0.0',
    complexity:
      'O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.',
    summary: 'Deletes keys; the memory of large values is given back in the background.',
    args: 'key...',
    tips: PER_KEY,
    handler: unlink,
  },
  {
    name: 'EXISTS',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [keyRange(1, -1, 1, 'RO')],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys to check.',
    summary: 'How many of the keys exist; one that is given twice counts twice.',
    args: 'key...',
    tips: PER_KEY,
    handler: exists,
  },
  {
    name: 'TYPE',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'The type of the value of a key, or none.',
    args: 'key',
    handler: type,
  },
  {
    name: 'TOUCH',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [keyRange(1, -1, 1, 'RO')],
    acl: ['keyspace'],
    group: 'generic',
    since: '3.2.1',
    complexity: 'O(N) where N is the number of keys that will be touched.',
    summary: 'Marks keys as used just now, and answers how many exist.',
    args: 'key...',
    tips: PER_KEY,
    handler: touch,
  },
  {
    name: 'KEYS',
    arity: 2,
    flags: ['readonly'],
    acl: ['keyspace', 'dangerous'],
    group: 'generic',
    since: '1.0.0',
    complexity:
      'O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.',
    summary: 'All keys that match a glob pattern.',
    args: 'pattern',
    tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
    handler: keys,
  },
  {
    name: 'SCAN',
    arity: -2,
    flags: ['readonly'],
    acl: ['keyspace'],
    group: 'generic',
    since: '2.8.0',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
    summary: 'The keys, some at a time: each call answers the cursor of the next.',
    args: 'cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]',
    tips: ['nondeterministic_output', 'request_policy:special'],
    handler: scan,
  },
  {
    name: 'RANDOMKEY',
    arity: 1,
    flags: ['readonly'],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'A key picked by chance, or nil when there is none.',
    tips: ['request_policy:all_shards', 'nondeterministic_output'],
    handler: randomKey,
  },
  {
    name: 'RENAME',
    arity: 3,
    flags: ['write'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'OW', 'UPDATE')],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key another name, in place of the key that had it.',
    args: 'key newkey#1',
    handler: rename,
  },
  {
    name: 'RENAMENX',
    arity: 3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'OW', 'INSERT')],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Gives a key another name, unless a key has it already.',
    args: 'key newkey#1',
    handler: renameNx,
  },
  {
    name: 'COPY',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RO', 'ACCESS'), key(2, 'OW', 'UPDATE')],
    acl: ['keyspace'],
    group: 'generic',
    since: '6.2.0',
    complexity: 'O(N) worst case for collections, where N is the number of nested items. O(1) for string values.',
    summary: 'Copies a value and its expiry to another key, in this database or another.',
    args: 'source#0 destination#1 [DB destination-db:integer] [REPLACE]',
    handler: copy,
  },
  {
    name: 'MOVE',
    arity: 3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    acl: ['keyspace'],
    group: 'generic',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Moves a key to another database, unless that has it already.',
    args: 'key db:integer',
    handler: move,
  },
]
