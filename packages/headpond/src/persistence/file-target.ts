import {
  close,
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fsync,
  fsyncSync,
  mkdirSync,
  open,
  openSync,
  rename,
  renameSync,
  rmSync,
  statSync,
  write,
  writeSync,
} from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { assert } from '../bytes/assert.ts'
import type { SnapshotTarget } from './snapshot.ts'

const openFile = promisify(open)
const closeFile = promisify(close)
const syncFile = promisify(fsync)
const renameFile = promisify(rename)

/** With `rdb-save-incremental-fsync`, so much is written between two syncs, as in Redis: no long one at the end. */
const SYNC_EVERY_BYTES = 4 * 2 ** 20

/**
 * Chunks of a snapshot are a little longer than 64 KB. What they were in is used again: giving each to the garbage
 * collector makes it run every 20 ms.
 */
const ROOM_BYTES = 128 * 1024

let temporaryCount = 0
/** What this process is writing. */
const temporaryPaths = new Set<string>()

export interface FileTargetOptions {
  /** `rdb-save-incremental-fsync` */
  readonly syncsIncrementally: boolean
  /** Writes before `write` returns: for a file that is complete before anything else happens. */
  readonly writesAtOnce?: boolean
}

const TEMPORARY = /^temp-(\d+)(-\d+)?\.rdb$/

/** Whether this is the name of a snapshot in the making, here or in Redis. */
export function isTemporarySnapshot(path: string): boolean {
  return TEMPORARY.test(basename(path))
}

/** Whether this file was being written by a server that is no more. */
export function isAbandoned(path: string): boolean {
  const processId = TEMPORARY.exec(basename(path))?.[1]
  if (processId === undefined) return false
  // In a container, the process that died had the same number.
  if (Number(processId) === process.pid) return !temporaryPaths.has(resolve(path))
  try {
    process.kill(Number(processId), 0) // asks whether there is such a process
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/**
 * A file that is there as a whole or not at all: written under another name, synced, and given its name; then the
 * directory is synced. Its bytes are written one chunk at a time from the event loop, or at once by `writeNow`.
 */
export class FileTarget implements SnapshotTarget {
  readonly path: string
  readonly #temporaryPath: string
  readonly #options: FileTargetOptions
  readonly #chunks: Uint8Array[] = []
  /** Of ROOM_BYTES each, to be used again. */
  readonly #rooms: ArrayBuffer[] = []
  #fd: number
  #position = 0
  #pendingBytes = 0
  #unsyncedBytes = 0
  /** A write or a sync is under way. */
  #isBusy = false
  #error: Error | null = null
  #isDiscarded = false
  #whenWritten: (() => void)[] = []

  /** Throws when the file cannot be made. */
  constructor(path: string, options: FileTargetOptions) {
    this.path = path
    this.#temporaryPath = resolve(dirname(path), `temp-${process.pid}-${++temporaryCount}.rdb`)
    this.#options = options
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC
    this.#fd = openSync(this.#temporaryPath, flags, 0o644)
    temporaryPaths.add(this.#temporaryPath)
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get hasFailed(): boolean {
    return this.#error !== null
  }

  room(sizeBytes: number): Uint8Array {
    if (sizeBytes > ROOM_BYTES) return new Uint8Array(sizeBytes)
    return new Uint8Array(this.#rooms.pop() ?? new ArrayBuffer(ROOM_BYTES), 0, sizeBytes)
  }

  write(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#options.writesAtOnce) this.writeNow(0)
    else this.#goOn()
  }

  whenWritten(callback: () => void): void {
    if (this.#error !== null || (!this.#isBusy && this.#chunks.length === 0)) setImmediate(callback)
    else this.#whenWritten.push(callback)
  }

  writeNow(pendingBytesMax: number): void {
    try {
      while (this.#pendingBytes > pendingBytesMax) {
        const chunk = this.#chunks.shift()
        if (chunk === undefined) return // the rest of it is under way
        let written = 0
        while (written < chunk.length) {
          written += writeSync(this.#fd, chunk, written, chunk.length - written, this.#position + written)
        }
        this.#written(chunk.length)
        this.#useAgain(chunk)
      }
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  async finish(): Promise<void> {
    while (this.#error === null && (this.#isBusy || this.#chunks.length > 0)) {
      await new Promise<void>((resolve) => this.#whenWritten.push(resolve))
    }
    if (this.#error !== null) throw this.#error
    await syncFile(this.#fd)
    const fd = this.#fd
    this.#fd = -1
    await closeFile(fd)
    if (this.#isDiscarded) throw new Error('discarded')
    await renameFile(this.#temporaryPath, this.path)
    temporaryPaths.delete(this.#temporaryPath)
    await syncDirectorySoon(dirname(this.path))
  }

  /** As `finish`, before it returns: only with `writesAtOnce`. */
  finishNow(): void {
    assert(!this.#isBusy, 'file target: a write is under way')
    if (this.#error !== null) throw this.#error
    fsyncSync(this.#fd)
    closeSync(this.#fd)
    this.#fd = -1
    renameSync(this.#temporaryPath, this.path)
    temporaryPaths.delete(this.#temporaryPath)
    syncDirectory(dirname(this.path))
  }

  discard(): void {
    if (this.#isDiscarded) return
    this.#isDiscarded = true
    this.#chunks.length = 0
    this.#pendingBytes = 0
    rmSync(this.#temporaryPath, { force: true })
    temporaryPaths.delete(this.#temporaryPath)
    if (!this.#isBusy) this.#closeDiscarded()
  }

  // ---- One chunk after the other ----

  #goOn(): void {
    if (this.#isBusy || this.#error !== null || this.#isDiscarded) return
    if (this.#options.syncsIncrementally && this.#unsyncedBytes >= SYNC_EVERY_BYTES) {
      this.#unsyncedBytes = 0
      this.#isBusy = true
      fdatasync(this.#fd, (error) => this.#done(error))
      return
    }
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return
    const position = this.#position
    // Taken from the queue, it counts as written for `writeNow`, which goes on behind it.
    this.#position += chunk.length
    this.#isBusy = true
    this.#writeAt(chunk, position)
  }

  #writeAt(chunk: Uint8Array, position: number): void {
    write(this.#fd, chunk, 0, chunk.length, position, (error, count) => {
      if (error === null) {
        this.#pendingBytes = Math.max(0, this.#pendingBytes - count)
        this.#unsyncedBytes += count
        if (count < chunk.length) return this.#writeAt(chunk.subarray(count), position + count)
        this.#useAgain(chunk)
      }
      this.#done(error)
    })
  }

  #useAgain({ buffer }: Uint8Array): void {
    if (buffer.byteLength === ROOM_BYTES) this.#rooms.push(buffer as ArrayBuffer)
  }

  #written(count: number): void {
    this.#position += count
    this.#pendingBytes -= count
    this.#unsyncedBytes += count
  }

  #done(error: Error | null): void {
    this.#isBusy = false
    if (this.#isDiscarded) return this.#closeDiscarded()
    if (error !== null) this.#failed(error)
    const callbacks = this.#whenWritten
    this.#whenWritten = []
    this.#goOn()
    for (const callback of callbacks) callback()
  }

  #failed(error: Error): void {
    this.#error ??= error
    this.#chunks.length = 0
    this.#pendingBytes = 0
  }

  #closeDiscarded(): void {
    if (this.#fd === -1) return
    // It has no name any more, so that closing gives back what it holds: not before everybody's eyes.
    close(this.#fd, () => {})
    this.#fd = -1
  }
}

/** As `syncDirectory`, holding nobody up. */
async function syncDirectorySoon(path: string): Promise<void> {
  let fd: number
  try {
    fd = await openFile(path, constants.O_RDONLY)
  } catch (error) {
    if (process.platform === 'win32') return
    throw error
  }
  try {
    await syncFile(fd)
  } catch (error) {
    if (!SYNC_REFUSALS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await closeFile(fd)
  }
}

/** Some file systems refuse to sync a directory. */
const SYNC_REFUSALS: ReadonlySet<string> = new Set(['EINVAL', 'EPERM', 'ENOTSUP'])

/** Makes a directory, and those above it that are missing, to last. Node's own `recursive` never ends in places like /proc. */
export function makeDirectory(path: string): void {
  const parent = dirname(resolve(path))
  try {
    mkdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path).isDirectory()) return
    if (code !== 'ENOENT' || existsSync(parent)) throw error
    makeDirectory(parent)
    makeDirectory(path)
    return
  }
  syncDirectory(parent)
}

/** Makes it last that files were made, renamed or deleted in a directory. */
export function syncDirectory(path: string): void {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch (error) {
    if (process.platform === 'win32') return // directories cannot be opened there, and need not be
    throw error
  }
  try {
    fsyncSync(fd)
  } catch (error) {
    if (!SYNC_REFUSALS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    closeSync(fd)
  }
}
