import { NONE } from '../../memory/heap.ts'
import { type as types } from '../../store/record.ts'
import { UnorderedSet } from '../../store/set.ts'
import { SortedSet } from '../../store/sorted-set.ts'
import {
  type Aggregate,
  differenceOf,
  type Input,
  intersectionCount,
  intersectionOf,
  NO_MEMBERS,
  type ScoredMembers,
  scoredMembersOf,
  unionOf,
} from '../../store/sorted-set-algebra.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key, numberedKeys } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { beginMembers, storeResult, writeMember } from '../sorted-set-access.ts'

type Operation = 'union' | 'intersection' | 'difference'

interface AlgebraForm {
  readonly name: string
  readonly operation: Operation
  /** The event that is published when the result goes to the key at argument 1; absent when it is the reply. */
  readonly storeEvent?: string
  /** ZINTERCARD: only the number of members is asked for. */
  readonly onlyCounts?: boolean
}

function algebraCommand(form: AlgebraForm): (client: Client, request: Request, reply: Reply) => void {
  return (client, request, reply) => combine(client, request, reply, form)
}

interface AlgebraArguments {
  readonly inputs: readonly Input[]
  readonly aggregate: Aggregate
  readonly withScores: boolean
  readonly limit: number
}

function combine(client: Client, request: Request, reply: Reply, form: AlgebraForm): void {
  const given = readArguments(client, request, reply, form)
  if (given === null) return
  const { inputs, aggregate, withScores, limit } = given
  if (form.onlyCounts) return reply.integer(intersectionCount(inputs, limit))
  const { database } = client
  const result =
    form.operation === 'union'
      ? unionOf(database, inputs, aggregate)
      : form.operation === 'intersection'
        ? intersectionOf(database, inputs, aggregate)
        : differenceOf(database, inputs)
  if (form.storeEvent !== undefined) return storeResult(client, result, form.storeEvent, request, 1, reply)
  const { count } = result
  beginMembers(reply, count, withScores)
  if (count > 0) {
    result.seek(0)
    do writeMember(reply, result, withScores)
    while (result.next())
  }
  result.discard()
}

/** The checks come in Redis's order: keys are looked up before the options are read. Null: an error was written. */
function readArguments(client: Client, request: Request, reply: Reply, form: AlgebraForm): AlgebraArguments | null {
  const refuse = (error: string) => {
    reply.error(error)
    return null
  }
  const countIndex = form.storeEvent === undefined ? 1 : 2
  const keyCount = request.integer(countIndex)
  if (Number.isNaN(keyCount)) return refuse(errors.NOT_AN_INTEGER)
  if (keyCount < 1) return refuse(`ERR at least 1 input key is needed for '${form.name}' command`)
  const keysEnd = countIndex + 1 + keyCount
  if (keysEnd > request.count) return refuse(errors.SYNTAX)
  const members: ScoredMembers[] = []
  for (let index = countIndex + 1; index < keysEnd; index++) {
    const each = membersOf(client, request, index)
    if (each === null) return refuse(errors.WRONG_TYPE)
    members.push(each)
  }

  const weights = new Array<number>(keyCount).fill(1)
  let aggregate: Aggregate = 'SUM'
  let withScores = false
  let limit = 0
  const takesWeights = form.operation !== 'difference' && !form.onlyCounts
  for (let index = keysEnd; index < request.count; ) {
    const following = request.count - index - 1
    if (takesWeights && following >= keyCount && request.is(index, 'WEIGHTS')) {
      for (let input = 0; input < keyCount; input++) {
        weights[input] = request.double(index + 1 + input)
        if (Number.isNaN(weights[input])) return refuse('ERR weight value is not a float')
      }
      index += 1 + keyCount
    } else if (takesWeights && following >= 1 && request.is(index, 'AGGREGATE')) {
      const chosen = AGGREGATES.find((word) => request.is(index + 1, word))
      if (chosen === undefined) return refuse(errors.SYNTAX)
      aggregate = chosen
      index += 2
    } else if (form.storeEvent === undefined && !form.onlyCounts && request.is(index, 'WITHSCORES')) {
      withScores = true
      index++
    } else if (form.onlyCounts && following >= 1 && request.is(index, 'LIMIT')) {
      limit = request.integer(index + 1)
      if (!(limit >= 0)) return refuse("ERR LIMIT can't be negative")
      index += 2
    } else {
      return refuse(errors.SYNTAX)
    }
  }
  const inputs = members.map((each, input) => ({ members: each, weight: weights[input] }))
  return { inputs, aggregate, withScores, limit }
}

const AGGREGATES: readonly Aggregate[] = ['SUM', 'MIN', 'MAX']

/** What a key holds, nothing if it is missing; null when it is neither a sorted set nor a set. */
function membersOf(client: Client, request: Request, index: number): ScoredMembers | null {
  const { database } = client
  const handle = database.read(request.chunk, request.start(index), request.end(index))
  if (handle === NONE) return NO_MEMBERS
  const type = database.records.type(handle)
  if (type === types.SORTED_SET) return new SortedSet(database, handle)
  if (type === types.SET) return scoredMembersOf(new UnorderedSet(database.store).open(database, handle))
  return null
}

export const sortedSetAlgebraCommands: readonly CommandSpec[] = [
  {
    name: 'ZUNION',
    arity: -3,
    flags: ['readonly'],
    keys: [numberedKeys(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity:
      'O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.',
    summary: 'All members of several sorted sets.',
    args: 'numkeys key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | MAX)] [WITHSCORES]',
    handler: algebraCommand({ name: 'zunion', operation: 'union' }),
  },
  {
    name: 'ZUNIONSTORE',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), numberedKeys(2, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.0.0',
    complexity:
      'O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.',
    summary: 'Stores all members of several sorted sets as another.',
    args: 'destination#0 numkeys key#1... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | MAX)]',
    handler: algebraCommand({ name: 'zunionstore', operation: 'union', storeEvent: 'zunionstore' }),
  },
  {
    name: 'ZINTER',
    arity: -3,
    flags: ['readonly'],
    keys: [numberedKeys(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity:
      'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.',
    summary: 'The members that several sorted sets have in common.',
    args: 'numkeys key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | MAX)] [WITHSCORES]',
    handler: algebraCommand({ name: 'zinter', operation: 'intersection' }),
  },
  {
    name: 'ZINTERSTORE',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), numberedKeys(2, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '2.0.0',
    complexity:
      'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.',
    summary: 'Stores the members that several sorted sets have in common as another.',
    args: 'destination#0 numkeys key#1... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | MAX)]',
    handler: algebraCommand({ name: 'zinterstore', operation: 'intersection', storeEvent: 'zinterstore' }),
  },
  {
    name: 'ZINTERCARD',
    arity: -3,
    flags: ['readonly'],
    keys: [numberedKeys(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '7.0.0',
    complexity:
      'O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.',
    summary: 'How many members several sorted sets have in common.',
    args: 'numkeys key... [LIMIT limit:integer]',
    handler: algebraCommand({ name: 'zintercard', operation: 'intersection', onlyCounts: true }),
  },
  {
    name: 'ZDIFF',
    arity: -3,
    flags: ['readonly'],
    keys: [numberedKeys(1, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity:
      'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.',
    summary: 'The members of a sorted set that no other has.',
    args: 'numkeys key... [WITHSCORES]',
    handler: algebraCommand({ name: 'zdiff', operation: 'difference' }),
  },
  {
    name: 'ZDIFFSTORE',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), numberedKeys(2, 'RO', 'ACCESS')],
    acl: ['sortedset'],
    group: 'sorted-set',
    since: '6.2.0',
    complexity:
      'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.',
    summary: 'Stores the members of a sorted set that no other has as another.',
    args: 'destination#0 numkeys key#1...',
    handler: algebraCommand({ name: 'zdiffstore', operation: 'difference', storeEvent: 'zdiffstore' }),
  },
]
