import { performance } from 'node:perf_hooks'
import { isWasmFailure } from '../bytes/web-assembly.ts'
import { type LuaVm, type Outcome, outcome, scriptFlag, type Verdict, verdict } from '../scripting/lua-vm.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'
import type { Restriction } from './restrictions.ts'
import { ScriptCaller } from './script-caller.ts'

/** A script or function that is to run. */
export interface Runnable {
  /** The SHA-1 of a script, the name of a function. */
  readonly name: string
  /** Whether EVAL runs it, rather than FCALL. */
  readonly isScript: boolean
  /** Bits of scriptFlag; null for a script that does not say: older and laxer rules hold for it. */
  readonly flags: number | null
  /** The state in which `reference` is its function. */
  readonly vm: LuaVm | null
  readonly reference: number
}

/**
 * The script that is under way. One object serves all of them in turn: with a new one for each, V8 now and then settled on
 * converting every one of them from one layout to another, which took longer than the script.
 */
class Run {
  isActive = false
  runnable!: Runnable
  client!: Client
  /** That it was called by. */
  command!: Command
  /** The time that all of its commands see. */
  atMs = Number.NaN
  /** By the clock of the machine, as all that follows; NaN until it has been asked for, which few scripts last for. */
  startedAtMs = Number.NaN
  /** Since when nobody else could do anything. */
  heldSinceMs = Number.NaN
  sliceEndsAtMs = Number.NaN
  isSlow = false
  isKilled = false
  /** What asked for it, once it has been suspended: the request itself is gone by then. */
  request: Request | null = null
  /** Whether its client has gone meanwhile. */
  isAbandoned = false
  /** Whether its effects are held back until its end, so that they are repeated as one. */
  holdsPropagation = false

  begin(runnable: Runnable, client: Client, atMs: number): void {
    this.isActive = true
    this.runnable = runnable
    this.client = client
    this.command = client.lastCommand!
    this.atMs = atMs
    this.startedAtMs = Number.NaN
    this.sliceEndsAtMs = Number.NaN
    this.isSlow = false
    this.isKilled = false
    this.request = null
    this.isAbandoned = false
    this.holdsPropagation = false
  }
}

/**
 * Runs scripts, one at a time, and decides what becomes of those that take long.
 *
 * A script runs to its end in one go, as a command does. After `busy-reply-threshold` it is suspended, wherever Lua can
 * suspend it, and goes on in slices between which the server reads requests: they are answered BUSY, but for the few
 * that Redis lets through then (SCRIPT KILL, FUNCTION STATS, SHUTDOWN NOSAVE ...). Nothing else changes data meanwhile, so
 * a suspended script is as atomic as another.
 *
 * Lua cannot be suspended below a C function (pcall, a metamethod, table.sort, string.gsub), in a coroutine of the
 * script, nor by us within EXEC. A script that stays there makes everybody wait, and is ended after twice the threshold;
 * if it has written, which cannot be undone, after twelve times.
 */
export class ScriptRunner {
  readonly caller: ScriptCaller
  readonly #engine: RespEngine
  readonly #run = new Run()
  #restriction: Restriction | null = null
  #isStopped = false
  #continuation: NodeJS.Immediate | null = null

  constructor(engine: RespEngine) {
    this.#engine = engine
    this.caller = new ScriptCaller(engine)
  }

  /** Whether a script waits for its next slice. Nothing but it may look at or change data then. */
  get isBusy(): boolean {
    return this.#restriction !== null
  }

  /** Whether a script is under way, be it suspended. */
  get isRunning(): boolean {
    return this.#run.isActive
  }

  /** The suspended script. */
  get running(): { name: string; isScript: boolean; request: Request; durationMs: number } | null {
    const run = this.#run
    if (!run.isActive || run.request === null) return null
    const durationMs = Math.floor(performance.now() - run.startedAtMs)
    return { name: run.runnable.name, isScript: run.runnable.isScript, request: run.request, durationMs }
  }

  /**
   * Runs a script for the command EVAL, FCALL or their like, whose keys and arguments begin at the third argument.
   * hot: once for each EVALSHA.
   */
  run(client: Client, request: Request, reply: Reply, runnable: Runnable, keyCount: number): void {
    const vm = runnable.vm!
    const { flags } = runnable
    const { caller } = this
    const run = this.#run
    run.begin(runnable, client, this.#engine.store.nowMs)
    caller.begin(client, vm)
    caller.isReadOnly = run.command.isReadOnly || (flags !== null && (flags & scriptFlag.NO_WRITES) !== 0)
    caller.ignoresMemoryLimit = flags !== null && (flags & scriptFlag.ALLOW_OOM) !== 0
    const argumentCount = request.count - FIRST_KEY
    let result: Outcome | null = null
    try {
      vm.passArguments(request.chunk, request.places, FIRST_KEY, argumentCount)
      result = vm.run(runnable.reference, keyCount, argumentCount - keyCount, reply.protocol)
    } catch (error) {
      this.#broke(error)
      if (caller.isInCommand) {
        run.isActive = false
        caller.end()
        throw error // as from any command
      }
    }
    if (result === outcome.SUSPENDED) return this.#suspend(request)
    client.propagateAs() // nothing but what the script's commands said, also when that was nothing (redis.set_repl)
    this.#finish(result, reply)
  }

  /** SCRIPT KILL, FUNCTION KILL. Returns why not, or null. */
  kill(asScript: boolean): string | null {
    const run = this.#run
    if (!run.isActive) return 'NOTBUSY No scripts in execution right now.'
    if (this.caller.hasWritten) {
      return 'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.'
    }
    if (asScript !== run.runnable.isScript) return busyError(run.runnable.isScript)
    run.isKilled = true
    return null
  }

  /** The server ends: a suspended script stays where it is. */
  stop(): void {
    this.#isStopped = true
    if (this.#continuation !== null) clearImmediate(this.#continuation)
  }

  // ---- While a script runs ----

  /** Once in 100,000 instructions. */
  interrupt(maySuspend: boolean): Verdict {
    const run = this.#run
    if (run.isKilled) return verdict.KILLED_BY_USER
    const thresholdMs = this.#engine.settings.busyReplyThreshold
    if (thresholdMs === 0) return verdict.GO_ON
    const nowMs = performance.now()
    if (Number.isNaN(run.startedAtMs)) run.startedAtMs = run.heldSinceMs = nowMs
    if (nowMs - run.startedAtMs < thresholdMs) return verdict.GO_ON
    if (!run.isSlow) this.#noteSlow(nowMs)
    if (maySuspend && !run.client.deniesBlocking) {
      return nowMs < run.sliceEndsAtMs ? verdict.GO_ON : verdict.SUSPEND
    }
    const limitMs = thresholdMs * (this.caller.hasWritten ? HELD_THRESHOLDS_WRITTEN : HELD_THRESHOLDS)
    return nowMs - run.heldSinceMs < limitMs ? verdict.GO_ON : verdict.KILLED_BY_LIMIT
  }

  #noteSlow(nowMs: number): void {
    const run = this.#run
    run.isSlow = true
    const { name, isScript } = run.runnable
    const elapsedMs = Math.floor(nowMs - run.startedAtMs)
    const killer = isScript ? 'SCRIPT KILL' : 'FUNCTION KILL'
    this.#engine.log.warn(
      `Slow script detected: still in execution after ${elapsedMs} milliseconds. You can try killing the script using the ${killer} command. Script name is: ${name}.`,
    )
  }

  // ---- Suspension ----

  #suspend(request: Request): void {
    const run = this.#run
    const { restrictions, propagation, propagates } = this.#engine
    run.request = request.copy()
    if (propagates) {
      run.holdsPropagation = true
      propagation.begin()
      propagation.replace(0, []) // EVAL itself is not repeated
    }
    const error = busyError(run.runnable.isScript)
    this.#restriction = (client, command) =>
      command.isAllowedWhileBusy || client === this.caller.client ? null : error
    restrictions.set(this.#restriction, true)
    this.#engine.waiting.begin(run.client, 0, {
      onTimeout: () => {},
      cancel: () => {
        run.isAbandoned = true
      },
      isUnblockable: false,
    })
    this.#continueSoon()
  }

  #continueSoon(): void {
    if (!this.#isStopped) this.#continuation = setImmediate(() => this.#continue())
  }

  #continue(): void {
    const run = this.#run
    const { store } = this.#engine
    store.setNow(run.atMs)
    run.heldSinceMs = performance.now()
    run.sliceEndsAtMs = run.heldSinceMs + SLICE_MS
    let result: Outcome | null = null
    try {
      result = run.runnable.vm!.resume()
    } catch (error) {
      this.#broke(error)
      if (this.caller.isInCommand) {
        this.#engine.propagation.aborted()
        run.holdsPropagation = false
      }
    }
    if (result === outcome.SUSPENDED) return this.#continueSoon()
    const { restrictions, blocking, propagation, clock } = this.#engine
    if (run.holdsPropagation) propagation.endServed(run.client)
    restrictions.set(this.#restriction!, false)
    this.#restriction = null
    if (run.isAbandoned) this.#finish(result, null)
    else this.#engine.waiting.end(run.client, (reply) => this.#finish(result, reply))
    store.setNow(clock.nowMs())
    if (blocking.hasReady) blocking.serve()
  }

  // ---- The end ----

  /**
   * A state that has run out of memory or of stack cannot be used again, nor one that an exception of a command passed
   * through. What else is thrown is a defect of ours.
   */
  #broke(error: unknown): void {
    if (!isWasmFailure(error)) throw error
    this.#engine.log.error({ err: error }, 'a Lua state broke, and is replaced')
  }

  /** Answers. Without a reply nobody wants to know. */
  #finish(result: Outcome | null, reply: Reply | null): void {
    const run = this.#run
    const { name } = run.runnable
    const vm = run.runnable.vm!
    run.isActive = false
    run.request = null
    this.caller.end()
    if (reply === null) return
    if (result === outcome.DONE) return reply.rawRange(vm.memory, vm.replyStart, vm.replyEnd)
    if (result === null) return reply.error(`ERR Error running script ${name}, not enough memory`)
    if (result === outcome.ERROR_REPLY) {
      const isCounted = vm.replyIsCounted
      return this.#error(reply, vm.memory.toString('latin1', vm.replyStart + 1, vm.replyEnd - 2), isCounted)
    }
    const { message, plain, where, isCounted } = vm.failure()
    if (plain !== null) return reply.error(`ERR Error running script ${name}, ${plain}`)
    const suffix = where === null ? '' : ` script: ${name}, on ${where}.`
    this.#error(reply, `${message ?? 'ERR the error of the script has no message'}${suffix}`, isCounted)
  }

  /** An error that was counted when a command failed counts for EVAL's row alone. */
  #error(reply: Reply, text: string, isCounted: boolean): void {
    if (!isCounted) return reply.errorOfBytes(text)
    this.#run.command.failedCount++
    reply.raw(Buffer.from(`-${text.replace(/[\r\n]/g, ' ')}\r\n`, 'latin1'))
  }
}

/** Where keys begin in EVAL and FCALL. */
const FIRST_KEY = 3
/** How long others wait for a slice of a suspended script. */
const SLICE_MS = 10
/** So many times `busy-reply-threshold` a script may hold up everybody, before and after it has written. */
const HELD_THRESHOLDS = 2
const HELD_THRESHOLDS_WRITTEN = 12

/** What others are told while a script is suspended. */
export function busyError(isScript: boolean): string {
  const killer = isScript ? 'SCRIPT KILL' : 'FUNCTION KILL'
  return `BUSY Redis is busy running a script. You can only call ${killer} or SHUTDOWN NOSAVE.`
}
