import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { type ExpiryCondition, expiryResult, type Hash } from '../../store/hash.ts'
import { NEVER } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors, wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { announce, createHash, hashForReading, hashForWriting, replyText } from './hash.ts'

/** Fields of hashes that expire: the commands of Redis 7.4, and those of Redis 8 that read or set fields with it. */

/** The latest moment that a field may expire at: the limit is Redis's. */
const EXPIRE_AT_MS_MAX = 2 ** 46 - 1
const FIELD_COUNT_MAX = 2 ** 31 - 1

const FIELDS_MISSING = 'ERR Mandatory argument FIELDS is missing or not at the right position'
const FIELD_COUNT_MISMATCH = 'ERR The `numfields` parameter must match the number of arguments'
const FIELD_COUNT_NOT_POSITIVE = 'ERR Number of fields must be a positive integer'

// ---- Arguments ----

interface ExpiryUnit {
  readonly word: string
  readonly unitMs: number
  readonly isRelative: boolean
}

const EXPIRY_UNITS: readonly ExpiryUnit[] = [
  { word: 'EX', unitMs: 1000, isRelative: true },
  { word: 'PX', unitMs: 1, isRelative: true },
  { word: 'EXAT', unitMs: 1000, isRelative: false },
  { word: 'PXAT', unitMs: 1, isRelative: false },
]

/** The moment that an argument gives, or NaN: an error has been written then. */
function expireAtMsOf(client: Client, request: Request, index: number, unit: ExpiryUnit, reply: Reply): number {
  const amount = request.integer(index)
  const baseMs = unit.isRelative ? client.database.store.nowMs : 0
  if (Number.isNaN(amount)) reply.error(errors.NOT_AN_INTEGER)
  else if (amount < 0) reply.error('ERR invalid expire time, must be >= 0')
  else if (amount > EXPIRE_AT_MS_MAX / unit.unitMs || amount * unit.unitMs > EXPIRE_AT_MS_MAX - baseMs) {
    reply.error(`ERR invalid expire time in '${request.text(0).toLowerCase()}' command`)
  } else return amount * unit.unitMs + baseMs
  return Number.NaN
}

/** Checks `FIELDS count field ...` from an argument on. Returns where the fields begin, or 0: an error has been written. */
function fieldsFrom(request: Request, index: number, reply: Reply, countError = FIELD_COUNT_NOT_POSITIVE): number {
  if (index >= request.count || !request.is(index, 'FIELDS')) {
    reply.error(FIELDS_MISSING)
    return 0
  }
  const count = index + 1 < request.count ? request.integer(index + 1) : Number.NaN
  if (!(count >= 1)) {
    reply.error(countError)
    return 0
  }
  if (count !== request.count - index - 2) {
    reply.error(FIELD_COUNT_MISMATCH)
    return 0
  }
  return index + 2
}

// ---- Setting when fields expire ----

const CONDITIONS: readonly ExpiryCondition[] = ['nx', 'xx', 'gt', 'lt']

function expire(client: Client, request: Request, reply: Reply, unit: ExpiryUnit): void {
  const hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const expireAtMs = expireAtMsOf(client, request, 2, unit, reply)
  if (Number.isNaN(expireAtMs)) return
  const condition = CONDITIONS.find((each) => request.is(3, each.toUpperCase())) ?? 'always'
  const countError = 'ERR Parameter `numFields` should be greater than 0'
  const first = fieldsFrom(request, condition === 'always' ? 3 : 4, reply, countError)
  if (first === 0) return
  const { chunk, count } = request
  const set: Uint8Array[] = []
  const removed: Uint8Array[] = []
  reply.array(count - first)
  for (let index = first; index < count; index++) {
    const result =
      hash?.setExpiry(chunk, request.start(index), request.end(index), expireAtMs, condition) ?? expiryResult.NO_FIELD
    if (result === expiryResult.SET) set.push(request.view(index))
    else if (result === expiryResult.REMOVED) removed.push(request.view(index))
    reply.integer(result)
  }
  if (hash === null) return
  hash.announceExpired(chunk, request.start(1), request.end(1))
  if (set.length + removed.length > 0) announce(client, request, removed.length > 0 ? 'hdel' : 'hexpire')
  propagateExpiry(client, request.view(1), set, expireAtMs, removed)
  hash.close(chunk, request.start(1), request.end(1))
}

/** Fields that got a moment to expire at, and fields that went because it has passed. */
function propagateExpiry(
  client: Client,
  key: Uint8Array,
  set: readonly Uint8Array[],
  expireAtMs: number,
  removed: readonly Uint8Array[],
): void {
  if (removed.length > 0) client.propagateAs('HDEL', key, ...removed)
  if (set.length > 0) client.propagateAs('HPEXPIREAT', key, expireAtMs, 'FIELDS', set.length, ...set)
}

function hpersist(client: Client, request: Request, reply: Reply): void {
  const hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const first = fieldsFrom(request, 2, reply)
  if (first === 0) return
  const { chunk, count } = request
  let hasChanged = false
  reply.array(count - first)
  for (let index = first; index < count; index++) {
    if (!hash?.find(chunk, request.start(index), request.end(index))) reply.integer(-2)
    else if (hash.persistFound()) {
      hasChanged = true
      reply.integer(1)
    } else reply.integer(-1)
  }
  if (hash === null) return
  hash.announceExpired(chunk, request.start(1), request.end(1))
  if (hasChanged) announce(client, request, 'hpersist')
  hash.close(chunk, request.start(1), request.end(1))
}

// ---- Asking when fields expire ----

/** Seconds are rounded up. */
function timeToLive(client: Client, request: Request, reply: Reply, unit: ExpiryUnit): void {
  const hash = hashForReading(client, request, reply)
  if (hash === 'refused') return
  const first = fieldsFrom(request, 2, reply)
  if (first === 0) return
  const { chunk, count } = request
  const baseMs = unit.isRelative ? client.database.store.nowMs : 0
  reply.array(count - first)
  for (let index = first; index < count; index++) {
    if (!hash?.find(chunk, request.start(index), request.end(index))) reply.integer(-2)
    else if (hash.foundExpireAtMs === NEVER) reply.integer(-1)
    else reply.integer(Math.ceil((hash.foundExpireAtMs - baseMs) / unit.unitMs))
  }
  hash?.close(chunk, request.start(1), request.end(1))
}

// ---- Reading fields and setting when they expire, or deleting them ----

function hgetdel(client: Client, request: Request, reply: Reply): void {
  const hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const first = fieldsFrom(request, 2, reply)
  if (first === 0) return
  const { chunk, count } = request
  const deleted: Uint8Array[] = []
  reply.array(count - first)
  for (let index = first; index < count; index++) {
    if (!hash?.get(chunk, request.start(index), request.end(index))) {
      reply.nil()
      continue
    }
    replyText(reply, hash.value)
    hash.removeFound()
    deleted.push(request.view(index))
  }
  if (hash === null) return
  hash.announceExpired(chunk, request.start(1), request.end(1))
  if (deleted.length > 0) {
    announce(client, request, 'hdel')
    client.propagateAs('HDEL', request.view(1), ...deleted)
  }
  hash.close(chunk, request.start(1), request.end(1))
}

function hgetex(client: Client, request: Request, reply: Reply): void {
  const hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  const unit = EXPIRY_UNITS.find((each) => request.is(2, each.word))
  const persists = request.is(2, 'PERSIST')
  let expireAtMs = NEVER
  if (unit !== undefined) {
    expireAtMs = expireAtMsOf(client, request, 3, unit, reply)
    if (Number.isNaN(expireAtMs)) return
    // As many as the command needs at least, but two of them are the moment.
    if (request.count === 5) return reply.errorOfBytes(wrongArity('hgetex'))
  }
  const first = fieldsFrom(request, unit !== undefined ? 4 : persists ? 3 : 2, reply)
  if (first === 0) return
  const { chunk, count } = request
  const set: Uint8Array[] = []
  const removed: Uint8Array[] = []
  const persisted: Uint8Array[] = []
  reply.array(count - first)
  for (let index = first; index < count; index++) {
    if (!hash?.get(chunk, request.start(index), request.end(index))) {
      reply.nil()
      continue
    }
    replyText(reply, hash.value)
    if (persists) {
      if (hash.persistFound()) persisted.push(request.view(index))
    } else if (unit !== undefined) {
      const result = hash.setExpiry(chunk, request.start(index), request.end(index), expireAtMs, 'always')
      if (result === expiryResult.SET) set.push(request.view(index))
      else removed.push(request.view(index))
    }
  }
  if (hash === null) return
  hash.announceExpired(chunk, request.start(1), request.end(1))
  if (set.length > 0) announce(client, request, 'hexpire')
  else if (persisted.length > 0) announce(client, request, 'hpersist')
  else if (removed.length > 0) announce(client, request, 'hdel')
  propagateExpiry(client, request.view(1), set, expireAtMs, removed)
  if (persisted.length > 0) client.propagateAs('HPERSIST', request.view(1), 'FIELDS', persisted.length, ...persisted)
  hash.close(chunk, request.start(1), request.end(1))
}

// ---- Setting fields together with when they expire ----

interface SetOptions {
  onlyIf: 'all exist' | 'none exists' | null
  keepsExpiry: boolean
  /** NEVER when none is given. */
  expireAtMs: number
  firstField: number
}

/** The arguments of HSETEX, or null: an error has been written then. */
function parseSetOptions(client: Client, request: Request, reply: Reply): SetOptions | null {
  const options: SetOptions = { onlyIf: null, keepsExpiry: false, expireAtMs: NEVER, firstField: 0 }
  const refuse = (error: string) => {
    reply.errorOfBytes(error)
    return null
  }
  let hasExpiryOption = false
  for (let index = 2; index < request.count; index++) {
    const unit = EXPIRY_UNITS.find((each) => request.is(index, each.word))
    if (request.is(index, 'FIELDS')) {
      if (index >= request.count - 3) return refuse(wrongArity('hsetex'))
      const count = request.integer(index + 1)
      if (!(count >= 1 && count <= FIELD_COUNT_MAX)) return refuse('ERR invalid number of fields')
      if (count * 2 !== request.count - index - 2) return refuse(wrongArity('hsetex'))
      options.firstField = index + 2
      return options
    }
    if (unit !== undefined || request.is(index, 'KEEPTTL')) {
      if (hasExpiryOption) {
        return refuse('ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified')
      }
      hasExpiryOption = true
      if (unit === undefined) {
        options.keepsExpiry = true
        continue
      }
      if (++index === request.count) return refuse('ERR missing expire time')
      options.expireAtMs = expireAtMsOf(client, request, index, unit, reply)
      if (Number.isNaN(options.expireAtMs)) return null
      // A moment that has passed must not be taken for none.
      if (options.expireAtMs === NEVER) options.expireAtMs = 1
    } else if (request.is(index, 'FXX') || request.is(index, 'FNX')) {
      if (options.onlyIf !== null) return refuse('ERR Only one of FXX or FNX arguments can be specified')
      options.onlyIf = request.is(index, 'FXX') ? 'all exist' : 'none exists'
    } else {
      return refuse(`ERR unknown argument: ${request.quoted(index)}`)
    }
  }
  return refuse(wrongArity('hsetex'))
}

function hsetex(client: Client, request: Request, reply: Reply): void {
  const options = parseSetOptions(client, request, reply)
  if (options === null) return
  let hash = hashForWriting(client, request, reply)
  if (hash === 'refused') return
  if (!mayBeSet(hash, request, options)) {
    hash?.close(request.chunk, request.start(1), request.end(1))
    return reply.integer(0)
  }
  hash ??= createHash(client, request, options.firstField)
  const { chunk, count } = request
  const { database } = client
  const { expireAtMs } = options
  let lastResult: number = expiryResult.NO_FIELD
  for (let index = options.firstField; index < count; index += 2) {
    const fieldStart = request.start(index)
    const fieldEnd = request.end(index)
    const keepsExpiry = options.keepsExpiry || expireAtMs !== NEVER
    hash.set(chunk, fieldStart, fieldEnd, chunk, request.start(index + 1), request.end(index + 1), keepsExpiry)
    if (expireAtMs !== NEVER) lastResult = hash.setExpiry(chunk, fieldStart, fieldEnd, expireAtMs, 'always')
  }
  hash.announceExpired(chunk, request.start(1), request.end(1))
  announce(client, request, 'hset')
  if (lastResult !== expiryResult.NO_FIELD) {
    const event = lastResult === expiryResult.REMOVED ? 'hdel' : 'hexpire'
    database.store.tell(KEYSPACE_EVENTS.hash, event, database.index, chunk, request.start(1), request.end(1))
  }
  if (expireAtMs !== NEVER && client.engine.propagates) propagateSetWithExpiry(client, request, options)
  hash.close(chunk, request.start(1), request.end(1))
  reply.integer(1)
}

/** Fields that are set to expire at a moment that has passed are deleted; FXX and FNX have been decided. */
function propagateSetWithExpiry(client: Client, request: Request, { firstField, expireAtMs }: SetOptions): void {
  const pairs = Array.from({ length: request.count - firstField }, (_, index) => request.view(firstField + index))
  if (expireAtMs > client.database.store.nowMs || client.database.store.keepsExpired) {
    client.propagateAs('HSETEX', request.view(1), 'PXAT', expireAtMs, 'FIELDS', pairs.length / 2, ...pairs)
  } else {
    client.propagateAs('HDEL', request.view(1), ...pairs.filter((_, index) => index % 2 === 0))
  }
}

/** Whether FXX or FNX is fulfilled. */
function mayBeSet(hash: Hash | null, request: Request, options: SetOptions): boolean {
  if (options.onlyIf === null) return true
  if (hash === null) return options.onlyIf === 'none exists'
  for (let index = options.firstField; index < request.count; index += 2) {
    const exists = hash.find(request.chunk, request.start(index), request.end(index))
    if (exists !== (options.onlyIf === 'all exist')) return false
  }
  return true
}

// ---- The rows ----

const [SECONDS, MILLISECONDS, SECONDS_AT, MILLISECONDS_AT] = EXPIRY_UNITS
const COMPLEXITY = 'O(N) where N is the number of specified fields'

const expiring: Omit<CommandSpec, 'name' | 'summary' | 'handler'> = {
  arity: -6,
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  acl: ['hash'],
  group: 'hash',
  since: '7.4.0',
  complexity: COMPLEXITY,
}

const asking: Omit<CommandSpec, 'name' | 'summary' | 'handler'> = {
  arity: -5,
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  acl: ['hash'],
  group: 'hash',
  since: '7.4.0',
  complexity: COMPLEXITY,
}

export const hashExpiryCommands: readonly CommandSpec[] = [
  {
    ...expiring,
    name: 'HEXPIRE',
    summary: 'Lets fields of a hash expire in so many seconds.',
    args: 'key seconds [condition(NX | XX | GT | LT)] FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => expire(client, request, reply, SECONDS),
  },
  {
    ...expiring,
    name: 'HPEXPIRE',
    summary: 'Lets fields of a hash expire in so many milliseconds.',
    args: 'key milliseconds [condition(NX | XX | GT | LT)] FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => expire(client, request, reply, MILLISECONDS),
  },
  {
    ...expiring,
    name: 'HEXPIREAT',
    summary: 'Lets fields of a hash expire at a moment given in seconds of Unix time.',
    args: 'key unix-time-seconds [condition(NX | XX | GT | LT)] FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => expire(client, request, reply, SECONDS_AT),
  },
  {
    ...expiring,
    name: 'HPEXPIREAT',
    summary: 'Lets fields of a hash expire at a moment given in milliseconds of Unix time.',
    args: 'key unix-time-milliseconds [condition(NX | XX | GT | LT)] FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => expire(client, request, reply, MILLISECONDS_AT),
  },
  {
    ...asking,
    name: 'HTTL',
    tips: ['nondeterministic_output'],
    summary: 'How many seconds fields of a hash have yet to live.',
    args: 'key FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => timeToLive(client, request, reply, SECONDS),
  },
  {
    ...asking,
    name: 'HPTTL',
    tips: ['nondeterministic_output'],
    summary: 'How many milliseconds fields of a hash have yet to live.',
    args: 'key FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => timeToLive(client, request, reply, MILLISECONDS),
  },
  {
    ...asking,
    name: 'HEXPIRETIME',
    summary: 'When fields of a hash expire, in seconds of Unix time.',
    args: 'key FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => timeToLive(client, request, reply, SECONDS_AT),
  },
  {
    ...asking,
    name: 'HPEXPIRETIME',
    summary: 'When fields of a hash expire, in milliseconds of Unix time.',
    args: 'key FIELDS fields{numfields:integer field...}',
    handler: (client, request, reply) => timeToLive(client, request, reply, MILLISECONDS_AT),
  },
  {
    ...expiring,
    name: 'HPERSIST',
    arity: -5,
    flags: ['write', 'fast'],
    summary: 'Lets fields of a hash that would expire stay.',
    args: 'key FIELDS fields{numfields:integer field...}',
    handler: hpersist,
  },
  {
    ...expiring,
    name: 'HGETDEL',
    arity: -5,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
    since: '8.0.0',
    summary: 'Deletes fields of a hash and answers their values.',
    args: 'key FIELDS fields{numfields:integer field...}',
    handler: hgetdel,
  },
  {
    ...expiring,
    name: 'HGETEX',
    arity: -5,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
    since: '8.0.0',
    summary: 'Answers values of fields of a hash and sets, or takes away, when they expire.',
    args: 'key [expiration(EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST)] FIELDS fields{numfields:integer field...}',
    handler: hgetex,
  },
  {
    ...expiring,
    name: 'HSETEX',
    since: '8.0.0',
    summary: 'Sets fields of a hash together with when they expire.',
    args: 'key [condition(FNX | FXX)] [expiration(EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL)] FIELDS fields{numfields:integer data{field value}...}',
    handler: hsetex,
  },
]
