import type { Client } from './client.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

/**
 * What a command is: a row of the command table. Dispatch, the arity check, COMMAND, ACL checks, key extraction and the
 * documentation all come from these rows.
 */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'asking'
  | 'fast'
  | 'no_auth'
  | 'may_replicate'
  | 'no_multi'
  | 'no_mandatory_keys'
  | 'allow_busy'
  | 'no_async_loading'
  | 'protected'
  | 'movablekeys'

export type KeyFlag =
  | 'RO'
  | 'RW'
  | 'OW'
  | 'RM'
  | 'ACCESS'
  | 'UPDATE'
  | 'INSERT'
  | 'DELETE'
  | 'not_key'
  | 'incomplete'
  | 'variable_flags'

/** Where keys are among the arguments, in the terms of Redis's key specifications (COMMAND INFO). */
export interface KeySpec {
  readonly begin:
    | { readonly index: number }
    | { readonly keyword: string; readonly startFrom: number }
    | { readonly unknown: true }
  readonly find:
    | { readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly keyNumIndex: number; readonly firstKey: number; readonly step: number }
    | { readonly unknown: true }
  readonly flags: readonly KeyFlag[]
  readonly notes?: string
}

/** A key among the arguments of a request, and what the command does with it. */
export interface KeyPlace {
  readonly index: number
  readonly flags: readonly KeyFlag[]
}

/** One key at a fixed place. */
export function key(index: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { index }, find: { lastKey: 0, step: 1, limit: 0 }, flags }
}

/** Keys from `index` to `last` (relative to it when positive; from the end of the arguments when negative). */
export function keyRange(index: number, last: number, step: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { index }, find: { lastKey: last, step, limit: 0 }, flags }
}

/** As many keys as the argument at `index` says, behind it. */
export function numberedKeys(index: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { index }, find: { keyNumIndex: 0, firstKey: 1, step: 1 }, flags }
}

/** Keys that no rule finds. */
export function unknownKeys(notes: string, ...flags: KeyFlag[]): KeySpec {
  return { begin: { unknown: true }, find: { unknown: true }, flags, notes }
}

export type Handler = (client: Client, request: Request, reply: Reply) => void

export interface CommandSpec {
  /** In upper case; of a subcommand, its own word only. */
  readonly name: string
  /** Arguments with the name: exactly so many, or at least so many when negative. */
  readonly arity: number
  readonly flags: readonly CommandFlag[]
  readonly keys?: readonly KeySpec[]
  /**
   * Finds the keys where `keys` alone cannot: specs that are incomplete, or whose flags depend on the arguments.
   * `first` is the argument that names the command. Null when the arguments make no sense.
   */
  readonly findKeys?: (request: Request, first: number) => readonly KeyPlace[] | null
  /** ACL categories beyond those that follow from the flags: 'string', 'keyspace' ... (without '@'). */
  readonly acl: readonly string[]
  /** Group in the documentation: 'string', 'generic', 'server' ... */
  readonly group: string
  readonly since: string
  readonly complexity: string
  readonly summary: string
  /** COMMAND INFO's tips for clients and proxies. */
  readonly tips?: readonly string[]
  /** COMMAND DOCS: the arguments, in the notation of command-arguments.ts. */
  readonly args?: string
  /** COMMAND DOCS: what changed when. */
  readonly history?: readonly (readonly [version: string, change: string])[]
  readonly docFlags?: readonly ('deprecated' | 'syscmd')[]
  readonly deprecatedSince?: string
  readonly replacedBy?: string
  readonly subcommands?: readonly CommandSpec[]
  /** Absent for a container that is nothing without a subcommand. */
  readonly handler?: Handler
}

const SCRIPT_COMMANDS = new Set(['EVAL', 'EVAL_RO', 'EVALSHA', 'EVALSHA_RO', 'FCALL', 'FCALL_RO'])

/** A row at run time: what dispatch needs, precomputed, and what the server counts. */
export class Command {
  readonly spec: CommandSpec
  readonly id: number
  /** In lower case, with the container: 'client|list'. */
  readonly fullName: string
  readonly parent: Command | null
  readonly subcommands: Map<string, Command> | null
  readonly handler: Handler | null
  readonly arity: number
  readonly isWrite: boolean
  readonly isReadOnly: boolean
  readonly denyOutOfMemory: boolean
  readonly needsNoAuth: boolean
  readonly isFast: boolean
  /** With so many arguments at most it is never slow by itself, so that a sample of such calls tells how long they take. */
  readonly sampledArgumentsMax: number
  readonly isAllowedInMulti: boolean
  readonly isAllowedInLoading: boolean
  readonly isAllowedWhileBusy: boolean
  readonly isRefusedInScripts: boolean
  readonly skipsMonitor: boolean
  readonly skipsSlowLog: boolean
  readonly mayReplicate: boolean
  /** What it does depends on the flags of a script: see Scripts.kindOf. */
  readonly runsScript: boolean

  callCount = 0
  rejectedCount = 0
  failedCount = 0
  /** Calls that were timed, and what they took: long runs of fast commands are sampled (see dispatcher). */
  timedCount = 0
  timedUs = 0
  /** The last call that was timed took a millisecond or more. */
  isLong = false
  #latency: LatencyHistogram | null = null

  constructor(spec: CommandSpec, id: number, parent: Command | null, nextId: () => number) {
    this.spec = spec
    this.id = id
    this.parent = parent
    this.fullName = (parent === null ? spec.name : `${parent.spec.name}|${spec.name}`).toLowerCase()
    this.handler = spec.handler ?? null
    this.arity = spec.arity
    this.isWrite = spec.flags.includes('write')
    this.isReadOnly = spec.flags.includes('readonly')
    this.denyOutOfMemory = spec.flags.includes('denyoom')
    this.needsNoAuth = spec.flags.includes('no_auth')
    this.isFast = spec.flags.includes('fast')
    const isConstantTime = spec.complexity.startsWith('O(1)')
    this.sampledArgumentsMax = isConstantTime ? 2 ** 30 : this.isFast ? Math.abs(spec.arity) : 0
    this.isAllowedInMulti = !spec.flags.includes('no_multi')
    this.isAllowedInLoading = spec.flags.includes('loading')
    this.isAllowedWhileBusy = spec.flags.includes('allow_busy')
    this.isRefusedInScripts = spec.flags.includes('noscript')
    this.skipsMonitor = spec.flags.includes('skip_monitor') || spec.flags.includes('admin')
    this.skipsSlowLog = spec.flags.includes('skip_slowlog')
    this.mayReplicate = spec.flags.includes('may_replicate')
    this.runsScript = SCRIPT_COMMANDS.has(spec.name)
    this.subcommands =
      spec.subcommands === undefined
        ? null
        : new Map(
            spec.subcommands.map(
              (each) => [each.name.toLowerCase(), new Command(each, nextId(), this, nextId)] as const,
            ),
          )
  }

  /** How long the timed calls took. */
  get latency(): LatencyHistogram {
    this.#latency ??= new LatencyHistogram()
    return this.#latency
  }

  /** Microseconds spent in this command: measured where every call was timed, else scaled up from those that were. */
  get totalUs(): number {
    return this.timedCount === 0 ? 0 : Math.round((this.timedUs / this.timedCount) * this.callCount)
  }

  resetStatistics(): void {
    this.callCount = 0
    this.rejectedCount = 0
    this.failedCount = 0
    this.timedCount = 0
    this.timedUs = 0
    this.#latency = null
  }
}

/** A command as people write its name, 'CLIENT LIST' or 'client|list', as `fullName` has it. */
export function fullNameOf(name: string): string {
  return name.toLowerCase().replace(/\s+/, '|')
}
