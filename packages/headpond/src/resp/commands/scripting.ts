import type { Client } from '../client.ts'
import { type CommandSpec, numberedKeys } from '../command.ts'
import { errors } from '../errors.ts'
import { isAsyncFlush } from '../flush-mode.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import type { CachedScript } from '../script-cache.ts'

const NO_SCRIPT = 'NOSCRIPT No matching script. Please use EVAL.'

function evaluate(client: Client, request: Request, reply: Reply): void {
  showMonitors(client, request)
  const keyCount = readKeyCount(request, reply, errors.NOT_AN_INTEGER)
  if (keyCount < 0) return
  const { scripts } = client.engine
  const script = scripts.load(request.chunk, request.start(1), request.end(1))
  if (typeof script === 'string') return reply.errorOfBytes(script)
  scripts.runScript(client, request, reply, script, keyCount)
}

/** hot: what applications send. */
function evaluateSha(client: Client, request: Request, reply: Reply): void {
  showMonitors(client, request)
  const { scripts } = client.engine
  const script: CachedScript | undefined = scripts.find(request.chunk, request.start(1), request.end(1))
  if (script === undefined && request.size(1) !== 40) return reply.error(NO_SCRIPT)
  const keyCount = readKeyCount(request, reply, errors.NOT_AN_INTEGER)
  if (keyCount < 0) return
  if (script === undefined) return reply.error(NO_SCRIPT)
  scripts.runScript(client, request, reply, script, keyCount)
}

/** The number of keys among the arguments; -1 after an error reply. */
export function readKeyCount(request: Request, reply: Reply, notAnInteger: string): number {
  const keyCount = request.integer(2)
  if (keyCount >= 0 && keyCount <= request.count - 3) return keyCount
  if (Number.isNaN(keyCount)) reply.error(notAnInteger)
  else if (keyCount < 0) reply.error("ERR Number of keys can't be negative")
  else reply.error("ERR Number of keys can't be greater than number of args")
  return -1
}

/** A script is shown before the commands that it runs; others are shown when they are over. */
export function showMonitors(client: Client, request: Request): void {
  const { monitors, clock } = client.engine
  if (monitors.count > 0) monitors.show(client, client.lastCommand!, request, clock.nowUs())
}

// ---- SCRIPT ----

function load(client: Client, request: Request, reply: Reply): void {
  const script = client.engine.scripts.load(request.chunk, request.start(2), request.end(2))
  if (typeof script === 'string') reply.errorOfBytes(script)
  else reply.bulkText(script.name)
}

function exists(client: Client, request: Request, reply: Reply): void {
  reply.array(request.count - 2)
  for (let index = 2; index < request.count; index++) {
    const script = client.engine.scripts.find(request.chunk, request.start(index), request.end(index))
    reply.integer(script === undefined ? 0 : 1)
  }
}

function show(client: Client, request: Request, reply: Reply): void {
  const script = client.engine.scripts.find(request.chunk, request.start(2), request.end(2))
  if (script === undefined) reply.error(NO_SCRIPT)
  else reply.bulkBytes(script.source)
}

function flush(client: Client, request: Request, reply: Reply): void {
  // Both modes take no time: the state is left to the garbage collector.
  const isKnown = request.count === 2 || (request.count === 3 && (request.is(2, 'SYNC') || request.is(2, 'ASYNC')))
  if (!isKnown) return reply.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
  const { scripts, store } = client.engine
  store.lazyFree.freedElsewhere(scripts.count, isAsyncFlush(client, request, 2))
  scripts.flush()
  reply.ok()
}

function kill(client: Client, _request: Request, reply: Reply): void {
  const error = client.engine.scripts.runner.kill(true)
  if (error === null) reply.ok()
  else reply.error(error)
}

function debug(_client: Client, request: Request, reply: Reply): void {
  if (request.is(2, 'NO')) reply.ok()
  else if (request.is(2, 'YES') || request.is(2, 'SYNC')) reply.error('ERR This server has no debugger for scripts')
  else reply.error('ERR Use SCRIPT DEBUG YES/SYNC/NO')
}

const HELP = [
  'DEBUG (YES|SYNC|NO)',
  '    Set the debug mode for subsequent scripts executed.',
  'EXISTS <sha1> [<sha1> ...]',
  '    Return information about the existence of the scripts in the script cache.',
  'FLUSH [ASYNC|SYNC]',
  '    Flush the Lua scripts cache. Very dangerous on replicas.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the scripts cache.',
  '    * SYNC: Synchronously flush the scripts cache.',
  'KILL',
  '    Kill the currently executing Lua script.',
  'LOAD <script>',
  '    Load a script into the scripts cache without executing it.',
  'SHOW <sha1>',
  '    Show a script from the scripts cache.',
]

/** What scripts and functions have in common in COMMAND INFO. */
export const WRITING = ['noscript', 'stale', 'skip_monitor', 'may_replicate', 'no_mandatory_keys'] as const
export const READING = ['readonly', 'noscript', 'stale', 'skip_monitor', 'no_mandatory_keys'] as const
const WRITTEN_KEYS = numberedKeys(2, 'RW', 'ACCESS', 'UPDATE')
const READ_KEYS = numberedKeys(2, 'RO', 'ACCESS')
const WRITTEN_NOTES = 'We cannot tell how the keys will be used so we assume the worst, RW and UPDATE'
const READ_NOTES = 'We cannot tell how the keys will be used so we assume the worst, RO and ACCESS'
export const NOTED_WRITTEN_KEYS = { ...WRITTEN_KEYS, notes: WRITTEN_NOTES }
export const NOTED_READ_KEYS = { ...READ_KEYS, notes: READ_NOTES }

const shared = { acl: ['scripting'], group: 'scripting' } as const
const complexity = 'Depends on the script that is executed.'

export const scriptingCommands: readonly CommandSpec[] = [
  {
    ...shared,
    name: 'EVAL',
    arity: -3,
    flags: WRITING,
    keys: [NOTED_WRITTEN_KEYS],
    since: '2.6.0',
    complexity,
    summary: 'Runs a Lua script.',
    args: 'script numkeys [key...] [arg...]',
    handler: evaluate,
  },
  {
    ...shared,
    name: 'EVAL_RO',
    arity: -3,
    flags: READING,
    keys: [NOTED_READ_KEYS],
    since: '7.0.0',
    complexity,
    summary: 'Runs a Lua script that writes nothing.',
    args: 'script numkeys [key...] [arg...]',
    handler: evaluate,
  },
  {
    ...shared,
    name: 'EVALSHA',
    arity: -3,
    flags: WRITING,
    keys: [WRITTEN_KEYS],
    since: '2.6.0',
    complexity,
    summary: 'Runs a Lua script that the server knows, by its SHA-1.',
    args: 'sha1 numkeys [key...] [arg...]',
    handler: evaluateSha,
  },
  {
    ...shared,
    name: 'EVALSHA_RO',
    arity: -3,
    flags: READING,
    keys: [READ_KEYS],
    since: '7.0.0',
    complexity,
    summary: 'Runs a Lua script that the server knows, by its SHA-1, and that writes nothing.',
    args: 'sha1 numkeys [key...] [arg...]',
    handler: evaluateSha,
  },
  {
    name: 'SCRIPT',
    arity: -2,
    flags: [],
    acl: [],
    group: 'scripting',
    since: '2.6.0',
    complexity: 'Depends on subcommand.',
    summary: 'Manages the scripts that the server knows.',
    subcommands: [
      {
        ...shared,
        name: 'DEBUG',
        arity: 3,
        flags: ['noscript'],
        since: '3.2.0',
        complexity: 'O(1)',
        summary: 'Switches debugging of scripts.',
        args: 'mode(YES | SYNC | NO)',
        handler: debug,
      },
      {
        ...shared,
        name: 'EXISTS',
        arity: -3,
        flags: ['noscript'],
        since: '2.6.0',
        complexity:
          'O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).',
        summary: 'Tells which scripts the server knows.',
        tips: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
        args: 'sha1...',
        handler: exists,
      },
      {
        ...shared,
        name: 'FLUSH',
        arity: -2,
        flags: ['noscript'],
        since: '2.6.0',
        complexity: 'O(N) with N being the number of scripts in cache',
        summary: 'Forgets all scripts.',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        history: [['6.2.0', 'Added the `ASYNC` and `SYNC` flushing mode modifiers.']],
        args: '[async(ASYNC | SYNC)@6.2.0]',
        handler: flush,
      },
      helpSubcommand('SCRIPT', { ...shared, since: '5.0.0' }, HELP),
      {
        ...shared,
        name: 'KILL',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        since: '2.6.0',
        complexity: 'O(1)',
        summary: 'Ends the script that is running.',
        tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
        handler: kill,
      },
      {
        ...shared,
        name: 'LOAD',
        arity: 3,
        flags: ['noscript', 'stale'],
        since: '2.6.0',
        complexity: 'O(N) with N being the length in bytes of the script body.',
        summary: 'Makes a script known without running it.',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        args: 'script',
        handler: load,
      },
      {
        ...shared,
        name: 'SHOW',
        arity: 3,
        flags: ['noscript', 'stale'],
        since: '8.0.0',
        complexity: 'O(1)',
        summary: 'Answers the source of a script that the server knows.',
        args: 'sha1',
        handler: show,
      },
    ],
  },
]
