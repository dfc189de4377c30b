import { globMatch } from '../bytes/glob.ts'
import { isWasmFailure } from '../bytes/web-assembly.ts'
import type { FunctionsPayload } from '../persistence/rdb/functions-payload.ts'
import type { LuaVm, RegisteredFunction, Verdict } from '../scripting/lua-vm.ts'
import { verdict } from '../scripting/lua-vm.ts'
import { readLibraryHeader } from './script-header.ts'

/** A function that FCALL can run. Names have a character for each byte. */
export interface LibraryFunction {
  readonly name: string
  readonly description: string | null
  /** Bits of scriptFlag. */
  readonly flags: number
  readonly isScript: false
  /** The state of all libraries, and its function there. */
  vm: LuaVm
  reference: number
}

export interface Library {
  readonly name: string
  /** With its first line. */
  readonly code: Uint8Array
  readonly functions: ReadonlyMap<string, LibraryFunction>
}

/** What RESTORE does with libraries that are there already. */
export type RestorePolicy = 'flush' | 'append' | 'replace'

/**
 * Libraries of functions: FUNCTION LOAD runs a library's code once, which registers its functions. All libraries live in
 * one Lua state, made when the first is loaded; what a library keeps in local variables stays there.
 */
export class FunctionLibraries {
  readonly #open: (registry: FunctionLibraries) => LuaVm
  #vm: LuaVm | null = null
  #set = new LibrarySet()
  /** Functions of the library that is being loaded. */
  #loading: Map<string, LibraryFunction> | null = null
  #loadEndsAtMs = 0
  /** The function called last: whoever calls one mostly calls it again. */
  #lastCalled: LibraryFunction | null = null

  constructor(open: (registry: FunctionLibraries) => LuaVm) {
    this.#open = open
  }

  get libraryCount(): number {
    return this.#set.libraries.size
  }

  get functionCount(): number {
    return this.#set.functions.size
  }

  get vmBytes(): number {
    return this.#vm?.usedBytes ?? 0
  }

  /** What the libraries take beside their state, about. */
  get memoryBytes(): number {
    let bytes = this.functionCount * FUNCTION_BYTES
    for (const { code } of this.#set.libraries.values()) bytes += code.length + LIBRARY_BYTES
    return bytes
  }

  /** The code of every library: what a snapshot keeps of them. */
  get codes(): Uint8Array[] {
    return [...this.#set.libraries.values()].map(({ code }) => code)
  }

  /** The function of this name. hot: once for each FCALL. */
  find(bytes: Uint8Array, start: number, end: number): LibraryFunction | undefined {
    const last = this.#lastCalled
    if (last !== null && isText(last.name, bytes, start, end)) return last
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
      .toString('latin1')
      .toLowerCase()
    const found = this.#set.functions.get(name)
    if (found !== undefined) this.#lastCalled = found
    return found
  }

  /** Libraries whose name matches a pattern; all without one. */
  list(pattern: Uint8Array | null): Library[] {
    const all = [...this.#set.libraries.values()]
    if (pattern === null) return all
    return all.filter(({ name }) => {
      const bytes = Buffer.from(name, 'latin1')
      return globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, true)
    })
  }

  /** Loads a library. `code` is kept. Returns its name, or why not. */
  load(code: Uint8Array, replaces: boolean, timeLimitMs = LOAD_TIME_MS): { name: string } | { error: string } {
    return this.#loadInto(this.#set, code, replaces, timeLimitMs)
  }

  delete(name: string): boolean {
    const library = this.#set.libraries.get(name)
    if (library === undefined) return false
    this.#remove(this.#set, library)
    return true
  }

  /** Deletes all libraries, and their state. */
  flush(): void {
    this.#vm = null
    this.#set = new LibrarySet()
    this.#lastCalled = null
  }

  /**
   * Adds libraries: all of them or none. Returns why not, or null. Each is loaded before the next one is read, in Redis: what is
   * wrong with one comes before what is wrong behind it.
   */
  restore(payload: FunctionsPayload, policy: RestorePolicy): string | null {
    const added = new LibrarySet()
    const error =
      this.#loadAll(added, payload.codes) ??
      payload.error ??
      (policy === 'flush' ? null : this.#set.conflict(added, policy))
    if (error !== null) {
      for (const library of added.libraries.values()) this.#remove(added, library)
      return error
    }
    for (const library of [...this.#set.libraries.values()]) {
      if (policy === 'flush' || added.libraries.has(library.name)) this.#remove(this.#set, library)
    }
    for (const library of added.libraries.values()) this.#set.enter(library)
    return null
  }

  #loadAll(set: LibrarySet, codes: readonly Uint8Array[]): string | null {
    for (const code of codes) {
      const loaded = this.#loadInto(set, code, false, Number.POSITIVE_INFINITY)
      if ('error' in loaded) return loaded.error
    }
    return null
  }

  #loadInto(
    set: LibrarySet,
    code: Uint8Array,
    replaces: boolean,
    timeLimitMs: number,
  ): { name: string } | { error: string } {
    const header = readLibraryHeader(code)
    if (typeof header === 'string') return { error: header }
    const { name, engine } = header
    if (!isName(name)) return { error: WRONG_NAME }
    if (engine.toLowerCase() !== 'lua') return { error: `Engine '${engine}' not found` }
    const previous = set.libraries.get(name)
    if (previous !== undefined && !replaces) return { error: `Library '${name}' already exists` }
    const functions = new Map<string, LibraryFunction>()
    const library = { name, code, functions }
    const error =
      this.#run(code.subarray(header.endsAt), functions, timeLimitMs) ??
      (functions.size === 0 ? 'No functions registered' : set.collision(library, previous))
    if (error !== null) {
      this.#release(library)
      return { error }
    }
    if (previous !== undefined) this.#remove(set, previous)
    set.enter(library)
    return { name }
  }

  // ---- The state ----

  /** The state that functions run in. When it broke, all libraries are loaded into a new one. */
  state(): LuaVm {
    if (this.#vm === null || this.#vm.isBroken) {
      this.#vm = this.#open(this)
      for (const library of this.#set.libraries.values()) this.#loadAgain(library)
    }
    return this.#vm
  }

  #loadAgain(library: Library): void {
    const header = readLibraryHeader(library.code)
    if (typeof header === 'string') throw new Error(`a library has lost its header: ${header}`)
    const functions = new Map<string, LibraryFunction>()
    const error = this.#run(library.code.subarray(header.endsAt), functions, Number.POSITIVE_INFINITY)
    if (error !== null) throw new RangeError(`a library cannot be loaded again: ${error}`)
    for (const [name, { vm, reference }] of functions) {
      const existing = library.functions.get(name)
      if (existing !== undefined) Object.assign(existing, { vm, reference })
    }
  }

  /** Runs a library's code, which registers functions. Returns an error text, or null. */
  #run(code: Uint8Array, functions: Map<string, LibraryFunction>, timeLimitMs: number): string | null {
    const vm = this.state()
    this.#loading = functions
    this.#loadEndsAtMs = performance.now() + timeLimitMs
    try {
      const failure = vm.loadLibrary(code)
      if (failure === null) return null
      return failure.failed === 'to compile'
        ? `Error compiling function: ${failure.message}`
        : `Error registering functions: ${failure.message}`
    } catch (error) {
      if (!isWasmFailure(error)) throw error
      return 'Error registering functions: ERR not enough memory'
    } finally {
      this.#loading = null
    }
  }

  /** See LibraryRegistry. */
  register({ name, description, flags, reference }: RegisteredFunction): string | null {
    if (!isName(name)) return WRONG_NAME
    if (this.#loading!.has(name)) return 'Function already exists in the library'
    this.#loading!.set(name, { name, description, flags, isScript: false, vm: this.#vm!, reference })
    return null
  }

  loadVerdict(): Verdict | null {
    if (this.#loading === null) return null
    return performance.now() > this.#loadEndsAtMs ? verdict.LOAD_TIMED_OUT : verdict.GO_ON
  }

  #remove(set: LibrarySet, library: Library): void {
    set.remove(library)
    this.#release(library)
    this.#lastCalled = null
  }

  #release(library: Library): void {
    for (const { vm, reference } of library.functions.values()) vm.release(reference)
  }
}

/** Libraries by name, and the functions of all of them. */
class LibrarySet {
  readonly libraries = new Map<string, Library>()
  /** Under their names in lower case: FCALL does not mind. */
  readonly functions = new Map<string, LibraryFunction>()

  enter(library: Library): void {
    this.libraries.set(library.name, library)
    for (const each of library.functions.values()) this.functions.set(each.name.toLowerCase(), each)
  }

  remove(library: Library): void {
    this.libraries.delete(library.name)
    for (const { name } of library.functions.values()) this.functions.delete(name.toLowerCase())
  }

  /** Why a library cannot be entered in the place of `previous`, or null. */
  collision(library: Library, previous: Library | undefined): string | null {
    for (const name of library.functions.keys()) {
      const existing = this.functions.get(name.toLowerCase())
      if (existing !== undefined && previous?.functions.get(existing.name) !== existing) {
        return `Function ${name} already exists`
      }
    }
    return null
  }

  /** Why other libraries cannot be added, or null. */
  conflict(added: LibrarySet, policy: 'append' | 'replace'): string | null {
    const kept = new Map(this.functions)
    for (const { name } of added.libraries.values()) {
      const existing = this.libraries.get(name)
      if (existing === undefined) continue
      if (policy === 'append') return `Library ${name} already exists`
      for (const each of existing.functions.keys()) kept.delete(each.toLowerCase())
    }
    for (const { name } of added.functions.values()) {
      if (kept.has(name.toLowerCase())) return `Function ${name} already exists`
    }
    return null
  }
}

/** Loading only registers functions, which takes no time. */
const LOAD_TIME_MS = 500
const LIBRARY_BYTES = 200
const FUNCTION_BYTES = 200
/** Redis says so of functions too. */
const WRONG_NAME =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long'

function isName(name: string): boolean {
  return /^[A-Za-z0-9_]+$/.test(name)
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== text.length) return false
  for (let index = 0; index < text.length; index++) {
    if (bytes[start + index] !== text.charCodeAt(index)) return false
  }
  return true
}
