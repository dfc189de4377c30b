import { fitsInt64, parseBigInteger, parseInteger } from '../../bytes/integer.ts'
import { lcsLength, lcsTableSizeBytes, longestCommonSubsequence } from '../../bytes/lcs.ts'
import { LongDouble } from '../../bytes/long-double.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { encoding, NEVER, type as types } from '../../store/record.ts'
import {
  createInteger,
  putNumberText,
  STRING_BYTES_MAX,
  setInteger,
  stringArray,
  stringBytes,
  stringStart,
  writeIntoString,
} from '../../store/string.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, type KeyPlace, key, keyRange } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

// ---- Reading ----

/** hot */
function get(client: Client, request: Request, reply: Reply): void {
  const database = client.database
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.nil()
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  reply.bulkString(database.store, handle)
}

/** hot */
function mget(client: Client, request: Request, reply: Reply): void {
  const database = client.database
  const count = request.count
  reply.array(count - 1)
  for (let index = 1, fetchedEnd = 1; index < count; index++) {
    if (index >= fetchedEnd) fetchedEnd = request.prefetchKeys(database, index, 1)
    const handle = database.read(request.chunk, request.start(index), request.end(index))
    if (handle === NONE || database.records.type(handle) !== types.STRING) reply.nil()
    else reply.bulkString(database.store, handle)
  }
}

function strlen(client: Client, request: Request, reply: Reply): void {
  const database = client.database
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.integer(0)
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  reply.integer(database.records.valueSize(handle))
}

function getrange(client: Client, request: Request, reply: Reply): void {
  let first = request.integer(2)
  let last = request.integer(3)
  if (Number.isNaN(first) || Number.isNaN(last)) return reply.error(errors.NOT_AN_INTEGER)
  const database = client.database
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.bulk(request.chunk, 0, 0)
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const size = database.records.valueSize(handle)
  // Redis moves what lies before the start to the first byte, so that `0 -100` of 'abc' is 'a'; but not a range that
  // is empty as it is written.
  if (first < 0 && last < 0 && first > last) return reply.bulk(request.chunk, 0, 0)
  if (first < 0) first = Math.max(size + first, 0)
  if (last < 0) last = Math.max(size + last, 0)
  if (last >= size) last = size - 1
  if (first > last) return reply.bulk(request.chunk, 0, 0)
  reply.bulkStringRange(database.store, handle, first, last + 1)
}

// ---- Setting ----

/** hot: without options, once for each SET of a cache. */
function set(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return setWithOptions(client, request, reply)
  const database = client.database
  const start = request.start(1)
  const end = request.end(1)
  database.putString(request.chunk, start, end, request.chunk, request.start(2), request.end(2), NEVER)
  database.changed(KEYSPACE_EVENTS.string, 'set', request.chunk, start, end)
  reply.ok()
}

interface StringOptions {
  onlyIf: 'missing' | 'existing' | 'equal' | null
  /** With `equal`: the argument that the value must be equal to. */
  comparisonIndex: number
  returnsOld: boolean
  keepsTtl: boolean
  /** PERSIST of GETEX. */
  removesTtl: boolean
  expiry: { unit: ExpiryUnit; argumentIndex: number } | null
}

type ExpiryUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT'
const EXPIRY_UNITS: readonly ExpiryUnit[] = ['EX', 'PX', 'EXAT', 'PXAT']

/** The options of SET or GETEX, or null for a syntax error. */
function parseOptions(request: Request, from: number, command: 'set' | 'getex'): StringOptions | null {
  const options: StringOptions = {
    onlyIf: null,
    comparisonIndex: 0,
    returnsOld: false,
    keepsTtl: false,
    removesTtl: false,
    expiry: null,
  }
  const isSet = command === 'set'
  const allows = (condition: StringOptions['onlyIf']) => options.onlyIf === null || options.onlyIf === condition
  for (let index = from; index < request.count; index++) {
    if (isSet && request.is(index, 'NX') && allows('missing')) options.onlyIf = 'missing'
    else if (isSet && request.is(index, 'XX') && allows('existing')) options.onlyIf = 'existing'
    else if (isSet && request.is(index, 'IFEQ') && options.onlyIf === null && index + 1 < request.count) {
      options.onlyIf = 'equal'
      options.comparisonIndex = ++index
    } else if (isSet && request.is(index, 'GET')) options.returnsOld = true
    else if (isSet && request.is(index, 'KEEPTTL') && options.expiry === null) options.keepsTtl = true
    else if (!isSet && request.is(index, 'PERSIST') && options.expiry === null) options.removesTtl = true
    else {
      const unit = EXPIRY_UNITS.find((each) => request.is(index, each))
      if (unit === undefined || index + 1 === request.count) return null
      if (options.keepsTtl || options.removesTtl) return null
      // The same unit twice is let pass: the last one counts, as in Redis.
      if (options.expiry !== null && options.expiry.unit !== unit) return null
      options.expiry = { unit, argumentIndex: ++index }
    }
  }
  return options
}

function setWithOptions(client: Client, request: Request, reply: Reply): void {
  const options = parseOptions(request, 3, 'set')
  if (options === null) return reply.error(errors.SYNTAX)
  const { chunk } = request
  const { database } = client
  const start = request.start(1)
  const end = request.end(1)
  let expireAtMs = NEVER
  if (options.expiry !== null) {
    const { unit, argumentIndex } = options.expiry
    expireAtMs = parseExpiry(client, request, argumentIndex, unit, 'set', reply)
    if (Number.isNaN(expireAtMs)) return
  }
  if (options.returnsOld && !replyWithOld(client, request, reply)) return
  const handle = database.write(chunk, start, end)
  if (options.onlyIf === 'equal' && handle !== NONE && database.records.type(handle) !== types.STRING) {
    return reply.error(errors.WRONG_TYPE)
  }
  if (!isConditionMet(client, request, options, handle)) {
    if (!options.returnsOld) reply.nil()
    return
  }
  if (options.keepsTtl && handle !== NONE) expireAtMs = database.records.expireAtMs(handle)
  database.putString(chunk, start, end, chunk, request.start(2), request.end(2), expireAtMs)
  announceSet(client, request, options.expiry !== null)
  if (client.engine.propagates) propagateSet(client, request, options, expireAtMs)
  if (!options.returnsOld) reply.ok()
}

function isConditionMet(client: Client, request: Request, options: StringOptions, handle: Handle): boolean {
  if (options.onlyIf === null) return true
  if (options.onlyIf === 'missing' || handle === NONE) return options.onlyIf === 'missing' && handle === NONE
  if (options.onlyIf === 'existing') return true
  const { bytes, start, end } = stringBytes(client.database.store, handle)
  return Buffer.compare(bytes.subarray(start, end), request.view(options.comparisonIndex)) === 0
}

/** With a moment instead of a duration, or without GET, whose answer nobody wants to hear again. */
function propagateSet(client: Client, request: Request, options: StringOptions, expireAtMs: number): void {
  if (options.expiry !== null) {
    client.propagateAs('SET', request.view(1), request.view(2), 'PXAT', expireAtMs)
  } else if (options.returnsOld) {
    const indices = Array.from({ length: request.count }, (_, index) => index)
    const isKept = (index: number) => index < 3 || index === options.comparisonIndex || !request.is(index, 'GET')
    client.propagateAs(...indices.filter(isKept).map((index) => request.view(index)))
  }
}

/** Answers with the value of the key, or an error, in which case it returns false. */
function replyWithOld(client: Client, request: Request, reply: Reply): boolean {
  const { database } = client
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) {
    reply.nil()
  } else if (database.records.type(handle) !== types.STRING) {
    reply.error(errors.WRONG_TYPE)
    return false
  } else {
    reply.bulkString(database.store, handle)
  }
  return true
}

function announceSet(client: Client, request: Request, hasNewExpiry: boolean): void {
  const { database } = client
  const start = request.start(1)
  const end = request.end(1)
  database.changed(KEYSPACE_EVENTS.string, 'set', request.chunk, start, end)
  if (hasNewExpiry && database.store.observed) {
    database.store.tell(KEYSPACE_EVENTS.generic, 'expire', database.index, request.chunk, start, end)
  }
}

/**
 * The moment that an expiry argument means, in milliseconds, or NaN when it is refused (and the error is written).
 * hot: once for each SETEX; allocates nothing up to 2^53.
 */
function parseExpiry(
  client: Client,
  request: Request,
  index: number,
  unit: ExpiryUnit,
  commandName: string,
  reply: Reply,
): number {
  const unitMs = unit === 'EX' || unit === 'EXAT' ? 1000 : 1
  const baseMs = unit === 'EX' || unit === 'PX' ? client.engine.store.nowMs : 0
  const value = parseInteger(request.chunk, request.start(index), request.end(index))
  if (value > 0) return value * unitMs + baseMs
  const exact = request.bigInteger(index)
  if (exact === undefined) {
    reply.error(errors.NOT_AN_INTEGER)
    return Number.NaN
  }
  const expireAtMs = exact * BigInt(unitMs)
  if (exact <= 0n || !fitsInt64(expireAtMs) || !fitsInt64(expireAtMs + BigInt(Math.floor(baseMs)))) {
    reply.error(`ERR invalid expire time in '${commandName}' command`)
    return Number.NaN
  }
  return Number(expireAtMs) + baseMs
}

/** hot */
function setex(client: Client, request: Request, reply: Reply): void {
  setExpiring(client, request, reply, 'EX', 'setex')
}

function psetex(client: Client, request: Request, reply: Reply): void {
  setExpiring(client, request, reply, 'PX', 'psetex')
}

function setExpiring(client: Client, request: Request, reply: Reply, unit: ExpiryUnit, commandName: string): void {
  const expireAtMs = parseExpiry(client, request, 2, unit, commandName, reply)
  if (Number.isNaN(expireAtMs)) return
  const { chunk } = request
  client.database.putString(
    chunk,
    request.start(1),
    request.end(1),
    chunk,
    request.start(3),
    request.end(3),
    expireAtMs,
  )
  announceSet(client, request, true)
  if (client.engine.propagates) client.propagateAs('SET', request.view(1), request.view(3), 'PXAT', expireAtMs)
  reply.ok()
}

function setnx(client: Client, request: Request, reply: Reply): void {
  const { chunk } = request
  const { database } = client
  const start = request.start(1)
  const end = request.end(1)
  if (database.write(chunk, start, end) !== NONE) return reply.integer(0)
  database.putString(chunk, start, end, chunk, request.start(2), request.end(2), NEVER)
  announceSet(client, request, false)
  reply.integer(1)
}

/** hot */
function mset(client: Client, request: Request, reply: Reply): void {
  if (request.count % 2 === 0) return reply.error(wrongArity('mset'))
  setPairs(client, request)
  reply.ok()
}

function msetnx(client: Client, request: Request, reply: Reply): void {
  if (request.count % 2 === 0) return reply.error(wrongArity('msetnx'))
  const { database } = client
  for (let index = 1; index < request.count; index += 2) {
    if (database.write(request.chunk, request.start(index), request.end(index)) !== NONE) return reply.integer(0)
  }
  setPairs(client, request)
  reply.integer(1)
}

function setPairs(client: Client, request: Request): void {
  const database = client.database
  const chunk = request.chunk
  const count = request.count
  for (let index = 1, fetchedEnd = 1; index < count; index += 2) {
    if (index >= fetchedEnd) fetchedEnd = request.prefetchKeys(database, index, 2)
    const start = request.start(index)
    const end = request.end(index)
    database.putString(chunk, start, end, chunk, request.start(index + 1), request.end(index + 1), NEVER)
    database.changed(KEYSPACE_EVENTS.string, 'set', chunk, start, end)
  }
}

// ---- Reading and changing at once ----

function getset(client: Client, request: Request, reply: Reply): void {
  if (!replyWithOld(client, request, reply)) return
  const { chunk } = request
  client.database.putString(chunk, request.start(1), request.end(1), chunk, request.start(2), request.end(2), NEVER)
  announceSet(client, request, false)
  client.propagateAs('SET', request.view(1), request.view(2))
}

function getdel(client: Client, request: Request, reply: Reply): void {
  if (!replyWithOld(client, request, reply)) return
  const { database } = client
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.peek(request.chunk, start, end)
  if (handle === NONE) return
  database.delete(handle, request.chunk, start, end)
  client.propagateAs('DEL', request.view(1))
}

function getex(client: Client, request: Request, reply: Reply): void {
  const options = parseOptions(request, 2, 'getex')
  if (options === null) return reply.error(errors.SYNTAX)
  const { chunk } = request
  const { database } = client
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.read(chunk, start, end)
  if (handle === NONE) return reply.nil()
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  if (options.expiry !== null) {
    const { unit, argumentIndex } = options.expiry
    const expireAtMs = parseExpiry(client, request, argumentIndex, unit, 'getex', reply)
    if (Number.isNaN(expireAtMs)) return
    reply.bulkString(database.store, handle)
    if (expireAtMs <= database.store.nowMs) {
      database.deleteOverdue(handle, chunk, start, end)
      return client.propagateAs(client.engine.propagation.expiredWord, request.view(1))
    }
    database.setExpiry(handle, expireAtMs)
    database.changed(KEYSPACE_EVENTS.generic, 'expire', chunk, start, end)
    return client.propagateAs('PEXPIREAT', request.view(1), expireAtMs)
  }
  reply.bulkString(database.store, handle)
  if (!options.removesTtl || !database.records.hasExpiry(handle)) return
  database.clearExpiry(handle)
  database.changed(KEYSPACE_EVENTS.generic, 'persist', chunk, start, end)
  client.propagateAs('PERSIST', request.view(1))
}

/** hot: appending to a log or a time series. */
function append(client: Client, request: Request, reply: Reply): void {
  const chunk = request.chunk
  const database = client.database
  const start = request.start(1)
  const end = request.end(1)
  const addedBytes = request.size(2)
  const handle = database.write(chunk, start, end)
  let size = addedBytes
  if (handle === NONE) {
    database.putString(chunk, start, end, chunk, request.start(2), request.end(2), NEVER)
  } else {
    if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
    const oldSize = database.records.valueSize(handle)
    size += oldSize
    if (isTooLong(client, size)) return reply.error(errors.STRING_TOO_LARGE)
    writeIntoString(database, handle, oldSize, chunk, request.start(2), request.end(2))
  }
  database.changed(KEYSPACE_EVENTS.string, 'append', chunk, start, end)
  reply.integer(size)
}

function setrange(client: Client, request: Request, reply: Reply): void {
  const offset = request.integer(2)
  if (Number.isNaN(offset)) return reply.error(errors.NOT_AN_INTEGER)
  if (offset < 0) return reply.error('ERR offset is out of range')
  const { chunk } = request
  const { database } = client
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  if (handle !== NONE && database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  const oldSize = handle === NONE ? 0 : database.records.valueSize(handle)
  const writtenBytes = request.size(3)
  if (writtenBytes === 0) return reply.integer(oldSize)
  if (isTooLong(client, offset + writtenBytes)) return reply.error(errors.STRING_TOO_LARGE)
  if (handle === NONE) {
    const value = Buffer.alloc(offset + writtenBytes)
    value.set(request.view(3), offset)
    database.putRawString(chunk, start, end, value, NEVER)
  } else {
    writeIntoString(database, handle, offset, chunk, request.start(3), request.end(3))
  }
  database.changed(KEYSPACE_EVENTS.string, 'setrange', chunk, start, end)
  reply.integer(Math.max(oldSize, offset + writtenBytes))
}

function isTooLong(client: Client, sizeBytes: number): boolean {
  return sizeBytes > client.engine.settings.protoMaxBulkLen || sizeBytes > STRING_BYTES_MAX
}

// ---- Counting ----

/** hot */
function incr(client: Client, request: Request, reply: Reply): void {
  increment(client, request, reply, 1)
}

function decr(client: Client, request: Request, reply: Reply): void {
  increment(client, request, reply, -1)
}

function incrby(client: Client, request: Request, reply: Reply): void {
  const by = parseInteger(request.chunk, request.start(2), request.end(2))
  if (!Number.isNaN(by)) return increment(client, request, reply, by)
  const exact = request.bigInteger(2)
  if (exact === undefined) return reply.error(errors.NOT_AN_INTEGER)
  incrementExactly(client, request, reply, exact)
}

function decrby(client: Client, request: Request, reply: Reply): void {
  const by = parseInteger(request.chunk, request.start(2), request.end(2))
  if (!Number.isNaN(by)) return increment(client, request, reply, -by)
  const exact = request.bigInteger(2)
  if (exact === undefined) return reply.error(errors.NOT_AN_INTEGER)
  if (!fitsInt64(-exact)) return reply.error('ERR decrement would overflow')
  incrementExactly(client, request, reply, -exact)
}

/** Adds a safe integer; sums beyond 2^53 take the exact way. */
function increment(client: Client, request: Request, reply: Reply, by: number): void {
  const database = client.database
  const chunk = request.chunk
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  let sum = 0 + by
  if (handle === NONE) {
    createInteger(database, chunk, start, end, sum)
  } else {
    const records = database.records
    if (records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
    if (records.encoding(handle) === encoding.LARGE) return reply.error(errors.NOT_AN_INTEGER)
    const at = records.valueAt(handle)
    sum += parseInteger(database.store.heap.arenaOf(handle).u8, at, at + records.valueSize(handle))
    const isExact = sum >= Number.MIN_SAFE_INTEGER && sum <= Number.MAX_SAFE_INTEGER
    if (!isExact) return incrementExactly(client, request, reply, BigInt(by)) // also for what is no number
    setInteger(database, handle, sum)
  }
  database.changed(KEYSPACE_EVENTS.string, 'incrby', chunk, start, end)
  reply.integer(sum)
}

function incrementExactly(client: Client, request: Request, reply: Reply, by: bigint): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  let value: bigint | undefined = 0n
  if (handle !== NONE) {
    if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
    const stored = stringBytes(database.store, handle)
    value = parseBigInteger(stored.bytes, stored.start, stored.end)
  }
  if (value === undefined) return reply.error(errors.NOT_AN_INTEGER)
  const sum = value + by
  if (!fitsInt64(sum)) return reply.error(errors.OVERFLOW)
  putNumberText(database, chunk, start, end, sum.toString(), true, expiryOf(client, handle))
  database.changed(KEYSPACE_EVENTS.string, 'incrby', chunk, start, end)
  reply.bigInteger(sum)
}

function incrbyfloat(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  let value = ZERO
  if (handle !== NONE) {
    if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
    const stored = stringBytes(database.store, handle)
    value = LongDouble.parse(stored.bytes, stored.start, stored.end)
  }
  const by = LongDouble.parse(chunk, request.start(2), request.end(2))
  if (value === undefined || by === undefined) return reply.error(errors.NOT_A_FLOAT)
  const sum = value.plus(by)
  if (!sum.isFinite) return reply.error(errors.NAN_OR_INFINITY)
  const text = sum.toString()
  putNumberText(database, chunk, start, end, text, false, expiryOf(client, handle))
  database.changed(KEYSPACE_EVENTS.string, 'incrbyfloat', chunk, start, end)
  // Elsewhere the same sum might come out otherwise.
  client.propagateAs('SET', request.view(1), text, 'KEEPTTL')
  reply.bulkText(text)
}

const ZERO = LongDouble.parse(Buffer.from('0'), 0, 1)

function expiryOf(client: Client, handle: Handle): number {
  return handle === NONE ? NEVER : client.database.records.expireAtMs(handle)
}

// ---- Comparing ----

function lcs(client: Client, request: Request, reply: Reply): void {
  const first = readForLcs(client, request, 1)
  const second = readForLcs(client, request, 2)
  if (first === null || second === null) return reply.error('ERR The specified keys must contain string values')
  let wantsIndexes = false
  let wantsLength = false
  let wantsMatchLength = false
  let minMatchLength = 0
  for (let index = 3; index < request.count; index++) {
    if (request.is(index, 'IDX')) wantsIndexes = true
    else if (request.is(index, 'LEN')) wantsLength = true
    else if (request.is(index, 'WITHMATCHLEN')) wantsMatchLength = true
    else if (request.is(index, 'MINMATCHLEN') && index + 1 < request.count) {
      minMatchLength = request.integer(++index)
      if (Number.isNaN(minMatchLength)) return reply.error(errors.NOT_AN_INTEGER)
    } else {
      return reply.error(errors.SYNTAX)
    }
  }
  if (wantsIndexes && wantsLength) {
    return reply.error('ERR If you want both the length and indexes, please just use IDX.')
  }
  if (lcsTableSizeBytes(first.length, second.length) > client.engine.settings.protoMaxBulkLen) {
    return reply.error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  }
  if (wantsLength) return reply.integer(lcsLength(first, second))
  const { length, sequence, matches } = longestCommonSubsequence(first, second, Math.max(minMatchLength, 0))
  if (!wantsIndexes) return reply.bulkBytes(sequence)
  reply.map(2)
  reply.bulkText('matches')
  reply.array(matches.length)
  for (const match of matches) {
    reply.array(wantsMatchLength ? 3 : 2)
    for (const matchStart of [match.aStart, match.bStart]) {
      reply.array(2)
      reply.integer(matchStart)
      reply.integer(matchStart + match.length - 1)
    }
    if (wantsMatchLength) reply.integer(match.length)
  }
  reply.bulkText('len')
  reply.integer(length)
}

/** The bytes of a string, none for a missing key, or null when the key holds something else. */
function readForLcs(client: Client, request: Request, index: number): Uint8Array | null {
  const { database } = client
  const handle = database.read(request.chunk, request.start(index), request.end(index))
  if (handle === NONE) return EMPTY
  if (database.records.type(handle) !== types.STRING) return null
  const start = stringStart(database.store, handle)
  return stringArray(database.store, handle).subarray(start, start + database.records.valueSize(handle))
}

const EMPTY = new Uint8Array(0)

const common = { acl: ['string'], group: 'string' } as const
const CONSTANT = 'O(1)'
const SUBSTRING_COMPLEXITY =
  'O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.'

/** Only GET reads what the key held. */
function findKeyOfSet(request: Request, first: number): KeyPlace[] {
  let readsOld = false
  for (let index = first + 3; index < request.count; index++) readsOld ||= request.is(index, 'GET')
  return [{ index: first + 1, flags: readsOld ? ['RW', 'ACCESS', 'UPDATE'] : ['OW', 'UPDATE'] }]
}

export const stringCommands: readonly CommandSpec[] = [
  {
    ...common,
    name: 'GET',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'The string value of a key.',
    args: 'key',
    handler: get,
  },
  {
    ...common,
    name: 'SET',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [
      {
        ...key(1, 'RW', 'ACCESS', 'UPDATE', 'variable_flags'),
        notes: 'RW and ACCESS due to the optional `GET` argument',
      },
    ],
    findKeys: findKeyOfSet,
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Sets the string value of a key, whatever it held before.',
    args: 'key value [condition(NX@2.6.12 | XX@2.6.12 | IFEQ comparison-value@8.1.0)] [GET@6.2.0] [expiration(EX seconds@2.6.12 | PX milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0)]',
    history: [
      ['2.6.12', 'Added the `EX`, `PX`, `NX` and `XX` options.'],
      ['6.0.0', 'Added the `KEEPTTL` option.'],
      ['6.2.0', 'Added the `GET`, `EXAT` and `PXAT` option.'],
      ['7.0.0', 'Allowed the `NX` and `GET` options to be used together.'],
      ['8.1.0', 'Added the `IFEQ` option.'],
    ],
    handler: set,
  },
  {
    ...common,
    name: 'GETSET',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Sets the string value of a key and answers with the one before.',
    args: 'key value',
    docFlags: ['deprecated'],
    deprecatedSince: '6.2.0',
    replacedBy: '`SET` with the `!GET` argument',
    handler: getset,
  },
  {
    ...common,
    name: 'GETDEL',
    arity: 2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    since: '6.2.0',
    complexity: CONSTANT,
    summary: 'Deletes a key and answers with its string value.',
    args: 'key',
    handler: getdel,
  },
  {
    ...common,
    name: 'GETEX',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [{ ...key(1, 'RW', 'ACCESS', 'UPDATE'), notes: 'RW and UPDATE because it changes the TTL' }],
    since: '6.2.0',
    complexity: CONSTANT,
    summary: 'The string value of a key, whose expiry may be changed at once.',
    args: 'key [expiration(EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST)]',
    handler: getex,
  },
  {
    ...common,
    name: 'SETNX',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'OW', 'INSERT')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Sets the string value of a key that does not exist.',
    args: 'key value',
    handler: setnx,
  },
  {
    ...common,
    name: 'SETEX',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE')],
    since: '2.0.0',
    complexity: CONSTANT,
    summary: 'Sets the string value of a key that lives for some seconds.',
    args: 'key seconds value',
    handler: setex,
  },
  {
    ...common,
    name: 'PSETEX',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE')],
    since: '2.6.0',
    complexity: CONSTANT,
    summary: 'Sets the string value of a key that lives for some milliseconds.',
    args: 'key milliseconds value',
    handler: psetex,
  },
  {
    ...common,
    name: 'MGET',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: 'O(N) where N is the number of keys to retrieve.',
    summary: 'The string values of several keys.',
    args: 'key...',
    tips: ['request_policy:multi_shard'],
    handler: mget,
  },
  {
    ...common,
    name: 'MSET',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [keyRange(1, -1, 2, 'OW', 'UPDATE')],
    since: '1.0.1',
    complexity: 'O(N) where N is the number of keys to set.',
    summary: 'Sets the string values of several keys at once.',
    args: 'key_value{key value}...',
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    handler: mset,
  },
  {
    ...common,
    name: 'MSETNX',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [keyRange(1, -1, 2, 'OW', 'INSERT')],
    since: '1.0.1',
    complexity: 'O(N) where N is the number of keys to set.',
    summary: 'Sets the string values of several keys when none of them exists.',
    args: 'key_value{key value}...',
    tips: ['request_policy:multi_shard', 'response_policy:agg_min'],
    handler: msetnx,
  },
  {
    ...common,
    name: 'APPEND',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'INSERT')],
    since: '2.0.0',
    complexity:
      'O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.',
    summary: 'Adds bytes at the end of the string value of a key.',
    args: 'key value',
    handler: append,
  },
  {
    ...common,
    name: 'STRLEN',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO')],
    since: '2.2.0',
    complexity: CONSTANT,
    summary: 'The length of the string value of a key, in bytes.',
    args: 'key',
    handler: strlen,
  },
  {
    ...common,
    name: 'GETRANGE',
    arity: 4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '2.4.0',
    complexity: SUBSTRING_COMPLEXITY,
    summary: 'A part of the string value of a key.',
    args: 'key start end',
    handler: getrange,
  },
  {
    ...common,
    name: 'SUBSTR',
    arity: 4,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    since: '1.0.0',
    complexity: SUBSTRING_COMPLEXITY,
    summary: 'A part of the string value of a key: the old name of GETRANGE.',
    args: 'key start end',
    docFlags: ['deprecated'],
    deprecatedSince: '2.0.0',
    replacedBy: '`GETRANGE`',
    handler: getrange,
  },
  {
    ...common,
    name: 'SETRANGE',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'RW', 'UPDATE')],
    since: '2.2.0',
    complexity:
      'O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.',
    summary: 'Overwrites a part of the string value of a key from an offset on.',
    args: 'key offset value',
    handler: setrange,
  },
  {
    ...common,
    name: 'INCR',
    arity: 2,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Adds one to the integer value of a key.',
    args: 'key',
    handler: incr,
  },
  {
    ...common,
    name: 'INCRBY',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Adds an integer to the integer value of a key.',
    args: 'key increment',
    handler: incrby,
  },
  {
    ...common,
    name: 'INCRBYFLOAT',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '2.6.0',
    complexity: CONSTANT,
    summary: 'Adds a floating point number to the numeric value of a key.',
    args: 'key increment:double',
    handler: incrbyfloat,
  },
  {
    ...common,
    name: 'DECR',
    arity: 2,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Takes one from the integer value of a key.',
    args: 'key',
    handler: decr,
  },
  {
    ...common,
    name: 'DECRBY',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '1.0.0',
    complexity: CONSTANT,
    summary: 'Takes an integer from the integer value of a key.',
    args: 'key decrement',
    handler: decrby,
  },
  {
    ...common,
    name: 'LCS',
    arity: -3,
    flags: ['readonly'],
    keys: [keyRange(1, 1, 1, 'RO', 'ACCESS')],
    since: '7.0.0',
    complexity: 'O(N*M) where N and M are the lengths of s1 and s2, respectively',
    summary: 'The longest common subsequence of two string values.',
    args: 'key1#0 key2#0 [LEN] [IDX] [MINMATCHLEN len:integer] [WITHMATCHLEN]',
    handler: lcs,
  },
]
