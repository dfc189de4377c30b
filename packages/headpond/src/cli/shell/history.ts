import { readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { splitArguments } from '../../config/quoting.ts'

const LINES_MAX = 1000
/** Others must not read what was typed. */
const FILE_MODE = 0o600

/** The lines that were typed, kept from one session to the next; those that carry secrets are not kept at all. */
export class History {
  readonly #path: string | undefined
  /** Oldest first. */
  #lines: string[]

  constructor(path: string | undefined) {
    this.#path = path
    this.#lines = path === undefined ? [] : readLines(path)
  }

  get newestFirst(): string[] {
    return this.#lines.toReversed()
  }

  add(line: string): void {
    if (line.trim() === '' || line === this.#lines.at(-1) || carriesSecret(line)) return
    this.#lines = [...this.#lines, line].slice(-LINES_MAX)
    if (this.#path === undefined) return
    try {
      writeFileSync(this.#path, `${this.#lines.join('\n')}\n`, { mode: FILE_MODE })
    } catch {
      // A home that cannot be written to is no reason to stop: the history lasts as long as the session.
    }
  }
}

/** HEADPOND_HISTFILE, or a file in the home; undefined where nothing shall be kept. */
export function historyPath(env: NodeJS.ProcessEnv): string | undefined {
  const path = env['HEADPOND_HISTFILE'] ?? join(env['HOME'] ?? homedir(), '.headpond_history')
  return path === '' || path === '/dev/null' ? undefined : path
}

function readLines(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.filter((line) => line !== '').slice(-LINES_MAX)
  } catch {
    return [] // there is none yet
  }
}

const SECRET_SETTINGS = ['requirepass', 'masterauth', 'masteruser', 'tls-key-file-pass', 'tls-client-key-file-pass']

/** A line with a password in it. What cannot be read as a command counts too, when it begins like one of those. */
function carriesSecret(line: string): boolean {
  const bytes = splitArguments(Buffer.from(line))
  const words = bytes === undefined ? line.trim().split(/\s+/) : bytes.map((word) => Buffer.from(word).toString())
  const lower = words.map((word) => word.toLowerCase())
  if (/^\d+$/.test(lower[0] ?? '')) lower.shift() // a repeat count
  const [name, first, ...others] = lower
  switch (name) {
    case 'auth':
      return true
    case 'acl':
      return first === 'setuser' || first === 'deluser'
    case 'config':
      return first === 'set' && others.some((word) => SECRET_SETTINGS.includes(word))
    case 'hello':
      return lower.includes('auth')
    case 'migrate':
      return lower.includes('auth') || lower.includes('auth2')
    case 'sentinel':
      return others.some((word) => word.startsWith('auth') || word.startsWith('sentinel-'))
    default:
      return false
  }
}
