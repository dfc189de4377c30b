import { parseInteger } from '../../bytes/integer.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { NEVER } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, type Handler, key } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

const SECOND_MS = 1000
const INT64_MAX = 2n ** 63n - 1n

interface Conditions {
  onlyWithout: boolean
  onlyWith: boolean
  onlyLater: boolean
  onlyEarlier: boolean
}

/** EXPIRE and its relatives: the time is in units of so many milliseconds, from now on or since 1970. */
function expireIn(unitMs: number, isAbsolute: boolean): Handler {
  return (client, request, reply) => {
    const conditions = request.count === 3 ? null : readConditions(request, reply)
    if (conditions === undefined) return
    const { database } = client
    const { store } = database
    const expireAtMs = momentOf(client, request, reply, unitMs, isAbsolute ? 0 : store.nowMs)
    if (Number.isNaN(expireAtMs)) return

    const { chunk } = request
    const start = request.start(1)
    const end = request.end(1)
    const handle = database.write(chunk, start, end)
    if (handle === NONE) return reply.integer(0)
    if (conditions !== null && !allows(conditions, database.records.expireAtMs(handle), expireAtMs)) {
      return reply.integer(0)
    }
    if (expireAtMs <= store.nowMs && !store.keepsExpired) {
      database.deleteOverdue(handle, chunk, start, end)
      client.propagateAs(client.engine.propagation.expiredWord, request.view(1))
    } else {
      database.setExpiry(handle, Math.max(expireAtMs, 1))
      database.changed(KEYSPACE_EVENTS.generic, 'expire', chunk, start, end)
      if (client.engine.propagates && !(isAbsolute && unitMs === 1)) {
        const options = Array.from({ length: request.count - 3 }, (_, index) => request.view(index + 3))
        client.propagateAs('PEXPIREAT', request.view(1), expireAtMs, ...options)
      }
    }
    reply.integer(1)
  }
}

/** NX, XX, GT and LT; undefined when an error has been written. */
function readConditions(request: Request, reply: Reply): Conditions | undefined {
  const conditions = { onlyWithout: false, onlyWith: false, onlyLater: false, onlyEarlier: false }
  for (let index = 3; index < request.count; index++) {
    if (request.is(index, 'NX')) conditions.onlyWithout = true
    else if (request.is(index, 'XX')) conditions.onlyWith = true
    else if (request.is(index, 'GT')) conditions.onlyLater = true
    else if (request.is(index, 'LT')) conditions.onlyEarlier = true
    else {
      reply.errorOfBytes(`ERR Unsupported option ${request.quoted(index)}`)
      return undefined
    }
  }
  const { onlyWithout, onlyWith, onlyLater, onlyEarlier } = conditions
  if (onlyWithout && (onlyWith || onlyLater || onlyEarlier)) {
    reply.error('ERR NX and XX, GT or LT options at the same time are not compatible')
    return undefined
  }
  if (onlyLater && onlyEarlier) {
    reply.error('ERR GT and LT options at the same time are not compatible')
    return undefined
  }
  return conditions
}

/** No expiry counts as later than any. */
function allows(conditions: Conditions, currentMs: number, expireAtMs: number): boolean {
  if (conditions.onlyWithout && currentMs !== NEVER) return false
  if (conditions.onlyWith && currentMs === NEVER) return false
  if (conditions.onlyLater && (currentMs === NEVER || expireAtMs <= currentMs)) return false
  if (conditions.onlyEarlier && currentMs !== NEVER && expireAtMs >= currentMs) return false
  return true
}

/** Argument 2 as a moment in milliseconds since 1970, to the nearest double; NaN when an error has been written. */
function momentOf(client: Client, request: Request, reply: Reply, unitMs: number, baseMs: number): number {
  const value = parseInteger(request.chunk, request.start(2), request.end(2))
  if (!Number.isNaN(value)) return value * unitMs + baseMs // 2^53 seconds are within 64 bits of milliseconds
  const exact = request.bigInteger(2)
  if (exact === undefined) {
    reply.error(errors.NOT_AN_INTEGER)
    return Number.NaN
  }
  const ms = exact * BigInt(unitMs)
  if (ms < -INT64_MAX - 1n || ms > INT64_MAX - BigInt(Math.floor(baseMs))) {
    reply.error(`ERR invalid expire time in '${client.lastCommand!.fullName}' command`)
    return Number.NaN
  }
  return Number(ms) + baseMs
}

/** TTL and its relatives: -2 without the key, -1 without an expiry. */
function timeLeft(unitMs: number, isAbsolute: boolean): Handler {
  return (client, request, reply) => {
    const { database } = client
    const handle = database.readUntouched(request.chunk, request.start(1), request.end(1))
    if (handle === NONE) return reply.integer(-2)
    const expireAtMs = database.records.expireAtMs(handle)
    if (expireAtMs === NEVER) return reply.integer(-1)
    const ms = isAbsolute ? expireAtMs : Math.max(0, expireAtMs - database.store.nowMs)
    const value = unitMs === 1 ? ms : Math.floor((ms + unitMs / 2) / unitMs)
    if (Number.isSafeInteger(value)) reply.integer(value)
    else reply.bigInteger(value < Number(INT64_MAX) ? BigInt(value) : INT64_MAX)
  }
}

function persist(client: Client, request: Request, reply: Reply): void {
  const { database } = client
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  const handle = database.write(chunk, start, end)
  if (handle === NONE || !database.records.hasExpiry(handle)) return reply.integer(0)
  database.clearExpiry(handle)
  database.changed(KEYSPACE_EVENTS.generic, 'persist', chunk, start, end)
  reply.integer(1)
}

/** @param time the name of the argument that says when */
function expireSpec(name: string, since: string, time: string, summary: string, handler: Handler): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    acl: ['keyspace'],
    group: 'generic',
    since,
    complexity: 'O(1)',
    summary,
    args: `key ${time} [condition(NX | XX | GT | LT)@7.0.0]`,
    handler,
  }
}

function timeLeftSpec(
  name: string,
  since: string,
  summary: string,
  tips: readonly string[],
  handler: Handler,
): CommandSpec {
  return {
    name,
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['keyspace'],
    group: 'generic',
    since,
    complexity: 'O(1)',
    summary,
    args: 'key',
    tips,
    handler,
  }
}

const CHANGES_BY_ITSELF = ['nondeterministic_output']

export const expireCommands: readonly CommandSpec[] = [
  expireSpec('EXPIRE', '1.0.0', 'seconds', 'Lets a key expire after so many seconds.', expireIn(SECOND_MS, false)),
  expireSpec('PEXPIRE', '2.6.0', 'milliseconds', 'Lets a key expire after so many milliseconds.', expireIn(1, false)),
  expireSpec(
    'EXPIREAT',
    '1.2.0',
    'unix-time-seconds',
    'Lets a key expire at a Unix time in seconds.',
    expireIn(SECOND_MS, true),
  ),
  expireSpec(
    'PEXPIREAT',
    '2.6.0',
    'unix-time-milliseconds',
    'Lets a key expire at a Unix time in milliseconds.',
    expireIn(1, true),
  ),
  timeLeftSpec('TTL', '1.0.0', 'Seconds until a key expires.', CHANGES_BY_ITSELF, timeLeft(SECOND_MS, false)),
  timeLeftSpec('PTTL', '2.6.0', 'Milliseconds until a key expires.', CHANGES_BY_ITSELF, timeLeft(1, false)),
  timeLeftSpec('EXPIRETIME', '7.0.0', 'The Unix time, in seconds, when a key expires.', [], timeLeft(SECOND_MS, true)),
  timeLeftSpec('PEXPIRETIME', '7.0.0', 'The Unix time, in milliseconds, when a key expires.', [], timeLeft(1, true)),
  {
    name: 'PERSIST',
    arity: 2,
    flags: ['write', 'fast'],
    keys: [key(1, 'RW', 'UPDATE')],
    acl: ['keyspace'],
    group: 'generic',
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Takes the expiry off a key.',
    args: 'key',
    handler: persist,
  },
]
