import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { HyperLogLog, MergedRegisters, selfTest } from '../../store/hyperloglog.ts'
import { type as types } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key, keyRange } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

const NOT_A_HYPERLOGLOG = 'WRONGTYPE Key is not a valid HyperLogLog string value.'
const CORRUPTED = 'INVALIDOBJ Corrupted HLL object detected'
/** The class of a change that WATCH hears of, and for which Redis publishes nothing. */
const UNPUBLISHED = 0

/** What a key holds, or null when it is no HyperLogLog (and the error is written). */
function open(client: Client, handle: Handle, reply: Reply): HyperLogLog | null {
  const { database } = client
  if (database.records.type(handle) !== types.STRING) {
    reply.error(errors.WRONG_TYPE)
    return null
  }
  const opened = HyperLogLog.open(database, handle)
  if (opened === null) reply.error(NOT_A_HYPERLOGLOG)
  return opened
}

function pfadd(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  const found = handle === NONE ? HyperLogLog.create(database, chunk, start, end) : open(client, handle, reply)
  if (found === null) return
  found.prepareToWrite()
  const sparseBytesMax = client.engine.settings.hllSparseMaxBytes
  let changeCount = handle === NONE ? 1 : 0
  for (let index = 2; index < request.count; index++) {
    const outcome = found.add(chunk, request.start(index), request.end(index), sparseBytesMax)
    if (outcome === 'corrupted') return reply.error(CORRUPTED)
    if (outcome === 'raised') changeCount++
  }
  if (changeCount === 0) return reply.integer(0)
  found.invalidateCount()
  database.store.dirtyCount += changeCount - 1
  database.changed(KEYSPACE_EVENTS.string, 'pfadd', chunk, start, end)
  reply.integer(1)
}

function pfcount(client: Client, request: Request, reply: Reply): void {
  if (request.count > 2) {
    const merged = mergeSources(client, request, reply)
    if (merged !== null) reply.bigInteger(merged.count())
    return
  }
  const { database } = client
  const { chunk } = request
  const handle = database.read(chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  const found = open(client, handle, reply)
  if (found === null) return
  database.preserve(handle)
  found.prepareToWrite()
  const cached = found.cachedCount
  if (cached !== undefined) return reply.bigInteger(cached)
  const count = found.count()
  if (count === undefined) return reply.error(CORRUPTED)
  database.changed(UNPUBLISHED, 'pfcount', chunk, request.start(1), request.end(1))
  reply.bigInteger(count)
}

/** Everything seen by the HyperLogLogs of all keys, or null when one is none (and the error is written). */
function mergeSources(client: Client, request: Request, reply: Reply): MergedRegisters | null {
  const merged = new MergedRegisters()
  for (let index = 1; index < request.count; index++) {
    const handle = client.database.read(request.chunk, request.start(index), request.end(index))
    if (handle === NONE) continue
    const source = open(client, handle, reply)
    if (source === null) return null
    if (source.mergeInto(merged)) continue
    reply.error(CORRUPTED)
    return null
  }
  return merged
}

/** The destination is a source, too. */
function pfmerge(client: Client, request: Request, reply: Reply): void {
  const merged = mergeSources(client, request, reply)
  if (merged === null) return
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  const target = handle === NONE ? HyperLogLog.create(database, chunk, start, end) : open(client, handle, reply)
  if (target === null) return
  target.prepareToWrite()
  if (merged.hasDense && !target.toDense()) return reply.error(CORRUPTED)
  target.setAll(merged, client.engine.settings.hllSparseMaxBytes)
  target.invalidateCount()
  database.changed(KEYSPACE_EVENTS.string, 'pfadd', chunk, start, end)
  reply.ok()
}

function pfdebug(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.write(request.chunk, request.start(2), request.end(2))
  if (handle === NONE) return reply.error('ERR The specified key does not exist')
  const found = open(client, handle, reply)
  if (found === null) return
  found.prepareToWrite()
  const wasSparse = !found.isDense
  if (request.is(1, 'GETREG')) {
    if (!found.toDense()) return reply.error(CORRUPTED)
    if (wasSparse) database.store.dirtyCount++
    const registers = found.registers()
    reply.array(registers.length)
    for (const register of registers) reply.integer(register)
  } else if (request.is(1, 'DECODE')) {
    if (!wasSparse) return reply.error('ERR HLL encoding is not sparse')
    reply.bulkText(found.describeRuns())
  } else if (request.is(1, 'ENCODING')) {
    reply.simple(wasSparse ? 'sparse' : 'dense')
  } else if (request.is(1, 'TODENSE')) {
    if (!found.toDense()) return reply.error(CORRUPTED)
    if (wasSparse) database.store.dirtyCount++
    reply.integer(wasSparse ? 1 : 0)
  } else {
    reply.errorOfBytes(`ERR Unknown PFDEBUG subcommand '${request.quoted(1)}'`)
  }
}

function pfselftest(client: Client, _request: Request, reply: Reply): void {
  const failure = selfTest(client.engine.store.random)
  if (failure === null) reply.ok()
  else reply.error(`ERR ${failure}`)
}

const common = { acl: ['hyperloglog'], group: 'hyperloglog', since: '2.8.9' } as const

export const hyperloglogCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'PFADD',
    arity: -2,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    complexity: 'O(1) to add every element.',
    summary: 'Adds elements to a HyperLogLog, and answers whether its estimate may have changed.',
    args: 'key [element...]',
    handler: pfadd,
  },
  {
    ...common,
    name: 'PFCOUNT',
    arity: -2,
    flags: ['readonly', 'may_replicate'],
    keys: [
      {
        ...keyRange(1, -1, 1, 'RW', 'ACCESS'),
        notes: 'RW because it may change the internal representation of the key, and propagate to replicas',
      },
    ],
    complexity:
      'O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.',
    summary: 'Estimates how many different elements HyperLogLogs have seen together.',
    args: 'key...',
    handler: pfcount,
  },
  {
    ...common,
    name: 'PFMERGE',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'ACCESS', 'INSERT'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
    complexity: 'O(N) to merge N HyperLogLogs, but with high constant times.',
    summary: 'Makes a HyperLogLog of everything that several have seen.',
    args: 'destkey#0 sourcekey#1...',
    handler: pfmerge,
  },
  {
    ...common,
    name: 'PFDEBUG',
    arity: 3,
    flags: ['write', 'denyoom', 'admin'],
    keys: [key(2, 'RW', 'ACCESS')],
    complexity: 'N/A',
    summary: 'Looks inside a HyperLogLog.',
    docFlags: ['syscmd'],
    args: 'subcommand key',
    handler: pfdebug,
  },
  {
    ...common,
    name: 'PFSELFTEST',
    arity: 1,
    flags: ['admin'],
    complexity: 'N/A',
    summary: 'Tests the implementation of HyperLogLogs.',
    docFlags: ['syscmd'],
    handler: pfselftest,
  },
]
