import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { verifyDumpPayload } from '../../persistence/rdb/dump-payload.ts'
import type { PutObject } from '../../persistence/rdb/objects/object-format.ts'
import { dumpObject, readObject } from '../../persistence/rdb/objects.ts'
import { RdbError } from '../../persistence/rdb/rdb-error.ts'
import { NEVER } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function dump(client: Client, request: Request, reply: Reply): void {
  const handle = client.database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.nil()
  reply.bulkBytes(dumpObject(client.engine.store, handle, client.engine.settings.rdbcompression))
}

interface RestoreOptions {
  replaces: boolean
  isAbsolute: boolean
  /** -1: not given. */
  idleSeconds: number
  frequency: number
}

function restore(client: Client, request: Request, reply: Reply): void {
  const options = readRestoreOptions(request, reply)
  if (options === null) return
  const { database } = client
  const { store } = database
  const { chunk } = request
  const start = request.start(1)
  const end = request.end(1)
  if (!options.replaces && database.write(chunk, start, end) !== NONE) return reply.error(errors.BUSY_KEY)

  const ttlMs = request.integer(2)
  if (Number.isNaN(ttlMs)) return reply.error(errors.NOT_AN_INTEGER)
  if (ttlMs < 0) return reply.error('ERR Invalid TTL value, must be >= 0')

  const { verifiesChecksums } = client.engine.persistence.rdb
  let put: PutObject
  try {
    const payload = verifyDumpPayload(chunk, request.start(3), request.end(3), verifiesChecksums)
    if (payload === undefined) return reply.error('ERR DUMP payload version or checksum are wrong')
    put = readObject(payload.type, payload.reader, database)
  } catch (error) {
    if (!(error instanceof RdbError)) throw error
    client.engine.log.warn(`RESTORE was refused, the integrity check failed: ${error.message}`)
    return reply.error('ERR Bad data format')
  }

  const existing = options.replaces ? database.peek(chunk, start, end) : NONE
  const expireAtMs = ttlMs === 0 ? NEVER : options.isAbsolute ? ttlMs : ttlMs + store.nowMs
  if (expireAtMs !== NEVER && expireAtMs <= store.nowMs && !store.keepsExpired) {
    put.discard?.()
    if (existing !== NONE) {
      database.delete(existing, chunk, start, end)
      client.propagateAs('DEL', request.view(1))
    }
    return reply.ok()
  }
  // Taken out first, because Redis tells of a key that was replaced as of a new one.
  if (existing !== NONE) database.remove(existing)
  const handle = put(database, chunk, start, end, expireAtMs)
  if (store.accessFrequency !== null) {
    if (options.frequency >= 0) {
      store.records.setAccess(handle, store.accessFrequency.of(options.frequency, store.nowMs))
    }
  } else if (options.idleSeconds >= 0) {
    store.setIdleSeconds(handle, options.idleSeconds)
  }
  database.changed(KEYSPACE_EVENTS.generic, 'restore', chunk, start, end)
  if (client.engine.propagates && expireAtMs !== NEVER && !options.isAbsolute) {
    const others = Array.from({ length: request.count - 3 }, (_, index) => request.view(index + 3))
    client.propagateAs(request.view(0), request.view(1), expireAtMs, ...others, 'ABSTTL')
  }
  reply.ok()
}

/** Null when an error has been written. */
function readRestoreOptions(request: Request, reply: Reply): RestoreOptions | null {
  const options: RestoreOptions = { replaces: false, isAbsolute: false, idleSeconds: -1, frequency: -1 }
  const refuse = (error: string) => {
    reply.error(error)
    return null
  }
  for (let index = 4; index < request.count; index++) {
    const hasValue = index + 1 < request.count
    if (request.is(index, 'REPLACE')) options.replaces = true
    else if (request.is(index, 'ABSTTL')) options.isAbsolute = true
    else if (request.is(index, 'IDLETIME') && hasValue && options.frequency === -1) {
      const seconds = request.integer(++index)
      if (Number.isNaN(seconds)) return refuse(errors.NOT_AN_INTEGER)
      if (seconds < 0) return refuse('ERR Invalid IDLETIME value, must be >= 0')
      options.idleSeconds = seconds
    } else if (request.is(index, 'FREQ') && hasValue && options.idleSeconds === -1) {
      const frequency = request.integer(++index)
      if (Number.isNaN(frequency)) return refuse(errors.NOT_AN_INTEGER)
      if (frequency < 0 || frequency > 255) return refuse('ERR Invalid FREQ value, must be >= 0 and <= 255')
      options.frequency = frequency
    } else return refuse(errors.SYNTAX)
  }
  return options
}

export const dumpCommands: readonly CommandSpec[] = [
  {
    name: 'DUMP',
    arity: 2,
    flags: ['readonly'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['keyspace'],
    group: 'generic',
    since: '2.6.0',
    complexity:
      'O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).',
    summary: 'The value of a key as bytes that RESTORE takes, here or in Redis.',
    args: 'key',
    tips: ['nondeterministic_output'],
    handler: dump,
  },
  {
    name: 'RESTORE',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [key(1, 'OW', 'UPDATE')],
    acl: ['keyspace', 'dangerous'],
    group: 'generic',
    since: '2.6.0',
    complexity:
      'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).',
    summary: 'Makes a key from bytes that DUMP gave.',
    args: 'key ttl serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds@5.0.0] [FREQ frequency:integer@5.0.0]',
    handler: restore,
  },
]
