import { createFunctionsPayload, readFunctionsPayload } from '../../persistence/rdb/functions-payload.ts'
import { SCRIPT_FLAG_NAMES } from '../../scripting/lua-vm.ts'
import type { Client } from '../client.ts'
import type { CommandSpec } from '../command.ts'
import { wrongSubcommandForm } from '../errors.ts'
import { isAsyncFlush } from '../flush-mode.ts'
import type { LibraryFunction, RestorePolicy } from '../function-libraries.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'
import { busyError } from '../script-runner.ts'
import { NOTED_READ_KEYS, NOTED_WRITTEN_KEYS, READING, readKeyCount, showMonitors, WRITING } from './scripting.ts'

/** hot: what applications send. */
function call(client: Client, request: Request, reply: Reply): void {
  showMonitors(client, request)
  const { scripts } = client.engine
  const called = scripts.libraries.find(request.chunk, request.start(1), request.end(1))
  if (called === undefined) return reply.error('ERR Function not found')
  const keyCount = readKeyCount(request, reply, 'ERR Bad number of keys provided')
  if (keyCount >= 0) scripts.runFunction(client, request, reply, called, keyCount)
}

// ---- FUNCTION ----

function load(client: Client, request: Request, reply: Reply): void {
  const last = request.count - 1
  for (let index = 2; index < last; index++) {
    if (!request.is(index, 'REPLACE')) return reply.errorOfBytes(`ERR Unknown option given: ${request.quoted(index)}`)
  }
  const { scripts, store } = client.engine
  const loaded = scripts.libraries.load(request.bytes(last), last > 2)
  if ('error' in loaded) return reply.errorOfBytes(`ERR ${loaded.error}`)
  store.dirtyCount++
  reply.bulkText(loaded.name)
}

function remove(client: Client, request: Request, reply: Reply): void {
  const { scripts, store } = client.engine
  if (!scripts.libraries.delete(request.latin1(2))) return reply.error('ERR Library not found')
  store.dirtyCount++
  reply.ok()
}

function flush(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(wrongSubcommandForm('FUNCTION', request.text(1)))
  // Both modes take no time: the state is left to the garbage collector.
  if (request.count === 3 && !request.is(2, 'SYNC') && !request.is(2, 'ASYNC')) {
    return reply.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
  }
  const { scripts, store } = client.engine
  store.lazyFree.freedElsewhere(scripts.libraries.functionCount, isAsyncFlush(client, request, 2))
  scripts.libraries.flush()
  store.dirtyCount++
  reply.ok()
}

function list(client: Client, request: Request, reply: Reply): void {
  let withCode = false
  let pattern: Uint8Array | null = null
  for (let index = 2; index < request.count; index++) {
    if (!withCode && request.is(index, 'WITHCODE')) {
      withCode = true
    } else if (pattern === null && request.is(index, 'LIBRARYNAME')) {
      if (++index === request.count) return reply.error('ERR library name argument was not given')
      pattern = request.bytes(index)
    } else {
      return reply.errorOfBytes(`ERR Unknown argument ${request.quoted(index)}`)
    }
  }
  const libraries = client.engine.scripts.libraries.list(pattern)
  reply.array(libraries.length)
  for (const { name, code, functions } of libraries) {
    reply.map(withCode ? 4 : 3)
    reply.bulkText('library_name')
    reply.bulkText(name)
    reply.bulkText('engine')
    reply.bulkText('LUA')
    reply.bulkText('functions')
    reply.array(functions.size)
    for (const each of functions.values()) replyFunction(reply, each)
    if (!withCode) continue
    reply.bulkText('library_code')
    reply.bulkBytes(code)
  }
}

function replyFunction(reply: Reply, { name, description, flags }: LibraryFunction): void {
  reply.map(3)
  reply.bulkText('name')
  reply.bulkText(name)
  reply.bulkText('description')
  if (description === null) reply.nil()
  else reply.bulkBytes(Buffer.from(description, 'latin1'))
  reply.bulkText('flags')
  const flagNames = FLAGS_AS_LISTED.filter((flag) => (flags & (1 << SCRIPT_FLAG_NAMES.indexOf(flag))) !== 0)
  reply.set(flagNames.length)
  for (const flag of flagNames) reply.simple(flag)
}

const FLAGS_AS_LISTED = ['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'] as const

function stats(client: Client, _request: Request, reply: Reply): void {
  const { runner, libraries } = client.engine.scripts
  const { running } = runner
  if (running?.isScript) return reply.error(busyError(true))
  reply.map(2)
  reply.bulkText('running_script')
  if (running === null) {
    reply.nil()
  } else {
    const { name, request, durationMs } = running
    reply.map(3)
    reply.bulkText('name')
    reply.bulkText(name)
    reply.bulkText('command')
    reply.array(request.count)
    for (const arg of request.toArray()) reply.bulkBytes(arg)
    reply.bulkText('duration_ms')
    reply.integer(durationMs)
  }
  reply.bulkText('engines')
  reply.map(1)
  reply.bulkText('LUA')
  reply.map(2)
  reply.bulkText('libraries_count')
  reply.integer(libraries.libraryCount)
  reply.bulkText('functions_count')
  reply.integer(libraries.functionCount)
}

function kill(client: Client, _request: Request, reply: Reply): void {
  const error = client.engine.scripts.runner.kill(false)
  if (error === null) reply.ok()
  else reply.error(error)
}

function dump(client: Client, _request: Request, reply: Reply): void {
  const { scripts, settings } = client.engine
  reply.bulkBytes(createFunctionsPayload(scripts.libraries.codes, settings.rdbcompression))
}

function restore(client: Client, request: Request, reply: Reply): void {
  if (request.count > 4) return reply.error(wrongSubcommandForm('FUNCTION', request.text(1)))
  const policy: RestorePolicy | null = request.count === 4 ? readPolicy(request) : 'append'
  if (policy === null) {
    return reply.error('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.')
  }
  const payload = readFunctionsPayload(request.chunk, request.start(2), request.end(2))
  const { scripts, store } = client.engine
  const error = scripts.libraries.restore(payload, policy)
  if (error !== null) return reply.errorOfBytes(`ERR ${error}`)
  store.dirtyCount++
  reply.ok()
}

function readPolicy(request: Request): RestorePolicy | null {
  if (request.is(3, 'APPEND')) return 'append'
  if (request.is(3, 'REPLACE')) return 'replace'
  return request.is(3, 'FLUSH') ? 'flush' : null
}

const HELP = [
  'LOAD [REPLACE] <FUNCTION CODE>',
  '    Create a new library with the given library name and code.',
  'DELETE <LIBRARY NAME>',
  '    Delete the given library.',
  'LIST [LIBRARYNAME PATTERN] [WITHCODE]',
  '    Return general information on all the libraries:',
  '    * Library name',
  '    * The engine used to run the Library',
  '    * Library description',
  '    * Functions list',
  '    * Library code (if WITHCODE is given)',
  '    It also possible to get only function that matches a pattern using LIBRARYNAME argument.',
  'STATS',
  '    Return information about the current function running:',
  '    * Function name',
  '    * Command used to run the function',
  '    * Duration in MS that the function is running',
  '    If no function is running, return nil',
  '    In addition, returns a list of available engines.',
  'KILL',
  '    Kill the current running function.',
  'FLUSH [ASYNC|SYNC]',
  '    Delete all the libraries.',
  '    When called without the optional mode argument, the behavior is determined by the',
  '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
  '    * ASYNC: Asynchronously flush the libraries.',
  '    * SYNC: Synchronously flush the libraries.',
  'DUMP',
  '    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command',
  'RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]',
  '    Restore the libraries represented by the given payload, it is possible to give a restore policy to',
  '    control how to handle existing libraries (default APPEND):',
  '    * FLUSH: delete all existing libraries.',
  '    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.',
  '    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old',
  '      libraries with the new libraries (notice that even on this option there is a chance of failure',
  '      in case of functions name collision with another library).',
]

const shared = { acl: ['scripting'], group: 'scripting', since: '7.0.0' } as const
const complexity = 'Depends on the function that is executed.'
const TO_ALL_SHARDS = ['request_policy:all_shards', 'response_policy:all_succeeded'] as const

export const functionCommands: readonly CommandSpec[] = [
  {
    ...shared,
    name: 'FCALL',
    arity: -3,
    flags: WRITING,
    keys: [NOTED_WRITTEN_KEYS],
    complexity,
    summary: 'Runs a function.',
    args: 'function numkeys [key...] [arg...]',
    handler: call,
  },
  {
    ...shared,
    name: 'FCALL_RO',
    arity: -3,
    flags: READING,
    keys: [NOTED_READ_KEYS],
    complexity,
    summary: 'Runs a function that writes nothing.',
    args: 'function numkeys [key...] [arg...]',
    handler: call,
  },
  {
    name: 'FUNCTION',
    arity: -2,
    flags: [],
    acl: [],
    group: 'scripting',
    since: '7.0.0',
    complexity: 'Depends on subcommand.',
    summary: 'Manages libraries of functions.',
    subcommands: [
      {
        ...shared,
        name: 'DELETE',
        arity: 3,
        flags: ['write', 'noscript'],
        complexity: 'O(1)',
        summary: 'Deletes a library.',
        tips: TO_ALL_SHARDS,
        args: 'library-name',
        handler: remove,
      },
      {
        ...shared,
        name: 'DUMP',
        arity: 2,
        flags: ['noscript'],
        complexity: 'O(N) where N is the number of functions',
        summary: 'Answers all libraries in the form that FUNCTION RESTORE takes.',
        handler: dump,
      },
      {
        ...shared,
        name: 'FLUSH',
        arity: -2,
        flags: ['write', 'noscript'],
        complexity: 'O(N) where N is the number of functions deleted',
        summary: 'Deletes all libraries.',
        tips: TO_ALL_SHARDS,
        args: '[async(ASYNC | SYNC)]',
        handler: flush,
      },
      helpSubcommand('FUNCTION', shared, HELP),
      {
        ...shared,
        name: 'KILL',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        complexity: 'O(1)',
        summary: 'Ends the function that is running.',
        tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
        handler: kill,
      },
      {
        ...shared,
        name: 'LIST',
        arity: -2,
        flags: ['noscript'],
        complexity: 'O(N) where N is the number of functions',
        summary: 'Tells of libraries and their functions.',
        tips: ['nondeterministic_output_order'],
        args: '[LIBRARYNAME library-name-pattern:string] [WITHCODE]',
        handler: list,
      },
      {
        ...shared,
        name: 'LOAD',
        arity: -3,
        flags: ['write', 'denyoom', 'noscript'],
        complexity: 'O(1) (considering compilation time is redundant)',
        summary: 'Makes a library of functions.',
        tips: TO_ALL_SHARDS,
        args: '[REPLACE] function-code',
        handler: load,
      },
      {
        ...shared,
        name: 'RESTORE',
        arity: -3,
        flags: ['write', 'denyoom', 'noscript'],
        complexity: 'O(N) where N is the number of functions on the payload',
        summary: 'Makes the libraries that FUNCTION DUMP has answered.',
        tips: TO_ALL_SHARDS,
        args: 'serialized-value [policy(FLUSH | APPEND | REPLACE)]',
        handler: restore,
      },
      {
        ...shared,
        name: 'STATS',
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        complexity: 'O(1)',
        summary: 'Tells of the function that is running, and of how many there are.',
        tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
        handler: stats,
      },
    ],
  },
]
