import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, truncateSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { quoteBytes } from '../config/quoting.ts'
import { type CommandCheck, checkCommands } from '../persistence/aof/check.ts'
import { Manifest, ManifestError } from '../persistence/aof/manifest.ts'
import { DataDirectoryError } from '../persistence/data-directory-error.ts'
import { FileSource } from '../persistence/file-source.ts'
import { isAbandoned, isTemporarySnapshot } from '../persistence/file-target.ts'
import { RdbLoader } from '../persistence/rdb/loader.ts'
import { RdbError } from '../persistence/rdb/rdb-error.ts'
import { CommandTable } from '../resp/command-table.ts'
import { findRepeatable } from '../resp/replay.ts'
import { Request } from '../resp/request.ts'
import { DataLock } from '../server/data-lock.ts'
import { Store } from '../store/store.ts'
import { checkPartition, checkSegment, findPartitions, isLogFile, type LogCheckHost } from './check-logs.ts'

export interface CheckConsole {
  write(text: string): void
  /** Asks a question to be answered by yes or no. */
  confirm(question: string): Promise<boolean>
}

const USAGE = `Usage: headpond check <directory|file> [--fix] [--yes]

Verifies the files of a data directory, or one file: a snapshot (*.rdb), an append-only file, or its manifest; the logs
of topics with their indexes, all of them, a partition's directory, or one segment (*.log).
Changes nothing without --fix, which drops what is damaged at the end of the append-only file or a log, after telling
what that is and asking (--yes: without asking). Make a copy first.
`

/** `headpond check`: resolves with the exit code, 0 when all is well (again). */
export async function runCheck(argv: readonly string[], console: CheckConsole): Promise<number> {
  const paths = argv.filter((arg) => !arg.startsWith('--'))
  const unknown = argv.find((arg) => arg.startsWith('--') && arg !== '--fix' && arg !== '--yes')
  if (paths.length !== 1 || unknown !== undefined) {
    console.write(USAGE)
    return argv.includes('--help') ? 0 : 1
  }
  const check = new Check(console, argv.includes('--fix'), argv.includes('--yes'))
  try {
    return (await check.path(paths[0])) ? 0 : 1
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    console.write(`${path ?? paths[0]}: cannot be read (${code})\n`)
    return 1
  }
}

/** Answers on the terminal; without one, nobody agrees to anything. */
export const terminalConsole: CheckConsole = {
  write: (text) => void process.stdout.write(text),
  async confirm(question) {
    if (process.stdin.isTTY !== true) {
      process.stdout.write(`${question} (nobody to ask: --yes agrees)\n`)
      return false
    }
    const reader = createInterface({ input: process.stdin, output: process.stdout })
    try {
      return /^y(es)?$/i.test((await reader.question(`${question} [y/N] `)).trim())
    } finally {
      reader.close()
    }
  },
}

class Check {
  readonly #console: CheckConsole
  readonly #fixes: boolean
  readonly #agrees: boolean

  constructor(console: CheckConsole, fixes: boolean, agrees: boolean) {
    this.#console = console
    this.#fixes = fixes
    this.#agrees = agrees
  }

  readonly #logHost: LogCheckHost = {
    tell: (text) => this.#tell(text),
    repairs: async (question) => this.#fixes && (this.#agrees || (await this.#console.confirm(question))),
  }

  #tell(text: string): void {
    this.#console.write(`${text}\n`)
  }

  /** Whether all is well. */
  async path(path: string): Promise<boolean> {
    if (statSync(path).isDirectory()) return this.#directory(path)
    if (path.endsWith('.manifest')) return this.#manifest(path)
    if (isLogFile(path)) return checkSegment(path, this.#logHost)
    return this.#file(path, true)
  }

  async #directory(path: string): Promise<boolean> {
    const names = readdirSync(path).sort()
    const manifests = names.filter((name) => name.endsWith('.manifest')).map((name) => join(path, name))
    for (const name of names) {
      const inner = join(path, name)
      if (!statSync(inner).isDirectory()) continue
      manifests.push(
        ...readdirSync(inner)
          .filter((each) => each.endsWith('.manifest'))
          .map((each) => join(inner, each)),
      )
    }
    const isAofDirectory = names.some((name) => name.endsWith('.manifest'))
    const files = isAofDirectory
      ? []
      : names.map((name) => join(path, name)).filter((file) => isDataFile(file) && !this.#isHalfWritten(file))
    const partitions = findPartitions(path)
    if (manifests.length + files.length + partitions.length === 0) {
      this.#tell(`${path}: there is no data in it`)
      return true
    }
    let isWell = true
    for (const manifest of manifests) isWell = (await this.#manifest(manifest)) && isWell
    for (const file of files) isWell = (await this.#file(file, true)) && isWell
    for (const partition of partitions) isWell = (await checkPartition(partition, this.#logHost)) && isWell
    return isWell
  }

  /** What a snapshot was when its process was killed is no damage: nothing relies on it. */
  #isHalfWritten(path: string): boolean {
    if (!isTemporarySnapshot(basename(path))) return false
    const fate = isAbandoned(path)
      ? 'half written by a server that has ended; the next start removes it'
      : 'is being written'
    this.#tell(`${path}: ${fate}`)
    return true
  }

  async #manifest(path: string): Promise<boolean> {
    let manifest: Manifest
    try {
      manifest = Manifest.parse(readFileSync(path))
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error
      this.#tell(`${path}: line ${error.line}: ${error.message}`)
      return false
    }
    this.#tell(`${path}: ${manifest.live.length} files`)
    let isWell = true
    for (const [index, { name }] of manifest.live.entries()) {
      const isLast = index === manifest.live.length - 1
      isWell = (await this.#file(join(dirname(path), name), isLast)) && isWell
    }
    return isWell
  }

  /** A snapshot, commands, or a snapshot that commands follow. */
  async #file(path: string, isLast: boolean): Promise<boolean> {
    let fromByte = 0
    let keys = ''
    if (startsAsSnapshot(path)) {
      const store = new Store({ databaseCount: DATABASES, firstArenaBytes: 2 ** 24, random: Math.random })
      const loader = new RdbLoader(store, {
        verifiesChecksum: true,
        allowsNewerVersion: false,
        duplicates: 'refuse',
        keepsExpired: true,
        onFunction: () => {},
        warn: (message) => this.#tell(`${path}: ${message}`),
      })
      try {
        load(loader, path)
      } catch (error) {
        if (!(error instanceof RdbError)) throw error
        this.#tell(`${path}: the snapshot is damaged: ${error.message}. It cannot be fixed: take it from a copy.`)
        return false
      }
      fromByte = loader.atByte
      keys = `${loader.loadedCount} keys`
    }
    const isCommandFile = path.endsWith('.aof') || fromByte === 0
    if (!isCommandFile && fromByte < statSync(path).size) {
      this.#tell(`${path}: ${statSync(path).size - fromByte} bytes stand behind the end of the snapshot`)
      return false
    }
    const checked = checkCommands(path, fromByte, new TableCheck())
    const what = [keys, isCommandFile ? `${checked.commandCount} commands` : '']
      .filter((part) => part !== '')
      .join(', ')
    if (checked.problem === null) {
      this.#tell(`${path}: well, ${what}, ${checked.sizeBytes} bytes`)
      return true
    }
    const droppedBytes = checked.sizeBytes - checked.validBytes
    this.#tell(`${path}: damaged at byte ${checked.problemAtByte} of ${checked.sizeBytes}: ${checked.problem}`)
    this.#tell(
      `  ${what} are well; from byte ${checked.validBytes} on, ${droppedBytes} bytes are not: ${preview(path, checked.validBytes)}`,
    )
    if (!this.#fixes) return false
    const lock = await this.#lock(path)
    if (lock === 'taken') return false
    try {
      return await this.#dropEnd(path, isLast, checked.validBytes, droppedBytes)
    } finally {
      lock?.release()
    }
  }

  /** A server that appends to the file would not know that it was cut: what looks damaged may be half of what it is writing. */
  async #lock(path: string): Promise<DataLock | null | 'taken'> {
    const appendDirectory = dirname(resolve(path))
    const appendFileName = basename(path).replace(/\.\d+\.(base|incr)\.(aof|rdb)$/, '')
    try {
      return await DataLock.take(dirname(appendDirectory), basename(appendDirectory), appendFileName)
    } catch (error) {
      if (!(error instanceof DataDirectoryError)) throw error
      this.#tell('  It is not fixed: a server that is running keeps its data here. Stop that one first.')
      return 'taken'
    }
  }

  async #dropEnd(path: string, isLast: boolean, validBytes: number, droppedBytes: number): Promise<boolean> {
    if (!isLast) {
      this.#tell('  It cannot be fixed: what later files say builds on what is damaged here. Take it from a copy.')
      return false
    }
    const question = `  Drop these ${droppedBytes} bytes of ${basename(path)}, to ${validBytes} bytes?`
    if (!this.#agrees && !(await this.#console.confirm(question))) return false
    truncateSync(path, validBytes)
    this.#tell(`  ${droppedBytes} bytes were dropped`)
    return true
  }
}

/** As many databases as any file may speak of: an empty one costs next to nothing. */
const DATABASES = 1024
const PREVIEW_BYTES = 60

function preview(path: string, fromByte: number): string {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(PREVIEW_BYTES)
    const count = readSync(fd, bytes, 0, PREVIEW_BYTES, fromByte)
    return `${quoteBytes(bytes.subarray(0, count))}${count === PREVIEW_BYTES ? ' ...' : ''}`
  } finally {
    closeSync(fd)
  }
}

/** By its name, or, since `dbfilename` may be any, by how it begins. */
function isDataFile(path: string): boolean {
  return statSync(path).isFile() && (/\.(rdb|aof)$/.test(path) || startsAsSnapshot(path))
}

function startsAsSnapshot(path: string): boolean {
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(5)
    readSync(fd, head, 0, 5, 0)
    return head.toString('latin1') === 'REDIS'
  } finally {
    closeSync(fd)
  }
}

function load(loader: RdbLoader, path: string): void {
  const source = new FileSource(path)
  try {
    while (loader.run(() => false) !== 'done') {
      const { bytes, at } = loader.room()
      loader.filled(source.readNow(bytes, at))
    }
  } finally {
    source.close()
  }
}

/** Looks whether commands are known and complete, as the server does before it runs them. */
class TableCheck implements CommandCheck {
  readonly command = new Request()
  readonly #table = new CommandTable()
  isInTransaction = false

  look(): string | null {
    const request = this.command
    const found = findRepeatable(this.#table, request)
    if (typeof found === 'string') return found
    if (found.fullName === 'multi') this.isInTransaction = true
    else if (found.fullName === 'exec') this.isInTransaction = false
    return null
  }
}
