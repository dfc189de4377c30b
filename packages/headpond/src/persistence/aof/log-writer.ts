import { performance } from 'node:perf_hooks'
import { copyBytes } from '../../bytes/copy.ts'
import type { Settings } from '../../config/directives.ts'
import type { ServerLog } from '../../config/server-log.ts'
import type { LogFile } from './log-file.ts'

/**
 * Appends commands to the last increment: gathered in memory during a turn of the event loop, written together at the end
 * of it, and only then are the replies of that turn let go.
 *
 * - `appendfsync always`: the replies wait until the disk has it. One sync covers all connections of a turn. While it runs
 *   on another thread the next requests are worked off; they are written after it, and have the next one. When there was
 *   little to write there is little to come, and a quick disk is done before the other thread would have told of it: it is
 *   waited for, as Redis does.
 * - `everysec`: a sync each second, beside the event loop. While one takes longer, writing waits up to two seconds, since
 *   the system would make it wait anyway; replies do not.
 * - `no`: the system decides when.
 *
 * The rules, and the words of the log, are Redis's (aof.c, flushAppendOnlyFile).
 */
export interface LogWriterHost {
  readonly settings: Settings
  readonly log: ServerLog
  /** The wall clock, for annotations. */
  readonly nowMs: () => number
  /** Where the feed of changes is. */
  readonly feedOffset: () => number
  /** A rewrite or snapshot writes to the same disk (`no-appendfsync-on-rewrite`). */
  readonly isRewriting: () => boolean
  /** From here on no reply may leave. */
  readonly hold: () => void
  /** Everything held so far, for `release`. */
  readonly mark: () => number
  readonly release: (mark: number) => void
  /** All replies may leave. */
  readonly open: () => void
  /** `problem` has changed. */
  readonly onStatus: () => void
  /** `syncedOffset` has grown. */
  readonly onSynced: () => void
  /** What was promised cannot be kept (`appendfsync always`): the server has to end, without another reply. */
  readonly onFatal: (problem: string) => void
}

const BUFFER_BYTES_MIN = 64 * 1024
/** Room that only a burst needs is given back. */
const BUFFER_BYTES_KEPT_MAX = 4 * 2 ** 20
/** A turn that writes more than this is written in parts. */
const BUFFER_BYTES_MAX = 64 * 2 ** 20
const SYNC_EVERY_MS = 1000
const POSTPONED_MS_MAX = 2000
/** What was written since a sync that ended so lately takes no long time to sync. */
const RECENT_MS = 300
/** After writing so little, a disk that takes no longer on average is waited for. **(measured)** */
const SYNC_IN_PLACE_BYTES_MAX = 8192
const SYNC_IN_PLACE_MS_MAX = 2
/** A slow disk is tried again after so many rounds. */
const ROUNDS_BESIDE = 1000
const ERROR_LOG_EVERY_MS = 30_000
const RETRY_EVERY_MS = 1000

export class LogWriter {
  readonly #host: LogWriterHost
  readonly #settings: Settings
  #file: LogFile | null = null
  /** Of the file, without what a failed write may have left behind. */
  fileBytes = 0
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN)
  #length = 0
  #selected = -1
  #annotatedAtSeconds = 0
  #isTurnScheduled = false
  #isSyncing = false
  /** Something was written that no sync has covered. */
  #isUnsynced = false
  #lastSyncAtMs = 0
  #syncEndedAtMs = 0
  #postponedAtMs = 0
  /** How long syncs take that are waited for, the last ones above all. */
  #meanSyncMs = 0
  /** Rounds for which the disk is too slow to be waited for. */
  #roundsBeside = 0
  /** Files before this one whose last sync is under way. */
  #retiringCount = 0
  #lastErrorLogAtMs = Number.NEGATIVE_INFINITY
  #lastTryAtMs = 0
  #writtenOffset = 0
  /** What of the feed is safe on the disk. */
  syncedOffset = 0
  /** Why nothing can be written; null while all is well. */
  problem: string | null = null
  /** Writes that had to go on beside a sync that took too long. */
  delayedSyncCount = 0
  #hasEnded = false
  /** DEBUG AOF-FLUSH-SLEEP. */
  sleepBeforeWriteMs = 0

  constructor(host: LogWriterHost) {
    this.#host = host
    this.#settings = host.settings
  }

  get isOpen(): boolean {
    return this.#file !== null
  }

  /** Bytes gathered and not written yet. */
  get pendingBytes(): number {
    return this.#length
  }

  get isSyncing(): boolean {
    return this.#isSyncing
  }

  // ---- Gathering ----

  /** hot: once for each write. See PropagationConsumer. */
  append(database: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isTurnScheduled) this.#beginTurn()
    if (this.#settings.aofTimestampEnabled) this.#annotate()
    if (database !== this.#selected) this.#select(database)
    const at = this.#length
    if (at + end - start > this.#buffer.length) this.#grow(end - start)
    copyBytes(bytes, start, end, this.#buffer, this.#length)
    this.#length += end - start
    if (this.#length > BUFFER_BYTES_MAX && !this.#isSyncing) this.#write()
  }

  #beginTurn(): void {
    this.#isTurnScheduled = true
    this.#host.hold()
    setImmediate(this.#endTurn)
  }

  #select(database: number): void {
    this.#selected = database
    const number = String(database)
    this.#appendText(`*2\r\n$6\r\nSELECT\r\n$${number.length}\r\n${number}\r\n`)
  }

  #annotate(): void {
    const seconds = Math.floor(this.#host.nowMs() / 1000)
    if (seconds <= this.#annotatedAtSeconds) return
    this.#annotatedAtSeconds = seconds
    this.#appendText(`#TS:${seconds}\r\n`)
  }

  #appendText(text: string): void {
    if (this.#length + text.length > this.#buffer.length) this.#grow(text.length)
    this.#length += this.#buffer.write(text, this.#length, 'latin1')
  }

  #grow(neededBytes: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#length + neededBytes, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }

  // ---- The end of a turn ----

  readonly #endTurn = (): void => {
    this.#isTurnScheduled = false
    if (this.#hasEnded) return
    if (this.#settings.appendfsync === 'always') return this.#commit()
    this.#flushLazily()
    if (this.#isTurnScheduled) return
    this.#host.open()
  }

  /** `always`: writes, syncs, and lets the replies go, one round at a time. */
  #commit(): void {
    if (this.#isSyncing || this.#hasEnded) return
    const isShort = this.#length <= SYNC_IN_PLACE_BYTES_MAX
    if (this.#length > 0 && !this.#write()) return
    if (this.#isUnsynced && isShort && this.#roundsBeside === 0 && !this.#syncInPlace()) return
    if (!this.#isUnsynced) return this.#host.open()
    if (this.#roundsBeside > 0) this.#roundsBeside--
    const mark = this.#host.mark()
    this.#startSync(() => {
      this.#host.release(mark)
      if (this.#length > 0 || this.#isUnsynced) this.#commit()
      else this.#host.open()
    })
  }

  /** False when that failed. */
  #syncInPlace(): boolean {
    const startedAtMs = performance.now()
    if (!this.writeNow(true)) return false
    this.#meanSyncMs += (performance.now() - startedAtMs - this.#meanSyncMs) / 8
    if (this.#meanSyncMs > SYNC_IN_PLACE_MS_MAX) {
      this.#roundsBeside = ROUNDS_BESIDE
      this.#meanSyncMs = 0
    }
    return true
  }

  #flushLazily(): void {
    const nowMs = this.#host.nowMs()
    if (this.#length > 0) {
      if (this.#settings.appendfsync === 'everysec' && this.#isSyncing) {
        if (this.#postponedAtMs === 0) this.#postponedAtMs = nowMs
        if (nowMs - this.#postponedAtMs < POSTPONED_MS_MAX) return
        this.delayedSyncCount++
        this.#host.log.info(
          'Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync ' +
            'to complete, this may slow down the server.',
        )
      }
      this.#postponedAtMs = 0
      if (!this.#write()) return
    }
    if (this.#settings.appendfsync !== 'everysec' || !this.#isUnsynced || this.#isSyncing) return
    if (this.#settings.noAppendfsyncOnRewrite && this.#host.isRewriting()) return
    if (nowMs - this.#lastSyncAtMs >= SYNC_EVERY_MS) this.#startSync(() => {})
  }

  /** To be called several times a second: what was postponed, what failed, and the last sync after writes. */
  cron(): void {
    if (this.#file === null || this.#hasEnded) return
    if (this.problem !== null) {
      if (this.#host.nowMs() - this.#lastTryAtMs < RETRY_EVERY_MS) return
      if (this.#length === 0) return this.#retrySync()
    }
    if (this.#settings.appendfsync === 'always') this.#commit()
    else this.#flushLazily()
  }

  // ---- Writing ----

  /** Writes all that is gathered. False when that failed: it is still gathered, or the server ends. */
  #write(): boolean {
    const file = this.#file
    if (file === null) return false
    this.#lastTryAtMs = this.#host.nowMs()
    if (this.sleepBeforeWriteMs > 0) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.sleepBeforeWriteMs)
    }
    let written = 0
    let error: Error | null = null
    try {
      while (written < this.#length) {
        const count = file.write(this.#buffer, written, this.#length)
        if (count <= 0) break
        written += count
      }
    } catch (thrown) {
      error = thrown as Error
    }
    if (written < this.#length) return this.#failed(file, written, error)
    this.fileBytes += written
    this.#isUnsynced = true
    this.#length = 0
    this.#writtenOffset = this.#host.feedOffset()
    if (this.#buffer.length > BUFFER_BYTES_KEPT_MAX) this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN)
    if (this.problem !== null) {
      this.#host.log.warn('AOF write error looks solved, the server can write again.')
      this.#setProblem(null)
    }
    return true
  }

  #failed(file: LogFile, written: number, error: Error | null): boolean {
    const isLogged = this.#host.nowMs() - this.#lastErrorLogAtMs > ERROR_LOG_EVERY_MS
    if (isLogged) this.#lastErrorLogAtMs = this.#host.nowMs()
    const problem = error === null ? describeErrno('ENOSPC') : describeError(error)
    if (isLogged && written === 0) this.#host.log.error({ err: error }, `Error writing to the AOF file: ${problem}`)
    if (written > 0) {
      if (isLogged) {
        this.#host.log.error(
          { err: error },
          `Short write while writing to the AOF file: (nwritten=${written}, expected=${this.#length})`,
        )
      }
      if (!this.#takeBack(file)) {
        // It stays: what follows has to go on behind it.
        this.fileBytes += written
        this.#buffer.copyWithin(0, written, this.#length)
        this.#length -= written
      }
    }
    if (this.#settings.appendfsync === 'always') {
      this.#end(`Can't recover from AOF write error when the AOF fsync policy is 'always': ${problem}. Exiting...`)
    } else this.#setProblem(problem)
    return false
  }

  /** Removes a part of a write from the file's end. */
  #takeBack(file: LogFile): boolean {
    try {
      file.truncate(this.fileBytes)
      return true
    } catch (error) {
      this.#host.log.error(
        { err: error },
        'Could not remove short write from the append-only file. It may be refused the next time that the server starts.',
      )
      return false
    }
  }

  #setProblem(problem: string | null): void {
    this.problem = problem
    this.#host.onStatus()
  }

  #end(problem: string): void {
    this.#hasEnded = true
    this.#host.onFatal(problem)
  }

  // ---- Syncing ----

  #startSync(done: () => void): void {
    const file = this.#file!
    this.#isSyncing = true
    this.#isUnsynced = false
    this.#lastSyncAtMs = this.#host.nowMs()
    const offset = this.#writtenOffset
    file.sync((error) => {
      this.#isSyncing = false
      this.#syncEndedAtMs = this.#host.nowMs()
      if (this.#closing.delete(file)) this.#retire(file)
      if (error !== null) return this.#syncFailed(error)
      this.#synced(offset)
      done()
    })
  }

  #synced(offset: number): void {
    if (this.problem !== null && this.#length === 0) this.#setProblem(null)
    if (offset <= this.syncedOffset) return
    if (this.#retiringCount > 0) {
      // A file before this one may have less than that: the next sync tells.
      this.#isUnsynced = true
      return
    }
    this.syncedOffset = offset
    this.#host.onSynced()
  }

  #syncFailed(error: Error): void {
    this.#isUnsynced = true
    const problem = describeError(error)
    if (this.#settings.appendfsync === 'always') {
      this.#end(`Can't persist AOF for fsync error when the AOF fsync policy is 'always': ${problem}. Exiting...`)
      return
    }
    this.#host.log.error({ err: error }, `Fail to fsync the AOF file: ${problem}`)
    this.#setProblem(problem)
  }

  #retrySync(): void {
    this.#lastTryAtMs = this.#host.nowMs()
    if (!this.#isSyncing) this.#startSync(() => {})
  }

  // ---- Opening and closing ----

  /** Files that are to be closed when their sync is over. */
  readonly #closing = new Set<LogFile>()

  /** Goes on in another file. What was gathered has to be written (`writeNow`) before. */
  open(file: LogFile): void {
    this.close()
    this.#file = file
    this.fileBytes = file.sizeBytes
    this.#writtenOffset = this.#host.feedOffset()
    this.#selected = -1
    this.#annotatedAtSeconds = 0
  }

  /** Writes what is gathered; with `syncs`, makes it last. False when that failed, which is logged. */
  writeNow(syncs: boolean): boolean {
    if (this.#file === null) return true
    if (this.#length > 0 && !this.#write()) return false
    if (!syncs) return true
    try {
      if (this.#isUnsynced || this.#isSyncing) this.#file.syncNow()
    } catch (error) {
      this.#syncFailed(error as Error)
      return false
    }
    this.#isUnsynced = false
    this.#synced(this.#writtenOffset)
    return true
  }

  /** Begins to sync what was written long ago; true when there is nothing of that any more. */
  syncSoon(): boolean {
    if (this.#isSyncing) return false
    if (!this.#isUnsynced || this.#host.nowMs() - this.#syncEndedAtMs < RECENT_MS) return true
    this.#startSync(() => {})
    return false
  }

  /** Lets go of the file, and of what is gathered. Replies may leave. */
  close(): void {
    const file = this.#file
    if (file === null) return
    this.#file = null
    this.#length = 0
    this.#postponedAtMs = 0
    if (this.#isSyncing) {
      this.#retiringCount++
      this.#closing.add(file)
    } else if (this.#isUnsynced) {
      this.#retiringCount++
      this.#retire(file)
    } else file.close()
    this.#isUnsynced = false
    if (this.problem !== null) this.#setProblem(null)
  }

  /** Makes the last that was written to a file last, and closes it. */
  #retire(file: LogFile): void {
    file.sync((error) => {
      this.#retiringCount--
      if (error !== null) this.#host.log.error({ err: error }, `Fail to fsync the AOF file: ${describeError(error)}`)
      file.close()
    })
  }
}

/** As `strerror` says it, which clients are told. */
function describeError(error: Error): string {
  return describeErrno((error as NodeJS.ErrnoException).code ?? '')
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EIO: 'Input/output error',
  EFBIG: 'File too large',
  EROFS: 'Read-only file system',
  EBADF: 'Bad file descriptor',
  EACCES: 'Permission denied',
  ENOENT: 'No such file or directory',
}

function describeErrno(code: string): string {
  return ERRNO_TEXTS[code] ?? (code === '' ? 'unknown error' : code)
}
