import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** What the configuration needs of a file system; paths are absolute. Failures are thrown as Node throws them. */
export interface ConfigFiles {
  read(path: string): Uint8Array
  readStandardInput(): Uint8Array
  /** The names in a directory; none when there is no such directory. */
  list(directory: string): string[]
  isDirectory(path: string): boolean
  /**
   * Puts a new content in the place of a file: whoever reads or crashes meets the old one or the new, never a part. The
   * mode of a file stays; one that was not there gets `newFileMode`, or what is usual.
   */
  replace(path: string, content: Uint8Array, newFileMode?: number): void
}

/** The files of this machine. */
export const diskFiles: ConfigFiles = {
  read: (path) => readFileSync(path),

  readStandardInput: () => readFileSync(0),

  list(directory) {
    try {
      return readdirSync(directory)
    } catch {
      return []
    }
  },

  isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false,

  replace(path, content, newFileMode) {
    const old = statSync(path, { throwIfNoEntry: false })
    // A link stays a link: the file that it points to is replaced.
    const target = old === undefined ? path : realpathSync(path)
    const temporary = join(dirname(target), `${basename(target)}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`)
    try {
      const file = openSync(temporary, 'wx', newFileMode)
      try {
        // A file may hold passwords: whoever could not read the old one cannot read the new one.
        if (old !== undefined) fchmodSync(file, old.mode & 0o7777)
        for (let written = 0; written < content.length; ) written += writeSync(file, content, written)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(temporary, target)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
    syncDirectory(dirname(target))
  },
}

/** Without this a crash may bring the old name back. Windows cannot open directories, and needs not. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** What the system says about a failure, as C's strerror: `Permission denied`. */
export function systemMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const words = /^E[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message
  return words[0].toUpperCase() + words.slice(1)
}
