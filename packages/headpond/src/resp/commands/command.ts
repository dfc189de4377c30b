import { globMatch } from '../../bytes/glob.ts'
import type { Client } from '../client.ts'
import type { Command, CommandSpec, KeyFlag, KeySpec } from '../command.ts'
import { type Argument, parseArguments } from '../command-arguments.ts'
import { aclCategories, legacyKeyRange, shownFlags } from '../command-description.ts'
import { errors } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import { canHaveKeys, keysOf } from '../key-extraction.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

function all(client: Client, _request: Request, reply: Reply): void {
  const commands = client.engine.table.callable
  reply.array(commands.length)
  for (const command of commands) replyInfo(reply, command)
}

function count(client: Client, _request: Request, reply: Reply): void {
  reply.integer(client.engine.table.callable.length)
}

// ---- INFO ----

function info(client: Client, request: Request, reply: Reply): void {
  if (request.count === 2) return all(client, request, reply)
  reply.array(request.count - 2)
  for (let index = 2; index < request.count; index++) {
    const command = client.engine.table.byCall(request.text(index))
    if (command === undefined) reply.nil()
    else replyInfo(reply, command)
  }
}

function replyInfo(reply: Reply, command: Command): void {
  const { firstKey, lastKey, step } = legacyKeyRange(command)
  reply.array(10)
  reply.bulkText(command.fullName)
  reply.integer(command.arity)
  replyWords(reply, shownFlags(command))
  reply.integer(firstKey)
  reply.integer(lastKey)
  reply.integer(step)
  replyWords(
    reply,
    aclCategories(command).map((category) => `@${category}`),
  )
  const { tips = [], keys = [] } = command.spec
  reply.set(tips.length)
  for (const tip of tips) reply.bulkText(tip)
  reply.set(keys.length)
  for (const spec of keys) replyKeySpec(reply, spec)
  const subcommands = [...(command.subcommands?.values() ?? [])]
  // Redis has a set where there is none, and an array otherwise.
  if (subcommands.length === 0) reply.set(0)
  else reply.array(subcommands.length)
  for (const subcommand of subcommands) replyInfo(reply, subcommand)
}

/** A set of simple strings. */
function replyWords(reply: Reply, words: readonly string[]): void {
  reply.set(words.length)
  for (const word of words) reply.simple(word)
}

function replyKeySpec(reply: Reply, { begin, find, flags, notes }: KeySpec): void {
  reply.map(notes === undefined ? 3 : 4)
  if (notes !== undefined) replyTexts(reply, 'notes', notes)
  reply.bulkText('flags')
  replyWords(reply, shownKeyFlags(flags))
  reply.bulkText('begin_search')
  if ('index' in begin) {
    replyNumbers(reply, 'index', { index: begin.index })
  } else if ('unknown' in begin) {
    replyNumbers(reply, 'unknown', {})
  } else {
    replyTyped(reply, 'keyword')
    reply.map(2)
    replyTexts(reply, 'keyword', begin.keyword)
    reply.bulkText('startfrom')
    reply.integer(begin.startFrom)
  }
  reply.bulkText('find_keys')
  if ('lastKey' in find) {
    replyNumbers(reply, 'range', { lastkey: find.lastKey, keystep: find.step, limit: find.limit })
  } else if ('unknown' in find) {
    replyNumbers(reply, 'unknown', {})
  } else {
    replyNumbers(reply, 'keynum', { keynumidx: find.keyNumIndex, firstkey: find.firstKey, keystep: find.step })
  }
}

function shownKeyFlags(flags: readonly KeyFlag[]): string[] {
  return flags.map((flag) => (flag.length === 2 ? flag : flag.toLowerCase()))
}

/** The beginning of `{ type, spec: ... }`. */
function replyTyped(reply: Reply, type: string): void {
  reply.map(2)
  replyTexts(reply, 'type', type)
  reply.bulkText('spec')
}

function replyNumbers(reply: Reply, type: string, numbers: Readonly<Record<string, number>>): void {
  replyTyped(reply, type)
  const entries = Object.entries(numbers)
  reply.map(entries.length)
  for (const [name, value] of entries) {
    reply.bulkText(name)
    reply.integer(value)
  }
}

function replyTexts(reply: Reply, ...texts: readonly string[]): void {
  for (const text of texts) reply.bulkText(text)
}

// ---- DOCS ----

function docs(client: Client, request: Request, reply: Reply): void {
  const { table } = client.engine
  const named = Array.from({ length: request.count - 2 }, (_, index) => table.byCall(request.text(index + 2)))
  const commands = request.count === 2 ? table.callable : named.filter((command) => command !== undefined)
  reply.map(commands.length)
  for (const command of commands) {
    reply.bulkText(command.fullName)
    replyDocs(reply, command)
  }
}

function replyDocs(reply: Reply, command: Command): void {
  const { spec, subcommands } = command
  const fields: (() => void)[] = [
    () => replyTexts(reply, 'summary', spec.summary),
    () => replyTexts(reply, 'since', spec.since),
    () => replyTexts(reply, 'group', spec.group),
  ]
  if (spec.complexity !== '') fields.push(() => replyTexts(reply, 'complexity', spec.complexity))
  const { docFlags, deprecatedSince, replacedBy, history } = spec
  if (docFlags !== undefined) {
    fields.push(() => {
      reply.bulkText('doc_flags')
      replyWords(reply, docFlags)
    })
  }
  if (deprecatedSince !== undefined) fields.push(() => replyTexts(reply, 'deprecated_since', deprecatedSince))
  if (replacedBy !== undefined) fields.push(() => replyTexts(reply, 'replaced_by', replacedBy))
  if (history !== undefined) {
    fields.push(() => {
      reply.bulkText('history')
      reply.set(history.length)
      for (const change of history) reply.texts(change)
    })
  }
  if (spec.args !== undefined) {
    const args = parseArguments(spec.args)
    fields.push(() => replyArguments(reply, args))
  }
  if (subcommands !== null) {
    fields.push(() => {
      reply.bulkText('subcommands')
      reply.map(subcommands.size)
      for (const subcommand of subcommands.values()) {
        reply.bulkText(subcommand.fullName)
        replyDocs(reply, subcommand)
      }
    })
  }
  reply.map(fields.length)
  for (const write of fields) write()
}

function replyArguments(reply: Reply, args: readonly Argument[]): void {
  reply.bulkText('arguments')
  reply.array(args.length)
  for (const { name, type, keySpecIndex, token, since, deprecatedSince, children, ...rest } of args) {
    const flags = [
      ...(rest.isOptional ? ['optional'] : []),
      ...(rest.isMultiple ? ['multiple'] : []),
      ...(rest.repeatsToken ? ['multiple_token'] : []),
    ]
    const optional = [keySpecIndex, token, since, deprecatedSince].filter((value) => value !== undefined)
    reply.map(2 + optional.length + (flags.length > 0 ? 1 : 0) + (children.length > 0 ? 1 : 0))
    replyTexts(reply, 'name', name, 'type', type)
    if (keySpecIndex !== undefined) {
      reply.bulkText('key_spec_index')
      reply.integer(keySpecIndex)
    }
    if (token !== undefined) replyTexts(reply, 'token', token)
    if (since !== undefined) replyTexts(reply, 'since', since)
    if (deprecatedSince !== undefined) replyTexts(reply, 'deprecated_since', deprecatedSince)
    if (flags.length > 0) {
      reply.bulkText('flags')
      replyWords(reply, flags)
    }
    if (children.length > 0) replyArguments(reply, children)
  }
}

// ---- GETKEYS ----

/** The keys of the command that begins at argument 2; undefined when an error has been answered. */
function keysOfArguments(client: Client, request: Request, reply: Reply) {
  const command = client.engine.table.resolve(request, 2)
  const count = request.count - 2
  if (command === undefined) return reply.error('ERR Invalid command specified')
  if (!canHaveKeys(command)) return reply.error('ERR The command has no key arguments')
  if (command.arity > 0 ? count !== command.arity : count < -command.arity) {
    return reply.error('ERR Invalid number of arguments specified for command')
  }
  const keys = keysOf(command, request, 2) ?? []
  if (keys.length === 0 && !command.spec.flags.includes('no_mandatory_keys')) {
    return reply.error('ERR Invalid arguments specified for command')
  }
  return keys
}

function getKeys(client: Client, request: Request, reply: Reply): void {
  const keys = keysOfArguments(client, request, reply)
  if (keys === undefined) return
  reply.array(keys.length)
  for (const { index } of keys) reply.bulk(request.chunk, request.start(index), request.end(index))
}

function getKeysAndFlags(client: Client, request: Request, reply: Reply): void {
  const keys = keysOfArguments(client, request, reply)
  if (keys === undefined) return
  reply.array(keys.length)
  for (const { index, flags } of keys) {
    reply.array(2)
    reply.bulk(request.chunk, request.start(index), request.end(index))
    replyWords(reply, shownKeyFlags(flags))
  }
}

// ---- LIST ----

function list(client: Client, request: Request, reply: Reply): void {
  const { table } = client.engine
  const commands = table.withSubcommands(table.callable)
  if (request.count === 2) return reply.texts(commands.map((command) => command.fullName))
  if (request.count !== 5 || !request.is(2, 'FILTERBY')) return reply.error(errors.SYNTAX)
  if (request.is(3, 'MODULE')) return reply.array(0)
  if (request.is(3, 'ACLCAT')) {
    const category = request.text(4).toLowerCase()
    return reply.texts(
      commands.filter((command) => aclCategories(command).includes(category)).map((command) => command.fullName),
    )
  }
  if (request.is(3, 'PATTERN')) {
    const pattern = request.view(4)
    const isMatch = ({ fullName }: Command) => {
      const name = Buffer.from(fullName)
      return globMatch(pattern, 0, pattern.length, name, 0, name.length, true)
    }
    return reply.texts(commands.filter(isMatch).map((command) => command.fullName))
  }
  reply.error(errors.SYNTAX)
}

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
]

const ANY_TIME = ['loading', 'stale'] as const
const UNORDERED = ['nondeterministic_output_order'] as const

export const commandCommands: readonly CommandSpec[] = [
  {
    name: 'COMMAND',
    arity: -1,
    flags: ANY_TIME,
    acl: ['connection'],
    group: 'server',
    since: '2.8.13',
    complexity: 'O(N) where N is the total number of Redis commands',
    summary: 'Answers what commands there are, and all about them.',
    tips: UNORDERED,
    handler: all,
    subcommands: [
      {
        name: 'COUNT',
        arity: 2,
        flags: ANY_TIME,
        acl: ['connection'],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Answers the number of commands.',
        handler: count,
      },
      {
        name: 'DOCS',
        arity: -2,
        flags: ANY_TIME,
        acl: ['connection'],
        group: 'server',
        since: '7.0.0',
        complexity: 'O(N) where N is the number of commands to look up',
        summary: 'Answers the documentation of some or all commands.',
        args: '[command-name...]',
        tips: UNORDERED,
        handler: docs,
      },
      {
        name: 'GETKEYS',
        arity: -4,
        flags: ANY_TIME,
        acl: ['connection'],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(N) where N is the number of arguments to the command',
        summary: 'Answers which arguments of a command are keys.',
        handler: getKeys,
      },
      {
        name: 'GETKEYSANDFLAGS',
        arity: -4,
        flags: ANY_TIME,
        acl: ['connection'],
        group: 'server',
        since: '7.0.0',
        complexity: 'O(N) where N is the number of arguments to the command',
        summary: 'Answers which arguments of a command are keys, and what is done to them.',
        handler: getKeysAndFlags,
      },
      {
        name: 'INFO',
        arity: -2,
        flags: ANY_TIME,
        acl: ['connection'],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(N) where N is the number of commands to look up',
        summary: 'Answers flags, keys and categories of some or all commands.',
        args: '[command-name...]',
        tips: UNORDERED,
        history: [['7.0.0', 'Allowed to be called with no argument to get info on all commands.']],
        handler: info,
      },
      {
        name: 'LIST',
        arity: -2,
        flags: ANY_TIME,
        acl: ['connection'],
        group: 'server',
        since: '7.0.0',
        complexity: 'O(N) where N is the total number of Redis commands',
        summary: 'Answers the names of commands.',
        args: '[FILTERBY filterby(MODULE module-name | ACLCAT category | PATTERN pattern)]',
        tips: UNORDERED,
        handler: list,
      },
      helpSubcommand('COMMAND', { acl: ['connection'], group: 'server', since: '5.0.0' }, HELP),
    ],
  },
]
