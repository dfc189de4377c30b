import type { RdbPersistence } from '../../persistence/rdb/rdb-persistence.ts'
import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { errors } from '../errors.ts'
import { lolwutText } from '../lolwut.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { busyError } from '../script-runner.ts'

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

// ---- Snapshots ----

function lastSave(client: Client, _request: Request, reply: Reply): void {
  reply.integer(Math.floor(client.engine.persistence.rdb.lastSaveAtMs / 1000))
}

function save(client: Client, _request: Request, reply: Reply): void {
  const { persistence } = client.engine
  if (persistence.isEphemeral) return reply.error(errors.NOTHING_ON_DISK)
  if (persistence.rdb.isSaving) return reply.error(SAVING)
  persistence.rdb.saveCount++
  if (persistence.rdb.save()) reply.ok()
  else reply.error(errors.UNSPECIFIED)
}

function backgroundSave(client: Client, request: Request, reply: Reply): void {
  const { persistence } = client.engine
  const isScheduled = request.count === 2 && request.is(1, 'SCHEDULE')
  const isCancelled = request.count === 2 && request.is(1, 'CANCEL')
  if (request.count > 1 && !isScheduled && !isCancelled) return reply.error(errors.SYNTAX)
  if (persistence.isEphemeral) return reply.error(errors.NOTHING_ON_DISK)
  const { rdb, snapshots } = persistence
  if (isCancelled) return cancelBackgroundSave(rdb, reply)
  if (rdb.isSaving) return reply.error(SAVING)
  // Within EXEC it waits for the end of it, so that the snapshot has all of the transaction.
  const isInExec = client.transaction !== null
  if (snapshots.active === null && !isInExec) {
    rdb.saveInBackground()
    return reply.simple('Background saving started')
  }
  if (!isScheduled && !isInExec) {
    return reply.error(
      "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
    )
  }
  rdb.isScheduled = true
  reply.simple('Background saving scheduled')
}

function cancelBackgroundSave(rdb: RdbPersistence, reply: Reply): void {
  if (rdb.isSaving) {
    rdb.abort('a client has cancelled it')
    reply.simple('Background saving cancelled')
  } else if (rdb.isScheduled) {
    rdb.isScheduled = false
    reply.simple('Scheduled background saving cancelled')
  } else {
    reply.error('ERR Background saving is currently not in progress or scheduled')
  }
}

const SAVING = 'ERR Background save already in progress'

function rewriteAppendOnlyFile(client: Client, _request: Request, reply: Reply): void {
  const { persistence } = client.engine
  if (persistence.isEphemeral) return reply.error(errors.NOTHING_ON_DISK)
  const { aof, snapshots } = persistence
  if (aof.isRewriting) return reply.error('ERR Background append only file rewriting already in progress')
  // Within EXEC it waits for the end of it: the file that begins with it is not to have a half of the transaction.
  if (snapshots.active !== null || client.transaction !== null) {
    aof.schedule()
    return reply.simple('Background append only file rewriting scheduled')
  }
  if (aof.rewrite()) reply.simple('Background append only file rewriting started')
  else reply.error("ERR Can't execute an AOF background rewriting. Please check the server logs for more information.")
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
  const { running } = engine.scripts.runner
  // What a script has half done is not to be saved.
  if (running !== null && !words.has('NOSAVE')) return reply.error(busyError(running.isScript))
  engine.log.info('SHUTDOWN was called')
  reply.out.flush()
  const saving = words.has('SAVE') ? 'save' : words.has('NOSAVE') ? 'nosave' : 'default'
  if (!engine.host.shutdown(saving, words.has('FORCE'))) {
    return reply.error('ERR Errors trying to SHUTDOWN. Check logs.')
  }
  // A socket shows by closing that the server has gone; a client in this process has none.
  if (client.connection === null) reply.ok()
  client.closesAfterReply = true
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
    args: '[operation(SCHEDULE@3.2.2 | CANCEL@8.1.0)]',
    history: [
      ['3.2.2', 'Added the `SCHEDULE` option.'],
      ['8.1.0', 'Added the `CANCEL` option.'],
    ],
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
    handler: rewriteAppendOnlyFile,
  },
]
