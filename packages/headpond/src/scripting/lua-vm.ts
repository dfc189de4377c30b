import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { copyBytes } from '../bytes/copy.ts'
import { Instance, Module, type WasmImports, type WasmMemory, type WasmModule } from '../bytes/web-assembly.ts'

/**
 * One Lua state in an instance of lua/lua.wasm, with memory of its own. What is inside is described in
 * lua/src/headpond.c; here are the border's two sides: running scripts, and what they ask of the host.
 *
 * Nothing crosses the border but numbers. Arguments and replies are bytes in the instance's memory, which `memory`,
 * `places` and `replyArea` show; whenever the memory has grown these are new views.
 *
 * A state may break (its memory is used up, or its stack): then `isBroken`, and it can only be thrown away.
 */
export class LuaVm {
  /** All memory of the instance. */
  memory: Buffer = NO_BYTES
  /** Where the arguments of the command that a script calls begin and end in `memory`. */
  places = new Int32Array(0)
  /** Where the host writes the reply to a command, unless it is larger. */
  replyArea: Buffer = NO_BYTES
  isBroken = false

  readonly #exports: LuaExports
  #shared = new Int32Array(0)
  #placesAt = 0
  /** Where `replyArea` begins in `memory`. */
  #replyAreaAt = 0
  #inputAt = 0
  #inputBytes = 0
  readonly #forScripts: boolean

  constructor(host: LuaHost, options: { readonly version: string; readonly forScripts: boolean }) {
    this.#forScripts = options.forScripts
    const instance = new Instance(compiledModule(), { host: this.#imports(host) })
    this.#exports = instance.exports as unknown as LuaExports
    this.#refresh()
    const version = Buffer.from(`${options.version}\0`)
    const versionAt = this.#input(version.length)
    this.memory.set(version, versionAt)
    if (this.#exports.hp_open(versionAt, versionNumber(options.version), options.forScripts ? 1 : 0) === 0) {
      throw new RangeError('no memory for a Lua state')
    }
    this.#refresh()
  }

  /** What the state itself holds. */
  get usedBytes(): number {
    return this.#shared[shared.USED_BYTES]
  }

  /** What the instance takes of the process, given back only with the whole of it. */
  get memoryBytes(): number {
    return this.memory.length
  }

  // ---- Functions ----

  /** Compiles a script. Returns a reference to its function, or Lua's error text. */
  compile(source: Uint8Array): number | string {
    const reference = this.#guard(() => this.#exports.hp_compile(0, this.#passSource(source)))
    return reference === 0 ? this.#output() : reference
  }

  /** Runs a source as a library, which registers its functions with the host. */
  loadLibrary(source: Uint8Array): { readonly failed: 'to compile' | 'to run'; readonly message: string } | null {
    const failure = this.#guard(() => this.#exports.hp_load_library(0, this.#passSource(source)))
    if (failure === 0) return null
    return { failed: failure === 1 ? 'to compile' : 'to run', message: this.#output() }
  }

  release(reference: number): void {
    if (!this.isBroken) this.#exports.hp_release(reference)
  }

  /** Gives back all memory that is no longer used to the state. */
  collect(): void {
    if (!this.isBroken) this.#exports.hp_collect()
  }

  // ---- Runs ----

  /**
   * Copies the arguments of a run: `count` of them, at the places from `first` on of a chunk in which they lie in order.
   * hot: once for each run of a script.
   */
  passArguments(chunk: Uint8Array, places: Int32Array, first: number, count: number): void {
    if (count === 0) return
    const start = places[first * 2]
    const end = places[(first + count) * 2 - 1]
    const at = this.#input(end - start)
    if (count > this.#shared[shared.PLACES_CAPACITY]) {
      if (this.#exports.hp_places(count) === 0) throw new RangeError('no memory for the arguments of a script')
      this.refresh()
    }
    copyBytes(chunk, start, end, this.memory, at)
    const own = this.places
    const shift = at - start
    for (let index = 0; index < count * 2; index++) own[index] = places[first * 2 + index] + shift
  }

  /** Runs a function with the arguments passed before; the reply is encoded for clients of `protocol`. */
  run(reference: number, keyCount: number, argumentCount: number, protocol: number): Outcome {
    this.isBroken = true // unless it ends as it should: an exception passes the line below
    const result = this.#exports.hp_run(reference, keyCount, argumentCount, protocol, this.#forScripts ? 1 : 0)
    this.isBroken = false
    this.refresh()
    return result as Outcome
  }

  /** Goes on with a suspended script. */
  resume(): Outcome {
    this.isBroken = true
    const result = this.#exports.hp_resume()
    this.isBroken = false
    this.refresh()
    return result as Outcome
  }

  /** Where the reply of a run that has ended begins and ends in `memory`. */
  get replyStart(): number {
    return this.#shared[shared.OUTPUT_AT]
  }

  get replyEnd(): number {
    return this.#shared[shared.OUTPUT_AT] + this.#shared[shared.OUTPUT_BYTES]
  }

  /** Of an ERROR_REPLY: see ScriptFailure. */
  get replyIsCounted(): boolean {
    return this.#shared[shared.IS_COUNTED] !== 0
  }

  /** Why a run failed. */
  failure(): ScriptFailure {
    const text = this.#output('latin1')
    const messageBytes = this.#shared[shared.MESSAGE_BYTES]
    const sourceBytes = this.#shared[shared.SOURCE_BYTES]
    const lineBytes = this.#shared[shared.LINE_BYTES]
    const isCounted = this.#shared[shared.IS_COUNTED] !== 0
    if (messageBytes < 0 && sourceBytes < 0) return { message: null, plain: text, where: null, isCounted }
    const sourceAt = Math.max(0, messageBytes)
    const lineAt = sourceAt + Math.max(0, sourceBytes)
    const message = messageBytes < 0 ? null : text.slice(0, sourceAt)
    const where = sourceBytes < 0 || lineBytes < 0 ? null : `${text.slice(sourceAt, lineAt)}:${text.slice(lineAt)}`
    return { message, plain: null, where, isCounted }
  }

  // ---- Replies to commands ----

  /** To be called before anything is read or written here after the state has run: its memory may have moved. */
  refresh(): void {
    if (this.memory.length === 0 || this.#placesAt !== this.#shared[shared.PLACES_AT]) this.#refresh()
  }

  /** Says that the reply to the command is in `replyArea`. */
  replyIsInArea(): void {
    this.#shared[shared.REPLY_AT] = this.#replyAreaAt
  }

  /** Says by which number `call` may be given the command from now on that it has just been asked for without one. */
  nameCommand(commandNumber: number): void {
    this.#shared[shared.COMMAND] = commandNumber
  }

  /** Takes a reply in pieces that is too large for `replyArea`. Returns its size. */
  passLargeReply(pieces: readonly Uint8Array[]): number {
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const at = this.#exports.hp_large_reply(sizeBytes)
    this.refresh()
    if (at === 0) throw new RangeError('a reply is too large for a script')
    let end = at
    for (const piece of pieces) {
      this.memory.set(piece, end)
      end += piece.length
    }
    this.#shared[shared.REPLY_AT] = at
    return sizeBytes
  }

  // ---- The border ----

  #imports(host: LuaHost): WasmImports {
    return {
      // The function that calls this takes its stack pointer back when it returns.
      try: (f: number, state: number, data: number) => {
        try {
          this.#exports.hp_invoke(f, state, data)
        } catch (error) {
          if (error !== LUA_ERROR) throw error
        }
      },
      throw: () => {
        throw LUA_ERROR
      },
      call: (argumentCount: number, commandNumber: number) => host.call(argumentCount, commandNumber),
      mayCall: (argumentCount: number) => {
        const answer = host.mayCall(argumentCount)
        return answer === null ? -1 : answer ? 1 : 0
      },
      interrupt: (maySuspend: number) => host.interrupt(maySuspend !== 0),
      isLogged: (level: number) => (host.isLogged(level) ? 1 : 0),
      log: (level: number, at: number, sizeBytes: number) => host.log(level, this.#text(at, sizeBytes)),
      sha1hex: (at: number, sizeBytes: number, digestAt: number) => {
        this.refresh()
        const digest = createHash('sha1')
          .update(this.memory.subarray(at, at + sizeBytes))
          .digest('hex')
        this.memory.write(digest, digestAt, 'latin1')
      },
      clock: () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / 1e6
      },
      setProtocol: (protocol: number) => host.setProtocol(protocol),
      setReplication: (flags: number) => host.setReplication(flags),
      register: (
        reference: number,
        flags: number,
        nameAt: number,
        nameBytes: number,
        at: number,
        sizeBytes: number,
      ) => {
        const error = host.register({
          reference,
          flags,
          name: this.#text(nameAt, nameBytes),
          description: sizeBytes < 0 ? null : this.#text(at, sizeBytes),
        })
        return error === null ? 0 : this.replyArea.write(error, 'latin1')
      },
    }
  }

  #refresh(): void {
    const { memory, hp_shared, hp_reply_area, hp_reply_area_bytes } = this.#exports
    const { buffer } = memory
    this.memory = Buffer.from(buffer)
    this.#replyAreaAt = hp_reply_area()
    this.replyArea = Buffer.from(buffer, this.#replyAreaAt, hp_reply_area_bytes())
    this.#shared = new Int32Array(buffer, hp_shared(), SHARED_COUNT)
    this.#placesAt = this.#shared[shared.PLACES_AT]
    this.places = new Int32Array(buffer, this.#placesAt, this.#shared[shared.PLACES_CAPACITY] * 2)
  }

  /** Room for input, as a place in `memory`. */
  #input(sizeBytes: number): number {
    if (sizeBytes <= this.#inputBytes) return this.#inputAt
    const at = this.#exports.hp_input(Math.max(sizeBytes, INPUT_BYTES_MIN))
    if (at === 0) throw new RangeError('no memory for the input of a script')
    this.#inputAt = at
    this.#inputBytes = Math.max(sizeBytes, INPUT_BYTES_MIN)
    this.refresh()
    return at
  }

  #passSource(source: Uint8Array): number {
    // In this order: making room may move the memory, and `memory` is then another.
    const at = this.#input(source.length)
    this.memory.set(source, at)
    return source.length
  }

  /** An exception that is no error of Lua's leaves a state behind that nobody knows. */
  #guard(work: () => number): number {
    this.isBroken = true
    const result = work()
    this.isBroken = false
    this.refresh()
    return result
  }

  #output(encoding: 'utf8' | 'latin1' = 'latin1'): string {
    return this.memory.toString(encoding, this.replyStart, this.replyEnd)
  }

  /** A character for each byte. */
  #text(at: number, sizeBytes: number): string {
    this.refresh()
    return this.memory.toString('latin1', at, at + sizeBytes)
  }
}

/** What scripts ask of the world. Texts have a character for each byte. */
export interface LuaHost {
  /**
   * Runs the command whose arguments are at `places` in `memory`, and puts its reply, in RESP, into `replyArea`, or
   * calls `passLargeReply`. Returns the reply's size. The command is the one that was numbered so by `nameCommand`, unless
   * the number is 0.
   */
  call(argumentCount: number, commandNumber: number): number
  /** Whether the user may run such a command; null when there is none of that name. */
  mayCall(argumentCount: number): boolean | null
  /** Asked every 100,000 instructions. */
  interrupt(maySuspend: boolean): Verdict
  isLogged(level: number): boolean
  log(level: number, text: string): void
  /** redis.setresp: the protocol of replies to this script's commands. */
  setProtocol(protocol: number): void
  /** redis.set_repl: 1 for the AOF, 2 for replicas. */
  setReplication(flags: number): void
  /** A library registers a function. Returns an error text, or null. */
  register(registered: RegisteredFunction): string | null
}

export interface RegisteredFunction {
  /** For `run`. */
  readonly reference: number
  /** Bits in the order of SCRIPT_FLAG_NAMES. */
  readonly flags: number
  readonly name: string
  readonly description: string | null
}

export const SCRIPT_FLAG_NAMES = [
  'no-writes',
  'allow-oom',
  'allow-stale',
  'no-cluster',
  'allow-cross-slot-keys',
] as const
export const scriptFlag = {
  NO_WRITES: 1,
  ALLOW_OOM: 2,
  ALLOW_STALE: 4,
  NO_CLUSTER: 8,
  ALLOW_CROSS_SLOT: 16,
} as const

/** What is to become of the script that runs. */
export const verdict = {
  GO_ON: 0,
  SUSPEND: 1,
  KILLED_BY_USER: 2,
  KILLED_BY_LIMIT: 3,
  LOAD_TIMED_OUT: 4,
} as const
export type Verdict = (typeof verdict)[keyof typeof verdict]

/** How a run stands. */
export const outcome = {
  /** `reply` is there. */
  DONE: 0,
  /** It waits for `resume`. */
  SUSPENDED: 1,
  /** `reply` is there, and is an error that the script returned. */
  ERROR_REPLY: 2,
  /** `failure` tells why. */
  FAILED: 3,
} as const
export type Outcome = (typeof outcome)[keyof typeof outcome]

export interface ScriptFailure {
  /** With its code: 'ERR user_script:1: ...'; null if the error had none, or `plain` is there. */
  readonly message: string | null
  /** Set when Lua itself had to give up, without an error of the script: 'not enough memory'. */
  readonly plain: string | null
  /** '@user_script:1', if it is known. */
  readonly where: string | null
  /** The error was counted when the command that caused it failed. */
  readonly isCounted: boolean
}

/** Indexes into the struct `shared` of headpond.c. */
const shared = {
  OUTPUT_AT: 0,
  OUTPUT_BYTES: 1,
  MESSAGE_BYTES: 2,
  SOURCE_BYTES: 3,
  LINE_BYTES: 4,
  IS_COUNTED: 5,
  USED_BYTES: 6,
  PLACES_AT: 7,
  PLACES_CAPACITY: 8,
  REPLY_AT: 9,
  COMMAND: 10,
} as const
const SHARED_COUNT = 11

interface LuaExports {
  readonly memory: WasmMemory
  hp_shared(): number
  hp_reply_area(): number
  hp_reply_area_bytes(): number
  hp_large_reply(sizeBytes: number): number
  hp_invoke(f: number, state: number, data: number): void
  hp_open(versionAt: number, versionNumber: number, forScripts: number): number
  hp_input(sizeBytes: number): number
  hp_places(count: number): number
  hp_compile(offset: number, sizeBytes: number): number
  hp_release(reference: number): void
  hp_collect(): void
  hp_load_library(offset: number, sizeBytes: number): number
  hp_run(reference: number, keyCount: number, argumentCount: number, protocol: number, forScripts: number): number
  hp_resume(): number
}

const NO_BYTES = Buffer.alloc(0)
const INPUT_BYTES_MIN = 4096
/** What carries Lua's errors through the stack; one object, since making one with a stack trace takes microseconds. */
const LUA_ERROR = Symbol('an error of Lua')

/** Compiled when the first script of the process comes: it takes a few milliseconds, which others need not wait for. */
let module: WasmModule | null = null
function compiledModule(): WasmModule {
  module ??= new Module(readFileSync(new URL('../../lua/lua.wasm', import.meta.url)))
  return module
}

/** As Redis: a byte for each part. */
function versionNumber(version: string): number {
  const [major, minor, patch] = version.split('.').map(Number)
  return major * 65536 + minor * 256 + patch
}
