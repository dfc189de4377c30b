import { diskFiles } from '../config/files.ts'
import { AclLog, type DenialContext, type DenialReason } from '../security/acl-log.ts'
import { CommandCatalog, type CommandDescription } from '../security/command-catalog.ts'
import { configurationLines, loadConfiguredUsers } from '../security/configured-users.ts'
import type { Selector } from '../security/selector.ts'
import type { User } from '../security/user.ts'
import { UserDirectory } from '../security/user-directory.ts'
import { AclArguments } from './acl-arguments.ts'
import type { Client } from './client.ts'
import { describeClient } from './client-description.ts'
import type { Command } from './command.ts'
import { ACL_CATEGORIES, aclCategories } from './command-description.ts'
import type { CommandTable } from './command-table.ts'
import type { RespEngine } from './engine.ts'
import type { Request } from './request.ts'
import { UNSERVED_COMMANDS } from './unserved-commands.ts'

/** What a check of a command comes to. Of several selectors that refuse, the one that came nearest tells why. */
export const verdict = { ALLOWED: 0, COMMAND: 1, KEY: 2, CHANNEL: 3 } as const
export type Verdict = (typeof verdict)[keyof typeof verdict]

const REASONS: readonly DenialReason[] = ['command', 'command', 'key', 'channel']

const IN_SCRIPT = [
  '',
  "can't run this command or subcommand",
  "can't access at least one of the keys mentioned in the command arguments",
  "can't publish to the channel mentioned in the command",
]

const SINCE_QUEUED = [
  '',
  'no permission to execute the command or subcommand',
  'no permission to touch the specified keys',
  'no permission to access one of the channels used as arguments',
]

/**
 * Users before the commands of RESP: who a client is, and whether it may run a command with these arguments. A client
 * whose user may do everything is never checked.
 */
export class AccessControl {
  readonly users: UserDirectory
  readonly log: AclLog
  readonly #engine: RespEngine
  readonly #arguments: AclArguments
  /** The argument that the last check refused. */
  deniedIndex = 0

  /** Throws ConfigError when the users of the configuration cannot be had. */
  constructor(engine: RespEngine) {
    const { settings, config, table } = engine
    this.#engine = engine
    this.#arguments = new AclArguments(table)
    this.log = new AclLog(() => settings.acllogMaxLen)
    const context = {
      catalog: catalogOf(table),
      allowsChannelsByDefault: () => settings.aclPubsubDefault === 'allchannels',
    }
    this.users = new UserDirectory(context, config.asksForSasl)
    loadConfiguredUsers(this.users, settings, this.filePath, diskFiles)
    this.users.onChanged = (user) => this.#changed(user)
    this.users.onDeleted = (user) => this.#deleted(user)
    config.onChange('requirepass', (password) => {
      this.users.setDefaultPassword(Buffer.from(password))
      return undefined
    })
    config.rewriteLines('user', () => (this.filePath === undefined ? configurationLines(this.users) : []))
  }

  /** The file of users; undefined when there is none. A relative path begins at `dir`, if that is set. */
  get filePath(): string | undefined {
    const { settings, config } = this.#engine
    return settings.aclfile === '' ? undefined : config.absolutePath(settings.aclfile)
  }

  /** Who connects has to prove who it is first. */
  get requiresPassword(): boolean {
    const { default: user } = this.users
    return !user.isEnabled || !user.credentials.acceptsAny
  }

  // ---- Decisions ----

  /**
   * Whether a user may run a command, by its own permissions and that plainly; if not, `check` tells.
   * hot: once for each command of a restricted user.
   */
  allows(user: User, command: Command, request: Request): boolean {
    const selector = user.selectors[0]
    if (!selector.allowsCommand(command.id)) return false
    const needed = this.#arguments.accessToFirst(command, request)
    return needed >= 0 && selector.allowsKey(request.chunk, request.start(1), request.end(1), needed)
  }

  /**
   * Whether a user may run a command. `first` is the argument that names the command. When not, `deniedIndex` is the
   * key or channel that is the reason.
   * hot: once for each command of a restricted user.
   */
  check(user: User, command: Command, request: Request, first = 0): Verdict {
    if (user.isUnrestricted) return verdict.ALLOWED
    const { selectors } = user
    let result: Verdict = verdict.COMMAND
    let resultIndex = 0
    this.#arguments.begin(command, request, first)
    for (let index = 0; index < selectors.length; index++) {
      this.deniedIndex = 0
      const each = this.#checkSelector(selectors[index], command, request, first)
      if (each === verdict.ALLOWED) return each
      if (each > result || (each === result && this.deniedIndex > resultIndex)) {
        result = each
        resultIndex = this.deniedIndex
      }
    }
    this.deniedIndex = resultIndex
    return result
  }

  #checkSelector(selector: Selector, command: Command, request: Request, first: number): Verdict {
    if (!selector.allowsCommand(command.id) && !command.needsNoAuth) {
      const firstArguments = selector.firstArgumentsOf(command.id)
      if (firstArguments === undefined || request.count < first + 2) return verdict.COMMAND
      if (!firstArguments.includes(request.latin1(first + 1).toLowerCase())) return verdict.COMMAND
    }
    if (!selector.allowsAllKeys) {
      this.deniedIndex = this.#arguments.deniedKey(selector)
      if (this.deniedIndex > 0) return verdict.KEY
    }
    if (!selector.allowsAllChannels) {
      this.deniedIndex = this.#arguments.deniedChannel(selector)
      if (this.deniedIndex > 0) return verdict.CHANNEL
    }
    return verdict.ALLOWED
  }

  /** Whether a user may run a command that reads keys which its arguments do not name. */
  allowsReadingAnyKey(user: User, command: Command, request: Request): boolean {
    if (user.isUnrestricted) return true
    this.#arguments.begin(command, request, 0)
    return user.selectors.some(
      (selector) =>
        selector.allowsReadingAnyKey && this.#checkSelector(selector, command, request, 0) === verdict.ALLOWED,
    )
  }

  // ---- Decisions that are written down, as the error that the client is to read; null when it may ----

  /** A command of a client, to be run or queued. */
  denial(client: Client, command: Command, request: Request): string | null {
    const result = this.check(client.user, command, request)
    if (result === verdict.ALLOWED) return null
    client.lastCommand = command
    this.#note(client, result, command, request, client.transaction === null ? 'toplevel' : 'multi')
    return `NOPERM this user has no permissions to ${describe(result, command)}`
  }

  /** A command that was queued, and that EXEC is about to run. */
  denialInExec(client: Client, command: Command, request: Request): string | null {
    const result = this.check(client.user, command, request)
    if (result === verdict.ALLOWED) return null
    this.#note(client, result, command, request, 'multi')
    return `NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: ${SINCE_QUEUED[result]}`
  }

  /** A command that a script of the client is about to run. */
  denialInScript(client: Client, command: Command, request: Request): string | null {
    const result = this.check(client.user, command, request)
    if (result === verdict.ALLOWED) return null
    this.#note(client, result, command, request, 'lua')
    return `ERR The user executing the script ${IN_SCRIPT[result]}`
  }

  #note(client: Client, result: Verdict, command: Command, request: Request, context: DenialContext): void {
    const object = result === verdict.COMMAND ? command.fullName : request.latin1(this.deniedIndex)
    this.#add(client, REASONS[result], context, object, client.userName)
  }

  /** A wrong name or password; `object` is the command that it came with, as the client wrote it. */
  authenticationFailed(client: Client, userName: string, object: string): void {
    this.#add(client, 'auth', client.transaction === null ? 'toplevel' : 'multi', object, userName)
  }

  #add(client: Client, reason: DenialReason, context: DenialContext, object: string, userName: string): void {
    const nowMs = this.#engine.clock.nowMs()
    this.log.add({ reason, context, object, userName, clientInfo: describeClient(client, nowMs) }, nowMs)
  }

  // ---- Changes of users ----

  #changed(user: User): void {
    for (const client of [...this.#engine.clients.values()]) {
      if (client.user !== user) continue
      client.updateSpecial()
      if (client.isSubscribed && !mayListen(client, user)) this.#engine.kill(client)
    }
  }

  #deleted(user: User): void {
    for (const client of [...this.#engine.clients.values()]) {
      if (client.user !== user) continue
      client.user = this.users.default
      client.isAuthenticated = false
      client.updateSpecial()
      this.#engine.kill(client)
    }
  }
}

/** What DRYRUN and the errors of commands say of a refusal. */
function describe(result: Verdict, command: Command): string {
  if (result === verdict.COMMAND) return `run the '${command.fullName}' command`
  return `access one of the ${result === verdict.KEY ? 'keys' : 'channels'} used as arguments`
}

/** Whether a client may go on listening to all that it listens to. */
function mayListen(client: Client, user: User): boolean {
  const { selectors } = user
  const mayHear = (channel: string) => {
    const bytes = Buffer.from(channel, 'latin1')
    return selectors.some((selector) => selector.allowsChannel(bytes, 0, bytes.length))
  }
  return (
    [...client.patterns].every((pattern) => selectors.some((selector) => selector.allowsChannelPattern(pattern))) &&
    [...client.channels].every(mayHear) &&
    [...client.shardChannels].every(mayHear)
  )
}

/** The commands that rules can name. */
function catalogOf(table: CommandTable): CommandCatalog {
  const served = table.all.map(described)
  const { idEnd } = new CommandCatalog(served, [])
  const unserved = UNSERVED_COMMANDS.map((command, index) => ({ ...command, id: idEnd + index, subcommands: [] }))
  return new CommandCatalog([...served, ...unserved], ACL_CATEGORIES)
}

function described(command: Command): CommandDescription {
  return {
    id: command.id,
    name: command.fullName,
    categories: aclCategories(command),
    subcommands: [...(command.subcommands?.values() ?? [])].map(described),
  }
}
