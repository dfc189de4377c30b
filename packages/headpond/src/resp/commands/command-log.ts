import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import type { CommandLog } from '../command-log.ts'
import { wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

const DEFAULT_COUNT = 10

// ---- SLOWLOG ----

function slowGet(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) {
    return reply.error(wrongSubcommandForm('SLOWLOG', request.text(1)))
  }
  const count = request.count === 3 ? request.integer(2) : DEFAULT_COUNT
  if (!(count >= -1)) return reply.error(NO_COUNT)
  replyWithEntries(client.engine.slowLog, count, reply)
}

function slowLen(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.engine.slowLog.length)
}

function slowReset(client: Client, _request: Request, reply: Reply): void {
  client.engine.slowLog.reset()
  reply.ok()
}

const NO_COUNT = 'ERR count should be greater than or equal to -1'

/** The newest entries; all of them for -1. */
function replyWithEntries(log: CommandLog, count: number, reply: Reply): void {
  const entries = log.newest(count === -1 ? log.length : count)
  reply.array(entries.length)
  for (const entry of entries) {
    reply.array(6)
    reply.integer(entry.id)
    reply.integer(entry.atSeconds)
    reply.integer(entry.value)
    reply.array(entry.args.length)
    for (const arg of entry.args) reply.bulkBytes(arg)
    reply.bulkText(entry.address)
    reply.bulkText(entry.clientName)
  }
}

// ---- COMMANDLOG ----

function get(client: Client, request: Request, reply: Reply): void {
  const count = request.integer(2)
  if (!(count >= -1)) return reply.error(NO_COUNT)
  const log = readLog(client, request, 3, reply)
  if (log !== undefined) replyWithEntries(log, count, reply)
}

function len(client: Client, request: Request, reply: Reply): void {
  const log = readLog(client, request, 2, reply)
  if (log !== undefined) reply.integer(log.length)
}

function reset(client: Client, request: Request, reply: Reply): void {
  const log = readLog(client, request, 2, reply)
  if (log === undefined) return
  log.reset()
  reply.ok()
}

/** The log that an argument names, or undefined when the error is written. */
function readLog(client: Client, request: Request, index: number, reply: Reply): CommandLog | undefined {
  const { slowLog, largeRequestLog, largeReplyLog } = client.engine
  if (request.is(index, 'SLOW')) return slowLog
  if (request.is(index, 'LARGE-REQUEST')) return largeRequestLog
  if (request.is(index, 'LARGE-REPLY')) return largeReplyLog
  reply.error('ERR type should be one of the following: slow, large-request, large-reply')
  return undefined
}

const SLOWLOG_HELP = [
  'GET [<count>]',
  '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
  '    Entries are made of:',
  '    id, timestamp, time in microseconds, arguments array, client IP and port,',
  '    client name',
  'LEN',
  '    Return the length of the slowlog.',
  'RESET',
  '    Reset the slowlog.',
]

const HELP = [
  'GET <count> <type>',
  '    Return top <count> entries of the specified <type> from the commandlog (-1 mean all).',
  '    Entries are made of:',
  '    id, timestamp,',
  '        time in microseconds for type of slow,',
  '        or size in bytes for type of large-request,',
  '        or size in bytes for type of large-reply',
  '    arguments array, client IP and port,',
  '    client name',
  'LEN <type>',
  '    Return the length of the specified type of commandlog.',
  'RESET <type>',
  '    Reset the specified type of commandlog.',
]

const ADMIN = ['admin', 'loading', 'stale'] as const

const TYPES = 'type(SLOW | LARGE-REQUEST | LARGE-REPLY)'

export const commandLogCommands: readonly CommandSpec[] = [
  {
    name: 'SLOWLOG',
    arity: -2,
    flags: [],
    acl: [],
    group: 'server',
    since: '2.2.12',
    complexity: 'Depends on subcommand.',
    summary: 'The log of commands that took long.',
    subcommands: [
      {
        name: 'GET',
        arity: -2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.2.12',
        complexity: 'O(N) where N is the number of entries returned',
        summary: 'Answers the newest entries.',
        args: '[count]',
        tips: ['request_policy:all_nodes', 'nondeterministic_output'],
        history: [['4.0.0', 'Added client IP address, port and name to the reply.']],
        handler: slowGet,
      },
      {
        name: 'LEN',
        arity: 2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.2.12',
        complexity: 'O(1)',
        summary: 'Answers the number of entries.',
        tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
        handler: slowLen,
      },
      {
        name: 'RESET',
        arity: 2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.2.12',
        complexity: 'O(N) where N is the number of entries in the slowlog',
        summary: 'Empties the log.',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        handler: slowReset,
      },
      helpSubcommand('SLOWLOG', { acl: [], group: 'server', since: '6.2.0' }, SLOWLOG_HELP),
    ],
  },
  {
    name: 'COMMANDLOG',
    arity: -2,
    flags: [],
    acl: [],
    group: 'server',
    since: '8.1.0',
    complexity: 'Depends on subcommand.',
    summary: 'The logs of commands that took long, and of those with large requests or replies.',
    subcommands: [
      {
        name: 'GET',
        arity: 4,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '8.1.0',
        complexity: 'O(N) where N is the number of entries returned',
        summary: 'Answers the newest entries of a log.',
        args: `count ${TYPES}`,
        tips: ['request_policy:all_nodes', 'nondeterministic_output'],
        handler: get,
      },
      {
        name: 'LEN',
        arity: 3,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '8.1.0',
        complexity: 'O(1)',
        summary: 'Answers the number of entries of a log.',
        args: TYPES,
        tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
        handler: len,
      },
      {
        name: 'RESET',
        arity: 3,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '8.1.0',
        complexity: 'O(N) where N is the number of entries in the commandlog',
        summary: 'Empties a log.',
        args: TYPES,
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        handler: reset,
      },
      helpSubcommand('COMMANDLOG', { acl: [], group: 'server', since: '8.1.0' }, HELP),
    ],
  },
]
