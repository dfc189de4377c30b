import { OutputBuffer, type OutputSink } from '../net/output-buffer.ts'
import type { LuaVm } from '../scripting/lua-vm.ts'
import { verdict } from './acl.ts'
import { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { errors } from './errors.ts'
import { Reply } from './reply.ts'
import { Request } from './request.ts'
import { replicasRefusal } from './restrictions.ts'

/**
 * Runs the commands that a script calls: those of redis.call. They are a client's commands like any other, with a client
 * of their own, which has the user and the database of whoever sent the script.
 *
 * Neither arguments nor replies are copied: the request's chunk is the memory of the Lua state, and the reply is
 * written there too, where it is converted.
 */
export class ScriptCaller {
  readonly client: Client
  /** The script may not write: EVAL_RO, FCALL_RO, the flag no-writes. */
  isReadOnly = false
  /** The script may write although memory is used up. */
  ignoresMemoryLimit = false
  /** Switched by DEBUG SET-DISABLE-DENY-SCRIPTS, for tests: scripts may run commands that are refused to them. */
  allowsEveryCommand = false
  /** A command that writes was called: from then on the script must be let end. */
  hasWritten = false
  /** A command that reads was called. */
  hasRead = false
  /** Set by redis.set_repl: which of AOF (1) and replicas (2) the effects of its writes go to. */
  replication = REPLICATE_TO_ALL
  /** A command runs; or it was left by an exception, since the machine refused memory. */
  isInCommand = false

  readonly #engine: RespEngine
  readonly #request = new Request()
  readonly #out = new OutputBuffer(0)
  readonly #reply = new Reply(this.#out)
  readonly #overflow = new Overflow()
  #vm: LuaVm | null = null
  /** Commands by the numbers that Lua states know their names by, so that a name is looked up once. */
  readonly #numbered: (Command | null)[] = [null]

  constructor(engine: RespEngine) {
    this.#engine = engine
    this.client = new Client(0, engine, this.#overflow, null)
    this.client.deniesBlocking = true
    this.#out.attach(this.#overflow)
    this.#reply.errors = engine.statistics.errors
    // The engine tells by this count which command has failed: it must never be that of another client's reply.
    this.#reply.errorCount = 2 ** 40
  }

  /** From now on commands are those of a script that `client` has sent, running in `vm`. */
  begin(client: Client, vm: LuaVm): void {
    const own = this.client
    own.scriptOf = client
    own.user = client.user
    own.database = client.database
    own.protocol = 2
    this.#reply.protocol = 2
    this.hasWritten = false
    this.hasRead = false
    this.isInCommand = false
    this.replication = REPLICATE_TO_ALL
    this.#vm = vm
  }

  end(): void {
    this.client.scriptOf = null
    this.#overflow.take()
    this.#vm = null
    this.#request.chunk = NO_BYTES
  }

  setProtocol(protocol: number): void {
    this.client.protocol = protocol
    this.#reply.protocol = protocol
  }

  /** hot: once for each redis.call. See LuaHost. */
  call(argumentCount: number, commandNumber: number): number {
    const vm = this.#vm!
    const out = this.#out
    const request = this.#describe(vm, argumentCount)
    const area = vm.replyArea
    out.u8 = area
    out.at = 0
    out.end = area.length
    this.isInCommand = true
    const named = commandNumber === 0 ? this.#findNamed(vm, request) : this.#numbered[commandNumber]
    this.#run(named, request, this.#reply)
    this.isInCommand = false
    if (out.u8 === area && this.#overflow.isEmpty) {
      vm.replyIsInArea()
      return out.at
    }
    out.flush()
    return vm.passLargeReply(this.#overflow.take())
  }

  /** For redis.acl_check_cmd. */
  mayCall(argumentCount: number): boolean | null {
    const request = this.#describe(this.#vm!, argumentCount)
    const command = subcommandOf(this.#findName(request), request)
    if (command === null) return null
    return this.#engine.acl.check(this.client.user, command, request) === verdict.ALLOWED
  }

  #describe(vm: LuaVm, argumentCount: number): Request {
    vm.refresh()
    const request = this.#request
    request.chunk = vm.memory
    request.places = vm.places
    request.count = argumentCount
    return request
  }

  #findName(request: Request): Command | null {
    return this.#engine.table.find(request.chunk, request.start(0), request.end(0))
  }

  /** As #findName, for a name that a state asks for the first time: gives it the command's number. */
  #findNamed(vm: LuaVm, request: Request): Command | null {
    const command = this.#findName(request)
    if (command === null) return null
    let commandNumber = this.#numbered.indexOf(command)
    if (commandNumber < 0 && this.#numbered.length <= COMMAND_NUMBER_MAX) {
      commandNumber = this.#numbered.push(command) - 1
    }
    if (commandNumber > 0) vm.nameCommand(commandNumber)
    return command
  }

  /** The order of the checks is Redis's (script.c, scriptCall). */
  #run(named: Command | null, request: Request, reply: Reply): void {
    const command = subcommandOf(named, request)
    const error = command === null ? 'ERR Unknown Redis command called from script' : this.#refusal(command, request)
    if (error !== null) {
      if (command !== null) command.rejectedCount++
      reply.error(error)
      return
    }
    if (command!.isWrite) this.hasWritten = true
    if (command!.isReadOnly) this.hasRead = true
    const engine = this.#engine
    const { client } = this
    if ((this.replication & REPLICATE_TO_AOF) !== 0) {
      engine.call(client, command!, request, reply, false)
    } else {
      const { propagates } = engine
      engine.propagates = false
      engine.call(client, command!, request, reply, false)
      engine.propagates = propagates
    }
    const caller = client.scriptOf!
    if (caller.tracker !== null) engine.tracking.remember(caller, command!, request)
  }

  #refusal(command: Command, request: Request): string | null {
    const { arity, isWrite } = command
    if (arity > 0 ? request.count !== arity : request.count < -arity) {
      return 'ERR Wrong number of args calling Redis command from script'
    }
    if (command.isRefusedInScripts && (!this.allowsEveryCommand || command.runsScript))
      return 'ERR This Redis command is not allowed from script'
    const { client } = this
    if (!client.user.isUnrestricted) {
      const denial = this.#engine.acl.denialInScript(client, command, request)
      if (denial !== null) return denial
    }
    if (this.isReadOnly && (isWrite || command.mayReplicate)) {
      return 'ERR Write commands are not allowed from read-only scripts.'
    }
    // A script that has begun to write may go on, since that cannot be undone.
    if (this.hasWritten) return null
    const { persistence, memoryLimit, settings } = this.#engine
    if (isWrite) {
      const refusal = persistence.writeRefusal ?? replicasRefusal(settings)
      if (refusal !== null) return refusal
    }
    const lacksMemory = command.denyOutOfMemory && memoryLimit.isOutOfMemory && !this.ignoresMemoryLimit
    return lacksMemory ? errors.OUT_OF_MEMORY : null
  }
}

/** What the request is for: a command, or its subcommand if it has some. */
function subcommandOf(command: Command | null, request: Request): Command | null {
  if (command === null || command.subcommands === null || request.count === 1) return command
  return command.subcommands.get(request.text(1).toLowerCase()) ?? null
}

/** A state keeps the number in a byte. */
const COMMAND_NUMBER_MAX = 255
/** redis.REPL_AOF, redis.REPL_ALL. */
const REPLICATE_TO_AOF = 1
const REPLICATE_TO_ALL = 3
const NO_BYTES = Buffer.alloc(0)

/** What of a reply does not fit into the area that it is written to. */
class Overflow implements OutputSink {
  #pieces: Buffer[] = []

  get isEmpty(): boolean {
    return this.#pieces.length === 0
  }

  write(bytes: Uint8Array): boolean {
    this.#pieces.push(Buffer.from(bytes))
    return true
  }

  take(): Buffer[] {
    const pieces = this.#pieces
    this.#pieces = []
    return pieces
  }
}
