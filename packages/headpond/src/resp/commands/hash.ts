import { fitsInt64, INTEGER_LENGTH_MAX, parseBigInteger, parseInteger, writeInteger } from '../../bytes/integer.ts'
import { LongDouble } from '../../bytes/long-double.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import * as listpack from '../../memory/listpack.ts'
import type { Text } from '../../memory/text.ts'
import type { Hash } from '../../store/hash.ts'
import { type as types } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { scanCursor, scanMatches, scanOptions } from '../scan-arguments.ts'

const NOT_AN_INTEGER = 'ERR hash value is not an integer'
const NOT_A_FLOAT = 'ERR hash value is not a float'
const INFINITE_INCREMENT = 'ERR value is NaN or Infinity'

/** What a lookup found, where it is no hash: nothing, or another type, about which an error has been written. */
type NoHash = null | 'refused'

/** hot: once for each HGET. */
export function hashForReading(client: Client, request: Request, reply: Reply): Hash | NoHash {
  const database = client.database
  return open(client, database.read(request.chunk, request.start(1), request.end(1)), reply)
}

/** hot: once for each HSET. */
export function hashForWriting(client: Client, request: Request, reply: Reply): Hash | NoHash {
  const database = client.database
  return open(client, database.write(request.chunk, request.start(1), request.end(1)), reply)
}

function open(client: Client, handle: number, reply: Reply): Hash | NoHash {
  if (handle === NONE) return null
  const database = client.database
  if (database.records.type(handle) !== types.HASH) {
    reply.error(errors.WRONG_TYPE)
    return 'refused'
  }
  return database.store.hashes.open(database, handle)
}

/** Ends a command that has looked fields up: what was found to be due is announced, an emptied hash is deleted. */
function closeHash(hash: Hash, request: Request): void {
  hash.close(request.chunk, request.start(1), request.end(1))
}

/** Announces a change of the hash that the request names. hot: once for each HSET. */
export function announce(client: Client, request: Request, event: string): void {
  client.database.changed(KEYSPACE_EVENTS.hash, event, request.chunk, request.start(1), request.end(1))
}

export function replyText(reply: Reply, text: Text): void {
  reply.bulk(text.bytes, text.start, text.end)
}

// ---- Setting ----

/** hot */
function hset(client: Client, request: Request, reply: Reply): void {
  if (request.count % 2 !== 0) return reply.error(wrongArity('hset'))
  const addedCount = setPairs(client, request, reply)
  if (addedCount >= 0) reply.integer(addedCount)
}

function hmset(client: Client, request: Request, reply: Reply): void {
  if (request.count % 2 !== 0) return reply.error(wrongArity('hmset'))
  if (setPairs(client, request, reply) >= 0) reply.ok()
}

/** Sets the pairs from argument 2 on, and returns how many fields are new; -1 when an error has been written. */
function setPairs(client: Client, request: Request, reply: Reply): number {
  let hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return -1
  const chunk = request.chunk
  const count = request.count
  hash ??= createHash(client, request, 2)
  let addedCount = 0
  for (let index = 2; index < count; index += 2) {
    if (
      hash.set(chunk, request.start(index), request.end(index), chunk, request.start(index + 1), request.end(index + 1))
    ) {
      addedCount++
    }
  }
  hash.announceExpired(chunk, request.start(1), request.end(1))
  announce(client, request, 'hset')
  return addedCount
}

/** An empty hash with room for the fields and values from an argument on. */
export function createHash(client: Client, request: Request, first: number): Hash {
  const { chunk, count } = request
  let roomBytes = 0
  for (let index = first; index < count; index++) {
    roomBytes += listpack.entryBytes(chunk, request.start(index), request.end(index))
  }
  const { database } = client
  return database.store.hashes.create(database, chunk, request.start(1), request.end(1), roomBytes)
}

function hsetnx(client: Client, request: Request, reply: Reply): void {
  let hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const { chunk } = request
  if (hash?.find(chunk, request.start(2), request.end(2))) return reply.integer(0)
  hash ??= createHash(client, request, 2)
  hash.set(chunk, request.start(2), request.end(2), chunk, request.start(3), request.end(3))
  hash.announceExpired(chunk, request.start(1), request.end(1))
  announce(client, request, 'hset')
  reply.integer(1)
}

/** What HINCRBY and HINCRBYFLOAT write the digits of their result to. */
const digits = new Uint8Array(INTEGER_LENGTH_MAX)

/** hot: counters. */
function hincrby(client: Client, request: Request, reply: Reply): void {
  const increment = parseInteger(request.chunk, request.start(3), request.end(3))
  if (Number.isNaN(increment)) return hincrbyBig(client, request, reply)
  let hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const chunk = request.chunk
  const fieldStart = request.start(2)
  const fieldEnd = request.end(2)
  let sum = increment
  if (hash?.get(chunk, fieldStart, fieldEnd)) {
    const { value } = hash
    sum += parseInteger(value.bytes, value.start, value.end)
    if (!Number.isSafeInteger(sum)) return hincrbyBig(client, request, reply)
    hash.setFound(chunk, fieldStart, fieldEnd, digits, 0, writeInteger(digits, 0, sum), true)
  } else {
    hash ??= client.database.store.hashes.create(client.database, chunk, request.start(1), request.end(1), 0)
    hash.set(chunk, fieldStart, fieldEnd, digits, 0, writeInteger(digits, 0, sum))
  }
  hash.announceExpired(chunk, request.start(1), request.end(1))
  announce(client, request, 'hincrby')
  reply.integer(sum)
}

/** For numbers beyond 2^53, and for what is no number. */
function hincrbyBig(client: Client, request: Request, reply: Reply): void {
  const increment = request.bigInteger(3)
  if (increment === undefined) return reply.error(errors.NOT_AN_INTEGER)
  let hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const { chunk } = request
  let sum = increment
  if (hash?.get(chunk, request.start(2), request.end(2))) {
    const { value } = hash
    const previous = parseBigInteger(value.bytes, value.start, value.end)
    if (previous === undefined) return reply.error(NOT_AN_INTEGER)
    sum += previous
    if (!fitsInt64(sum)) return reply.error(errors.OVERFLOW)
  }
  hash ??= createHash(client, request, 2)
  const text = Buffer.from(String(sum))
  hash.set(chunk, request.start(2), request.end(2), text, 0, text.length, true)
  hash.announceExpired(chunk, request.start(1), request.end(1))
  announce(client, request, 'hincrby')
  reply.bigInteger(sum)
}

function hincrbyfloat(client: Client, request: Request, reply: Reply): void {
  const { chunk } = request
  const increment = LongDouble.parse(chunk, request.start(3), request.end(3))
  if (increment === undefined) return reply.error(errors.NOT_A_FLOAT)
  if (!increment.isFinite) return reply.error(INFINITE_INCREMENT)
  let hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  let sum = increment
  if (hash?.get(chunk, request.start(2), request.end(2))) {
    const { value } = hash
    const previous = LongDouble.parse(value.bytes, value.start, value.end)
    if (previous === undefined) return reply.error(NOT_A_FLOAT)
    sum = previous.plus(increment)
    if (!sum.isFinite) return reply.error(errors.NAN_OR_INFINITY)
  }
  hash ??= createHash(client, request, 2)
  const text = Buffer.from(sum.toString())
  hash.set(chunk, request.start(2), request.end(2), text, 0, text.length, true)
  hash.announceExpired(chunk, request.start(1), request.end(1))
  announce(client, request, 'hincrbyfloat')
  client.propagateAs('HSET', request.view(1), request.view(2), text)
  reply.bulkBytes(text)
}

function hdel(client: Client, request: Request, reply: Reply): void {
  const hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  if (hash === null) return reply.integer(0)
  const { chunk, count } = request
  const keyStart = request.start(1)
  const keyEnd = request.end(1)
  let deletedCount = 0
  for (let index = 2; index < count && hash.length > 0; index++) {
    if (hash.delete(chunk, request.start(index), request.end(index))) deletedCount++
  }
  hash.announceExpired(chunk, keyStart, keyEnd)
  if (deletedCount > 0) announce(client, request, 'hdel')
  hash.close(chunk, keyStart, keyEnd)
  reply.integer(deletedCount)
}

// ---- Reading fields ----

/** hot */
function hget(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null) return reply.nil()
  if (hash.get(request.chunk, request.start(2), request.end(2))) return replyText(reply, hash.value)
  reply.nil()
  closeHash(hash, request)
}

/** hot */
function hmget(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  const chunk = request.chunk
  const count = request.count
  reply.array(count - 2)
  for (let index = 2; index < count; index++) {
    if (hash?.get(chunk, request.start(index), request.end(index))) replyText(reply, hash.value)
    else reply.nil()
  }
  if (hash !== null) closeHash(hash, request)
}

function hexists(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null) return reply.integer(0)
  reply.integer(hash.find(request.chunk, request.start(2), request.end(2)) ? 1 : 0)
  closeHash(hash, request)
}

function hstrlen(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null) return reply.integer(0)
  reply.integer(hash.get(request.chunk, request.start(2), request.end(2)) ? hash.value.length : 0)
  closeHash(hash, request)
}

function hlen(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash !== 'refused') reply.integer(hash === null ? 0 : hash.length)
}

// ---- Reading whole hashes ----

/** hot */
function hgetall(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null) return reply.map(0)
  reply.map(hash.liveLength)
  if (hash.isListpackOfPairs) {
    reply.bulksOfListpack(hash.bytes, hash.firstEntry, Infinity)
    return
  }
  hash.forEach((field, value) => {
    replyText(reply, field)
    replyText(reply, value)
  })
}

function hkeys(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  reply.array(hash === null ? 0 : hash.liveLength)
  hash?.forEach((field) => {
    replyText(reply, field)
  })
}

function hvals(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  reply.array(hash === null ? 0 : hash.liveLength)
  hash?.forEach((_field, value) => {
    replyText(reply, value)
  })
}

function hscan(client: Client, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, reply, 2)
  if (Number.isNaN(cursor)) return
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null) {
    reply.array(2)
    reply.bulkInteger(0)
    return reply.array(0)
  }
  const options = scanOptions(request, reply, 3, false, 'NOVALUES')
  if (options === null) return
  const found: Buffer[] = []
  const nextCursor = hash.scan(cursor, options.countHint, (field, value) => {
    if (!scanMatches(options, field.bytes, field.start, field.end)) return
    found.push(field.copy())
    if (!options.isBare) found.push(value.copy())
  })
  reply.array(2)
  reply.bulkInteger(nextCursor)
  reply.array(found.length)
  for (const bytes of found) reply.bulkBytes(bytes)
}

// ---- Reading at random ----

const INT64_MAX = 2n ** 63n - 1n

function hrandfield(client: Client, request: Request, reply: Reply): void {
  if (request.count === 2) return randomField(client, request, reply)
  const wanted = request.bigInteger(2)
  if (wanted === undefined) return reply.error(errors.NOT_AN_INTEGER)
  if (wanted < -INT64_MAX) {
    return reply.error(`ERR value is out of range, value must between ${-INT64_MAX} and ${INT64_MAX}`)
  }
  const withValues = request.count === 4 && request.is(3, 'WITHVALUES')
  if (request.count > 3 && !withValues) return reply.error(errors.SYNTAX)
  if (withValues && (wanted < -INT64_MAX / 2n || wanted > INT64_MAX / 2n)) {
    return reply.error('ERR value is out of range')
  }
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null || wanted === 0n || isAllDue(hash, request)) return reply.array(0)
  if (wanted < 0n) randomFieldsWithRepeats(client, hash, Number(-wanted), withValues, reply)
  else randomFields(client, hash, Number(wanted), withValues, reply)
}

function randomField(client: Client, request: Request, reply: Reply): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  if (hash === null || isAllDue(hash, request)) return reply.nil()
  hash.pick()
  replyText(reply, hash.field)
}

/** Removes the fields that are due; true when none is left. */
function isAllDue(hash: Hash, request: Request): boolean {
  hash.removeDue()
  return hash.close(request.chunk, request.start(1), request.end(1))
}

function replyPair(reply: Reply, field: Text, value: Text, withValues: boolean): void {
  if (withValues && reply.protocol === 3) reply.array(2)
  replyText(reply, field)
  if (withValues) replyText(reply, value)
}

function arrayOfPairs(reply: Reply, count: number, withValues: boolean): void {
  reply.array(withValues && reply.protocol === 2 ? count * 2 : count)
}

/** A negative count: so many, each picked from all. */
function randomFieldsWithRepeats(client: Client, hash: Hash, count: number, withValues: boolean, reply: Reply): void {
  arrayOfPairs(reply, count, withValues)
  for (let picked = 0; picked < count && !client.closesAfterReply; picked++) {
    hash.pick()
    replyPair(reply, hash.field, hash.value, withValues)
  }
}

/** A positive count: different fields, so many or as many as there are. */
function randomFields(client: Client, hash: Hash, wantedCount: number, withValues: boolean, reply: Reply): void {
  const length = hash.length
  const count = Math.min(wantedCount, length)
  arrayOfPairs(reply, count, withValues)
  if (hash.isPacked || count * 3 > length) {
    // One walk, in which each field is taken with the chance that makes all choices equally likely.
    let needed = count
    let left = length
    hash.forEach((field, value) => {
      if (client.database.store.random() * left < needed) {
        replyPair(reply, field, value, withValues)
        needed--
      }
      left--
    })
    return
  }
  const picked = new Set<number>()
  while (picked.size < count) {
    const identity = hash.pick()
    if (picked.has(identity)) continue
    picked.add(identity)
    replyPair(reply, hash.field, hash.value, withValues)
  }
}

// ---- The rows ----

const family = { acl: ['hash'], group: 'hash' } as const
const NONDETERMINISTIC_ORDER = ['nondeterministic_output_order']
const NONDETERMINISTIC = ['nondeterministic_output']

export const hashCommands: readonly CommandSpec[] = [
  {
    ...family,
    name: 'HSET',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    since: '2.0.0',
    complexity:
      'O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.',
    summary: 'Sets fields of a hash, which is created if need be, and counts those that are new.',
    args: 'key field_value{field value}...',
    history: [['4.0.0', 'Accepts multiple `field` and `value` arguments.']],
    handler: hset,
  },
  {
    ...family,
    name: 'HMSET',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields being set.',
    summary: 'Sets fields of a hash, which is created if need be.',
    args: 'key field_value{field value}...',
    docFlags: ['deprecated'],
    deprecatedSince: '4.0.0',
    replacedBy: '`HSET` with multiple field-value pairs',
    handler: hmset,
  },
  {
    ...family,
    name: 'HSETNX',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Sets a field of a hash unless it is there.',
    args: 'key field value',
    handler: hsetnx,
  },
  {
    ...family,
    name: 'HGET',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'The value of a field of a hash.',
    args: 'key field',
    handler: hget,
  },
  {
    ...family,
    name: 'HMGET',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields being requested.',
    summary: 'The values of fields of a hash.',
    args: 'key field...',
    handler: hmget,
  },
  {
    ...family,
    name: 'HGETALL',
    arity: 2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.0.0',
    complexity: 'O(N) where N is the size of the hash.',
    summary: 'All fields of a hash with their values.',
    args: 'key',
    tips: NONDETERMINISTIC_ORDER,
    handler: hgetall,
  },
  {
    ...family,
    name: 'HDEL',
    arity: -3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'DELETE')],
    since: '2.0.0',
    complexity: 'O(N) where N is the number of fields to be removed.',
    summary: 'Deletes fields of a hash, and the hash with its last one.',
    args: 'key field...',
    history: [['2.4.0', 'Accepts multiple `field` arguments.']],
    handler: hdel,
  },
  {
    ...family,
    name: 'HLEN',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'The number of fields of a hash.',
    args: 'key',
    handler: hlen,
  },
  {
    ...family,
    name: 'HSTRLEN',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '3.2.0',
    complexity: 'O(1)',
    summary: 'The length of the value of a field of a hash.',
    args: 'key field',
    handler: hstrlen,
  },
  {
    ...family,
    name: 'HEXISTS',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Whether a hash has a field.',
    args: 'key field',
    handler: hexists,
  },
  {
    ...family,
    name: 'HKEYS',
    arity: 2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.0.0',
    complexity: 'O(N) where N is the size of the hash.',
    summary: 'All fields of a hash.',
    args: 'key',
    tips: NONDETERMINISTIC_ORDER,
    handler: hkeys,
  },
  {
    ...family,
    name: 'HVALS',
    arity: 2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.0.0',
    complexity: 'O(N) where N is the size of the hash.',
    summary: 'The values of all fields of a hash.',
    args: 'key',
    tips: NONDETERMINISTIC_ORDER,
    handler: hvals,
  },
  {
    ...family,
    name: 'HINCRBY',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '2.0.0',
    complexity: 'O(1)',
    summary: 'Adds an integer to the value of a field of a hash; a missing field counts as 0.',
    args: 'key field increment',
    handler: hincrby,
  },
  {
    ...family,
    name: 'HINCRBYFLOAT',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '2.6.0',
    complexity: 'O(1)',
    summary: 'Adds a number to the value of a field of a hash; a missing field counts as 0.',
    args: 'key field increment:double',
    handler: hincrbyfloat,
  },
  {
    ...family,
    name: 'HRANDFIELD',
    arity: -2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '6.2.0',
    complexity: 'O(N) where N is the number of fields returned',
    summary: 'Fields of a hash picked at random: one, some different ones, or some that may repeat.',
    args: 'key [options{count [WITHVALUES]}]',
    tips: NONDETERMINISTIC,
    handler: hrandfield,
  },
  {
    ...family,
    name: 'HSCAN',
    arity: -3,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.8.0',
    complexity:
      'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..',
    summary: 'Walks a hash in steps.',
    args: 'key cursor [MATCH pattern] [COUNT count] [NOVALUES@7.4.0]',
    tips: NONDETERMINISTIC,
    handler: hscan,
  },
]
