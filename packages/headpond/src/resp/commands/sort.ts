import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { type Elements, elementsOf } from '../../store/elements.ts'
import { createListOf } from '../../store/list.ts'
import { NEVER, type as types } from '../../store/record.ts'
import { KeyPattern, sorted } from '../../store/sort.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, type KeyPlace, key, unknownKeys } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

interface SortOptions {
  isDescending: boolean
  isAlphabetic: boolean
  offset: number
  /** Negative: all. */
  count: number
  by: KeyPattern | null
  gets: KeyPattern[]
  /** The argument that names the key to store the result at; 0: none. */
  storeIndex: number
}

/** The options, or the error that refuses them. */
function readOptions(client: Client, request: Request, isReadOnly: boolean): SortOptions | string {
  const options: SortOptions = {
    isDescending: false,
    isAlphabetic: false,
    offset: 0,
    count: -1,
    by: null,
    gets: [],
    storeIndex: 0,
  }
  for (let index = 2; index < request.count; index++) {
    const left = request.count - index - 1
    if (request.is(index, 'ASC')) options.isDescending = false
    else if (request.is(index, 'DESC')) options.isDescending = true
    else if (request.is(index, 'ALPHA')) options.isAlphabetic = true
    else if (request.is(index, 'LIMIT') && left >= 2) {
      options.offset = request.integer(++index)
      options.count = request.integer(++index)
      if (Number.isNaN(options.offset) || Number.isNaN(options.count)) return errors.NOT_AN_INTEGER
    } else if (request.is(index, 'STORE') && left >= 1 && !isReadOnly) {
      options.storeIndex = ++index
    } else if (request.is(index, 'BY') && left >= 1) {
      options.by = new KeyPattern(request.bytes(++index))
      if (options.by.hasStar && !mayReadAnyKey(client, request)) return denied('BY')
    } else if (request.is(index, 'GET') && left >= 1) {
      options.gets.push(new KeyPattern(request.bytes(++index)))
      if (!mayReadAnyKey(client, request)) return denied('GET')
    } else {
      return errors.SYNTAX
    }
  }
  return options
}

/** Patterns lead to keys that the arguments do not name. */
function mayReadAnyKey(client: Client, request: Request): boolean {
  const { engine, user } = client
  return user.isUnrestricted || engine.acl.allowsReadingAnyKey(user, client.lastCommand!, request)
}

function denied(option: string): string {
  return `ERR ${option} option of SORT denied due to insufficient ACL permissions.`
}

function sort(client: Client, request: Request, reply: Reply, isReadOnly: boolean): void {
  const options = readOptions(client, request, isReadOnly)
  if (typeof options === 'string') return reply.error(options)
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  const elements = handle === NONE ? NO_ELEMENTS : elementsOf(database, handle)
  if (elements === null) return reply.error(errors.WRONG_TYPE)
  const isSet = handle !== NONE && database.records.type(handle) === types.SET
  const chosen = choose(client, elements, options, isSet)
  if (chosen === null) return reply.error("ERR One or more scores can't be converted into double")
  const { gets, storeIndex } = options
  const values =
    gets.length === 0 ? chosen : chosen.flatMap((element) => gets.map((pattern) => pattern.valueFor(database, element)))
  if (storeIndex > 0) return storeResult(client, request, storeIndex, values, reply)
  reply.array(values.length)
  for (const value of values) {
    if (value === null) reply.nil()
    else reply.bulkBytes(value)
  }
}

const NO_ELEMENTS: Elements = { count: 0, copy: () => [] }

/** The elements that the limit leaves, in order; null when one that should be a number is none. */
function choose(client: Client, elements: Elements, options: SortOptions, isSet: boolean): Uint8Array[] | null {
  const { count } = elements
  const { isDescending } = options
  const first = Math.min(Math.max(options.offset, 0), count)
  const wanted = options.count < 0 ? count - first : Math.min(options.count, count - first)
  // A pattern without a star asks for no order: lists and sorted sets keep their own.
  const isUnsorted = options.by !== null && !options.by.hasStar
  // Sets have none. What is stored, or seen by a script, must not depend on chance.
  const needsOrder = isSet && (options.storeIndex > 0 || client.deniesBlocking)
  if (isUnsorted && isSet && !needsOrder) return elements.copy(0, count, false).slice(first, first + wanted)
  if (isUnsorted && !isSet) return wanted === 0 ? [] : elements.copy(first, wanted, isDescending)
  const order = {
    isAlphabetic: options.isAlphabetic || isUnsorted,
    isDescending,
    by: isUnsorted ? null : options.by,
  }
  return sorted(client.database, elements.copy(0, count, false), order)?.slice(first, first + wanted) ?? null
}

function storeResult(
  client: Client,
  request: Request,
  storeIndex: number,
  values: readonly (Uint8Array | null)[],
  reply: Reply,
): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(storeIndex)
  const end = request.end(storeIndex)
  if (values.length > 0) {
    const elements = values.map((value) => value ?? EMPTY)
    createListOf(database, chunk, start, end, NEVER, elements)
    database.store.dirtyCount += elements.length - 1
    database.changed(KEYSPACE_EVENTS.list, 'sortstore', chunk, start, end)
  } else {
    const existing = database.write(chunk, start, end)
    if (existing !== NONE) database.delete(existing, chunk, start, end)
  }
  reply.integer(values.length)
}

const EMPTY = new Uint8Array(0)

/** The key that is sorted, and the one of the last STORE. */
function findKeysOfSort(request: Request, first: number): KeyPlace[] {
  const found: KeyPlace[] = [{ index: first + 1, flags: ['RO', 'ACCESS'] }]
  for (let index = first + 2; index < request.count; index++) {
    if (request.is(index, 'LIMIT')) index += 2
    else if (request.is(index, 'GET') || request.is(index, 'BY')) index++
    else if (request.is(index, 'STORE') && index + 1 < request.count) {
      found[1] = { index: index + 1, flags: ['OW', 'UPDATE'] }
    }
  }
  return found
}

const common = {
  acl: ['set', 'sortedset', 'list', 'dangerous'],
  group: 'generic',
  arity: -2,
  complexity:
    'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).',
} as const
const SORTED_KEY = key(1, 'RO', 'ACCESS')
const PATTERN_KEYS = unknownKeys(
  "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
  'RO',
  'ACCESS',
)
const STORE_KEY = unknownKeys(
  "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
  'OW',
  'UPDATE',
)

export const sortCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'SORT',
    flags: ['write', 'denyoom', 'movablekeys'],
    keys: [SORTED_KEY, PATTERN_KEYS, STORE_KEY],
    findKeys: findKeysOfSort,
    since: '1.0.0',
    summary: 'Sorts the elements of a list, set or sorted set, by themselves or by values of other keys.',
    args: 'key [BY pattern:pattern#1] [LIMIT offset_count{offset count}] [GET pattern:pattern#1+...] [order(ASC | DESC)] [sorting=ALPHA] [STORE destination#2]',
    handler: (client, request, reply) => sort(client, request, reply, false),
  },
  {
    ...common,
    name: 'SORT_RO',
    flags: ['readonly', 'movablekeys'],
    keys: [SORTED_KEY, PATTERN_KEYS],
    findKeys: (_request, first) => [{ index: first + 1, flags: ['RO', 'ACCESS'] }],
    since: '7.0.0',
    summary: 'As SORT, storing nothing: for replicas.',
    args: 'key [BY pattern:pattern#1] [LIMIT offset_count{offset count}] [GET pattern:pattern#1+...] [order(ASC | DESC)] [sorting=ALPHA]',
    handler: (client, request, reply) => sort(client, request, reply, true),
  },
]
