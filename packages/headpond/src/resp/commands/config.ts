import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { errors } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { LOADING } from '../restrictions.ts'

/** What would change the files that are being read. */
const NOT_WHILE_LOADING: ReadonlySet<string> = new Set(['appendonly', 'dir'])

function get(client: Client, request: Request, reply: Reply): void {
  const patterns = Array.from({ length: request.count - 2 }, (_, index) => request.text(index + 2))
  const found = client.engine.config.get(patterns)
  reply.map(found.length)
  for (const [name, value] of found) {
    reply.bulkText(name)
    reply.bulkText(value)
  }
}

function set(client: Client, request: Request, reply: Reply): void {
  if (request.count % 2 !== 0) return reply.error(errors.SYNTAX)
  const pairs: [string, string][] = []
  for (let index = 2; index < request.count; index += 2) pairs.push([request.text(index), request.text(index + 1)])
  const { engine } = client
  const isOfFiles = pairs.some(([name]) => NOT_WHILE_LOADING.has(name.toLowerCase()))
  if (isOfFiles && engine.persistence.loading.isActive) return reply.error(LOADING)
  const result = engine.config.set(pairs, { isLocalClient: client.isLocal })
  if (!(result instanceof Promise)) return answer(reply, result)
  if (client.deniesBlocking) {
    // The other commands of a transaction cannot wait: what goes wrong from here on is told in the log.
    void result.then((refusal) => refusal !== undefined && engine.log.warn(refusal))
    return reply.ok()
  }
  // Another port, say: the answer comes when it is listened on, and the client's next requests wait for it.
  engine.waiting.begin(client, 0, { onTimeout: () => {}, cancel: () => {}, isUnblockable: false })
  void result.then((refusal) => engine.waiting.end(client, (later) => answer(later, refusal)))
}

function answer(reply: Reply, refusal: string | undefined): void {
  if (refusal === undefined) reply.ok()
  else reply.error(refusal)
}

function resetStat(client: Client, _request: Request, reply: Reply): void {
  client.engine.resetStatistics()
  reply.ok()
}

function rewrite(client: Client, _request: Request, reply: Reply): void {
  answer(reply, client.engine.config.rewrite())
}

const HELP = [
  'GET <pattern>',
  '    Return parameters matching the glob-like <pattern> and their values.',
  'SET <directive> <value>',
  '    Set the configuration <directive> to <value>.',
  'RESETSTAT',
  '    Reset statistics reported by the INFO command.',
  'REWRITE',
  '    Rewrite the configuration file.',
]

const ADMIN = ['admin', 'noscript', 'loading', 'stale'] as const

export const configCommands: readonly CommandSpec[] = [
  {
    name: 'CONFIG',
    arity: -2,
    flags: [],
    acl: [],
    group: 'server',
    since: '2.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'Reads and changes the configuration.',
    subcommands: [
      {
        name: 'GET',
        arity: -3,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.0.0',
        complexity: 'O(N) when N is the number of configuration parameters provided',
        summary: 'Answers the parameters that match, and their values.',
        args: 'parameter{parameter}...',
        history: [['7.0.0', 'Added the ability to pass multiple pattern parameters in one call']],
        handler: get,
      },
      {
        name: 'SET',
        arity: -4,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.0.0',
        complexity: 'O(N) when N is the number of configuration parameters provided',
        summary: 'Changes parameters: all of them, or none.',
        args: 'parameter_value{parameter value}...',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        history: [['7.0.0', 'Added the ability to set multiple parameters in one call.']],
        handler: set,
      },
      {
        name: 'RESETSTAT',
        arity: 2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.0.0',
        complexity: 'O(1)',
        summary: 'Begins the counts of INFO anew.',
        handler: resetStat,
      },
      {
        name: 'REWRITE',
        arity: 2,
        flags: ADMIN,
        acl: [],
        group: 'server',
        since: '2.8.0',
        complexity: 'O(1)',
        summary: 'Writes the configuration in force into its file.',
        handler: rewrite,
      },
      helpSubcommand('CONFIG', { acl: [], group: 'server', since: '5.0.0' }, HELP),
    ],
  },
]
