import { formatDouble17 } from '../../bytes/double.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { type as types } from '../../store/record.ts'
import { SortedSet } from '../../store/sorted-set.ts'
import { readTimeoutMs } from '../blocking.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key, keyRange, numberedKeys } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { scanCursor, scanMatches, scanOptions } from '../scan-arguments.ts'
import {
  announceRemoval,
  beginMembers,
  readSortedSet,
  WRONG,
  writeMember,
  writeSortedSet,
} from '../sorted-set-access.ts'

// ---- Adding and removing members ----

/** hot: ZADD is. GEOADD comes here as well. */
export function zadd(client: Client, request: Request, reply: Reply): void {
  addMembers(client, request, reply, false)
}

function zincrby(client: Client, request: Request, reply: Reply): void {
  addMembers(client, request, reply, true)
}

function addMembers(client: Client, request: Request, reply: Reply, isZincrby: boolean): void {
  let increments = isZincrby
  let onlyNew = false
  let onlyExisting = false
  let onlyGreater = false
  let onlyLess = false
  let countsChanged = false
  let first = 2
  for (; first < request.count; first++) {
    if (request.is(first, 'NX')) onlyNew = true
    else if (request.is(first, 'XX')) onlyExisting = true
    else if (request.is(first, 'GT')) onlyGreater = true
    else if (request.is(first, 'LT')) onlyLess = true
    else if (request.is(first, 'CH')) countsChanged = true
    else if (request.is(first, 'INCR')) increments = true
    else break
  }
  const argumentCount = request.count - first
  if (argumentCount === 0 || argumentCount % 2 !== 0) return reply.error(errors.SYNTAX)
  if (onlyNew && onlyExisting) {
    return reply.error('ERR XX and NX options at the same time are not compatible')
  }
  if ((onlyGreater && onlyNew) || (onlyLess && onlyNew) || (onlyGreater && onlyLess)) {
    return reply.error('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (increments && argumentCount > 2) {
    return reply.error('ERR INCR option supports a single increment-element pair')
  }
  for (let index = first; index < request.count; index += 2) {
    const score = request.double(index)
    if (Number.isNaN(score)) return reply.error(errors.NOT_A_FLOAT)
  }

  const { database } = client
  const { chunk } = request
  const keyStart = request.start(1)
  const keyEnd = request.end(1)
  const handle = writeSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE && onlyExisting) return increments ? reply.nil() : reply.integer(0)
  const memberCount = argumentCount / 2
  let sortedSet: SortedSet
  if (handle === NONE) {
    sortedSet = SortedSet.create(database, chunk, keyStart, keyEnd, memberCount, request.size(first + 1))
  } else {
    sortedSet = new SortedSet(database, handle)
    sortedSet.expect(memberCount)
  }

  let addedCount = 0
  let changedCount = 0
  let result = Number.NaN
  for (let index = first; index < request.count; index += 2) {
    let score = request.double(index)
    const start = request.start(index + 1)
    const end = request.end(index + 1)
    if (!sortedSet.find(chunk, start, end)) {
      if (onlyExisting) continue
      sortedSet.add(score, chunk, start, end)
      addedCount++
    } else {
      if (onlyNew) continue
      const current = sortedSet.score
      if (increments) {
        score += current
        if (Number.isNaN(score)) return reply.error('ERR resulting score is not a number (NaN)')
      }
      if ((onlyLess && score >= current) || (onlyGreater && score <= current)) continue
      if (score !== current) {
        sortedSet.changeScore(score)
        changedCount++
      }
    }
    result = score
  }
  if (addedCount + changedCount > 0) {
    database.changed(KEYSPACE_EVENTS.zset, increments ? 'zincr' : 'zadd', chunk, keyStart, keyEnd)
  }
  if (!increments) reply.integer(countsChanged ? addedCount + changedCount : addedCount)
  else if (Number.isNaN(result)) reply.nil()
  else reply.double(result)
}

function zrem(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { chunk } = request
  const handle = writeSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE) return reply.integer(0)
  const sortedSet = new SortedSet(database, handle)
  let removedCount = 0
  for (let index = 2; index < request.count && sortedSet.count > 0; index++) {
    if (!sortedSet.find(chunk, request.start(index), request.end(index))) continue
    sortedSet.removeFound()
    removedCount++
  }
  if (removedCount > 0) announceRemoval(database, sortedSet, 'zrem', chunk, request.start(1), request.end(1))
  reply.integer(removedCount)
}

// ---- Asking about members ----

function zcard(client: Client, request: Request, reply: Reply): void {
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  reply.integer(handle === NONE ? 0 : new SortedSet(client.database, handle).count)
}

function zscore(client: Client, request: Request, reply: Reply): void {
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE) return reply.nil()
  const sortedSet = new SortedSet(client.database, handle)
  if (sortedSet.find(request.chunk, request.start(2), request.end(2))) reply.double(sortedSet.score)
  else reply.nil()
}

function zmscore(client: Client, request: Request, reply: Reply): void {
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  const sortedSet = handle === NONE ? null : new SortedSet(client.database, handle)
  reply.array(request.count - 2)
  for (let index = 2; index < request.count; index++) {
    if (sortedSet?.find(request.chunk, request.start(index), request.end(index))) reply.double(sortedSet.score)
    else reply.nil()
  }
}

function zrank(client: Client, request: Request, reply: Reply): void {
  writeRank(client, request, reply, 'zrank', false)
}

function zrevrank(client: Client, request: Request, reply: Reply): void {
  writeRank(client, request, reply, 'zrevrank', true)
}

function writeRank(client: Client, request: Request, reply: Reply, name: string, isReverse: boolean): void {
  if (request.count > 4) return reply.error(wrongArity(name))
  const withScore = request.count === 4
  if (withScore && !request.is(3, 'WITHSCORE')) return reply.error(errors.SYNTAX)
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  const sortedSet = handle === NONE ? null : new SortedSet(client.database, handle)
  if (!sortedSet?.find(request.chunk, request.start(2), request.end(2))) {
    return withScore ? reply.nilArray() : reply.nil()
  }
  const rank = sortedSet.rankOfFound()
  if (withScore) reply.array(2)
  reply.integer(isReverse ? sortedSet.count - 1 - rank : rank)
  if (withScore) reply.double(sortedSet.score)
}

function zscan(client: Client, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, reply, 2)
  if (Number.isNaN(cursor)) return
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE) {
    reply.array(2)
    reply.bulkText('0')
    return reply.array(0)
  }
  const options = scanOptions(request, reply, 3, false, 'NOSCORES')
  if (options === null) return
  const sortedSet = new SortedSet(client.database, handle)
  const found: (Buffer | number)[] = []
  const nextCursor = sortedSet.scan(cursor, options.countHint, () => {
    const { bytes, start, end } = sortedSet
    if (!scanMatches(options, bytes, start, end)) return
    found.push(Buffer.from(bytes.subarray(start, end)))
    if (!options.isBare) found.push(sortedSet.score)
  })
  reply.array(2)
  reply.bulkText(String(nextCursor))
  reply.array(found.length)
  for (const each of found) {
    if (typeof each === 'number') reply.bulkText(formatDouble17(each))
    else reply.bulkBytes(each)
  }
}

// ---- Members by chance ----

/** As many as Redis allows to be asked for: 2^63 - 1. */
const COUNT_MAX = 2 ** 63

function zrandmember(client: Client, request: Request, reply: Reply): void {
  if (request.count === 2) {
    const handle = readSortedSet(client, request, 1, reply)
    if (handle === WRONG) return
    if (handle === NONE) return reply.nil()
    const sortedSet = new SortedSet(client.database, handle)
    sortedSet.seek(Math.floor(client.engine.store.random() * sortedSet.count))
    return writeMember(reply, sortedSet, false)
  }
  const count = request.integer(2)
  if (Number.isNaN(count)) return reply.error(errors.NOT_AN_INTEGER)
  if (request.bigInteger(2) === -(2n ** 63n)) {
    return reply.error('ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807')
  }
  const withScores = request.count === 4
  if (request.count > 4 || (withScores && !request.is(3, 'WITHSCORES'))) return reply.error(errors.SYNTAX)
  if (withScores && Math.abs(count) > COUNT_MAX / 2) return reply.error('ERR value is out of range')
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE || count === 0) return reply.array(0)
  writeRandomMembers(client, new SortedSet(client.database, handle), count, withScores, reply)
}

/** So many different members, in the order of the set; or, when the count is negative, picked one by one. */
function writeRandomMembers(
  client: Client,
  sortedSet: SortedSet,
  count: number,
  withScores: boolean,
  reply: Reply,
): void {
  const { random } = client.engine.store
  const size = sortedSet.count
  if (count < 0) {
    beginMembers(reply, -count, withScores)
    for (let picked = 0; picked < -count; picked++) {
      sortedSet.seek(Math.floor(random() * size))
      writeMember(reply, sortedSet, withScores)
    }
    return
  }
  const wanted = Math.min(count, size)
  beginMembers(reply, wanted, withScores)
  // Each is taken with the chance that makes every choice of so many equally likely (Knuth's algorithm S): good when
  // many are wanted. For few of many, ranks are drawn until they are different.
  if (wanted * 3 > size) {
    sortedSet.seek(0)
    for (let rank = 0, left = wanted; left > 0; rank++) {
      if (random() * (size - rank) < left) {
        writeMember(reply, sortedSet, withScores)
        left--
      }
      sortedSet.next()
    }
    return
  }
  const ranks = new Set<number>()
  while (ranks.size < wanted) ranks.add(Math.floor(random() * size))
  for (const rank of ranks) {
    sortedSet.seek(rank)
    writeMember(reply, sortedSet, withScores)
  }
}

// ---- Popping ----

type End = 'min' | 'max'

function zpopmin(client: Client, request: Request, reply: Reply): void {
  popFromOne(client, request, reply, 'min')
}

function zpopmax(client: Client, request: Request, reply: Reply): void {
  popFromOne(client, request, reply, 'max')
}

function popFromOne(client: Client, request: Request, reply: Reply, popEnd: End): void {
  if (request.count > 3) return reply.error(errors.SYNTAX)
  let count = 1
  if (request.count === 3) {
    count = request.integer(2)
    if (!(count >= 0)) return reply.error(errors.NEGATIVE)
  }
  const { database } = client
  const handle = writeSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE || count === 0) return reply.array(0)
  const sortedSet = new SortedSet(database, handle)
  const isNested = request.count === 3 && reply.protocol > 2
  const popCount = Math.min(count, sortedSet.count)
  if (popCount === 1) sortedSet.expectPop(popEnd === 'max')
  reply.array(isNested ? popCount : popCount * 2)
  writePopped(reply, sortedSet, popEnd, popCount, isNested)
  sortedSet.removeRange(popEnd === 'min' ? 0 : sortedSet.count - popCount, popCount)
  announceRemoval(database, sortedSet, POP_EVENT[popEnd], request.chunk, request.start(1), request.end(1))
}

const POP_EVENT = { min: 'zpopmin', max: 'zpopmax' } as const

/** Writes the members that are about to be taken from an end of a set. */
function writePopped(reply: Reply, sortedSet: SortedSet, popEnd: End, count: number, isNested: boolean): void {
  sortedSet.seek(popEnd === 'min' ? 0 : sortedSet.count - 1)
  for (let popped = 0; popped < count; popped++) {
    if (isNested) reply.array(2)
    reply.bulk(sortedSet.bytes, sortedSet.start, sortedSet.end)
    reply.double(sortedSet.score)
    if (popped + 1 === count) return
    if (popEnd === 'min') sortedSet.next()
    else sortedSet.previous()
  }
}

/** What pops from the first of several keys that holds something. */
interface Pop {
  readonly end: End
  readonly count: number
  /** ZMPOP's form of the reply, key and array of pairs; else key, member and score. */
  readonly isNested: boolean
}

/** Pops from a sorted set that is not empty, the key coming first in the reply. */
function popWithKey(client: Client, sortedSet: SortedSet, keyBytes: Uint8Array, pop: Pop, reply: Reply): void {
  const count = Math.min(pop.count, sortedSet.count)
  reply.array(pop.isNested ? 2 : 3)
  reply.bulkBytes(keyBytes)
  if (pop.isNested) reply.array(count)
  writePopped(reply, sortedSet, pop.end, count, pop.isNested)
  sortedSet.removeRange(pop.end === 'min' ? 0 : sortedSet.count - count, count)
  announceRemoval(client.database, sortedSet, POP_EVENT[pop.end], keyBytes, 0, keyBytes.length)
  client.propagateAs(POP_EVENT[pop.end].toUpperCase(), keyBytes, ...(pop.isNested ? [count] : []))
}

/** Pops from the first key that exists. True when there is a reply: members, or the error of a wrong type. */
function popFromFirst(client: Client, request: Request, first: number, end: number, pop: Pop, reply: Reply): boolean {
  for (let index = first; index < end; index++) {
    const handle = writeSortedSet(client, request, index, reply)
    if (handle === WRONG) return true
    if (handle === NONE) continue
    popWithKey(client, new SortedSet(client.database, handle), request.bytes(index), pop, reply)
    return true
  }
  return false
}

function zmpop(client: Client, request: Request, reply: Reply): void {
  const arguments_ = readMultiplePop(request, 1, reply)
  if (arguments_ === null) return
  if (!popFromFirst(client, request, 2, arguments_.keysEnd, arguments_.pop, reply)) reply.nilArray()
}

/** The arguments of ZMPOP and BZMPOP from `numkeys` on, or null: an error has been written then. */
function readMultiplePop(request: Request, index: number, reply: Reply): { pop: Pop; keysEnd: number } | null {
  const refuse = (error: string) => {
    reply.error(error)
    return null
  }
  const keyCount = request.integer(index)
  if (!(keyCount >= 1)) return refuse('ERR numkeys should be greater than 0')
  const keysEnd = index + 1 + keyCount
  if (keysEnd >= request.count) return refuse(errors.SYNTAX)
  const isMin = request.is(keysEnd, 'MIN')
  if (!isMin && !request.is(keysEnd, 'MAX')) return refuse(errors.SYNTAX)
  let count = 0
  for (let option = keysEnd + 1; option < request.count; option += 2) {
    if (count > 0 || !request.is(option, 'COUNT') || option + 1 >= request.count) return refuse(errors.SYNTAX)
    count = request.integer(option + 1)
    if (!(count >= 1)) return refuse('ERR count should be greater than 0')
  }
  return { pop: { end: isMin ? 'min' : 'max', count: Math.max(count, 1), isNested: true }, keysEnd }
}

// ---- Popping, or waiting for something to pop ----

function bzpopmin(client: Client, request: Request, reply: Reply): void {
  const pop: Pop = { end: 'min', count: 1, isNested: false }
  popOrWait(client, request, 1, request.count - 1, request.count - 1, pop, reply)
}

function bzpopmax(client: Client, request: Request, reply: Reply): void {
  const pop: Pop = { end: 'max', count: 1, isNested: false }
  popOrWait(client, request, 1, request.count - 1, request.count - 1, pop, reply)
}

function bzmpop(client: Client, request: Request, reply: Reply): void {
  const arguments_ = readMultiplePop(request, 2, reply)
  if (arguments_ !== null) popOrWait(client, request, 3, arguments_.keysEnd, 1, arguments_.pop, reply)
}

function popOrWait(
  client: Client,
  request: Request,
  first: number,
  end: number,
  timeoutIndex: number,
  pop: Pop,
  reply: Reply,
): void {
  const timeoutMs = readTimeoutMs(request, timeoutIndex, reply)
  if (Number.isNaN(timeoutMs) || popFromFirst(client, request, first, end, pop, reply)) return
  const keys = Array.from({ length: end - first }, (_, index) => request.bytes(first + index))
  client.engine.blocking.wait(client, reply, {
    keys,
    timeoutMs,
    type: types.SORTED_SET,
    serve(served, handle, keyIndex) {
      popWithKey(client, new SortedSet(client.database, handle), keys[keyIndex], pop, served)
      return true
    },
    onTimeout: (late) => late.nilArray(),
  })
}

export const sortedSetCommands: readonly CommandSpec[] = [
  {
    name: 'ZADD',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity: 'O(log(N)) for each item added, where N is the number of elements in the sorted set.',
    summary: 'Adds members to a sorted set, or gives them other scores.',
    args: 'key [condition(NX | XX)@3.0.2] [comparison(GT | LT)@6.2.0] [change=CH@3.0.2] [increment=INCR@3.0.2] score_member{score:double member}...',
    history: [
      ['2.4.0', 'Accepts multiple elements.'],
      ['3.0.2', 'Added the `XX`, `NX`, `CH` and `INCR` options.'],
      ['6.2.0', 'Added the `GT` and `LT` options.'],
    ],
    handler: zadd,
  },
  {
    name: 'ZINCRBY',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity: 'O(log(N)) where N is the number of elements in the sorted set.',
    summary: 'Adds to the score of a member.',
    args: 'key increment member',
    handler: zincrby,
  },
  {
    name: 'ZREM',
    arity: -3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity:
      'O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.',
    summary: 'Takes members out of a sorted set; its key goes with the last.',
    args: 'key member...',
    history: [['2.4.0', 'Accepts multiple elements.']],
    handler: zrem,
  },
  {
    name: 'ZCARD',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity: 'O(1)',
    summary: 'How many members a sorted set has.',
    args: 'key',
    handler: zcard,
  },
  {
    name: 'ZSCORE',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity: 'O(1)',
    summary: 'The score of a member.',
    args: 'key member',
    handler: zscore,
  },
  {
    name: 'ZMSCORE',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity: 'O(N) where N is the number of members being requested.',
    summary: 'The scores of several members.',
    args: 'key member...',
    handler: zmscore,
  },
  {
    name: 'ZRANK',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.0.0',
    complexity: 'O(log(N))',
    summary: 'Where a member stands, counted from the least score.',
    args: 'key member [WITHSCORE@7.2.0]',
    history: [['7.2.0', 'Added the optional `WITHSCORE` argument.']],
    handler: zrank,
  },
  {
    name: 'ZREVRANK',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.0.0',
    complexity: 'O(log(N))',
    summary: 'Where a member stands, counted from the greatest score.',
    args: 'key member [WITHSCORE@7.2.0]',
    history: [['7.2.0', 'Added the optional `WITHSCORE` argument.']],
    handler: zrevrank,
  },
  {
    name: 'ZSCAN',
    arity: -3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.8.0',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..',
    summary: 'Walks over the members and scores of a sorted set, some at each call.',
    args: 'key cursor [MATCH pattern] [COUNT count]',
    tips: ['nondeterministic_output'],
    handler: zscan,
  },
  {
    name: 'ZRANDMEMBER',
    arity: -2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity: 'O(N) where N is the number of elements returned',
    summary: 'Members picked at random.',
    args: 'key [options{count [WITHSCORES]}]',
    tips: ['nondeterministic_output'],
    handler: zrandmember,
  },
  {
    name: 'ZPOPMIN',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '5.0.0',
    complexity:
      'O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.',
    summary: 'Takes out the members with the least scores, and returns them.',
    args: 'key [count]',
    handler: zpopmin,
  },
  {
    name: 'ZPOPMAX',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '5.0.0',
    complexity:
      'O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.',
    summary: 'Takes out the members with the greatest scores, and returns them.',
    args: 'key [count]',
    handler: zpopmax,
  },
  {
    name: 'ZMPOP',
    arity: -4,
    flags: ['write'],
    keys: [numberedKeys(1, 'RW', 'ACCESS', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '7.0.0',
    complexity:
      'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.',
    summary: 'Takes members out of the first of several sorted sets that has any.',
    args: 'numkeys key... where(MIN | MAX) [COUNT count]',
    handler: zmpop,
  },
  {
    name: 'BZPOPMIN',
    arity: -3,
    flags: ['write', 'noscript', 'blocking', 'fast'],
    keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '5.0.0',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    summary: 'Takes out the member with the least score of the first sorted set that has one, or waits for it.',
    args: 'key... timeout:double',
    history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
    handler: bzpopmin,
  },
  {
    name: 'BZPOPMAX',
    arity: -3,
    flags: ['write', 'noscript', 'blocking', 'fast'],
    keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '5.0.0',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    summary: 'Takes out the member with the greatest score of the first sorted set that has one, or waits for it.',
    args: 'key... timeout:double',
    history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
    handler: bzpopmax,
  },
  {
    name: 'BZMPOP',
    arity: -5,
    flags: ['write', 'blocking'],
    keys: [numberedKeys(2, 'RW', 'ACCESS', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '7.0.0',
    complexity:
      'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.',
    summary: 'Takes members out of the first of several sorted sets that has any, or waits for some.',
    args: 'timeout:double numkeys key... where(MIN | MAX) [COUNT count]',
    handler: bzmpop,
  },
]
