import { randomBytes } from 'node:crypto'
import { diskFiles } from '../../config/files.ts'
import { loadAclFile, saveAclFile } from '../../security/acl-file.ts'
import { ruleErrors } from '../../security/rule-error.ts'
import type { Selector } from '../../security/selector.ts'
import type { User } from '../../security/user.ts'
import type { UserProblem } from '../../security/user-directory.ts'
import { verdict } from '../acl.ts'
import type { Client } from '../client.ts'
import type { CommandFlag, CommandSpec } from '../command.ts'
import { errors, wrongArity, wrongSubcommandForm } from '../errors.ts'
import { helpSubcommand } from '../help.ts'
import type { Reply } from '../reply.ts'
import type { Request } from '../request.ts'

// Names, patterns and rules are texts of one character for each byte.

function bulkOfBytes(reply: Reply, text: string): void {
  reply.bulkBytes(Buffer.from(text, 'latin1'))
}

// ---- Users ----

function setUser(client: Client, request: Request, reply: Reply): void {
  const words = Array.from({ length: request.count - 3 }, (_, index) => request.latin1(index + 3))
  const problem = client.engine.acl.users.set(request.latin1(2), words)
  if (problem === null) reply.ok()
  else reply.errorOfBytes(`ERR ${explain(problem, words)}`)
}

function explain(problem: UserProblem, words: readonly string[]): string {
  switch (problem.kind) {
    case 'name':
      return "Usernames can't contain spaces or null characters"
    case 'parenthesis':
      return `Unmatched parenthesis in acl selector starting at '${words[problem.index]}'.`
    case 'rule':
      return `Error in ACL SETUSER modifier '${problem.rule.split('\0', 1)[0]}': ${ruleErrors[problem.error]}`
  }
}

function deleteUsers(client: Client, request: Request, reply: Reply): void {
  const { users } = client.engine.acl
  const names = Array.from({ length: request.count - 2 }, (_, index) => request.latin1(index + 2))
  if (names.includes(users.default.name)) return reply.error("ERR The 'default' user cannot be removed")
  reply.integer(names.filter((name) => users.delete(name)).length)
}

function getUser(client: Client, request: Request, reply: Reply): void {
  const user = client.engine.acl.users.get(request.latin1(2))
  if (user === undefined) return reply.nil()
  const [own, ...others] = user.selectors
  reply.map(6)
  reply.bulkText('flags')
  reply.set(user.flags.length)
  for (const flag of user.flags) reply.bulkText(flag)
  reply.bulkText('passwords')
  reply.texts(user.credentials.hashes)
  replySelector(reply, own)
  reply.bulkText('selectors')
  reply.array(others.length)
  for (const selector of others) {
    reply.map(3)
    replySelector(reply, selector)
  }
}

function replySelector(reply: Reply, selector: Selector): void {
  reply.bulkText('commands')
  bulkOfBytes(reply, selector.describeCommands())
  reply.bulkText('keys')
  bulkOfBytes(reply, selector.describeKeys())
  reply.bulkText('channels')
  bulkOfBytes(reply, selector.describeChannels())
}

function replyUsers(client: Client, reply: Reply, show: (user: User) => string): void {
  const users = client.engine.acl.users.all()
  reply.array(users.length)
  for (const user of users) bulkOfBytes(reply, show(user))
}

function list(client: Client, _request: Request, reply: Reply): void {
  replyUsers(client, reply, (user) => `user ${user.name} ${user.describe()}`)
}

function listNames(client: Client, _request: Request, reply: Reply): void {
  replyUsers(client, reply, (user) => user.name)
}

function whoAmI(client: Client, _request: Request, reply: Reply): void {
  bulkOfBytes(reply, client.userName)
}

// ---- The file ----

/** The path of the file of users; undefined when there is none, which is answered. */
function filePathOf(client: Client, reply: Reply): string | undefined {
  const { filePath } = client.engine.acl
  if (filePath === undefined) {
    reply.error(
      'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.',
    )
  }
  return filePath
}

function load(client: Client, _request: Request, reply: Reply): void {
  const path = filePathOf(client, reply)
  if (path === undefined) return
  const problems = loadAclFile(client.engine.acl.users, path, diskFiles)
  if (problems === null) reply.ok()
  else reply.errorOfBytes(`ERR ${problems}`)
}

function save(client: Client, _request: Request, reply: Reply): void {
  const path = filePathOf(client, reply)
  if (path === undefined) return
  try {
    saveAclFile(client.engine.acl.users, path, diskFiles)
    reply.ok()
  } catch (error) {
    client.engine.log.error({ err: error, path }, 'cannot write the file of users')
    reply.error('ERR There was an error trying to save the ACLs. Please check the server logs for more information')
  }
}

// ---- What there is to be allowed ----

function categories(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(wrongSubcommandForm('ACL', request.text(1)))
  const { catalog } = client.engine.acl.users
  if (request.count === 2) return reply.texts(catalog.categories)
  const commands = catalog.inCategory(request.text(2))
  if (commands === undefined) return reply.errorOfBytes(`ERR Unknown category '${request.quoted(2, 128)}'`)
  reply.texts(commands.map((command) => command.name))
}

function dryRun(client: Client, request: Request, reply: Reply): void {
  const { acl, table } = client.engine
  const user = acl.users.get(request.latin1(2))
  if (user === undefined) return reply.errorOfBytes(`ERR User '${request.quoted(2)}' not found`)
  const command = table.resolve(request, 3)
  if (command === undefined) return reply.errorOfBytes(`ERR Command '${request.quoted(3)}' not found`)
  const count = request.count - 3
  if (command.arity > 0 ? count !== command.arity : count < -command.arity) {
    return reply.error(wrongArity(command.fullName))
  }
  const result = acl.check(user, command, request, 3)
  if (result === verdict.ALLOWED) reply.ok()
  else if (result === verdict.COMMAND) {
    reply.bulkText(`This user has no permissions to run the '${command.fullName}' command`)
  } else {
    const what = result === verdict.KEY ? 'key' : 'channel'
    bulkOfBytes(reply, `This user has no permissions to access the '${request.latin1(acl.deniedIndex)}' ${what}`)
  }
}

// ---- Passwords ----

const PASSWORD_BITS = 256
const PASSWORD_BITS_MAX = 4096

function generatePassword(_client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(wrongSubcommandForm('ACL', request.text(1)))
  const bits = request.count === 3 ? request.integer(2) : PASSWORD_BITS
  if (Number.isNaN(bits)) return reply.error(errors.NOT_AN_INTEGER)
  if (bits <= 0 || bits > PASSWORD_BITS_MAX) {
    return reply.error(
      `ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ${PASSWORD_BITS_MAX}`,
    )
  }
  // A digit for each four bits, the last of them whole.
  reply.bulkText(
    randomBytes(Math.ceil(bits / 8))
      .toString('hex')
      .slice(0, Math.ceil(bits / 4)),
  )
}

// ---- Refusals ----

const DEFAULT_COUNT = 10

function log(client: Client, request: Request, reply: Reply): void {
  if (request.count > 3) return reply.error(wrongSubcommandForm('ACL', request.text(1)))
  const { acl, clock } = client.engine
  if (request.count === 3 && request.is(2, 'RESET')) {
    acl.log.clear()
    return reply.ok()
  }
  const count = request.count === 3 ? request.integer(2) : DEFAULT_COUNT
  if (Number.isNaN(count)) return reply.error(errors.NOT_AN_INTEGER)
  const entries = acl.log.newest(count)
  reply.array(entries.length)
  for (const entry of entries) {
    reply.map(7)
    reply.bulkText('count')
    reply.integer(entry.count)
    reply.bulkText('reason')
    reply.bulkText(entry.reason)
    reply.bulkText('context')
    reply.bulkText(entry.context)
    reply.bulkText('object')
    bulkOfBytes(reply, entry.object)
    reply.bulkText('username')
    bulkOfBytes(reply, entry.userName)
    reply.bulkText('age-seconds')
    reply.double((clock.nowMs() - entry.lastAtMs) / 1000)
    reply.bulkText('client-info')
    reply.bulkText(entry.clientInfo)
  }
}

const HELP = [
  'CAT [<category>]',
  '    List all commands that belong to <category>, or all command categories',
  '    when no category is specified.',
  'DELUSER <username> [<username> ...]',
  '    Delete a list of users.',
  'DRYRUN <username> <command> [<arg> ...]',
  '    Returns whether the user can execute the given command without executing the command.',
  'GETUSER <username>',
  "    Get the user's details.",
  'GENPASS [<bits>]',
  '    Generate a secure 256-bit user password. The optional `bits` argument can',
  '    be used to specify a different size.',
  'LIST',
  '    Show users details in config file format.',
  'LOAD',
  '    Reload users from the ACL file.',
  'LOG [<count> | RESET]',
  '    Show the ACL log entries.',
  'SAVE',
  '    Save the current config to the ACL file.',
  'SETUSER <username> <attribute> [<attribute> ...]',
  '    Create or modify a user with the specified attributes.',
  'USERS',
  '    List all the registered usernames.',
  'WHOAMI',
  '    Return the current connection username.',
]

const OWN: readonly CommandFlag[] = ['noscript', 'loading', 'stale']
const ADMIN: readonly CommandFlag[] = ['admin', 'noscript', 'loading', 'stale']
const shared = { acl: [], group: 'server', since: '6.0.0', flags: ADMIN } as const
const EVERY_USER = 'O(N). Where N is the number of configured users.'

export const aclCommands: readonly CommandSpec[] = [
  {
    ...shared,
    name: 'ACL',
    arity: -2,
    flags: [],
    complexity: 'Depends on subcommand.',
    summary: 'Users, and what they may do.',
    subcommands: [
      {
        ...shared,
        name: 'SETUSER',
        arity: -3,
        complexity: 'O(N). Where N is the number of rules provided.',
        summary: 'Makes a user, or changes one, by rules: all of them, or none.',
        args: 'username [rule...]',
        history: [
          ['6.2.0', 'Added Pub/Sub channel patterns.'],
          ['7.0.0', 'Added selectors and key based permissions.'],
        ],
        handler: setUser,
      },
      {
        ...shared,
        name: 'GETUSER',
        arity: 3,
        complexity: 'O(N). Where N is the number of password, command and pattern rules that the user has.',
        summary: 'Answers the rules of a user.',
        args: 'username',
        history: [
          ['6.2.0', 'Added Pub/Sub channel patterns.'],
          [
            '7.0.0',
            'Added selectors and changed the format of key and channel patterns from a list to their rule representation.',
          ],
        ],
        handler: getUser,
      },
      {
        ...shared,
        name: 'DELUSER',
        arity: -3,
        complexity: 'O(1) amortized time considering the typical user.',
        summary: 'Deletes users, and closes their connections.',
        args: 'username...',
        handler: deleteUsers,
      },
      {
        ...shared,
        name: 'LIST',
        arity: 2,
        complexity: EVERY_USER,
        summary: 'Answers all users as lines of a configuration.',
        handler: list,
      },
      {
        ...shared,
        name: 'USERS',
        arity: 2,
        complexity: EVERY_USER,
        summary: 'Answers the names of all users.',
        handler: listNames,
      },
      {
        ...shared,
        name: 'WHOAMI',
        arity: 2,
        flags: OWN,
        complexity: 'O(1)',
        summary: 'Answers the user of this connection.',
        handler: whoAmI,
      },
      {
        ...shared,
        name: 'CAT',
        arity: -2,
        flags: OWN,
        complexity: 'O(1) since the categories and commands are a fixed set.',
        summary: 'Answers the categories, or the commands of one.',
        args: '[categoryname]',
        handler: categories,
      },
      {
        ...shared,
        name: 'DRYRUN',
        arity: -4,
        since: '7.0.0',
        complexity: 'O(1).',
        summary: 'Answers whether a user may run a command, without running it.',
        args: 'username command [arg...]',
        handler: dryRun,
      },
      {
        ...shared,
        name: 'GENPASS',
        arity: -2,
        flags: OWN,
        complexity: 'O(1)',
        summary: 'Makes up a password that nobody can guess.',
        args: '[bits:integer]',
        handler: generatePassword,
      },
      {
        ...shared,
        name: 'LOG',
        arity: -2,
        complexity: 'O(N) with N being the number of entries shown.',
        summary: 'Answers what was refused lately.',
        args: '[operation(count:integer | RESET)]',
        handler: log,
      },
      {
        ...shared,
        name: 'LOAD',
        arity: 2,
        complexity: EVERY_USER,
        summary: 'Reads the file of users.',
        handler: load,
      },
      {
        ...shared,
        name: 'SAVE',
        arity: 2,
        complexity: EVERY_USER,
        summary: 'Writes the file of users.',
        handler: save,
      },
      helpSubcommand('ACL', shared, HELP),
    ],
  },
]
