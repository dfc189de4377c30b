import { join } from 'node:path'
import type { Settings } from '../../config/directives.ts'
import type { ServerLog } from '../../config/server-log.ts'
import type { Store } from '../../store/store.ts'
import { BufferSource } from '../buffer-target.ts'
import { DataDirectoryError } from '../data-directory-error.ts'
import { FileSource } from '../file-source.ts'
import { FileTarget } from '../file-target.ts'
import type { Loading } from '../loading.ts'
import { Snapshot, SnapshotAborted } from '../snapshot.ts'
import type { Snapshots } from '../snapshots.ts'
import { loadRdb, loadRdbNow } from './load.ts'
import { RdbLoader, type RdbLoadOptions } from './loader.ts'
import { RdbError } from './rdb-error.ts'
import { RdbEncoder } from './writer.ts'

/** After a snapshot that failed, the next one is not tried before so long, as in Redis. */
const RETRY_DELAY_MS = 5000

/** Libraries of functions, which RDB files carry beside the keys. */
export interface FunctionLibraries {
  /** The code of each library. */
  codes(): readonly Uint8Array[]
  /** Adds a library, whose code is the caller's to change afterwards. Throws an Error when it is refused. */
  load(code: Uint8Array, replaces: boolean): void
  /** Deletes all libraries. */
  clear(): void
}

export interface RdbHost {
  readonly store: Store
  readonly settings: Settings
  readonly log: ServerLog
  readonly snapshots: Snapshots
  readonly loading: Loading
  /** The version of Redis that files say to come from. */
  readonly redisVersion: string
  readonly functions: FunctionLibraries
  readonly nowMs: () => number
  /** Memory in use, for those who read how large the data was. */
  readonly usedBytes: () => number
  /** Whether something that a client is told of has changed: see `refusesWrites`. */
  readonly onStatus: () => void
}

/**
 * Snapshots in the file `dbfilename`: when they are taken, what became of them, and how they are loaded.
 */
export class RdbPersistence {
  readonly #host: RdbHost
  /** `dirtyCount` of the store as of the latest snapshot on disk. */
  #savedDirtyCount = 0
  lastSaveAtMs: number
  lastTryAtMs = 0
  lastStatus: 'ok' | 'err' = 'ok'
  /** What the latest snapshot in the background took; -1: there was none. */
  lastDurationSeconds = -1
  /** Those that were asked for or came due; a save of DEBUG RELOAD, FLUSHALL or the end of the server is none, as in Redis. */
  saveCount = 0
  /** BGSAVE SCHEDULE: as soon as nothing else is in progress. */
  isScheduled = false
  lastLoadedCount = 0
  lastExpiredCount = 0
  /** Switched by DEBUG, for tests of what damaged data can do: of files that are loaded, and of payloads for RESTORE. */
  verifiesChecksums = true

  constructor(host: RdbHost) {
    this.#host = host
    this.lastSaveAtMs = host.nowMs()
  }

  get path(): string {
    const { dir, dbfilename } = this.#host.settings
    return join(dir, dbfilename)
  }

  get changesSinceSave(): number {
    return this.#host.store.dirtyCount - this.#savedDirtyCount
  }

  get isSaving(): boolean {
    return this.#host.snapshots.isActive('rdb')
  }

  /** Writes are refused while snapshots are to be taken and cannot be (`stop-writes-on-bgsave-error`). */
  get refusesWrites(): boolean {
    const { stopWritesOnBgsaveError, save } = this.#host.settings
    return this.lastStatus === 'err' && stopWritesOnBgsaveError && save.length > 0
  }

  /** The code of each library of functions. */
  functionCodes(): readonly Uint8Array[] {
    return this.#host.functions.codes()
  }

  // ---- Saving ----

  /** What writes the store as an RDB file; `aux` beyond what every file says. */
  encoder(aux: readonly (readonly [name: string, text: string])[] = []): RdbEncoder {
    const { store, settings, functions, nowMs, redisVersion, usedBytes } = this.#host
    const { maxmemoryPolicy } = settings
    return new RdbEncoder(store, {
      compresses: settings.rdbcompression,
      hasChecksum: settings.rdbchecksum,
      access: maxmemoryPolicy.endsWith('-lfu') ? 'frequency' : maxmemoryPolicy.endsWith('-lru') ? 'idle' : 'none',
      aux: [
        ['redis-ver', redisVersion],
        ['redis-bits', '64'],
        ['ctime', String(Math.floor(nowMs() / 1000))],
        ['used-mem', String(usedBytes())],
        ...aux,
      ],
      functions: functions.codes(),
    })
  }

  /** Saves before it returns. False when it failed, which the log tells. */
  save(): boolean {
    const { store, log } = this.#host
    // One in the background would replace this one by an older state when it is complete.
    this.abort('a newer snapshot is saved at once')
    // A snapshot for something else has to let go of the store first.
    this.#host.snapshots.active?.snapshot.walkNow()
    try {
      const target = new FileTarget(this.path, { syncsIncrementally: false, writesAtOnce: true })
      new Snapshot(store, this.encoder(AOF_BASE_NO), target, { whenFlushed: 'abort' }).saveNow()
    } catch (error) {
      log.error({ err: error, path: this.path }, 'the snapshot could not be saved')
      return false
    }
    log.info('DB saved on disk')
    this.#saved(store.dirtyCount)
    return true
  }

  /** Begins to save in the background; there must be no other snapshot in progress. */
  saveInBackground(): void {
    const { store, snapshots, settings, log, nowMs } = this.#host
    this.saveCount++
    const startedAtMs = nowMs()
    this.lastTryAtMs = startedAtMs
    const dirtyCount = store.dirtyCount
    let snapshot: Snapshot
    try {
      const target = new FileTarget(this.path, { syncsIncrementally: settings.rdbSaveIncrementalFsync })
      snapshot = new Snapshot(store, this.encoder(AOF_BASE_NO), target, {
        whenFlushed: 'abort',
        keyDelayUs: () => settings.rdbKeySaveDelay,
      })
    } catch (error) {
      this.#failed(error as Error, startedAtMs)
      return
    }
    log.info('Background saving started')
    snapshots.begin('rdb', snapshot, startedAtMs)
    snapshot.run().done.then(
      () => {
        log.info('Background saving terminated with success')
        this.#saved(dirtyCount)
        this.#ended(startedAtMs)
      },
      (error: Error) => {
        if (error instanceof SnapshotAborted) {
          log.info(`Background saving ended early: ${error.message}`)
          this.#ended(startedAtMs)
        } else this.#failed(error, startedAtMs)
      },
    )
  }

  /** Ends a snapshot in progress, which leaves nothing behind and counts as no failure. */
  abort(reason: string): void {
    if (this.isSaving) this.#host.snapshots.active?.snapshot.abort(reason)
  }

  #saved(dirtyCount: number): void {
    this.#savedDirtyCount = dirtyCount
    this.lastSaveAtMs = this.#host.nowMs()
    this.lastStatus = 'ok'
    this.#host.onStatus()
  }

  #failed(error: Error, startedAtMs: number): void {
    this.#host.log.error({ err: error, path: this.path }, 'Background saving error')
    this.lastStatus = 'err'
    this.#ended(startedAtMs)
  }

  #ended(startedAtMs: number): void {
    this.lastDurationSeconds = Math.floor((this.#host.nowMs() - startedAtMs) / 1000)
    this.#host.onStatus()
  }

  /** Takes the snapshots that are due. To be called several times a second. */
  cron(): void {
    const { settings, snapshots, log, nowMs } = this.#host
    if (snapshots.active !== null) return
    const atMs = nowMs()
    if (this.lastStatus === 'err' && atMs - this.lastTryAtMs <= RETRY_DELAY_MS) return
    if (this.isScheduled) {
      this.isScheduled = false
      return this.saveInBackground()
    }
    const elapsedSeconds = Math.floor((atMs - this.lastSaveAtMs) / 1000)
    const changes = this.changesSinceSave
    const due = settings.save.find((point) => changes >= point.changes && elapsedSeconds > point.seconds)
    if (due === undefined) return
    log.info(`${due.changes} changes in ${due.seconds} seconds. Saving...`)
    this.saveInBackground()
  }

  /** All keys were deleted by FLUSHALL: with save points, the file shows it at once, as in Redis. */
  flushedAll(): void {
    this.abort('all keys were deleted')
    if (this.#host.settings.save.length > 0) this.save()
  }

  // ---- Loading ----

  /** What reads a file into the store. */
  loader(options: Partial<RdbLoadOptions> = {}): RdbLoader {
    const { store, settings, functions, log } = this.#host
    return new RdbLoader(store, {
      verifiesChecksum: settings.rdbchecksum && this.verifiesChecksums,
      allowsNewerVersion: settings.rdbVersionCheck === 'relaxed',
      duplicates: 'refuse',
      keepsExpired: false,
      onFunction: (code) => functions.load(code, options.duplicates === 'replace'),
      warn: (message) => log.warn(message),
      ...options,
    })
  }

  /**
   * Loads the file, letting clients ask meanwhile. False when there is none. Rejects with DataDirectoryError for one that
   * cannot be loaded.
   * @param onProgress is called now and then, and ends the load by answering false
   */
  async load(onProgress: () => boolean): Promise<boolean> {
    const source = this.#open()
    if (source === null) return false
    const { loading, nowMs, log } = this.#host
    const startedMs = performance.now()
    loading.begin(nowMs(), source.sizeBytes)
    try {
      const loader = this.loader({ totalBytes: source.sizeBytes })
      const onTurn = () => {
        loading.loadedBytes = loader.atByte
        loading.writerUsedBytes = Number(loader.aux.get('used-mem') ?? 0)
        return onProgress()
      }
      await loadRdb(loader, source, onTurn, () => this.#host.settings.keyLoadDelay)
      this.loaded(loader)
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(3)
      log.info(`DB loaded from disk: ${seconds} seconds, ${loader.loadedCount} keys, ${loader.expiredCount} expired`)
    } catch (error) {
      throw this.#unusable(error)
    } finally {
      source.close()
      loading.end()
    }
    return true
  }

  /** As `load`, before it returns. Throws when there is no file. */
  loadNow(duplicates: RdbLoadOptions['duplicates']): void {
    const source = new FileSource(this.path)
    try {
      const loader = this.loader({ totalBytes: source.sizeBytes, duplicates })
      loadRdbNow(loader, source)
      this.loaded(loader)
    } finally {
      source.close()
    }
  }

  /** Loads bytes in memory. */
  loadBytes(bytes: Uint8Array, duplicates: RdbLoadOptions['duplicates']): void {
    loadRdbNow(this.loader({ totalBytes: bytes.length, duplicates }), new BufferSource(bytes))
  }

  /** What is in the store now is what is on disk. */
  loaded(loader: RdbLoader): void {
    this.lastLoadedCount = loader.loadedCount
    this.lastExpiredCount = loader.expiredCount
    this.#savedDirtyCount = this.#host.store.dirtyCount
  }

  /** What is in the store now is on disk in another form. */
  nothingChanged(): void {
    this.#savedDirtyCount = this.#host.store.dirtyCount
  }

  #open(): FileSource | null {
    try {
      return new FileSource(this.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw this.#unusable(error)
    }
  }

  /** What to tell the one who started the server; an error that does not come from the file stays what it is. */
  #unusable(error: unknown): unknown {
    if (error instanceof RdbError) {
      const remedy = 'Bring back a copy of it, or move it away to begin without it.'
      return new DataDirectoryError(this.path, `the snapshot cannot be loaded: ${error.message}. ${remedy}`)
    }
    const { code, syscall } = error as NodeJS.ErrnoException
    return syscall === undefined ? error : new DataDirectoryError(this.path, `the file cannot be read (${code})`)
  }
}

const AOF_BASE_NO = [['aof-base', '0']] as const
