import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { infoText } from '../info.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function info(client: Client, request: Request, reply: Reply): void {
  const names = Array.from({ length: request.count - 1 }, (_, index) => request.text(index + 1).toLowerCase())
  reply.verbatim('txt', infoText(client.engine, names))
}

export const infoCommands: readonly CommandSpec[] = [
  {
    name: 'INFO',
    arity: -1,
    flags: ['loading', 'stale'],
    acl: ['dangerous'],
    group: 'server',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Answers figures about the server, by sections.',
    args: '[section...]',
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    history: [['7.0.0', 'Added support for taking multiple section arguments.']],
    handler: info,
  },
]
