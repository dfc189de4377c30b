import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { errors } from '../errors.ts'
import { lolwutText } from '../lolwut.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function time(client: Client, _request: Request, reply: Reply): void {
  const nowUs = client.engine.clock.nowUs()
  reply.array(2)
  reply.bulkInteger(Math.floor(nowUs / 1e6))
  reply.bulkInteger(nowUs % 1e6)
}

function monitor(client: Client, _request: Request, reply: Reply): void {
  if (client.deniesBlocking) return reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client")
  if (client.isMonitor) return
  client.engine.addMonitor(client)
  reply.ok()
}

function lolwut(client: Client, request: Request, reply: Reply): void {
  const numbers: number[] = []
  const first = request.count > 2 && request.is(1, 'VERSION') ? 2 : 1
  for (let index = first; index < request.count; index++) {
    const number = request.integer(index)
    if (Number.isNaN(number)) return reply.error(errors.NOT_AN_INTEGER)
    numbers.push(number)
  }
  // What follows the version is the size of the picture, as in Redis.
  const [columns, rows] = numbers.slice(first - 1)
  const { engine } = client
  reply.verbatim('txt', lolwutText({ columns, rows }, engine.store.random, engine.host.version))
}

function role(_client: Client, _request: Request, reply: Reply): void {
  reply.array(3)
  reply.bulkText('master')
  reply.integer(0)
  reply.array(0)
}

function lastSave(client: Client, _request: Request, reply: Reply): void {
  reply.integer(Math.floor(client.engine.startedAtMs / 1000))
}

const NOTHING_ON_DISK = 'ERR This server keeps nothing on disk'

function save(_client: Client, _request: Request, reply: Reply): void {
  reply.error(NOTHING_ON_DISK)
}

function backgroundSave(_client: Client, request: Request, reply: Reply): void {
  const isValid = request.count === 1 || (request.count === 2 && request.is(1, 'SCHEDULE'))
  reply.error(isValid ? NOTHING_ON_DISK : errors.SYNTAX)
}

const SHUTDOWN_WORDS = ['SAVE', 'NOSAVE', 'NOW', 'FORCE', 'ABORT'] as const

function shutdown(client: Client, request: Request, reply: Reply): void {
  const words = new Set<(typeof SHUTDOWN_WORDS)[number]>()
  for (let index = 1; index < request.count; index++) {
    const word = SHUTDOWN_WORDS.find((each) => request.is(index, each))
    if (word === undefined) return reply.error(errors.SYNTAX)
    words.add(word)
  }
  if ((words.has('ABORT') && words.size > 1) || (words.has('SAVE') && words.has('NOSAVE'))) {
    return reply.error(errors.SYNTAX)
  }
  // There are no replicas to wait for, so a shutdown is never in progress for long.
  if (words.has('ABORT')) return reply.error('ERR No shutdown in progress.')
  const { engine } = client
  if (words.has('SAVE') && !words.has('FORCE')) {
    engine.log.warn('SHUTDOWN SAVE refused: this server keeps nothing on disk')
    return reply.error('ERR Errors trying to SHUTDOWN. Check logs.')
  }
  engine.log.info('SHUTDOWN was called')
  // A socket shows by closing that the server has gone; a client in this process has none.
  if (client.connection === null) reply.ok()
  reply.out.flush()
  client.closesAfterReply = true
  engine.host.shutdown()
}

export const serverCommands: readonly CommandSpec[] = [
  {
    name: 'TIME',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    acl: [],
    group: 'server',
    since: '2.6.0',
    complexity: 'O(1)',
    summary: 'Answers the time: seconds, and microseconds of the current one.',
    tips: ['nondeterministic_output'],
    handler: time,
  },
  {
    name: 'MONITOR',
    arity: 1,
    flags: ['admin', 'noscript', 'loading', 'stale'],
    acl: [],
    group: 'server',
    since: '1.0.0',
    complexity: '',
    summary: 'Shows every command that the server runs.',
    handler: monitor,
  },
  {
    name: 'LOLWUT',
    arity: -1,
    flags: ['readonly', 'fast'],
    acl: [],
    group: 'server',
    since: '5.0.0',
    complexity: '',
    summary: 'Draws a picture, and tells the version.',
    args: '[VERSION version:integer]',
    handler: lolwut,
  },
  {
    name: 'SHUTDOWN',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    acl: [],
    group: 'server',
    since: '1.0.0',
    complexity:
      'O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)',
    summary: 'Ends the server.',
    args: '[nosave_save(NOSAVE | SAVE)] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]',
    history: [['7.0.0', 'Added the `NOW`, `FORCE` and `ABORT` modifiers.']],
    handler: shutdown,
  },
  {
    name: 'ROLE',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    acl: ['admin', 'dangerous'],
    group: 'server',
    since: '2.8.12',
    complexity: 'O(1)',
    summary: 'Answers the role in replication.',
    handler: role,
  },
  {
    name: 'LASTSAVE',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    acl: ['admin', 'dangerous'],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Answers when data was last written to disk; the start, when it never was.',
    tips: ['nondeterministic_output'],
    handler: lastSave,
  },
  {
    name: 'SAVE',
    arity: 1,
    flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
    acl: [],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(N) where N is the total number of keys in all databases',
    summary: 'Writes a snapshot to disk, and answers when it is there.',
    handler: save,
  },
  {
    name: 'BGSAVE',
    arity: -1,
    flags: ['admin', 'noscript', 'no_async_loading'],
    acl: [],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Writes a snapshot to disk in the background.',
    args: '[SCHEDULE@3.2.2]',
    history: [['3.2.2', 'Added the `SCHEDULE` option.']],
    handler: backgroundSave,
  },
  {
    name: 'BGREWRITEAOF',
    arity: 1,
    flags: ['admin', 'noscript', 'no_async_loading'],
    acl: [],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Writes the append-only file anew in the background.',
    handler: save,
  },
]
