import { NONE } from '../../memory/heap.ts'
import { Bound } from '../../memory/ordered-tree.ts'
import { SortedSet } from '../../store/sorted-set.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { readMemberBound, readScoreBound } from '../score-bounds.ts'
import {
  announceRemoval,
  beginMembers,
  readSortedSet,
  storeResult,
  WRONG,
  writeMember,
  writeSortedSet,
} from '../sorted-set-access.ts'

type RangeKind = 'rank' | 'score' | 'member'

const NOT_A_SCORE = 'ERR min or max is not a float'
const NOT_A_MEMBER_BOUND = 'ERR min or max not valid string range item'

/** The range that a command asks for: its ends as they are given, then the ranks between them. */
class AskedRange {
  readonly kind: RangeKind
  readonly #least = new Bound()
  readonly #greatest = new Bound()
  #from = 0
  #to = 0
  /** The ranks of the range: the first, and the one behind the last. */
  first = 0
  end = 0

  constructor(kind: RangeKind) {
    this.kind = kind
  }

  /** Reads both ends; false when they are none: an error has been written then. */
  read(request: Request, leastIndex: number, greatestIndex: number, reply: Reply): boolean {
    if (this.kind === 'rank') {
      this.#from = request.integer(leastIndex)
      this.#to = request.integer(greatestIndex)
      if (!Number.isNaN(this.#from) && !Number.isNaN(this.#to)) return true
      reply.error(errors.NOT_AN_INTEGER)
      return false
    }
    const readBound = this.kind === 'score' ? readScoreBound : readMemberBound
    const isRead =
      readBound(request, leastIndex, 'least', this.#least) &&
      readBound(request, greatestIndex, 'greatest', this.#greatest)
    if (!isRead) reply.error(this.kind === 'score' ? NOT_A_SCORE : NOT_A_MEMBER_BOUND)
    return isRead
  }

  /** Finds the ranks of the range in a set. Ranks given are counted from the other end when it `isReverse`. */
  locate(sortedSet: SortedSet, isReverse: boolean): void {
    if (this.kind !== 'rank') {
      this.first = sortedSet.countBefore(this.#least)
      this.end = Math.max(this.first, sortedSet.countBefore(this.#greatest))
      return
    }
    const { count } = sortedSet
    const from = Math.max(0, this.#from < 0 ? this.#from + count : this.#from)
    const to = Math.min(count - 1, this.#to < 0 ? this.#to + count : this.#to)
    if (from > to) return
    this.first = isReverse ? count - 1 - to : from
    this.end = isReverse ? count - from : to + 1
  }
}

// ---- Reading ranges ----

interface RangeForm {
  /** Where the key is among the arguments. */
  readonly keyIndex: number
  /** What ZRANGE's options may still decide is undefined. */
  readonly kind?: RangeKind
  readonly isReverse?: boolean
  /** ZRANGESTORE: the destination is argument 1. */
  readonly isStored?: boolean
}

function rangeCommand(form: RangeForm): (client: Client, request: Request, reply: Reply) => void {
  return (client, request, reply) => writeRange(client, request, reply, form)
}

function writeRange(client: Client, request: Request, reply: Reply, form: RangeForm): void {
  const { keyIndex, isStored = false } = form
  let kind = form.kind
  let isReverse = form.isReverse
  let withScores = false
  let offset = 0
  let limit = -1
  for (let index = keyIndex + 3; index < request.count; index++) {
    if (!isStored && request.is(index, 'WITHSCORES')) {
      withScores = true
    } else if (request.is(index, 'LIMIT') && index + 2 < request.count) {
      offset = request.integer(index + 1)
      limit = request.integer(index + 2)
      if (Number.isNaN(offset) || Number.isNaN(limit)) return reply.error(errors.NOT_AN_INTEGER)
      index += 2
    } else if (isReverse === undefined && request.is(index, 'REV')) {
      isReverse = true
    } else if (kind === undefined && request.is(index, 'BYLEX')) {
      kind = 'member'
    } else if (kind === undefined && request.is(index, 'BYSCORE')) {
      kind = 'score'
    } else {
      return reply.error(errors.SYNTAX)
    }
  }
  kind ??= 'rank'
  isReverse ??= false
  if (limit !== -1 && kind === 'rank') {
    return reply.error('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  }
  if (withScores && kind === 'member') {
    return reply.error('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  }
  // By score and by member, a reversed range is asked for with its greater end first.
  const isSwapped = isReverse && kind !== 'rank'
  const leastIndex = keyIndex + (isSwapped ? 2 : 1)
  const range = new AskedRange(kind)
  if (!range.read(request, leastIndex, keyIndex + (isSwapped ? 1 : 2), reply)) return

  const handle = readSortedSet(client, request, keyIndex, reply)
  if (handle === WRONG) return
  let sortedSet: SortedSet | null = null
  let first = 0
  let count = 0
  if (handle !== NONE) {
    sortedSet = new SortedSet(client.database, handle)
    range.locate(sortedSet, isReverse)
    const size = range.end - range.first
    if (kind === 'rank') offset = 0
    const skipped = offset < 0 ? size : Math.min(offset, size)
    count = size - skipped
    if (limit >= 0 && limit < count) count = limit
    first = isReverse ? range.end - 1 - skipped : range.first + skipped
  }
  if (isStored) return storeRange(client, request, sortedSet, first, count, isReverse, reply)
  beginMembers(reply, count, withScores)
  if (sortedSet === null || count === 0) return
  sortedSet.seek(first)
  for (let left = count; left > 0; left--) {
    writeMember(reply, sortedSet, withScores)
    if (isReverse) sortedSet.previous()
    else sortedSet.next()
  }
}

function storeRange(
  client: Client,
  request: Request,
  sortedSet: SortedSet | null,
  first: number,
  count: number,
  isReverse: boolean,
  reply: Reply,
): void {
  const result = SortedSet.temporary(client.database)
  if (sortedSet !== null && count > 0) {
    sortedSet.seek(isReverse ? first - count + 1 : first)
    for (let left = count; left > 0; left--) {
      const { score, bytes, start, end } = sortedSet
      result.find(bytes, start, end)
      result.add(score, bytes, start, end)
      sortedSet.next()
    }
  }
  storeResult(client, result, 'zrangestore', request, 1, reply)
}

// ---- Counting and removing ranges ----

function zcount(client: Client, request: Request, reply: Reply): void {
  countRange(client, request, 'score', reply)
}

function zlexcount(client: Client, request: Request, reply: Reply): void {
  countRange(client, request, 'member', reply)
}

function countRange(client: Client, request: Request, kind: RangeKind, reply: Reply): void {
  const range = new AskedRange(kind)
  if (!range.read(request, 2, 3, reply)) return
  const handle = readSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE) return reply.integer(0)
  range.locate(new SortedSet(client.database, handle), false)
  reply.integer(range.end - range.first)
}

function zremrangebyrank(client: Client, request: Request, reply: Reply): void {
  removeRange(client, request, 'rank', 'zremrangebyrank', reply)
}

function zremrangebyscore(client: Client, request: Request, reply: Reply): void {
  removeRange(client, request, 'score', 'zremrangebyscore', reply)
}

function zremrangebylex(client: Client, request: Request, reply: Reply): void {
  removeRange(client, request, 'member', 'zremrangebylex', reply)
}

function removeRange(client: Client, request: Request, kind: RangeKind, event: string, reply: Reply): void {
  const range = new AskedRange(kind)
  if (!range.read(request, 2, 3, reply)) return
  const handle = writeSortedSet(client, request, 1, reply)
  if (handle === WRONG) return
  if (handle === NONE) return reply.integer(0)
  const sortedSet = new SortedSet(client.database, handle)
  range.locate(sortedSet, false)
  const count = range.end - range.first
  if (count > 0) {
    sortedSet.removeRange(range.first, count)
    announceRemoval(client.database, sortedSet, event, request.chunk, request.start(1), request.end(1))
  }
  reply.integer(count)
}

export const sortedSetRangeCommands: readonly CommandSpec[] = [
  {
    name: 'ZRANGE',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.',
    summary: 'Members of a range by rank, score or member.',
    args: 'key start:string stop:string [sortby(BYSCORE | BYLEX)@6.2.0] [REV@6.2.0] [LIMIT offset_count{offset count}@6.2.0] [WITHSCORES]',
    history: [['6.2.0', 'Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.']],
    handler: rangeCommand({ keyIndex: 1 }),
  },
  {
    name: 'ZRANGEBYSCORE',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.0.5',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    summary: 'Members with scores of a range.',
    args: 'key min:double max:double [WITHSCORES@2.0.0] [LIMIT offset_count{offset count}]',
    history: [['2.0.0', 'Added the `WITHSCORES` modifier.']],
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`ZRANGE` with the `BYSCORE` argument',
    handler: rangeCommand({ keyIndex: 1, kind: 'score', isReverse: false }),
  },
  {
    name: 'ZREVRANGEBYSCORE',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.2.0',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    summary: 'Members with scores of a range, from the greatest down.',
    args: 'key max:double min:double [WITHSCORES] [LIMIT offset_count{offset count}]',
    history: [['2.1.6', '`min` and `max` can be exclusive.']],
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`ZRANGE` with the `REV` and `BYSCORE` arguments',
    handler: rangeCommand({ keyIndex: 1, kind: 'score', isReverse: true }),
  },
  {
    name: 'ZRANGEBYLEX',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.8.9',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    summary: 'Members between two members, where all scores are equal.',
    args: 'key min max [LIMIT offset_count{offset count}]',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`ZRANGE` with the `BYLEX` argument',
    handler: rangeCommand({ keyIndex: 1, kind: 'member', isReverse: false }),
  },
  {
    name: 'ZREVRANGEBYLEX',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.8.9',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).',
    summary: 'Members between two members from the greater down, where all scores are equal.',
    args: 'key max min [LIMIT offset_count{offset count}]',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`ZRANGE` with the `REV` and `BYLEX` arguments',
    handler: rangeCommand({ keyIndex: 1, kind: 'member', isReverse: true }),
  },
  {
    name: 'ZREVRANGE',
    arity: -4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.',
    summary: 'Members of a range of ranks, from the greatest score down.',
    args: 'key start stop [WITHSCORES]',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`ZRANGE` with the `REV` argument',
    handler: rangeCommand({ keyIndex: 1, kind: 'rank', isReverse: true }),
  },
  {
    name: 'ZRANGESTORE',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), key(2, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.',
    summary: 'Stores the members of a range as another sorted set.',
    args: 'dst#0 src#1 min max [sortby(BYSCORE | BYLEX)] [REV] [LIMIT offset_count{offset count}]',
    handler: rangeCommand({ keyIndex: 2, isStored: true }),
  },
  {
    name: 'ZCOUNT',
    arity: 4,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.0.0',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    summary: 'How many members have scores of a range.',
    args: 'key min:double max:double',
    handler: zcount,
  },
  {
    name: 'ZLEXCOUNT',
    arity: 4,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.8.9',
    complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
    summary: 'How many members stand between two members, where all scores are equal.',
    args: 'key min max',
    handler: zlexcount,
  },
  {
    name: 'ZREMRANGEBYRANK',
    arity: 4,
    flags: ['write'],
    keys: [key(1, 'RW', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.0.0',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.',
    summary: 'Takes out the members of a range of ranks.',
    args: 'key start stop',
    handler: zremrangebyrank,
  },
  {
    name: 'ZREMRANGEBYSCORE',
    arity: 4,
    flags: ['write'],
    keys: [key(1, 'RW', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '1.2.0',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.',
    summary: 'Takes out the members with scores of a range.',
    args: 'key min:double max:double',
    handler: zremrangebyscore,
  },
  {
    name: 'ZREMRANGEBYLEX',
    arity: 4,
    flags: ['write'],
    keys: [key(1, 'RW', 'DELETE')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.8.9',
    complexity:
      'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.',
    summary: 'Takes out the members between two members, where all scores are equal.',
    args: 'key min max',
    handler: zremrangebylex,
  },
]
