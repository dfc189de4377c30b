import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { wrongArity } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function ping(client: Client, request: Request, reply: Reply): void {
  if (request.count > 2) return reply.error(wrongArity('ping'))
  if (client.isSubscribed && client.protocol === 2) {
    reply.array(2)
    reply.bulkText('pong')
    if (request.count === 2) reply.bulk(request.chunk, request.start(1), request.end(1))
    else reply.bulkText('')
    return
  }
  if (request.count === 1) reply.pong()
  else reply.bulk(request.chunk, request.start(1), request.end(1))
}

export const connectionCommands: readonly CommandSpec[] = [
  {
    name: 'PING',
    arity: -1,
    flags: ['fast'],
    acl: ['connection'],
    group: 'connection',
    since: '1.0.0',
    complexity: 'O(1)',
    summary: 'Answers PONG, or the argument.',
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    handler: ping,
  },
]
