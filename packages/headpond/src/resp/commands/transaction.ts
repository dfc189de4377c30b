import type { Client } from '../client.ts'
import { type CommandSpec, keyRange } from '../command.ts'
import { errors } from '../errors.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { discardTransaction, Transaction } from '../transaction.ts'

function multi(client: Client, _request: Request, reply: Reply): void {
  if (client.transaction !== null) return reply.error('ERR MULTI calls can not be nested')
  client.transaction = new Transaction()
  client.updateSpecial()
  reply.ok()
}

function exec(client: Client, _request: Request, reply: Reply): void {
  const { engine, transaction } = client
  if (transaction === null) return reply.error('ERR EXEC without MULTI')
  engine.watches.expireDue(client)
  const { isWatchBroken } = client
  if (transaction.isAborted || isWatchBroken) {
    discardTransaction(client)
    if (transaction.isAborted) reply.error(errors.EXEC_ABORTED)
    else reply.nilArray()
    return
  }
  engine.watches.unwatch(client)
  const execCommand = client.lastCommand
  const request = engine.queuedRequest
  client.deniesBlocking = true
  engine.isInExec = true
  reply.array(transaction.count)
  try {
    for (;;) {
      const command = transaction.next(request)
      if (command === undefined) break
      const denial = client.user.isUnrestricted ? null : engine.acl.denialInExec(client, command, request)
      if (denial === null) engine.callAs(client, command, request, reply, false)
      else reply.error(denial)
    }
  } finally {
    engine.isInExec = false
  }
  request.release()
  client.deniesBlocking = false
  client.lastCommand = execCommand
  discardTransaction(client)
  engine.outgoing.sendDeferredPushes(client)
}

function discard(client: Client, _request: Request, reply: Reply): void {
  if (client.transaction === null) return reply.error('ERR DISCARD without MULTI')
  discardTransaction(client)
  reply.ok()
}

function watch(client: Client, request: Request, reply: Reply): void {
  if (client.transaction !== null) return reply.error('ERR WATCH inside MULTI is not allowed')
  for (let index = 1; index < request.count; index++) {
    client.engine.watches.watch(client, request.chunk, request.start(index), request.end(index))
  }
  reply.ok()
}

function unwatch(client: Client, _request: Request, reply: Reply): void {
  client.engine.watches.unwatch(client)
  client.isWatchBroken = false
  reply.ok()
}

export const transactionCommands: readonly CommandSpec[] = [
  {
    name: 'MULTI',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    acl: ['transaction'],
    group: 'transactions',
    since: '1.2.0',
    complexity: 'O(1)',
    summary: 'Begins a transaction: commands are queued from now on.',
    handler: multi,
  },
  {
    name: 'EXEC',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
    acl: ['transaction'],
    group: 'transactions',
    since: '1.2.0',
    complexity: 'Depends on commands in the transaction',
    summary: 'Runs the commands of a transaction as one, unless a watched key has changed.',
    handler: exec,
  },
  {
    name: 'DISCARD',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    acl: ['transaction'],
    group: 'transactions',
    since: '2.0.0',
    complexity: 'O(N), when N is the number of queued commands',
    summary: 'Forgets the commands of a transaction, and the watched keys.',
    handler: discard,
  },
  {
    name: 'WATCH',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: [keyRange(1, -1, 1, 'RO')],
    acl: ['transaction'],
    group: 'transactions',
    since: '2.2.0',
    complexity: 'O(1) for every key.',
    summary: 'Makes the next transaction depend on keys: it is refused when one of them has changed.',
    args: 'key...',
    handler: watch,
  },
  {
    name: 'UNWATCH',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    acl: ['transaction'],
    group: 'transactions',
    since: '2.2.0',
    complexity: 'O(1)',
    summary: 'Forgets all watched keys.',
    handler: unwatch,
  },
]
