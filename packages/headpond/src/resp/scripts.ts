import type { LuaHost, RegisteredFunction, Verdict } from '../scripting/lua-vm.ts'
import { LuaVm, scriptFlag } from '../scripting/lua-vm.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { FunctionLibraries, type LibraryFunction } from './function-libraries.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'
import { replicasRefusal } from './restrictions.ts'
import { type CachedScript, ScriptCache } from './script-cache.ts'
import { readScriptHeader } from './script-header.ts'
import { ScriptRunner } from './script-runner.ts'
import { REDIS_VERSION } from './version.ts'

/**
 * Everything about scripts of one server: those that were loaded, the libraries of functions, and the two Lua states that
 * they run in. A state is made when it is first needed.
 */
export class Scripts {
  readonly runner: ScriptRunner
  readonly libraries: FunctionLibraries
  readonly #engine: RespEngine
  readonly #cache: ScriptCache
  #vm: LuaVm | null = null

  constructor(engine: RespEngine) {
    this.#engine = engine
    this.runner = new ScriptRunner(engine)
    this.#cache = new ScriptCache((bytes, start, end) => engine.store.hash(bytes, start, end))
    this.libraries = new FunctionLibraries((library) => new LuaVm(this.#host(library), STATE_FOR_FUNCTIONS))
  }

  // ---- EVAL and SCRIPT ----

  get count(): number {
    return this.#cache.count
  }

  /** Frees what scripts have left behind, unless that takes long: what INFO tells is not to be garbage. */
  collect(): void {
    if (this.runner.isRunning || this.#vm === null || this.#vm.usedBytes > COLLECTED_BYTES_MAX) return
    this.#vm.collect()
  }

  /** What the state of EVAL takes, and what the sources of its scripts. */
  get vmBytes(): number {
    return this.#vm?.usedBytes ?? 0
  }

  get cacheBytes(): number {
    return this.#cache.memoryBytes
  }

  /** The script with this SHA-1. */
  find(bytes: Uint8Array, start: number, end: number): CachedScript | undefined {
    return this.#cache.find(bytes, start, end)
  }

  /** The script with this source, entered if it is new; or an error. hot: once for each EVAL. */
  load(bytes: Uint8Array, start: number, end: number): CachedScript | string {
    const known = this.#cache.findSource(bytes, start, end)
    if (known !== undefined) return known
    const source = Buffer.from(bytes.subarray(start, end))
    const header = readScriptHeader(source)
    if (typeof header === 'string') return `ERR ${header}`
    const vm = this.#state()
    const reference = vm.compile(source.subarray(header.endsAt))
    if (typeof reference === 'string') return `ERR Error compiling script (new function): ${reference}`
    const script = this.#cache.add(source, header)
    script.vm = vm
    script.reference = reference
    return script
  }

  /** Forgets all scripts. */
  flush(): void {
    this.#cache.clear()
    this.#vm = null
  }

  /** hot: once for each EVAL and EVALSHA. */
  runScript(client: Client, request: Request, reply: Reply, script: CachedScript, keyCount: number): void {
    const refusal = script.flags === null ? null : this.#refusal(client, script.flags)
    if (refusal !== null) return reply.error(refusal)
    const vm = this.#state()
    if (script.vm !== vm) this.#compile(script, vm)
    this.runner.run(client, request, reply, script, keyCount)
  }

  /** Compiles a script that another state knew. */
  #compile(script: CachedScript, vm: LuaVm): void {
    const reference = vm.compile(script.source.subarray(script.codeAt))
    if (typeof reference === 'string') throw new RangeError(`no memory for a script: ${reference}`)
    script.vm = vm
    script.reference = reference
  }

  /** A state that broke, or that a script has blown up, gives way to a new one: scripts leave nothing in it. */
  #state(): LuaVm {
    if (this.#vm !== null && !this.#vm.isBroken && this.#vm.memoryBytes <= STATE_BYTES_KEPT_MAX) return this.#vm
    this.#vm = new LuaVm(this.#host(null), STATE_FOR_SCRIPTS)
    return this.#vm
  }

  // ---- FCALL ----

  /** hot: once for each FCALL. */
  runFunction(client: Client, request: Request, reply: Reply, called: LibraryFunction, keyCount: number): void {
    const refusal = this.#refusal(client, called.flags)
    if (refusal !== null) return reply.error(refusal)
    this.libraries.state() // where `called` is from now on, if the previous one broke
    this.runner.run(client, request, reply, called, keyCount)
  }

  /** Why something with these flags may not run now. The order of the checks is Redis's (script.c, scriptPrepareForRun). */
  #refusal(client: Client, flags: number): string | null {
    if ((flags & scriptFlag.NO_WRITES) !== 0) return null
    const { persistence, memoryLimit } = this.#engine
    if (persistence.writeRefusal !== null) return persistence.scriptRefusal
    if (client.lastCommand!.isReadOnly) return 'ERR Can not execute a script with write flag using *_ro command.'
    const refusal = replicasRefusal(this.#engine.settings)
    if (refusal !== null) return refusal
    return memoryLimit.isOutOfMemory && (flags & scriptFlag.ALLOW_OOM) === 0 ? NO_MEMORY_FOR_SCRIPT : null
  }

  /**
   * A command that may do what this one may, by the flags of the script that it runs: itself if the script has none.
   * EVAL, FCALL and their like are held to this as any command is.
   */
  kindOf(command: Command, request: Request): Command {
    const flags = this.runner.isBusy ? null : this.#flagsOf(command, request)
    if (flags === null) return command
    const { table } = this.#engine
    if ((flags & scriptFlag.NO_WRITES) !== 0) return table.byName('get')!
    return table.byName((flags & scriptFlag.ALLOW_OOM) !== 0 ? 'del' : 'set')!
  }

  #flagsOf(command: Command, request: Request): number | null {
    const { chunk } = request
    const start = request.start(1)
    const end = request.end(1)
    if (command.fullName.startsWith('fcall')) return this.libraries.find(chunk, start, end)?.flags ?? null
    if (command.fullName.startsWith('evalsha')) return this.find(chunk, start, end)?.flags ?? null
    const script = this.load(chunk, start, end)
    return typeof script === 'string' ? null : script.flags
  }

  // ---- What scripts ask for ----

  #host(library: LibraryRegistry | null): LuaHost {
    const { runner } = this
    const { caller } = runner
    const { settings, log } = this.#engine
    return {
      call: (argumentCount, commandNumber) => caller.call(argumentCount, commandNumber),
      mayCall: (argumentCount) => caller.mayCall(argumentCount),
      interrupt: (maySuspend) => library?.loadVerdict() ?? runner.interrupt(maySuspend),
      isLogged: (level) => level >= LOG_LEVELS.indexOf(settings.loglevel),
      log: (level, text) => {
        const message = Buffer.from(text, 'latin1').toString()
        if (level === LOG_WARNING) log.warn(message)
        else log.info(message)
      },
      setProtocol: (protocol) => caller.setProtocol(protocol),
      setReplication: (flags) => {
        caller.replication = flags
      },
      register: (registered) => library!.register(registered),
    }
  }
}

/** What a library that is being loaded does to the host. */
export interface LibraryRegistry {
  register(registered: RegisteredFunction): string | null
  /** Null while nothing is being loaded. */
  loadVerdict(): Verdict | null
}

const NO_MEMORY_FOR_SCRIPT =
  "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
/** redis.LOG_DEBUG is 0. */
const LOG_LEVELS = ['debug', 'verbose', 'notice', 'warning']
const LOG_WARNING = 3
const STATE_FOR_SCRIPTS = { version: REDIS_VERSION, forScripts: true }
const STATE_FOR_FUNCTIONS = { version: REDIS_VERSION, forScripts: false }
const COLLECTED_BYTES_MAX = 2 ** 20
/** Memory of a state never shrinks: one that has become larger than this is thrown away when its script has ended. */
const STATE_BYTES_KEPT_MAX = 64 * 2 ** 20
