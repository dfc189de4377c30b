import type { CommandPart } from '../../bytes/multibulk.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { ListCursor } from '../../memory/list-cursor.ts'
import type { Database } from '../../store/database.ts'
import {
  createList,
  insertElement,
  listLength,
  openList,
  prepareToAdd,
  pushElement,
  pushElements,
  removeElements,
  removeEndElement,
  removeEqualElements,
  replaceElement,
} from '../../store/list.ts'
import { NEVER, type as types } from '../../store/record.ts'
import { readTimeoutMs } from '../blocking.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key, keyRange, numberedKeys } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

/** Which end of a list: the tail is what Redis calls right. */
const HEAD = false
const TAIL = true

/** For walking within one command. */
const cursor = new ListCursor()

// ---- Adding ----

/** hot: once for each LPUSH or RPUSH. */
function push(client: Client, request: Request, reply: Reply, atTail: boolean, onlyExisting: boolean): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  let handle = database.write(chunk, start, end)
  if (handle === NONE) {
    if (onlyExisting) return reply.integer(0)
    handle = createList(database, chunk, start, end, NEVER)
  } else if (database.records.type(handle) !== types.LIST) {
    return reply.error(errors.WRONG_TYPE)
  }
  handle = pushElements(database, handle, atTail, chunk, request.places, 2, request.count)
  reply.integer(listLength(database.store, handle))
  database.store.dirtyCount += request.count - 3
  database.changed(KEYSPACE_EVENTS.list, atTail ? 'rpush' : 'lpush', chunk, start, end)
}

function linsert(client: Client, request: Request, reply: Reply): void {
  const isAfter = request.is(2, 'AFTER')
  if (!isAfter && !request.is(2, 'BEFORE')) return reply.error(errors.SYNTAX)
  const { database } = client
  const { chunk } = request
  const found = database.write(chunk, request.start(1), request.end(1))
  if (found === NONE) return reply.integer(0)
  if (database.records.type(found) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  let handle = prepareToAdd(database, found, request.size(4), 1)
  openList(cursor, database.store, handle)
  let has = cursor.toIndex(0)
  while (has && !cursor.equals(chunk, request.start(3), request.end(3))) has = cursor.next()
  if (!has) return reply.integer(-1)
  handle = insertElement(database, handle, cursor, isAfter, chunk, request.start(4), request.end(4))
  reply.integer(listLength(database.store, handle))
  database.changed(KEYSPACE_EVENTS.list, 'linsert', chunk, request.start(1), request.end(1))
}

function lset(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { chunk } = request
  const found = database.write(chunk, request.start(1), request.end(1))
  if (found === NONE) return reply.error(errors.NO_KEY)
  if (database.records.type(found) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const index = request.integer(2)
  if (Number.isNaN(index)) return reply.error(errors.NOT_AN_INTEGER)
  const handle = prepareToAdd(database, found, request.size(3), 1)
  openList(cursor, database.store, handle)
  if (!cursor.toIndex(index)) return reply.error(errors.OUT_OF_RANGE)
  replaceElement(database, handle, cursor, chunk, request.start(3), request.end(3))
  reply.ok()
  database.changed(KEYSPACE_EVENTS.list, 'lset', chunk, request.start(1), request.end(1))
}

// ---- Reading ----

/** hot: for each element sent. */
function replyWithElement(reply: Reply): void {
  const text = cursor.read()
  reply.bulk(text.bytes, text.start, text.end)
}

function llen(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  if (database.records.type(handle) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  reply.integer(listLength(database.store, handle))
}

function lindex(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.nil()
  if (database.records.type(handle) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const index = request.integer(2)
  if (Number.isNaN(index)) return reply.error(errors.NOT_AN_INTEGER)
  openList(cursor, database.store, handle)
  if (cursor.toIndex(index)) replyWithElement(reply)
  else reply.nil()
}

/** hot: once for each LRANGE. */
function lrange(client: Client, request: Request, reply: Reply): void {
  let first = request.integer(2)
  let last = request.integer(3)
  if (Number.isNaN(first) || Number.isNaN(last)) return reply.error(errors.NOT_AN_INTEGER)
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.array(0)
  if (database.records.type(handle) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const length = listLength(database.store, handle)
  if (first < 0) first = Math.max(first + length, 0)
  if (last < 0) last += length
  if (last >= length) last = length - 1
  if (first > last) return reply.array(0)
  reply.array(last - first + 1)
  openList(cursor, database.store, handle)
  cursor.toIndex(first)
  for (let left = last - first + 1; ; cursor.toNextNode()) {
    if (cursor.isPlain) {
      replyWithElement(reply)
      left--
    } else {
      left -= reply.bulksOfListpack(cursor.bytes, cursor.entry, left)
    }
    if (left === 0) return
  }
}

function lpos(client: Client, request: Request, reply: Reply): void {
  let rank = 1
  let count = -1
  let comparedMax = 0
  for (let index = 3; index < request.count; index += 2) {
    if (index + 1 === request.count) return reply.error(errors.SYNTAX)
    const value = request.integer(index + 1)
    if (request.is(index, 'RANK')) {
      if (Number.isNaN(value)) return reply.error(errors.NOT_AN_INTEGER)
      if (request.bigInteger(index + 1) === INT64_MIN) return reply.error(RANK_OUT_OF_RANGE)
      if (value === 0) return reply.error(RANK_IS_ZERO)
      rank = value
    } else if (request.is(index, 'COUNT')) {
      if (!(value >= 0)) return reply.error("ERR COUNT can't be negative")
      count = value
    } else if (request.is(index, 'MAXLEN')) {
      if (!(value >= 0)) return reply.error("ERR MAXLEN can't be negative")
      comparedMax = value
    } else {
      return reply.error(errors.SYNTAX)
    }
  }
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle !== NONE && database.records.type(handle) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const wanted = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count)
  const places = handle === NONE ? [] : positions(database, handle, request, rank, wanted, comparedMax)
  if (count === -1) {
    if (places.length === 0) reply.nil()
    else reply.integer(places[0])
    return
  }
  reply.array(places.length)
  for (const place of places) reply.integer(place)
}

/** It has no counterpart of the other sign. Redis 7.0 takes it for -1, all later versions refuse it. */
const INT64_MIN = -(2n ** 63n)
const RANK_OUT_OF_RANGE = 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807'
const RANK_IS_ZERO =
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"

/** Where an element of this value stands, beginning with the `rank`th of them. O(n). */
function positions(
  database: Database,
  handle: Handle,
  request: Request,
  rank: number,
  countMax: number,
  comparedMax: number,
): number[] {
  const places: number[] = []
  const step = rank < 0 ? -1 : 1
  const length = listLength(database.store, handle)
  let place = rank < 0 ? length - 1 : 0
  let toSkip = Math.abs(rank) - 1
  const start = request.start(2)
  const end = request.end(2)
  openList(cursor, database.store, handle)
  let has = cursor.toIndex(place)
  for (let compared = 0; has && (comparedMax === 0 || compared < comparedMax); compared++) {
    if (cursor.equals(request.chunk, start, end) && --toSkip < 0) {
      places.push(place)
      if (places.length === countMax) break
    }
    place += step
    has = step < 0 ? cursor.previous() : cursor.next()
  }
  return places
}

// ---- Removing ----

/** hot: once for each LPOP or RPOP. */
function pop(client: Client, request: Request, reply: Reply, atTail: boolean): void {
  const hasCount = request.count === 3
  if (request.count > 3) return reply.error(wrongArity(atTail ? 'rpop' : 'lpop'))
  let count = 1
  if (hasCount) {
    count = request.integer(2)
    if (!(count >= 0)) return reply.error(errors.NEGATIVE)
  }
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  if (handle === NONE) {
    if (hasCount) reply.nilArray()
    else reply.nil()
    return
  }
  if (database.records.type(handle) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  if (!hasCount) return popOne(database, handle, chunk, start, end, atTail, reply)
  if (count === 0) return reply.array(0)
  popMany(database, handle, chunk, start, end, atTail, count, reply)
}

/** Answers with the element at an end, and removes it. */
function popOne(
  database: Database,
  handle: Handle,
  chunk: Uint8Array,
  start: number,
  end: number,
  atTail: boolean,
  reply: Reply,
): void {
  openList(cursor, database.store, handle)
  cursor.toEnd(atTail)
  replyWithElement(reply)
  announceRemoval(database, removeEndElement(database, handle, atTail), chunk, start, end, atTail ? 'rpop' : 'lpop', 1)
}

/** Answers with an array of up to `countMax` elements from an end on, and removes them. */
function popMany(
  database: Database,
  handle: Handle,
  chunk: Uint8Array,
  start: number,
  end: number,
  atTail: boolean,
  countMax: number,
  reply: Reply,
): void {
  const length = listLength(database.store, handle)
  const count = Math.min(countMax, length)
  reply.array(count)
  openList(cursor, database.store, handle)
  cursor.toEnd(atTail)
  for (let left = count; left > 0; left--) {
    replyWithElement(reply)
    if (atTail) cursor.previous()
    else cursor.next()
  }
  const after = removeElements(database, handle, atTail ? length - count : 0, count)
  announceRemoval(database, after, chunk, start, end, atTail ? 'rpop' : 'lpop', count)
}

/** Announces that elements went, and deletes the key when none is left. */
function announceRemoval(
  database: Database,
  handle: Handle,
  chunk: Uint8Array,
  start: number,
  end: number,
  event: string,
  removedCount: number,
): void {
  const { store } = database
  store.dirtyCount += removedCount - 1
  if (listLength(store, handle) > 0) return database.changed(KEYSPACE_EVENTS.list, event, chunk, start, end)
  if (store.observed) store.tell(KEYSPACE_EVENTS.list, event, database.index, chunk, start, end)
  database.delete(handle, chunk, start, end)
}

function ltrim(client: Client, request: Request, reply: Reply): void {
  let first = request.integer(2)
  let last = request.integer(3)
  if (Number.isNaN(first) || Number.isNaN(last)) return reply.error(errors.NOT_AN_INTEGER)
  const { database } = client
  const found = database.write(request.chunk, request.start(1), request.end(1))
  if (found === NONE) return reply.ok()
  if (database.records.type(found) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const length = listLength(database.store, found)
  if (first < 0) first = Math.max(first + length, 0)
  if (last < 0) last += length
  if (last >= length) last = length - 1
  const isEmpty = first > last || first >= length
  const fromHead = isEmpty ? length : first
  const fromTail = isEmpty ? 0 : length - 1 - last
  let handle = removeElements(database, found, length - fromTail, fromTail)
  handle = removeElements(database, handle, 0, fromHead)
  reply.ok()
  announceRemoval(database, handle, request.chunk, request.start(1), request.end(1), 'ltrim', fromHead + fromTail)
}

function lrem(client: Client, request: Request, reply: Reply): void {
  const count = request.integer(2)
  if (Number.isNaN(count)) return reply.error(errors.NOT_AN_INTEGER)
  const { database } = client
  const { chunk } = request
  const found = database.write(chunk, request.start(1), request.end(1))
  if (found === NONE) return reply.integer(0)
  if (database.records.type(found) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const countMax = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count)
  const start = request.start(3)
  const end = request.end(3)
  const { removedCount, handle } = removeEqualElements(database, found, chunk, start, end, countMax, count < 0)
  reply.integer(removedCount)
  if (removedCount > 0) {
    announceRemoval(database, handle, chunk, request.start(1), request.end(1), 'lrem', removedCount)
  }
}

// ---- Moving from list to list ----

/** LEFT or RIGHT as an end; null, with the error written, for anything else. */
function readEnd(request: Request, index: number, reply: Reply): boolean | null {
  if (request.is(index, 'LEFT')) return HEAD
  if (request.is(index, 'RIGHT')) return TAIL
  reply.error(errors.SYNTAX)
  return null
}

function move(
  client: Client,
  request: Request,
  reply: Reply,
  fromTail: boolean,
  toTail: boolean,
  propagatedAs: readonly CommandPart[] = [],
): void {
  const source = { bytes: request.chunk, start: request.start(1), end: request.end(1) }
  const handle = client.database.write(source.bytes, source.start, source.end)
  if (handle === NONE) return reply.nil()
  if (client.database.records.type(handle) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  const target = { bytes: request.chunk, start: request.start(2), end: request.end(2) }
  moveElement(client, propagatedAs, handle, source, target, fromTail, toTail, reply)
}

interface KeyPlace {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/**
 * Moves an element from the end of a list to an end of another or the same one, and answers with it.
 * @param propagatedAs the move that comes of a command that might have waited; nothing for others
 */
function moveElement(
  client: Client,
  propagatedAs: readonly CommandPart[],
  source: Handle,
  sourceKey: KeyPlace,
  targetKey: KeyPlace,
  fromTail: boolean,
  toTail: boolean,
  reply: Reply,
): void {
  const { database } = client
  const { store, records } = database
  let target = database.write(targetKey.bytes, targetKey.start, targetKey.end)
  if (target !== NONE && records.type(target) !== types.LIST) return reply.error(errors.WRONG_TYPE)
  openList(cursor, store, source)
  cursor.toEnd(fromTail)
  const element = cursor.toBytes()
  const isSame = source === target
  let left = removeEndElement(database, source, fromTail)
  if (isSame) target = left
  else if (target === NONE) target = createList(database, targetKey.bytes, targetKey.start, targetKey.end, NEVER)
  target = pushElement(database, target, toTail, element)
  if (isSame) left = target
  reply.bulkBytes(element)
  const pushed = toTail ? 'rpush' : 'lpush'
  database.changed(KEYSPACE_EVENTS.list, pushed, targetKey.bytes, targetKey.start, targetKey.end)
  announceRemoval(database, left, sourceKey.bytes, sourceKey.start, sourceKey.end, fromTail ? 'rpop' : 'lpop', 1)
  if (propagatedAs.length > 0) client.propagateAs(...propagatedAs)
}

function lmove(client: Client, request: Request, reply: Reply): void {
  const fromTail = readEnd(request, 3, reply)
  if (fromTail === null) return
  const toTail = readEnd(request, 4, reply)
  if (toTail === null) return
  move(client, request, reply, fromTail, toTail)
}

// ---- Popping from the first of several lists ----

interface ManyPop {
  readonly firstKey: number
  readonly keyCount: number
  readonly atTail: boolean
  readonly countMax: number
}

/** The arguments of LMPOP or BLMPOP from the number of keys on; null when they are refused, with the error written. */
function readManyPop(request: Request, numberIndex: number, reply: Reply): ManyPop | null {
  const keyCount = request.integer(numberIndex)
  if (!(keyCount > 0)) {
    reply.error('ERR numkeys should be greater than 0')
    return null
  }
  const endIndex = numberIndex + keyCount + 1
  if (endIndex >= request.count) {
    reply.error(errors.SYNTAX)
    return null
  }
  const atTail = readEnd(request, endIndex, reply)
  if (atTail === null) return null
  let countMax = 0
  for (let index = endIndex + 1; index < request.count; index += 2) {
    if (countMax !== 0 || !request.is(index, 'COUNT') || index + 1 === request.count) {
      reply.error(errors.SYNTAX)
      return null
    }
    countMax = request.integer(index + 1)
    if (!(countMax > 0)) {
      reply.error('ERR count should be greater than 0')
      return null
    }
  }
  return { firstKey: numberIndex + 1, keyCount, atTail, countMax: countMax || 1 }
}

/** Answers from the first of some keys that has a list, or with an error; false, with nothing written, if none has. */
function popFirst(client: Client, request: Request, firstKey: number, keyEnd: number, reply: Reply, pop: Pop): boolean {
  const { database } = client
  for (let index = firstKey; index < keyEnd; index++) {
    const handle = database.write(request.chunk, request.start(index), request.end(index))
    if (handle === NONE) continue
    if (database.records.type(handle) === types.LIST) {
      popWithKey(client, handle, request.chunk, request.start(index), request.end(index), pop, reply)
    } else {
      reply.error(errors.WRONG_TYPE)
    }
    return true
  }
  return false
}

/** How the first list that is found is popped; the answer begins with its key. */
interface Pop {
  readonly atTail: boolean
  /** Null: one element, which is answered by itself. */
  readonly countMax: number | null
}

const POP_HEAD: Pop = { atTail: HEAD, countMax: null }
const POP_TAIL: Pop = { atTail: TAIL, countMax: null }

function popWithKey(
  client: Client,
  handle: Handle,
  chunk: Uint8Array,
  start: number,
  end: number,
  { atTail, countMax }: Pop,
  reply: Reply,
): void {
  const { database } = client
  if (client.engine.propagates) {
    const count = countMax === null ? [] : [Math.min(countMax, listLength(database.store, handle))]
    client.propagateAs(atTail ? 'RPOP' : 'LPOP', chunk.subarray(start, end), ...count)
  }
  reply.array(2)
  reply.bulk(chunk, start, end)
  if (countMax === null) popOne(database, handle, chunk, start, end, atTail, reply)
  else popMany(database, handle, chunk, start, end, atTail, countMax, reply)
}

function lmpop(client: Client, request: Request, reply: Reply): void {
  const asked = readManyPop(request, 1, reply)
  if (asked === null) return
  if (!popFirst(client, request, asked.firstKey, asked.firstKey + asked.keyCount, reply, asked)) reply.nilArray()
}

// ---- Waiting ----

/** Pops from the first of some keys that has a list, or waits until one has. */
function popOrWait(
  client: Client,
  request: Request,
  firstKey: number,
  keyEnd: number,
  timeoutIndex: number,
  reply: Reply,
  pop: Pop,
): void {
  const timeoutMs = readTimeoutMs(request, timeoutIndex, reply)
  if (Number.isNaN(timeoutMs) || popFirst(client, request, firstKey, keyEnd, reply, pop)) return
  const keys = Array.from({ length: keyEnd - firstKey }, (_, index) => request.bytes(firstKey + index))
  client.engine.blocking.wait(client, reply, {
    keys,
    timeoutMs,
    type: types.LIST,
    serve: (answer, handle, keyIndex) => {
      const name = keys[keyIndex]
      popWithKey(client, handle, name, 0, name.length, pop, answer)
      return true
    },
    onTimeout: (answer) => answer.nilArray(),
  })
}

function blmpop(client: Client, request: Request, reply: Reply): void {
  const asked = readManyPop(request, 2, reply)
  if (asked === null) return
  popOrWait(client, request, asked.firstKey, asked.firstKey + asked.keyCount, 1, reply, asked)
}

function moveOrWait(
  client: Client,
  request: Request,
  reply: Reply,
  fromTail: boolean,
  toTail: boolean,
  timeoutIndex: number,
  isMove: boolean,
): void {
  const timeoutMs = readTimeoutMs(request, timeoutIndex, reply)
  if (Number.isNaN(timeoutMs)) return
  const { database } = client
  if (database.write(request.chunk, request.start(1), request.end(1)) !== NONE) {
    const parts = isMove
      ? ['LMOVE', request.view(1), request.view(2), request.view(3), request.view(4)]
      : ['RPOPLPUSH', request.view(1), request.view(2)]
    return move(client, request, reply, fromTail, toTail, parts)
  }
  // Only when it has waited is the answer an empty array, of all things.
  if (client.deniesBlocking) return reply.nil()
  const source = request.bytes(1)
  const target = request.bytes(2)
  const sourceKey = { bytes: source, start: 0, end: source.length }
  const targetKey = { bytes: target, start: 0, end: target.length }
  client.engine.blocking.wait(client, reply, {
    keys: [source],
    timeoutMs,
    type: types.LIST,
    serve: (answer, handle) => {
      const parts = isMove
        ? ['LMOVE', source, target, fromTail ? 'right' : 'left', toTail ? 'right' : 'left']
        : ['RPOPLPUSH', source, target]
      moveElement(client, parts, handle, sourceKey, targetKey, fromTail, toTail, answer)
      return true
    },
    onTimeout: (answer) => answer.nilArray(),
  })
}

function blmove(client: Client, request: Request, reply: Reply): void {
  const fromTail = readEnd(request, 3, reply)
  if (fromTail === null) return
  const toTail = readEnd(request, 4, reply)
  if (toTail === null) return
  moveOrWait(client, request, reply, fromTail, toTail, 5, true)
}

// ---- The table ----

const common = { acl: ['list'], group: 'list' } as const
const PUSH_COMPLEXITY =
  'O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.'
const POP_COMPLEXITY = 'O(N) where N is the number of elements returned'
const MANY_POP_COMPLEXITY = 'O(N+M) where N is the number of provided keys and M is the number of elements returned.'
const MOVE_KEYS = [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')] as const

export const listCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'LPUSH',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '1.0.0',
    complexity: PUSH_COMPLEXITY,
    summary: 'Adds elements at the head of a list, one after the other; makes the list if there is none.',
    args: 'key element...',
    history: [['2.4.0', 'Accepts multiple `element` arguments.']],
    handler: (client, request, reply) => push(client, request, reply, HEAD, false),
  },
  {
    ...common,
    name: 'RPUSH',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '1.0.0',
    complexity: PUSH_COMPLEXITY,
    summary: 'Adds elements at the tail of a list; makes the list if there is none.',
    args: 'key element...',
    history: [['2.4.0', 'Accepts multiple `element` arguments.']],
    handler: (client, request, reply) => push(client, request, reply, TAIL, false),
  },
  {
    ...common,
    name: 'LPUSHX',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '2.2.0',
    complexity: PUSH_COMPLEXITY,
    summary: 'Adds elements at the head of a list that exists.',
    args: 'key element...',
    history: [['4.0.0', 'Accepts multiple `element` arguments.']],
    handler: (client, request, reply) => push(client, request, reply, HEAD, true),
  },
  {
    ...common,
    name: 'RPUSHX',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '2.2.0',
    complexity: PUSH_COMPLEXITY,
    summary: 'Adds elements at the tail of a list that exists.',
    args: 'key element...',
    history: [['4.0.0', 'Accepts multiple `element` arguments.']],
    handler: (client, request, reply) => push(client, request, reply, TAIL, true),
  },
  {
    ...common,
    name: 'LINSERT',
    arity: 5,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '2.2.0',
    complexity:
      'O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).',
    summary: 'Inserts an element before or after the first one of a given value.',
    args: 'key where(BEFORE | AFTER) pivot element',
    handler: linsert,
  },
  {
    ...common,
    name: 'LSET',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'UPDATE')],
    since: '1.0.0',
    complexity:
      'O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).',
    summary: 'Replaces the element at an index.',
    args: 'key index element',
    handler: lset,
  },
  {
    ...common,
    name: 'LPOP',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    since: '1.0.0',
    complexity: POP_COMPLEXITY,
    summary: 'Removes elements from the head of a list and answers with them.',
    args: 'key [count@6.2.0]',
    history: [['6.2.0', 'Added the `count` argument.']],
    handler: (client, request, reply) => pop(client, request, reply, HEAD),
  },
  {
    ...common,
    name: 'RPOP',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    since: '1.0.0',
    complexity: POP_COMPLEXITY,
    summary: 'Removes elements from the tail of a list and answers with them.',
    args: 'key [count@6.2.0]',
    history: [['6.2.0', 'Added the `count` argument.']],
    handler: (client, request, reply) => pop(client, request, reply, TAIL),
  },
  {
    ...common,
    name: 'LMPOP',
    arity: -4,
    flags: ['write', 'movablekeys'],
    keys: [numberedKeys(1, 'RW', 'ACCESS', 'DELETE')],
    since: '7.0.0',
    complexity: MANY_POP_COMPLEXITY,
    summary: 'Removes elements from an end of the first of several lists that has any.',
    args: 'numkeys key... where(LEFT | RIGHT) [COUNT count]',
    handler: lmpop,
  },
  {
    ...common,
    name: 'LLEN',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'The length of a list.',
    args: 'key',
    handler: llen,
  },
  {
    ...common,
    name: 'LINDEX',
    arity: 3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity:
      'O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).',
    summary: 'The element at an index, counted from the tail when negative.',
    args: 'key index',
    handler: lindex,
  },
  {
    ...common,
    name: 'LRANGE',
    arity: 4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity:
      'O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.',
    summary: 'The elements from one index to another.',
    args: 'key start stop',
    handler: lrange,
  },
  {
    ...common,
    name: 'LPOS',
    arity: -3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '6.0.6',
    complexity:
      'O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.',
    summary: 'The indexes of elements of a given value.',
    args: 'key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]',
    handler: lpos,
  },
  {
    ...common,
    name: 'LTRIM',
    arity: 4,
    flags: ['write'],
    keys: [key(1, 'RW', 'DELETE')],
    since: '1.0.0',
    complexity: 'O(N) where N is the number of elements to be removed by the operation.',
    summary: 'Removes everything outside a range from a list.',
    args: 'key start stop',
    handler: ltrim,
  },
  {
    ...common,
    name: 'LREM',
    arity: 4,
    flags: ['write'],
    keys: [key(1, 'RW', 'DELETE')],
    since: '1.0.0',
    complexity: 'O(N+M) where N is the length of the list and M is the number of elements removed.',
    summary: 'Removes elements of a given value from a list.',
    args: 'key count element',
    handler: lrem,
  },
  {
    ...common,
    name: 'LMOVE',
    arity: 5,
    flags: ['write', 'denyoom'],
    keys: MOVE_KEYS,
    since: '6.2.0',
    complexity: 'O(1)',
    summary: 'Moves an element from an end of a list to an end of another.',
    args: 'source#0 destination#1 wherefrom(LEFT | RIGHT) whereto(LEFT | RIGHT)',
    handler: lmove,
  },
  {
    ...common,
    name: 'RPOPLPUSH',
    arity: 3,
    flags: ['write', 'denyoom'],
    keys: MOVE_KEYS,
    since: '1.2.0',
    complexity: 'O(1)',
    summary: 'Moves an element from the tail of a list to the head of another.',
    args: 'source#0 destination#1',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments',
    handler: (client, request, reply) => move(client, request, reply, TAIL, HEAD),
  },
  {
    ...common,
    name: 'BLPOP',
    arity: -3,
    flags: ['write', 'noscript', 'blocking'],
    keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
    since: '2.0.0',
    complexity: 'O(N) where N is the number of provided keys.',
    summary: 'Removes the element at the head of the first of several lists that has one, or waits for one.',
    args: 'key... timeout:double',
    history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
    handler: (client, request, reply) =>
      popOrWait(client, request, 1, request.count - 1, request.count - 1, reply, POP_HEAD),
  },
  {
    ...common,
    name: 'BRPOP',
    arity: -3,
    flags: ['write', 'noscript', 'blocking'],
    keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
    since: '2.0.0',
    complexity: 'O(N) where N is the number of provided keys.',
    summary: 'Removes the element at the tail of the first of several lists that has one, or waits for one.',
    args: 'key... timeout:double',
    history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
    handler: (client, request, reply) =>
      popOrWait(client, request, 1, request.count - 1, request.count - 1, reply, POP_TAIL),
  },
  {
    ...common,
    name: 'BLMPOP',
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: [numberedKeys(2, 'RW', 'ACCESS', 'DELETE')],
    since: '7.0.0',
    complexity: MANY_POP_COMPLEXITY,
    summary: 'Removes elements from an end of the first of several lists that has any, or waits for one.',
    args: 'timeout:double numkeys key... where(LEFT | RIGHT) [COUNT count]',
    handler: blmpop,
  },
  {
    ...common,
    name: 'BLMOVE',
    arity: 6,
    flags: ['write', 'denyoom', 'noscript', 'blocking'],
    keys: MOVE_KEYS,
    since: '6.2.0',
    complexity: 'O(1)',
    summary: 'Moves an element from an end of a list to an end of another, or waits for one.',
    args: 'source#0 destination#1 wherefrom(LEFT | RIGHT) whereto(LEFT | RIGHT) timeout:double',
    handler: blmove,
  },
  {
    ...common,
    name: 'BRPOPLPUSH',
    arity: 4,
    flags: ['write', 'denyoom', 'noscript', 'blocking'],
    keys: MOVE_KEYS,
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Moves an element from the tail of a list to the head of another, or waits for one.',
    args: 'source#0 destination#1 timeout:double',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments',
    history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
    handler: (client, request, reply) => moveOrWait(client, request, reply, TAIL, HEAD, 3, false),
  },
]
