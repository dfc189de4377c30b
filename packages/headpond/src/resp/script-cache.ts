import { createHash } from 'node:crypto'
import { toLowerCase } from '../bytes/ascii.ts'
import type { LuaVm } from '../scripting/lua-vm.ts'
import type { ScriptHeader } from './script-header.ts'

/** A script that EVAL or SCRIPT LOAD has seen. */
export interface CachedScript {
  /** SHA-1 of the source, as 40 lower-case digits. */
  readonly name: string
  readonly nameBytes: Uint8Array
  readonly isScript: true
  readonly source: Buffer
  /** Where the source begins that Lua is given. */
  readonly codeAt: number
  /** See Runnable. */
  readonly flags: number | null
  /** The state in which `reference` is the script's function; it is compiled again in another. */
  vm: LuaVm | null
  reference: number
}

/**
 * Scripts by the SHA-1 that EVALSHA names, and by their source for EVAL, so that a script which comes again is neither
 * hashed nor compiled.
 */
export class ScriptCache {
  /** By the first 32 bits of the SHA-1: nearly always one each. */
  readonly #byPrefix = new Map<number, CachedScript[]>()
  /** By a hash of the source. */
  readonly #bySource = new Map<number, CachedScript[]>()
  readonly #hash: (bytes: Uint8Array, start: number, end: number) => number
  #count = 0
  #sourceBytes = 0

  constructor(hash: (bytes: Uint8Array, start: number, end: number) => number) {
    this.#hash = hash
  }

  get count(): number {
    return this.#count
  }

  /** What sources and entries take, about. */
  get memoryBytes(): number {
    return this.#sourceBytes + this.#count * ENTRY_BYTES
  }

  /** The script that 40 digits in any case name. hot: once for each EVALSHA; allocates nothing. */
  find(bytes: Uint8Array, start: number, end: number): CachedScript | undefined {
    if (end - start !== SHA_DIGITS) return undefined
    const candidates = this.#byPrefix.get(prefixOf(bytes, start))
    if (candidates === undefined) return undefined
    for (let index = 0; index < candidates.length; index++) {
      if (equalsName(candidates[index].nameBytes, bytes, start)) return candidates[index]
    }
    return undefined
  }

  /** hot: once for each EVAL. */
  findSource(bytes: Uint8Array, start: number, end: number): CachedScript | undefined {
    const candidates = this.#bySource.get(this.#hash(bytes, start, end))
    if (candidates === undefined) return undefined
    for (let index = 0; index < candidates.length; index++) {
      const { source } = candidates[index]
      if (source.compare(bytes, start, end) === 0) return candidates[index]
    }
    return undefined
  }

  /** Enters a script that is not there yet. */
  add(source: Buffer, header: ScriptHeader): CachedScript {
    const name = createHash('sha1').update(source).digest('hex')
    const { flags, endsAt } = header
    const nameBytes = Buffer.from(name, 'latin1')
    const script: CachedScript = {
      name,
      nameBytes,
      isScript: true,
      source,
      codeAt: endsAt,
      flags,
      vm: null,
      reference: 0,
    }
    push(this.#byPrefix, prefixOf(nameBytes, 0), script)
    push(this.#bySource, this.#hash(source, 0, source.length), script)
    this.#count++
    this.#sourceBytes += source.length
    return script
  }

  clear(): void {
    this.#byPrefix.clear()
    this.#bySource.clear()
    this.#count = 0
    this.#sourceBytes = 0
  }
}

const SHA_DIGITS = 40
const PREFIX_DIGITS = 8
const ENTRY_BYTES = 200

function push(map: Map<number, CachedScript[]>, key: number, script: CachedScript): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [script])
  else list.push(script)
}

/** A number for the first digits, the same in upper and lower case. What is no digit gives any number. */
function prefixOf(bytes: Uint8Array, start: number): number {
  let prefix = 0
  for (let index = 0; index < PREFIX_DIGITS; index++) {
    const byte = bytes[start + index] | 0x20
    prefix = (prefix << 4) ^ (byte > 0x39 ? byte - 0x57 : byte - 0x30)
  }
  return prefix
}

function equalsName(name: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < SHA_DIGITS; index++) {
    const byte = bytes[start + index]
    if (name[index] !== byte && name[index] !== toLowerCase(byte)) return false
  }
  return true
}
