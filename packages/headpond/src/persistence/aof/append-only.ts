import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../../config/directives.ts'
import type { ServerLog } from '../../config/server-log.ts'
import { unlinkSoon } from '../../log/files.ts'
import type { Store } from '../../store/store.ts'
import { DataDirectoryError } from '../data-directory-error.ts'
import { FileTarget, isAbandoned, makeDirectory, syncDirectory } from '../file-target.ts'
import type { Loading } from '../loading.ts'
import type { RdbPersistence } from '../rdb/rdb-persistence.ts'
import { Snapshot, SnapshotAborted } from '../snapshot.ts'
import type { SnapshotEncoder } from '../snapshot-encoder.ts'
import type { Snapshots } from '../snapshots.ts'
import { CommandEncoder } from './command-encoder.ts'
import { loadAof } from './load.ts'
import type { OpenLogFile } from './log-file.ts'
import { LogWriter } from './log-writer.ts'
import { type AofFile, Manifest, ManifestError } from './manifest.ts'
import type { Replay } from './replay.ts'

/** The feed of changes that the file is written from. */
export interface ChangeFeed {
  readonly offset: number
  attach(consumer: LogWriter): void
  detach(consumer: LogWriter): void
}

/** What holds replies back. */
export interface ReplyGate {
  close(): void
  mark(): number
  release(mark: number): void
  open(): void
}

/** What the append-only file needs of the protocol above it. */
export interface AppendOnlyPort {
  readonly feed: ChangeFeed
  readonly gate: ReplyGate
  readonly openReplay: () => Replay
}

export interface AppendOnlyHost {
  readonly store: Store
  readonly settings: Settings
  readonly log: ServerLog
  readonly snapshots: Snapshots
  readonly loading: Loading
  readonly rdb: RdbPersistence
  readonly nowMs: () => number
  readonly openLogFile: OpenLogFile
  readonly onStatus: () => void
  /** The promise of `appendfsync always` cannot be kept: the server has to end, without another reply. */
  readonly onFatal: (problem: string) => void
}

/** After so many rewrites that failed, the next ones wait longer and longer, as in Redis. */
const FAILURES_MAX = 3
const RETRY_MINUTES_MAX = 60

/**
 * The append-only file in Redis 7's form: a directory (`appenddirname`) with a base, increments, and a manifest that
 * names them. What changes is appended to the last increment. A rewrite takes a snapshot as the new base and opens a new
 * increment in the same moment; once the base is safe, the manifest names it instead of what it replaces.
 */
export class AppendOnly {
  readonly #host: AppendOnlyHost
  readonly #settings: Settings
  readonly writer: LogWriter
  #port: AppendOnlyPort | null = null
  #manifest = new Manifest()
  #directory: string | null = null
  /** `first rewrite`: switched on by CONFIG SET, it counts once there is a base. */
  state: 'off' | 'first rewrite' | 'on' = 'off'
  /** The increment that `first rewrite` writes, under a name of its own until there is a base. */
  #temporaryIncrement: string | null = null
  /** Bytes of the files before the last increment. */
  #olderBytes = 0
  /** Bytes of all files when the last rewrite was complete, or at the start. */
  rewriteBaseBytes = 0
  isRewriteScheduled = false
  rewriteCount = 0
  failureCount = 0
  lastRewriteSeconds = -1
  lastRewriteStatus: 'ok' | 'err' = 'ok'
  #retryAtMs = 0
  /** Resolves when no more files are being deleted. */
  tidying: Promise<void> = Promise.resolve()
  /** Called when more of the feed is safe on the disk. */
  onSynced: () => void = () => {}

  constructor(host: AppendOnlyHost) {
    this.#host = host
    this.#settings = host.settings
    this.writer = new LogWriter({
      settings: host.settings,
      log: host.log,
      nowMs: host.nowMs,
      feedOffset: () => this.#port?.feed.offset ?? 0,
      isRewriting: () => host.snapshots.active !== null,
      hold: () => this.#port?.gate.close(),
      mark: () => this.#port?.gate.mark() ?? 0,
      release: (mark) => this.#port?.gate.release(mark),
      open: () => this.#port?.gate.open(),
      onStatus: host.onStatus,
      onSynced: () => this.onSynced(),
      onFatal: host.onFatal,
    })
  }

  /** Ties it to the protocol that it serves. */
  connect(port: AppendOnlyPort): void {
    this.#port = port
  }

  get isRewriting(): boolean {
    return this.#host.snapshots.isActive('aof')
  }

  /** Bytes of all files. */
  get sizeBytes(): number {
    return this.#olderBytes + this.writer.fileBytes
  }

  /** Where the files are. While there are any in use, `dir` may be set to another place for other files. */
  get directory(): string {
    return this.#directory ?? join(this.#settings.dir, this.#settings.appenddirname)
  }

  get #temporaryManifestName(): string {
    return `temp-${this.#settings.appendfilename}.manifest`
  }

  get #temporaryIncrementName(): string {
    return `temp-${this.#settings.appendfilename}.incr`
  }

  get #manifestPath(): string {
    return join(this.directory, `${this.#settings.appendfilename}.manifest`)
  }

  #path(file: AofFile): string {
    return join(this.directory, file.name)
  }

  // ---- Start ----

  /** Loads what is there, and goes on from it. `onTurn` hears of progress, and ends the load by answering false. */
  async start(onTurn: () => boolean): Promise<void> {
    const manifest = this.#readManifest() ?? this.#adoptOldFile()
    if (manifest === null) {
      if (existsSync(this.#host.rdb.path)) {
        this.#host.log.info(`there is no append-only file yet: it begins with ${this.#settings.dbfilename}`)
        if (!(await this.#host.rdb.load(onTurn)) || !onTurn()) return
      }
      await this.#create()
      return
    }
    this.#manifest = manifest
    const { appendfilename, dir } = this.#settings
    const isMoving = manifest.base?.name === appendfilename && !existsSync(this.#path(manifest.base))
    if (isMoving && existsSync(join(dir, appendfilename))) this.#moveOldFile()
    const steps = this.#load(manifest)
    while (!steps.next().done) {
      if (!onTurn()) {
        steps.return()
        return
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    onTurn()
    this.#continue()
  }

  /** Starts without one: what is there is known, so that a later rewrite goes on from it. Throws DataDirectoryError. */
  startOff(): void {
    this.#refreshManifest()
    this.deleteHistory()
  }

  /** DEBUG LOADAOF: loads it anew, in place of what is there. False when there is none; throws DataDirectoryError. */
  reload(): boolean {
    this.writer.writeNow(false)
    const manifest = this.#readManifest()
    if (manifest === null) return false
    const { propagating } = this
    if (propagating) this.#port?.feed.detach(this.writer)
    try {
      this.#host.store.flushAll()
      for (const _ of this.#load(manifest));
      if (this.state !== 'on') this.#manifest = manifest
    } finally {
      if (propagating) this.#port?.feed.attach(this.writer)
    }
    return true
  }

  get propagating(): boolean {
    return this.writer.isOpen
  }

  *#load(manifest: Manifest): Generator<undefined, void> {
    const { store, loading, nowMs, rdb, log } = this.#host
    const files = manifest.live
    const totalBytes = files.reduce((sum, file) => sum + sizeOf(this.#path(file)), 0)
    loading.begin(nowMs(), totalBytes)
    const { keepsExpired } = store
    // What had expired was deleted by a command of its own, in its place among the others.
    store.keepsExpired = true
    try {
      yield* loadAof(
        {
          rdb,
          loading,
          log,
          replay: this.#port!.openReplay(),
          loadsTruncated: this.#settings.aofLoadTruncated,
        },
        this.directory,
        files,
      )
    } finally {
      store.keepsExpired = keepsExpired
      loading.end()
    }
    rdb.nothingChanged()
  }

  /** While it is off, the directory may have changed. Numbers that were given are not given again, as in Redis. */
  #refreshManifest(): void {
    const manifest = this.#readManifest()
    if (manifest === null) return
    manifest.numberAfter(this.#manifest)
    this.#manifest = manifest
  }

  #readManifest(): Manifest | null {
    let text: Buffer
    try {
      text = readFileSync(this.#manifestPath)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return null
      throw new DataDirectoryError(this.#manifestPath, `the manifest cannot be read (${code})`)
    }
    try {
      return Manifest.parse(text)
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error
      throw new DataDirectoryError(
        this.#manifestPath,
        `line ${error.line} of the manifest: ${error.message}. Correct it: each line is ` +
          `"file <name> seq <number> type <b|i|h>", the base first, then the increments in order.`,
      )
    }
  }

  /** The single file of Redis before 7 becomes the base. */
  #adoptOldFile(): Manifest | null {
    const name = this.#settings.appendfilename
    const oldPath = join(this.#settings.dir, name)
    if (!existsSync(oldPath)) return null
    this.#makeDirectory()
    const manifest = new Manifest()
    manifest.replaceBase({ name, sequence: 1 }, [])
    this.#host.log.info(
      `Successfully migrated an old-style AOF configuration (${oldPath}) into the AOF directory (${this.directory})`,
    )
    // In this order, as in Redis: a crash in between is seen by a manifest whose base is still in the old place.
    this.#writeManifest(manifest)
    this.#moveOldFile()
    return manifest
  }

  #moveOldFile(): void {
    const name = this.#settings.appendfilename
    renameSync(join(this.#settings.dir, name), join(this.directory, name))
    syncDirectory(this.directory)
    syncDirectory(this.#settings.dir)
  }

  /** The store becomes the base of a new append-only file. */
  async #create(): Promise<void> {
    const { loading, nowMs, log } = this.#host
    this.#makeDirectory()
    this.#removeLeftovers()
    const base = this.#manifest.nextBase(this.#settings.appendfilename, this.#settings.aofUseRdbPreamble)
    log.info(`Creating AOF base file ${base.name} on server start`)
    // Nobody may write before there is something to append to.
    loading.begin(nowMs(), 0)
    try {
      await this.#snapshot(this.#path(base)).run().done
    } catch (error) {
      throw new DataDirectoryError(
        this.#path(base),
        `the file cannot be written (${(error as NodeJS.ErrnoException).code})`,
      )
    } finally {
      loading.end()
    }
    const manifest = this.#manifest.copy()
    manifest.replaceBase(base, [])
    this.#manifest = manifest
    this.#continue()
  }

  /** Opens the last increment, or the first one, and begins to append. */
  #continue(): void {
    this.#removeLeftovers()
    const manifest = this.#manifest.copy()
    const hasIncrement = manifest.increments.length > 0
    if (!hasIncrement) manifest.addIncrement(manifest.nextIncrement(this.#settings.appendfilename))
    const last = manifest.increments.at(-1)!
    try {
      this.writer.open(this.#host.openLogFile(this.#path(last)))
      if (!hasIncrement) {
        syncDirectory(this.directory)
        this.#writeManifest(manifest)
      }
    } catch (error) {
      throw new DataDirectoryError(
        this.#path(last),
        `the file cannot be written (${(error as NodeJS.ErrnoException).code})`,
      )
    }
    this.#manifest = manifest
    this.#measure()
    this.rewriteBaseBytes = this.sizeBytes
    this.#directory = this.directory
    this.state = 'on'
    this.deleteHistory()
    this.#port?.feed.attach(this.writer)
  }

  #makeDirectory(): void {
    try {
      makeDirectory(this.directory)
    } catch (error) {
      throw new DataDirectoryError(
        this.directory,
        `the directory cannot be made (${(error as NodeJS.ErrnoException).code})`,
      )
    }
  }

  /** What a crash left half written is of no use to anybody. Other servers may have files of other names here. */
  #removeLeftovers(): void {
    const own = [this.#temporaryManifestName, this.#temporaryIncrementName]
    for (const name of readdirSync(this.directory)) {
      const path = join(this.directory, name)
      if (own.includes(name) || isAbandoned(path)) rmSync(path, { force: true })
    }
  }

  #measure(): void {
    const older = this.#manifest.live.slice(0, this.writer.isOpen ? -1 : undefined)
    this.#olderBytes = older.reduce((sum, file) => sum + sizeOf(this.#path(file)), 0)
  }

  // ---- The manifest ----

  #writeManifest(manifest: Manifest): void {
    const temporaryPath = join(this.directory, this.#temporaryManifestName)
    writeFileSync(temporaryPath, manifest.format())
    const fd = openSync(temporaryPath, 'r+')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporaryPath, this.#manifestPath)
    syncDirectory(this.directory)
  }

  /** Files that a rewrite replaced go, once the manifest says so; then it need not name them any more. */
  deleteHistory(): void {
    if (this.#manifest.history.length === 0 || this.#settings.aofDisableAutoGc) return
    const manifest = this.#manifest.copy()
    manifest.history = []
    try {
      for (const file of this.#manifest.history) {
        this.#host.log.info(`Removing the history file ${file.name} in the background`)
        this.#removeSoon(this.#path(file))
      }
      this.#writeManifest(manifest)
      this.#manifest = manifest
    } catch (error) {
      this.#host.log.error({ err: error }, 'history files of the append-only file cannot be removed')
    }
  }

  #removeSoon(path: string): void {
    this.tidying = Promise.all([this.tidying, unlinkSoon(path)]).then(() => {})
  }

  // ---- On and off ----

  /**
   * CONFIG SET appendonly yes. Returns why it cannot be; what is there becomes the base, which takes a while.
   * @param isInExec the base is not to have a half of the transaction that runs
   */
  enable(isInExec: boolean): string | undefined {
    if (this.state !== 'off') return undefined
    this.state = 'first rewrite'
    const { snapshots, log } = this.#host
    if (isInExec || (snapshots.active !== null && !this.isRewriting)) {
      const obstacle = isInExec ? 'during a transaction' : 'but there is already another background operation'
      log.warn(`AOF was enabled ${obstacle}. An AOF background was scheduled to start when possible.`)
      this.isRewriteScheduled = true
      return undefined
    }
    // What changes during such a rewrite is gathered by nobody.
    if (this.isRewriting) snapshots.active?.snapshot.abort('the append-only file was switched on')
    if (this.rewrite()) return undefined
    this.state = 'off'
    this.isRewriteScheduled = false
    return 'Unable to turn on AOF. Check server logs.'
  }

  /** CONFIG SET appendonly no. */
  disable(): void {
    if (this.state === 'off') return
    this.writer.writeNow(true)
    this.#stop()
    this.state = 'off'
    this.isRewriteScheduled = false
    if (this.isRewriting) this.#host.snapshots.active?.snapshot.abort('the append-only file was switched off')
  }

  #stop(): void {
    this.#port?.feed.detach(this.writer)
    this.writer.close()
    this.#port?.gate.open()
    if (this.#temporaryIncrement !== null) rmSync(join(this.directory, this.#temporaryIncrement), { force: true })
    this.#temporaryIncrement = null
    this.#directory = null
  }

  // ---- Rewriting ----

  #encoder(): SnapshotEncoder {
    const { store, rdb, nowMs } = this.#host
    if (this.#settings.aofUseRdbPreamble) return rdb.encoder([['aof-base', '1']])
    return new CommandEncoder(store, {
      compresses: this.#settings.rdbcompression,
      functions: rdb.functionCodes(),
      timestampSeconds: this.#settings.aofTimestampEnabled ? Math.floor(nowMs() / 1000) : -1,
    })
  }

  #snapshot(path: string): Snapshot {
    const target = new FileTarget(path, { syncsIncrementally: this.#settings.aofRewriteIncrementalFsync })
    return new Snapshot(this.#host.store, this.#encoder(), target, {
      whenFlushed: 'keep',
      keyDelayUs: () => this.#settings.rdbKeySaveDelay,
    })
  }

  /** BGREWRITEAOF while it cannot begin: it does as soon as it can, however often others have failed. */
  schedule(): void {
    this.isRewriteScheduled = true
    this.failureCount = 0
    this.#retryAtMs = 0
  }

  /** Begins a rewrite; no snapshot may be in progress. False when it cannot begin. */
  rewrite(): boolean {
    const { log, snapshots, nowMs } = this.#host
    const startedAtMs = nowMs()
    let manifest: Manifest
    let base: AofFile
    let snapshot: Snapshot
    try {
      this.#makeDirectory()
      if (this.state !== 'on') this.#refreshManifest()
      manifest = this.#manifest.copy()
      base = manifest.nextBase(this.#settings.appendfilename, this.#settings.aofUseRdbPreamble)
      if (this.state === 'on') this.#openIncrement(manifest)
      else if (this.state === 'first rewrite') this.#openTemporaryIncrement()
      snapshot = this.#snapshot(this.#path(base))
    } catch (error) {
      log.error({ err: error }, 'the append-only file cannot be rewritten')
      this.#rewriteFailed(startedAtMs)
      return false
    }
    this.isRewriteScheduled = false
    this.rewriteCount++
    snapshots.begin('aof', snapshot, startedAtMs)
    log.info('Background append only file rewriting started')
    const kept = this.state === 'on' ? this.#manifest.increments.slice(-1) : []
    snapshot.run().done.then(
      () => this.#rewritten(base, kept, startedAtMs),
      (error: Error) => {
        // Whoever ends it has taken care of the rest, and may have begun another one.
        if (error instanceof SnapshotAborted) {
          log.info(`the rewrite of the append-only file ended early: ${error.message}`)
          return
        }
        log.error({ err: error }, 'Background AOF rewrite terminated by an error')
        this.#rewriteFailed(startedAtMs)
      },
    )
    return true
  }

  /** What changes from the moment of the snapshot on goes into a new file. */
  #openIncrement(manifest: Manifest): void {
    const increment = manifest.nextIncrement(this.#settings.appendfilename)
    const { writer } = this
    // Whole on the disk before another one follows it: a loss of power may cut off the end of the last file only.
    if (!writer.writeNow(true)) throw new Error('what is gathered cannot be written to the last increment')
    const file = this.#host.openLogFile(this.#path(increment))
    try {
      syncDirectory(this.directory) // a manifest must not name what is not there
      manifest.addIncrement(increment)
      this.#writeManifest(manifest)
    } catch (error) {
      file.close()
      throw error
    }
    this.#manifest = manifest
    writer.open(file)
    this.#measure()
  }

  #openTemporaryIncrement(): void {
    this.#stop()
    this.#directory = this.directory
    this.#temporaryIncrement = this.#temporaryIncrementName
    const path = join(this.directory, this.#temporaryIncrement)
    rmSync(path, { force: true })
    this.writer.open(this.#host.openLogFile(path))
    this.#port?.feed.attach(this.writer)
  }

  #rewritten(base: AofFile, kept: readonly AofFile[], startedAtMs: number): void {
    const { log, nowMs } = this.#host
    const manifest = this.#manifest.copy()
    try {
      if (this.state === 'first rewrite') {
        // What is there of an earlier time is not continued, but replaced.
        const increment = manifest.nextIncrement(this.#settings.appendfilename)
        if (!this.writer.writeNow(true)) throw new Error('the first increment cannot be written')
        renameSync(join(this.directory, this.#temporaryIncrement!), this.#path(increment))
        syncDirectory(this.directory)
        manifest.replaceBase(base, [])
        manifest.addIncrement(increment)
      } else manifest.replaceBase(base, kept)
      this.#writeManifest(manifest)
    } catch (error) {
      log.error({ err: error }, 'the append-only file was rewritten, but cannot take its place')
      this.#rewriteFailed(startedAtMs)
      return
    }
    this.#manifest = manifest
    if (this.state === 'first rewrite') {
      this.#temporaryIncrement = null
      this.state = 'on'
    }
    this.#measure()
    this.rewriteBaseBytes = this.sizeBytes
    this.lastRewriteStatus = 'ok'
    this.failureCount = 0
    this.lastRewriteSeconds = Math.floor((nowMs() - startedAtMs) / 1000)
    this.deleteHistory()
    log.info('Background AOF rewrite finished successfully')
  }

  #rewriteFailed(startedAtMs: number): void {
    const { log, nowMs } = this.#host
    this.lastRewriteStatus = 'err'
    this.lastRewriteSeconds = Math.floor((nowMs() - startedAtMs) / 1000)
    this.failureCount++
    const minutes =
      this.failureCount < FAILURES_MAX ? 0 : Math.min(2 ** (this.failureCount - FAILURES_MAX), RETRY_MINUTES_MAX)
    this.#retryAtMs = nowMs() + minutes * 60_000
    if (minutes > 0) {
      log.warn(`Background AOF rewrite has repeatedly failed and triggered the limit, will retry in ${minutes} minutes`)
    }
    if (this.state !== 'first rewrite') return
    this.#stop()
    this.isRewriteScheduled = true
  }

  /** To be called several times a second. */
  cron(): void {
    this.writer.cron()
    const { snapshots, log, nowMs } = this.#host
    if (snapshots.active !== null) return
    const mayRetry = nowMs() >= this.#retryAtMs
    if (this.isRewriteScheduled) {
      if (mayRetry) this.rewrite()
      return
    }
    const { autoAofRewritePercentage: percentage, autoAofRewriteMinSize } = this.#settings
    if (this.state !== 'on' || percentage === 0 || !mayRetry || this.sizeBytes <= autoAofRewriteMinSize) return
    const growth = (this.sizeBytes * 100) / Math.max(1, this.rewriteBaseBytes) - 100
    if (growth < percentage) return
    // The last increment has to be on the disk before it: most of it without holding anybody up.
    if (!this.writer.syncSoon()) return
    log.info(`Starting automatic rewriting of AOF on ${Math.floor(growth)}% growth`)
    this.rewrite()
  }

  // ---- End ----

  /** Makes everything last that was acknowledged. False when that failed. */
  flush(): boolean {
    if (this.state === 'off') return true
    const isSafe = this.writer.writeNow(true)
    if (isSafe) this.#port?.gate.open()
    return isSafe
  }

  /** Lets go of everything. Resolves when no file is being changed any more. */
  close(): Promise<void> {
    if (this.state !== 'off') this.#stop()
    this.state = 'off'
    return this.tidying
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}
