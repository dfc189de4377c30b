import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

const DEFAULT_COUNT = 10

function get(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) {
    return reply.error(wrongSubcommandForm('SLOWLOG', request.text(1)))
  }
  const count = request.count === 3 ? request.integer(2) : DEFAULT_COUNT
  if (!(count >= -1)) return reply.error('ERR count should be greater than or equal to -1')
  const { slowLog } = client.engine
  const entries = slowLog.newest(count === -1 ? slowLog.length : count)
  reply.array(entries.length)
  for (const entry of entries) {
    reply.array(6)
    reply.integer(entry.id)
    reply.integer(entry.atSeconds)
    reply.integer(entry.durationUs)
    reply.array(entry.args.length)
    for (const arg of entry.args) reply.bulkBytes(arg)
    reply.bulkText(entry.address)
    reply.bulkText(entry.clientName)
  }
}

function len(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.engine.slowLog.length)
}

function reset(client: Client, _request: Request, reply: Reply): void {
  client.engine.slowLog.reset()
  reply.ok()
}

const HELP = [
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

const ADMIN = ['admin', 'loading', 'stale'] as const

export const slowlogCommands: readonly CommandSpec[] = [
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
        handler: get,
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
        handler: len,
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
        handler: reset,
      },
      helpSubcommand('SLOWLOG', { acl: [], group: 'server', since: '6.2.0' }, HELP),
    ],
  },
]
