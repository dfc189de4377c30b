import { parseInteger } from '../../bytes/integer.ts'
import { type Handle, NONE } from '../../memory/heap.ts'
import { type as types } from '../../store/record.ts'
import { stringBytes } from '../../store/string.ts'
import { typeOperations } from '../../store/types.ts'
import type { Client } from '../client.ts'
import { type CommandSpec, type Handler, key } from '../command.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'

/** A subcommand that tells something of a key's value, or nil when there is none. */
function about(answer: (client: Client, handle: Handle, reply: Reply) => void): Handler {
  return (client, request, reply) => {
    const handle = client.database.readSilently(request.chunk, request.start(2), request.end(2))
    if (handle === NONE) reply.nil()
    else answer(client, handle, reply)
  }
}

const encoding = about((client, handle, reply) => {
  const { store } = client.engine
  reply.bulkText(typeOperations[store.records.type(handle)].encodingName(store, handle))
})

const POLICY_ADVICE =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.'

const idleTime = about((client, handle, reply) => {
  const { store } = client.engine
  if (store.accessFrequency !== null) {
    return reply.error(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${POLICY_ADVICE}`)
  }
  const seconds = store.idleSeconds(handle)
  if (seconds !== null) return reply.integer(seconds)
  reply.error(`ERR The allkeys-fifo maxmemory policy is selected, idle time not tracked. ${POLICY_ADVICE}`)
})

const frequency = about((client, handle, reply) => {
  const { store } = client.engine
  if (store.accessFrequency === null) {
    return reply.error(`ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${POLICY_ADVICE}`)
  }
  reply.integer(store.accessFrequency.counter(store.records.access(handle), store.nowMs))
})

/** Redis keeps one object for each of these numbers, and says so by the largest count. Ours are never shared. */
const SHARED_INTEGERS_END = 10_000
const SHARED_COUNT = 2 ** 31 - 1

const refCount = about((client, handle, reply) => {
  reply.integer(isSharedInRedis(client, handle) ? SHARED_COUNT : 1)
})

function isSharedInRedis(client: Client, handle: Handle): boolean {
  const { store, settings } = client.engine
  if (store.records.type(handle) !== types.STRING) return false
  if (settings.maxmemory > 0 && /l[rf]u$/.test(settings.maxmemoryPolicy)) return false
  if (typeOperations[types.STRING].encodingName(store, handle) !== 'int') return false
  const { bytes, start, end } = stringBytes(store, handle)
  const value = parseInteger(bytes, start, end)
  return value >= 0 && value < SHARED_INTEGERS_END
}

const HELP = [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
]

function subcommand(name: string, since: string, summary: string, handler: Handler): CommandSpec {
  return {
    name,
    arity: 3,
    flags: ['readonly'],
    keys: [key(2, 'RO')],
    acl: ['keyspace'],
    group: 'generic',
    since,
    complexity: 'O(1)',
    summary,
    args: 'key',
    tips: ['nondeterministic_output'],
    handler,
  }
}

export const objectCommands: readonly CommandSpec[] = [
  {
    name: 'OBJECT',
    arity: -2,
    flags: [],
    acl: [],
    group: 'generic',
    since: '2.2.3',
    complexity: 'Depends on subcommand.',
    summary: 'Tells how a value is stored and used.',
    subcommands: [
      subcommand('ENCODING', '2.2.3', 'How the value of a key is encoded in memory.', encoding),
      helpSubcommand('OBJECT', { acl: ['keyspace'], group: 'generic', since: '6.2.0' }, HELP),
      subcommand('IDLETIME', '2.2.3', 'Seconds since a key was used last.', idleTime),
      subcommand('REFCOUNT', '2.2.3', 'How many refer to the value of a key.', refCount),
      subcommand('FREQ', '4.0.0', 'How often a key is used, as a logarithmic counter.', frequency),
    ],
  },
]
