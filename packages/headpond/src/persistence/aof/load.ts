import { closeSync, fsyncSync, ftruncateSync, openSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ServerLog } from '../../config/server-log.ts'
import { DataDirectoryError } from '../data-directory-error.ts'
import { FileSource } from '../file-source.ts'
import type { Loading } from '../loading.ts'
import { RdbError } from '../rdb/rdb-error.ts'
import type { RdbPersistence } from '../rdb/rdb-persistence.ts'
import { CommandParser, parsedAof } from './command-parser.ts'
import { CommandWindow } from './command-window.ts'
import type { AofFile } from './manifest.ts'
import type { Replay } from './replay.ts'

export interface AofLoadHost {
  readonly rdb: RdbPersistence
  readonly loading: Loading
  readonly log: ServerLog
  readonly replay: Replay
  /** `aof-load-truncated` */
  readonly loadsTruncated: boolean
}

/** How long loading may hold up others at a stretch. */
const TURN_MS = 5
const COMMANDS_PER_LOOK = 64

/**
 * Loads the files of an append-only file in order, in steps: others may have their turn after each. Throws
 * DataDirectoryError for what cannot be loaded. What a crash cut off at the end of the last file is dropped from it.
 */
export function* loadAof(host: AofLoadHost, directory: string, files: readonly AofFile[]): Generator<undefined, void> {
  const { loading, log } = host
  const startedMs = performance.now()
  let doneBytes = 0
  for (const [index, { name }] of files.entries()) {
    const path = join(directory, name)
    const source = open(path)
    const fileStartedMs = performance.now()
    try {
      const load = new FileLoad(host, source, path, index === files.length - 1)
      for (const _ of load.steps()) {
        loading.loadedBytes = doneBytes + load.atByte
        yield
      }
    } finally {
      source.close()
    }
    doneBytes += source.sizeBytes
    loading.loadedBytes = doneBytes
    log.info(`DB loaded from ${name}: ${secondsSince(fileStartedMs)} seconds`)
  }
  log.info(`DB loaded from append only file: ${secondsSince(startedMs)} seconds`)
}

function open(path: string): FileSource {
  try {
    return new FileSource(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new DataDirectoryError(path, `the file cannot be read (${code})`)
    throw new DataDirectoryError(
      path,
      `The append log file ${basename(path)} doesn't exist: No such file or directory, though the manifest beside it names this file. Bring it back, or take its line out of the manifest ` +
        'if what it held may be lost.',
    )
  }
}

function secondsSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 1000).toFixed(3)
}

/** One file: a snapshot, commands, or a snapshot that commands follow. */
class FileLoad {
  readonly #host: AofLoadHost
  readonly #source: FileSource
  readonly #path: string
  readonly #isLast: boolean
  atByte = 0
  #turnEndMs = 0

  constructor(host: AofLoadHost, source: FileSource, path: string, isLast: boolean) {
    this.#host = host
    this.#source = source
    this.#path = path
    this.#isLast = isLast
  }

  *steps(): Generator<undefined, void> {
    const head = new Uint8Array(5)
    const headBytes = this.#source.readNow(head, 0)
    this.#source.seek(0)
    if (Buffer.from(head.subarray(0, headBytes)).toString('latin1') === 'REDIS') yield* this.#snapshot()
    yield* this.#commands()
  }

  *#snapshot(): Generator<undefined, void> {
    const loader = this.#host.rdb.loader({ keepsExpired: true })
    try {
      for (;;) {
        this.#turnEndMs = performance.now() + TURN_MS
        const state = loader.run(() => performance.now() >= this.#turnEndMs)
        this.atByte = loader.atByte
        if (state === 'done') break
        if (state === 'bytes') {
          const { bytes, at } = loader.room()
          loader.filled(this.#source.readNow(bytes, at))
        }
        yield
      }
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      throw new DataDirectoryError(this.#path, `the snapshot in it cannot be loaded: ${error.message}`)
    }
    this.#host.rdb.loaded(loader)
    this.#source.seek(loader.atByte)
  }

  *#commands(): Generator<undefined, void> {
    const { replay } = this.#host
    const parser = new CommandParser()
    const window = new CommandWindow(this.atByte)
    const read = (bytes: Uint8Array, at: number) => this.#source.readNow(bytes, at)
    let validBytes = this.atByte
    let count = 0
    this.#turnEndMs = performance.now() + TURN_MS
    for (;;) {
      const next = parser.parse(window.bytes, window.at, window.end, replay.command)
      if (next === parsedAof.BROKEN) throw this.#damaged(window.startByte + parser.problemAt, parser.problem)
      if (next === parsedAof.INCOMPLETE) {
        if (window.fill(read)) continue
        break
      }
      const { command } = replay
      if (command.count > 0) {
        const problem = replay.run()
        if (problem !== null) throw this.#damaged(window.atByte, problem, problem)
      } else {
        replay.annotated(Buffer.from(window.bytes.subarray(command.places[0], command.places[1])).toString('latin1'))
      }
      window.at = next
      this.atByte = window.atByte
      if (!replay.isInTransaction) validBytes = this.atByte
      if (++count % COMMANDS_PER_LOOK === 0 && performance.now() >= this.#turnEndMs) {
        yield
        this.#turnEndMs = performance.now() + TURN_MS
      }
    }
    if (validBytes < this.#source.sizeBytes) this.#cutShort(validBytes)
  }

  /** The file ends within a command or a transaction. */
  #cutShort(validBytes: number): void {
    const { log, loadsTruncated, replay } = this.#host
    replay.discard()
    const droppedBytes = this.#source.sizeBytes - validBytes
    const what = `it ends in the middle of a command or transaction: its last ${droppedBytes} bytes, from byte ${validBytes} on, are incomplete`
    const unexpected = `${this.#inWordsOf('Unexpected end of file')}: ${what}`
    if (!this.#isLast) {
      throw new DataDirectoryError(
        this.#path,
        `${unexpected}. Only the last file can be cut short by a crash. ${REMEDY}`,
      )
    }
    if (!loadsTruncated) {
      throw new DataDirectoryError(
        this.#path,
        `${unexpected}. Set aof-load-truncated yes to drop them at the start, or run: headpond check --fix <directory>`,
      )
    }
    log.warn(`${this.#path}: ${what}. They are dropped, as after a crash (aof-load-truncated yes).`)
    truncateTo(this.#path, validBytes)
  }

  #damaged(atByte: number, problem: string, headline = 'Bad file format'): DataDirectoryError {
    const place = `damaged at byte ${atByte} of ${this.#source.sizeBytes}`
    const said = headline === problem ? place : `${place}: ${problem}`
    return new DataDirectoryError(this.#path, `${this.#inWordsOf(headline)}: ${said}. ${REMEDY}`)
  }

  /** As Redis begins its messages, which people look for in the log. */
  #inWordsOf(headline: string): string {
    return `${headline} reading the append only file ${basename(this.#path)}`
  }
}

/** To last: what is appended next must not find the old end behind it. */
function truncateTo(path: string, sizeBytes: number): void {
  const fd = openSync(path, 'r+')
  try {
    ftruncateSync(fd, sizeBytes)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const REMEDY =
  'Make a copy of the files, then run: headpond check --fix <directory>, which tells what would be lost and drops it.'
