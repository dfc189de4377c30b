import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { MemberTable } from '../../store/member-table.ts'
import { type as types } from '../../store/record.ts'
import { UnorderedSet } from '../../store/set.ts'
import {
  differenceInto,
  intersectionCount,
  intersectionInto,
  MemberRun,
  type Members,
  unionInto,
} from '../../store/set-algebra.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, type Handler, key, keyRange, numberedKeys } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

/** The sets at some keys, null for a key that is missing. */
type Inputs = readonly (UnorderedSet | null)[]

/** The sets at the arguments from `first` up to `end`; null when an error has been written. */
function openInputs(client: Client, request: Request, first: number, end: number, reply: Reply): Inputs | null {
  const { database } = client
  const inputs: (UnorderedSet | null)[] = []
  for (let index = first; index < end; index++) {
    const handle = database.read(request.chunk, request.start(index), request.end(index))
    if (handle !== NONE && database.records.type(handle) !== types.SET) {
      reply.error(errors.WRONG_TYPE)
      return null
    }
    inputs.push(handle === NONE ? null : new UnorderedSet(database.store).open(database, handle))
  }
  return inputs
}

function isThere(set: UnorderedSet | null): set is UnorderedSet {
  return set !== null
}

/** Puts what an operation makes of sets into `result`. */
type Operation = (client: Client, inputs: Inputs, result: MemberTable) => void

function intersect(inputs: Inputs, result: Members): void {
  if (inputs.every(isThere)) intersectionInto(result, inputs)
}

function subtract(client: Client, [first, ...others]: Inputs, result: Members): void {
  if (first !== null) differenceInto(result, client.database.store, first, others.filter(isThere))
}

const union: Operation = (_client, inputs, result) => unionInto(result, inputs.filter(isThere))
const intersection: Operation = (_client, inputs, result) => intersect(inputs, result)
const difference: Operation = (client, inputs, result) => subtract(client, inputs, result)

// ---- Results as replies ----

function replyMembers(reply: Reply, result: Members): void {
  reply.set(result.count)
  result.forEach(({ bytes, start, end }) => {
    reply.bulk(bytes, start, end)
  })
}

function sinter(client: Client, request: Request, reply: Reply): void {
  const inputs = openInputs(client, request, 1, request.count, reply)
  if (inputs === null) return
  const result = new MemberRun()
  intersect(inputs, result)
  replyMembers(reply, result)
}

function sdiff(client: Client, request: Request, reply: Reply): void {
  const inputs = openInputs(client, request, 1, request.count, reply)
  if (inputs === null) return
  const result = new MemberRun()
  subtract(client, inputs, result)
  replyMembers(reply, result)
}

function sunion(client: Client, request: Request, reply: Reply): void {
  const inputs = openInputs(client, request, 1, request.count, reply)
  if (inputs === null) return
  const result = new MemberTable(client.database.store)
  union(client, inputs, result)
  replyMembers(reply, result)
  result.dispose()
}

function sintercard(client: Client, request: Request, reply: Reply): void {
  const keyCount = request.integer(1)
  if (!(keyCount >= 1)) return reply.error('ERR numkeys should be greater than 0')
  if (keyCount > request.count - 2) return reply.error("ERR Number of keys can't be greater than number of args")
  const keysEnd = 2 + keyCount
  let limit = 0
  for (let index = keysEnd; index < request.count; index += 2) {
    if (!request.is(index, 'LIMIT') || index + 1 === request.count) return reply.error(errors.SYNTAX)
    limit = request.integer(index + 1)
    if (!(limit >= 0)) return reply.error("ERR LIMIT can't be negative")
  }
  const inputs = openInputs(client, request, 2, keysEnd, reply)
  if (inputs !== null) reply.integer(inputs.every(isThere) ? intersectionCount(inputs, limit) : 0)
}

// ---- Results stored ----

/** Stores what an operation makes of the sets from argument 2 on at the key in argument 1. */
function storing(operation: Operation, event: string): Handler {
  return (client, request, reply) => {
    const inputs = openInputs(client, request, 2, request.count, reply)
    if (inputs === null) return
    const { database } = client
    const result = new MemberTable(database.store)
    operation(client, inputs, result)
    const { count } = result
    const { chunk } = request
    const start = request.start(1)
    const end = request.end(1)
    if (count > 0) {
      database.store.sets.adoptTable(database, chunk, start, end, result)
      database.changed(KEYSPACE_EVENTS.set, event, chunk, start, end)
    } else {
      const existing = database.write(chunk, start, end)
      if (existing !== NONE) database.delete(existing, chunk, start, end)
    }
    reply.integer(count)
  }
}

// ---- The rows ----

const family = { acl: ['set'], group: 'set' } as const
const INTERSECTION_COMPLEXITY =
  'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.'
const TOTAL_COMPLEXITY = 'O(N) where N is the total number of elements in all given sets.'
const NONDETERMINISTIC_ORDER = ['nondeterministic_output_order']

export const setAlgebraCommands: readonly CommandSpec[] = [
  {
    ...family,
    name: 'SINTER',
    arity: -2,
    flags: ['readonly'],
    keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: INTERSECTION_COMPLEXITY,
    summary: 'The members that several sets have in common.',
    args: 'key...',
    tips: NONDETERMINISTIC_ORDER,
    handler: sinter,
  },
  {
    ...family,
    name: 'SINTERSTORE',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'UPDATE'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: INTERSECTION_COMPLEXITY,
    summary: 'Stores the members that several sets have in common as another.',
    args: 'destination#0 key#1...',
    handler: storing(intersection, 'sinterstore'),
  },
  {
    ...family,
    name: 'SINTERCARD',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: [numberedKeys(1, 'RO', 'ACCESS')],
    since: '7.0.0',
    complexity: INTERSECTION_COMPLEXITY,
    summary: 'How many members several sets have in common.',
    args: 'numkeys key... [LIMIT limit:integer]',
    handler: sintercard,
  },
  {
    ...family,
    name: 'SUNION',
    arity: -2,
    flags: ['readonly'],
    keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: TOTAL_COMPLEXITY,
    summary: 'All members of several sets.',
    args: 'key...',
    tips: NONDETERMINISTIC_ORDER,
    handler: sunion,
  },
  {
    ...family,
    name: 'SUNIONSTORE',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: TOTAL_COMPLEXITY,
    summary: 'Stores all members of several sets as another.',
    args: 'destination#0 key#1...',
    handler: storing(union, 'sunionstore'),
  },
  {
    ...family,
    name: 'SDIFF',
    arity: -2,
    flags: ['readonly'],
    keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: TOTAL_COMPLEXITY,
    summary: 'The members of a set that no other has.',
    args: 'key...',
    tips: NONDETERMINISTIC_ORDER,
    handler: sdiff,
  },
  {
    ...family,
    name: 'SDIFFSTORE',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: TOTAL_COMPLEXITY,
    summary: 'Stores the members of a set that no other has as another.',
    args: 'destination#0 key#1...',
    handler: storing(difference, 'sdiffstore'),
  },
]
