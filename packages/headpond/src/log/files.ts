/**
 * The files of segments, opened when they are needed. Thousands of partitions may lie idle: of the open ones those unused
 * for longest are closed when there are too many, and all that have not been used for a while.
 */

import {
  close,
  closeSync,
  constants,
  fsync,
  fsyncSync,
  ftruncateSync,
  open,
  openSync,
  read,
  readFileSync,
  readSync,
  rename,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
  writev,
} from 'node:fs'
import { performance } from 'node:perf_hooks'
import { assert } from '../bytes/assert.ts'
import { DiskPressure } from './disk-pressure.ts'

/** Well below what systems allow a process by default. */
const OPEN_FILES_MAX = 512
const IDLE_ROUNDS = 2
const READ_WRITE_CREATE = constants.O_RDWR | constants.O_CREAT

/** Where the files of a partition lie. It may be renamed while they are in use. */
export interface Directory {
  path: string
}

export class OpenFiles {
  /** Of the disk that they lie on. */
  readonly pressure = new DiskPressure()
  /** In the order of their last use. */
  readonly #open = new Set<LogFile>()
  #round = 0

  get count(): number {
    return this.#open.size
  }

  /** hot: once for each partition written in a turn, and each read of a file. */
  used(file: LogFile): void {
    file.usedInRound = this.#round
    this.#open.delete(file)
    this.#open.add(file)
    if (this.#open.size <= OPEN_FILES_MAX) return
    for (const oldest of this.#open) {
      if (oldest !== file && oldest.closeWhenUnused()) return
    }
  }

  /** So many were in use that none could be closed. */
  get isOverfull(): boolean {
    return this.#open.size > OPEN_FILES_MAX
  }

  closed(file: LogFile): void {
    this.#open.delete(file)
  }

  /** Closes what has not been used since the call before the last one. To be called about once a minute. */
  closeIdle(): void {
    this.#round++
    for (const file of this.#open) {
      if (file.usedInRound > this.#round - IDLE_ROUNDS) return
      file.closeWhenUnused()
    }
  }
}

/** One file. It may be renamed and removed while a read is under way. */
export class LogFile {
  readonly #files: OpenFiles
  readonly #directory: Directory
  #name: string
  #fd = -1
  /** Reads, writes and syncs under way. */
  #useCount = 0
  #isClosing = false
  usedInRound = 0

  constructor(files: OpenFiles, directory: Directory, name: string) {
    this.#files = files
    this.#directory = directory
    this.#name = name
  }

  get path(): string {
    return `${this.#directory.path}/${this.#name}`
  }

  /** Somebody else has renamed it. */
  renamed(name: string): void {
    this.#name = name
  }

  /** False when a read or write is under way. */
  closeWhenUnused(): boolean {
    if (this.#useCount > 0) return false
    this.close()
    return true
  }

  /** Once nothing is under way. It is opened again when it is needed. */
  close(): void {
    if (this.#fd < 0) return
    this.#isClosing = this.#useCount > 0
    if (this.#isClosing) return
    const fd = this.#fd
    this.#fd = -1
    this.#files.closed(this)
    closeSync(fd)
  }

  /** All of bytes[start, end), synchronously. Throws the system's errors. */
  writeSync(bytes: Uint8Array, start: number, end: number, position: number): void {
    const fd = this.#open(true)
    const sizeBytes = end - start
    const startedAtMs = performance.now()
    while (start < end) {
      const count = writeSync(fd, bytes, start, end - start, position)
      assert(count > 0, 'a write of nothing')
      start += count
      position += count
    }
    this.#files.pressure.wrote(startedAtMs, performance.now(), sizeBytes)
  }

  /** A write of so many bytes is better made beside the event loop. */
  isSlowFor(sizeBytes: number): boolean {
    return this.#files.pressure.isHigh(performance.now(), sizeBytes)
  }

  /** All parts one after the other, beside the event loop. */
  write(parts: readonly Uint8Array[], position: number, done: (error: Error | null) => void): void {
    const fd = this.#begin(true)
    const proceed = (left: readonly Uint8Array[], at: number) => {
      writev(fd, left as Uint8Array[], at, (error, count) => {
        if (error !== null) return this.#end(() => done(error))
        let skipped = count
        let index = 0
        while (index < left.length && skipped >= left[index].length) skipped -= left[index++].length
        if (index === left.length) return this.#end(() => done(null))
        proceed([left[index].subarray(skipped), ...left.slice(index + 1)], at + count)
      })
    }
    proceed(parts, position)
  }

  /** As many bytes as there are, up to the size of `into`. */
  readSync(into: Uint8Array, position: number): number {
    const fd = this.#open()
    let filled = 0
    while (filled < into.length) {
      const count = readSync(fd, into, filled, into.length - filled, position + filled)
      if (count === 0) break
      filled += count
    }
    return filled
  }

  /** As `readSync`, beside the event loop. */
  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const fd = this.#begin()
      const proceed = (filled: number) => {
        read(fd, into, filled, into.length - filled, position + filled, (error, count) => {
          if (error !== null) return this.#end(() => reject(error))
          if (count === 0 || filled + count === into.length) return this.#end(() => resolve(filled + count))
          proceed(filled + count)
        })
      }
      proceed(0)
    })
  }

  sync(done: (error: Error | null) => void): void {
    let fd: number
    try {
      fd = this.#begin()
    } catch (error) {
      return done(error as Error)
    }
    fsync(fd, (error) => this.#end(() => done(error)))
  }

  truncate(sizeBytes: number): void {
    ftruncateSync(this.#open(), sizeBytes)
  }

  /** Makes it when it is not there. */
  create(): void {
    this.#open(true)
  }

  /** Only writes create a file: a read that comes too late must not bring a removed one back. */
  #open(creates = false): number {
    if (this.#fd < 0) this.#fd = openSync(this.path, creates ? READ_WRITE_CREATE : constants.O_RDWR, 0o644)
    this.#files.used(this)
    return this.#fd
  }

  #begin(creates = false): number {
    const fd = this.#open(creates)
    this.#useCount++
    return fd
  }

  #end(then: () => void): void {
    this.#useCount--
    if (this.#useCount === 0 && (this.#isClosing || this.#files.isOverfull)) {
      this.#isClosing = false
      this.close()
    }
    then()
  }
}

/** As Kafka names the files of a segment: 20 digits, so that they sort. */
export function offsetName(offset: number): string {
  return String(offset).padStart(20, '0')
}

/** No bytes when there is no file. */
export function readFileIfThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  }
}

/** 0 when there is no file. */
export function fileSizeBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/** What a smaller file holds is given back in about a millisecond. */
const SMALL_FILE_BYTES = 4 * 2 ** 20
/** So many descriptors at most wait to be closed. */
const UNLINKING_MAX = 64
let unlinkingCount = 0

/**
 * The name goes at once. What a large file holds is given back, 200 to 300 ms for a gigabyte, beside the event loop: by
 * the one who closes it last. Resolves when that is done; nobody has to wait for it. No file is no error.
 */
export function unlinkSoon(path: string): Promise<void> {
  if (unlinkingCount >= UNLINKING_MAX || fileSizeBytes(path) <= SMALL_FILE_BYTES) {
    unlinkIfThere(path)
    return Promise.resolve()
  }
  const fd = openSync(path, constants.O_RDONLY)
  unlinkingCount++
  return new Promise((resolve) => {
    const isClosed = () => {
      unlinkingCount--
      resolve()
    }
    try {
      unlinkIfThere(path)
    } finally {
      close(fd, isClosed)
    }
  })
}

/** False when there was nothing. */
export function renameIfThere(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/** Replaces a file as a whole: whoever reads it, after a crash too, sees the old content or the new one. */
export function replaceFile(path: string, content: Uint8Array | string, isSynced: boolean): void {
  const temporary = `${path}.tmp`
  writeFileSync(temporary, content)
  if (isSynced) syncPath(temporary)
  renameSync(temporary, path)
}

/** As `replaceFile`, synced, which on a busy disk takes as long as what others have written: that is waited for beside the event loop. */
export function replaceFileSoon(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.tmp`
  return new Promise((resolve, reject) => {
    writeFileSync(temporary, content)
    syncPaths([temporary], (error) => {
      if (error !== null) return reject(error)
      rename(temporary, path, (renameError) => (renameError === null ? resolve() : reject(renameError)))
    })
  })
}

/** Beside the event loop, one after the other. */
export function syncPaths(paths: readonly string[], done: (error: Error | null) => void): void {
  const [path, ...others] = paths
  if (path === undefined) return done(null)
  open(path, 'r', (openError, fd) => {
    if (openError !== null) return isMissing(openError) ? syncPaths(others, done) : done(openError)
    fsync(fd, (syncError) => {
      close(fd, (closeError) => {
        const error = syncError ?? closeError ?? null
        if (error !== null) done(error)
        else syncPaths(others, done)
      })
    })
  })
}

/** Of a file or a directory: then the names in it are safe. */
export function syncPath(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
