import { parseInteger } from '../../bytes/integer.ts'
import { KEYSPACE_EVENTS } from '../../config/value-types.ts'
import { NONE } from '../../memory/heap.ts'
import { NEVER, type as types } from '../../store/record.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, key } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function get(client: Client, request: Request, reply: Reply): void {
  const database = client.database
  const handle = database.read(request.chunk, request.start(1), request.end(1))
  if (handle === NONE) return reply.nil()
  if (database.records.type(handle) !== types.STRING) return reply.error(errors.WRONG_TYPE)
  reply.bulkString(client.engine.store, handle)
}

function set(client: Client, request: Request, reply: Reply): void {
  const database = client.database
  const start = request.start(1)
  const end = request.end(1)
  database.putString(request.chunk, start, end, request.chunk, request.start(2), request.end(2), NEVER)
  database.changed(KEYSPACE_EVENTS.string, 'set', request.chunk, start, end)
  reply.ok()
}
void parseInteger
export const stringCommands: readonly CommandSpec[] = [
  {
    name: 'GET',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [key(1, 'RO', 'ACCESS')],
    acl: ['string'],
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'The string value of a key.',
    handler: get,
  },
  {
    name: 'SET',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [
      {
        ...key(1, 'RW', 'ACCESS', 'UPDATE', 'variable_flags'),
        notes: 'RW and ACCESS due to the optional `GET` argument',
      },
    ],
    acl: ['string'],
    group: 'string',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Sets the string value of a key, whatever it held before.',
    handler: set,
  },
]
