import { splitArguments } from '../config/quoting.ts'
import { SCRIPT_FLAG_NAMES } from '../scripting/lua-vm.ts'

/**
 * The first line of a script or library: '#!lua flags=no-writes,allow-stale' or '#!lua name=mylib'.
 * Texts have a character for each byte.
 */

export interface ScriptHeader {
  /** Bits of scriptFlag; null for a script without such a line, for which older and laxer rules hold. */
  readonly flags: number | null
  /** Where the rest begins: at the line feed, so that line numbers stay what they are. */
  readonly endsAt: number
}

/** The header of a script, or an error text. */
export function readScriptHeader(source: Uint8Array): ScriptHeader | string {
  if (!hasHeader(source)) return { flags: null, endsAt: 0 }
  const endsAt = source.indexOf(LINE_FEED)
  if (endsAt < 0) return 'Invalid script shebang'
  const parts = wordsOf(source, endsAt)
  if (parts === undefined) return 'Invalid engine in script shebang'
  const [engine, ...options] = parts
  if (engine !== '#!lua') return `Unexpected engine in script shebang: ${engine}`
  let flags = 0
  for (const option of options) {
    if (!option.startsWith('flags=')) return `Unknown lua shebang option: ${option}`
    const names = option === 'flags=' ? [] : option.slice('flags='.length).split(',')
    for (const name of names) {
      const bit = (SCRIPT_FLAG_NAMES as readonly string[]).indexOf(name)
      if (bit < 0) return `Unexpected flag in script shebang: ${name}`
      flags |= 1 << bit
    }
  }
  return { flags, endsAt }
}

export interface LibraryHeader {
  readonly engine: string
  readonly name: string
  readonly endsAt: number
}

/** The header of a library, or an error text. */
export function readLibraryHeader(code: Uint8Array): LibraryHeader | string {
  if (!hasHeader(code)) return 'Missing library metadata'
  const endsAt = code.indexOf(LINE_FEED)
  const parts = endsAt < 0 ? undefined : wordsOf(code, endsAt)
  if (parts === undefined) return 'Invalid library metadata'
  const [engine, ...options] = parts
  let name: string | null = null
  for (const option of options) {
    if (!/^name=/i.test(option)) return `Invalid metadata value given: ${option}`
    if (name !== null) return 'Invalid metadata value, name argument was given multiple times'
    name = option.slice('name='.length)
  }
  if (name === null) return 'Library name was not given'
  return { engine: engine.slice('#!'.length), name, endsAt }
}

const LINE_FEED = 0x0a

function hasHeader(source: Uint8Array): boolean {
  return source[0] === 0x23 && source[1] === 0x21
}

function wordsOf(source: Uint8Array, end: number): string[] | undefined {
  const words = splitArguments(source.subarray(0, end))
  return words?.length ? words.map((word) => Buffer.from(word).toString('latin1')) : undefined
}
