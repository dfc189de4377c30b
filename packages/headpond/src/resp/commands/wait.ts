import { writeAcknowledgements } from '../append-only.ts'
import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

/** Without replicas nothing is ever acknowledged: a client that asks for one waits until its time is up. */
function wait(client: Client, request: Request, reply: Reply): void {
  const replicaCount = request.integer(1)
  if (Number.isNaN(replicaCount)) return reply.error(errors.NOT_AN_INTEGER)
  const timeoutMs = waitTimeoutMs(request, reply, 2)
  if (Number.isNaN(timeoutMs)) return
  if (replicaCount <= 0) return reply.integer(0)
  client.engine.waiting.begin(client, timeoutMs, { onTimeout: (late) => late.integer(0), cancel: NOTHING_TO_CANCEL })
}

function waitAof(client: Client, request: Request, reply: Reply): void {
  const localCount = request.integer(1)
  if (Number.isNaN(localCount)) return reply.error(errors.NOT_AN_INTEGER)
  if (localCount < 0 || localCount > 1) return reply.error('ERR value is out of range, value must between 0 and 1')
  const replicaCount = request.integer(2)
  if (!(replicaCount >= 0)) return reply.error(errors.NEGATIVE)
  const timeoutMs = waitTimeoutMs(request, reply, 3)
  if (Number.isNaN(timeoutMs)) return
  if (localCount > 0 && !client.engine.settings.appendonly) {
    return reply.error('ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.')
  }
  const { syncWaiters } = client.engine
  const answer = (late: Reply) => writeAcknowledgements(late, syncWaiters.isSynced(client))
  const isLocalDone = localCount === 0 || syncWaiters.isSynced(client)
  if ((isLocalDone && replicaCount === 0) || client.deniesBlocking) return answer(reply)
  // There are no replicas: who asks for one waits until the time is up.
  if (replicaCount > 0) client.engine.waiting.begin(client, timeoutMs, { onTimeout: answer, cancel: NOTHING_TO_CANCEL })
  else syncWaiters.wait(client, timeoutMs, answer)
}

/** 0: for ever. NaN when an error has been written. */
function waitTimeoutMs(request: Request, reply: Reply, index: number): number {
  const timeoutMs = request.integer(index)
  if (Number.isNaN(timeoutMs)) reply.error('ERR timeout is not an integer or out of range')
  else if (timeoutMs < 0) reply.error(errors.TIMEOUT_NEGATIVE)
  else return timeoutMs
  return Number.NaN
}

function NOTHING_TO_CANCEL(): void {}

export const waitCommands: readonly CommandSpec[] = [
  {
    name: 'WAIT',
    arity: 3,
    flags: ['noscript'],
    acl: ['connection'],
    group: 'generic',
    since: '3.0.0',
    complexity: 'O(1)',
    summary: 'Waits until so many replicas have what this client wrote, and answers how many have.',
    args: 'numreplicas:integer timeout:integer',
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    handler: wait,
  },
  {
    name: 'WAITAOF',
    arity: 4,
    flags: ['blocking'],
    acl: ['connection'],
    group: 'generic',
    since: '7.2.0',
    complexity: 'O(1)',
    summary: 'Waits until what this client wrote is on disk, here and on so many replicas.',
    args: 'numlocal:integer numreplicas:integer timeout:integer',
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    handler: waitAof,
  },
]
