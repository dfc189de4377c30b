import type { CommandPart } from '../../bytes/multibulk.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { createStream, NODE_BYTES_MAX, type Stream, type Trimming } from '../../store/stream.ts'
import { StreamId } from '../../store/stream-id.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import {
  INVALID_ID,
  isSign,
  openStream,
  readId,
  readIds,
  readIntervalEnd,
  readIntervalStart,
} from '../stream-arguments.ts'
import { replyEntries, replyId } from '../stream-reply.ts'

const STAR = 0x2a
const TILDE = 0x7e
const EQUALS = 0x3d

// ---- Adding and trimming ----

/** What stands between the key and the id of XADD, and all that follows the key of XTRIM. Filled again and again. */
const asked = {
  onlyExisting: false,
  id: 'auto' as 'auto' | 'partial' | 'full',
  hasTrimming: false,
  /** The argument that gives the length or id to trim to. */
  trimmingIndex: 0,
  trimming: { maxLength: null as number | null, minId: null as StreamId | null, isApproximate: false, limit: 0 },
}
const givenId = new StreamId()
const newId = new StreamId()
const minId = new StreamId()
const LIMIT_DEFAULT_MAX = 1_000_000
const LIMIT_DEFAULT_MIN = 10_000

/**
 * Reads the options of XADD or XTRIM into `asked`. Returns the index of XADD's id (of XTRIM, the end), or -1 when they
 * are refused, with the error written. hot: once for each XADD.
 */
function readAddOrTrim(client: Client, request: Request, reply: Reply, isAdd: boolean): number {
  const { trimming } = asked
  asked.onlyExisting = false
  asked.hasTrimming = false
  trimming.maxLength = null
  trimming.minId = null
  trimming.isApproximate = false
  trimming.limit = 0
  asked.id = 'auto'
  // Nearly every XADD: no options, and no id.
  if (isAdd && isSign(request, 2, STAR)) return 2
  return readOptions(client, request, reply, isAdd)
}

function readOptions(client: Client, request: Request, reply: Reply, isAdd: boolean): number {
  const { trimming } = asked
  const { count } = request
  let hasLimit = false
  const refuse = (error: string): number => {
    reply.error(error)
    return -1
  }
  let index = 2
  for (; index < count; index++) {
    const left = count - 1 - index
    if (isAdd && isSign(request, index, STAR)) break
    const isLength = left > 0 && request.is(index, 'MAXLEN')
    if (isLength || (left > 0 && request.is(index, 'MINID'))) {
      if (asked.hasTrimming) {
        return refuse('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
      }
      trimming.isApproximate = left >= 2 && isSign(request, index + 1, TILDE)
      if (trimming.isApproximate || (left >= 2 && isSign(request, index + 1, EQUALS))) index++
      index++
      if (isLength) {
        trimming.maxLength = request.integer(index)
        if (Number.isNaN(trimming.maxLength)) return refuse(errors.NOT_AN_INTEGER)
        if (trimming.maxLength < 0) return refuse('ERR The MAXLEN argument must be >= 0.')
      } else {
        if (!readId(request, index, reply, minId)) return -1
        trimming.minId = minId
      }
      asked.hasTrimming = true
      asked.trimmingIndex = index
    } else if (left > 0 && request.is(index, 'LIMIT')) {
      trimming.limit = request.integer(++index)
      if (Number.isNaN(trimming.limit)) return refuse(errors.NOT_AN_INTEGER)
      if (trimming.limit < 0) return refuse('ERR The LIMIT argument must be >= 0.')
      hasLimit = true
    } else if (isAdd && request.is(index, 'NOMKSTREAM')) {
      asked.onlyExisting = true
    } else if (isAdd) {
      const start = request.start(index)
      const end = request.end(index)
      if (givenId.parse(request.chunk, start, end, 'first')) asked.id = 'full'
      else if (givenId.parsePartial(request.chunk, start, end)) asked.id = 'partial'
      else return refuse(INVALID_ID)
      break
    } else {
      return refuse(errors.SYNTAX)
    }
  }
  if (!asked.hasTrimming) {
    if (trimming.limit > 0) {
      return refuse('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy')
    }
    if (!isAdd) return refuse('ERR syntax error, XTRIM must be called with a trimming strategy')
  }
  if (hasLimit) {
    // In the append-only file the limit still stands beside the exact form.
    if (!trimming.isApproximate && !client.isReplaying) {
      return refuse('ERR syntax error, LIMIT cannot be used without the special ~ option')
    }
  } else if (trimming.isApproximate) {
    trimming.limit = Math.min(100 * client.engine.settings.streamNodeMaxEntries || LIMIT_DEFAULT_MIN, LIMIT_DEFAULT_MAX)
  }
  return index
}

/** hot: once for each XADD. */
function xadd(client: Client, request: Request, reply: Reply): void {
  const idIndex = readAddOrTrim(client, request, reply, true)
  if (idIndex < 0) return
  const firstField = idIndex + 1
  const textCount = request.count - firstField
  if (textCount < 2 || textCount % 2 === 1) return reply.error(wrongArity('xadd'))
  if (asked.id === 'full' && givenId.isZero) return reply.error('ERR The ID specified in XADD must be greater than 0-0')
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  if (handle === NONE && asked.onlyExisting) return reply.nil()
  let stream = handle === NONE ? null : openStream(database, handle, reply)
  if (handle !== NONE && stream === null) return
  if (stream !== null && !chooseId(stream, database.store.nowMs, reply)) return
  let textBytes = 0
  for (let index = firstField; index < request.count; index++) textBytes += request.size(index)
  if (textBytes > NODE_BYTES_MAX) return reply.error('ERR Elements are too large to be stored')
  if (stream === null) {
    stream = createStream(database, chunk, start, end)
    chooseId(stream, database.store.nowMs, reply)
  }
  stream.append(newId, chunk, request.places, firstField * 2, textCount / 2, client.engine.settings)
  replyId(reply, newId)
  database.changed(KEYSPACE_EVENTS.stream, 'xadd', chunk, start, end)
  if (asked.hasTrimming && stream.trim(asked.trimming) > 0) {
    database.store.tell(KEYSPACE_EVENTS.stream, 'xtrim', database.index, chunk, start, end)
  }
  if (!client.engine.propagates || (asked.id === 'full' && !asked.trimming.isApproximate)) return
  const parts: CommandPart[] = exactTrimming(request, stream)
  parts[idIndex] = newId.toString()
  client.propagateAs(...parts)
}

/** The arguments of XADD or XTRIM with the trimming as it came out: what "about" means is ours to choose, but once. */
function exactTrimming(request: Request, stream: Stream): CommandPart[] {
  const parts: CommandPart[] = Array.from({ length: request.count }, (_, index) => request.view(index))
  const { trimming } = asked
  if (!trimming.isApproximate) return parts
  const signIndex = asked.trimmingIndex - 1
  parts[signIndex] = '='
  if (trimming.maxLength !== null) parts[asked.trimmingIndex] = stream.length
  else {
    const first = new StreamId()
    parts[asked.trimmingIndex] = (stream.edgeId(first, false) ? first : StreamId.max()).toString()
  }
  return parts
}

/** Makes `newId` the id of the entry that XADD is to add; false, with the error written, when it cannot be added. */
function chooseId(stream: Stream, nowMs: number, reply: Reply): boolean {
  const { lastId } = stream
  if (lastId.isMax) {
    reply.error('ERR The stream has exhausted the last possible ID, unable to add more items')
    return false
  }
  if (asked.id === 'auto') return stream.nextId(newId, nowMs)
  newId.set(givenId)
  const follows = asked.id === 'partial' && givenId.hasMsOf(lastId)
  if (!(follows && lastId.hasLastSeq)) {
    if (follows) newId.set(lastId).increment()
    if (newId.compare(lastId) > 0) return true
  }
  reply.error('ERR The ID specified in XADD is equal or smaller than the target stream top item')
  return false
}

function xtrim(client: Client, request: Request, reply: Reply): void {
  if (readAddOrTrim(client, request, reply, false) < 0) return
  const { database } = client
  const handle = database.write(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  const stream = openStream(database, handle, reply)
  if (stream === null) return
  const trimming: Trimming = asked.trimming
  const removedCount = stream.trim(trimming)
  reply.integer(removedCount)
  if (removedCount === 0) return
  database.store.dirtyCount += removedCount - 1
  database.changed(KEYSPACE_EVENTS.stream, 'xtrim', request.chunk, request.start(1), request.end(1))
  if (trimming.isApproximate) client.propagateAs(...exactTrimming(request, stream))
}

function xdel(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.write(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  const stream = openStream(database, handle, reply)
  if (stream === null) return
  const ids = readIds(request, 2, reply)
  if (ids === null) return
  let deletedCount = 0
  for (const id of ids) if (stream.delete(id)) deletedCount++
  reply.integer(deletedCount)
  if (deletedCount === 0) return
  database.store.dirtyCount += deletedCount - 1
  database.changed(KEYSPACE_EVENTS.stream, 'xdel', request.chunk, request.start(1), request.end(1))
}

function xsetid(client: Client, request: Request, reply: Reply): void {
  const id = new StreamId()
  const maxDeletedId = new StreamId()
  let entriesAdded = -1
  if (!readId(request, 2, reply, id)) return
  for (let index = 3; index < request.count; index += 2) {
    const hasValue = index + 1 < request.count
    if (hasValue && request.is(index, 'ENTRIESADDED')) {
      entriesAdded = request.integer(index + 1)
      if (Number.isNaN(entriesAdded)) return reply.error(errors.NOT_AN_INTEGER)
      if (entriesAdded < 0) return reply.error('ERR entries_added must be positive')
    } else if (hasValue && request.is(index, 'MAXDELETEDID')) {
      if (!readId(request, index + 1, reply, maxDeletedId)) return
      if (id.compare(maxDeletedId) < 0) {
        return reply.error('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id')
      }
    } else {
      return reply.error(errors.SYNTAX)
    }
  }
  const { database } = client
  const handle = database.write(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.error(errors.NO_KEY)
  const stream = openStream(database, handle, reply)
  if (stream === null) return
  const topId = new StreamId()
  if (stream.edgeId(topId, true)) {
    if (id.compare(topId) < 0) {
      return reply.error('ERR The ID specified in XSETID is smaller than the target stream top item')
    }
    if (entriesAdded !== -1 && stream.length > entriesAdded) {
      return reply.error('ERR The entries_added specified in XSETID is smaller than the target stream length')
    }
  }
  stream.lastId.set(id)
  if (entriesAdded !== -1) stream.entriesAdded = entriesAdded
  if (!maxDeletedId.isZero) stream.maxDeletedId.set(maxDeletedId)
  reply.ok()
  database.store.dirtyCount++
  database.store.tell(KEYSPACE_EVENTS.stream, 'xsetid', database.index, request.chunk, request.start(1), request.end(1))
}

// ---- Reading ----

function xlen(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  const stream = openStream(database, handle, reply)
  if (stream !== null) reply.integer(stream.length)
}

function range(client: Client, request: Request, reply: Reply, isReverse: boolean): void {
  const start = new StreamId()
  const end = new StreamId()
  if (!readIntervalStart(request, isReverse ? 3 : 2, reply, start)) return
  if (!readIntervalEnd(request, isReverse ? 2 : 3, reply, end)) return
  let countMax = Number.POSITIVE_INFINITY
  for (let index = 4; index < request.count; index += 2) {
    if (index + 1 === request.count || !request.is(index, 'COUNT')) return reply.error(errors.SYNTAX)
    const count = request.integer(index + 1)
    if (Number.isNaN(count)) return reply.error(errors.NOT_AN_INTEGER)
    countMax = Math.max(count, 0)
  }
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.array(0)
  const stream = openStream(database, handle, reply)
  if (stream === null) return
  if (countMax === 0) return reply.nilArray()
  replyEntries(reply, stream, start, end, countMax, isReverse)
}

// ---- The table ----

const common = { acl: ['stream'], group: 'stream', since: '5.0.0' } as const
const RANGE_HISTORY = [['6.2.0', 'Added exclusive ranges.']] as const

export const streamCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'XADD',
    arity: -5,
    flags: ['write', 'denyoom', 'fast'],
    keys: [{ ...key(1, 'RW', 'UPDATE'), notes: 'UPDATE instead of INSERT because of the optional trimming feature' }],
    complexity: 'O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.',
    summary: 'Adds an entry at the end of a stream; makes the stream if there is none.',
    args: 'key [NOMKSTREAM@6.2.0] [trim{strategy(MAXLEN | MINID@6.2.0) [operator(equal== | approximately=~)] threshold [LIMIT count@6.2.0]}] id_or_auto(auto_id=* | id) field_value{field value}...',
    tips: ['nondeterministic_output'],
    history: [
      ['6.2.0', 'Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.'],
      ['7.0.0', 'Added support for the `<ms>-*` explicit ID form.'],
    ],
    handler: xadd,
  },
  {
    ...common,
    name: 'XTRIM',
    arity: -4,
    flags: ['write'],
    keys: [key(1, 'RW', 'DELETE')],
    complexity:
      'O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.',
    summary: 'Removes the oldest entries of a stream.',
    args: 'key trim{strategy(MAXLEN | MINID@6.2.0) [operator(equal== | approximately=~)] threshold [LIMIT count@6.2.0]}',
    tips: ['nondeterministic_output'],
    history: [['6.2.0', 'Added the `MINID` trimming strategy and the `LIMIT` option.']],
    handler: xtrim,
  },
  {
    ...common,
    name: 'XDEL',
    arity: -3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'DELETE')],
    complexity: 'O(1) for each single item to delete in the stream, regardless of the stream size.',
    summary: 'Deletes entries of a stream by their ids.',
    args: 'key id...',
    handler: xdel,
  },
  {
    ...common,
    name: 'XSETID',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    complexity: 'O(1)',
    summary: 'Sets the last id of a stream, and what it counts.',
    args: 'key last-id [ENTRIESADDED entries_added:integer@7.0.0] [MAXDELETEDID max_deleted_entry_id@7.0.0]',
    history: [['7.0.0', 'Added the `entries_added` and `max_deleted_entry_id` arguments.']],
    handler: xsetid,
  },
  {
    ...common,
    name: 'XLEN',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    complexity: 'O(1)',
    summary: 'Answers how many entries a stream has.',
    args: 'key',
    handler: xlen,
  },
  {
    ...common,
    name: 'XRANGE',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    complexity:
      'O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).',
    summary: 'Answers the entries of a stream between two ids.',
    args: 'key start:string end:string [COUNT count]',
    history: RANGE_HISTORY,
    handler: (client, request, reply) => range(client, request, reply, false),
  },
  {
    ...common,
    name: 'XREVRANGE',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    complexity:
      'O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).',
    summary: 'Answers the entries of a stream between two ids, the newest first.',
    args: 'key end:string start:string [COUNT count]',
    history: RANGE_HISTORY,
    handler: (client, request, reply) => range(client, request, reply, true),
  },
]
