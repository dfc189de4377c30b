import { accessSync, constants, readdirSync, rmSync, stat } from 'node:fs'
import { join } from 'node:path'
import { prepareCrc64 } from '../bytes/crc64.ts'
import type { Settings } from '../config/directives.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { Store } from '../store/store.ts'
import { AppendOnly } from './aof/append-only.ts'
import { type OpenLogFile, openLogFile } from './aof/log-file.ts'
import { BufferTarget } from './buffer-target.ts'
import { DataDirectoryError, directoryProblem } from './data-directory-error.ts'
import { isAbandoned, makeDirectory } from './file-target.ts'
import { Loading } from './loading.ts'
import { type FunctionLibraries, RdbPersistence } from './rdb/rdb-persistence.ts'
import { Snapshot, SnapshotAborted } from './snapshot.ts'
import { Snapshots } from './snapshots.ts'

export interface PersistenceHost {
  readonly store: Store
  readonly settings: Settings
  readonly log: ServerLog
  readonly redisVersion: string
  readonly nowMs: () => number
  /** Opens what the append-only file appends to: for tests of disks that fail. */
  readonly openLogFile?: OpenLogFile
}

export type ShutdownSaving = 'default' | 'save' | 'nosave'

/**
 * The store's life on disk: what is loaded at the start, saved meanwhile and at the end, and what clients are told
 * about it. With `ephemeral` nothing is ever read or written.
 */
export class Persistence {
  readonly #host: PersistenceHost
  #isClosing = false
  readonly snapshots = new Snapshots()
  readonly loading = new Loading()
  readonly rdb: RdbPersistence
  readonly aof: AppendOnly
  /** Replaced by whoever has libraries of functions. */
  functions: FunctionLibraries = {
    codes: () => [],
    load() {
      throw new Error('there are no functions here')
    },
    clear() {},
  }
  /** Tells what memory is in use: replaced by whoever counts it. */
  usedBytes: () => number
  /** Called when `loading` or `writeRefusal` may have changed. */
  onStatus: () => void = () => {}
  /** Called while data is loaded, now and then. */
  onProgress: () => void = () => {}
  /** Called when a promise cannot be kept any more: the server has to end, without another reply. */
  onFatal: (problem: string) => void = () => {}

  constructor(host: PersistenceHost) {
    this.#host = host
    this.usedBytes = () => host.store.heap.usedBytes
    this.rdb = new RdbPersistence({
      ...host,
      snapshots: this.snapshots,
      loading: this.loading,
      functions: {
        codes: () => this.functions.codes(),
        load: (code, replaces) => this.functions.load(code, replaces),
        clear: () => this.functions.clear(),
      },
      usedBytes: () => this.usedBytes(),
      onStatus: () => this.onStatus(),
    })
    this.aof = new AppendOnly({
      ...host,
      snapshots: this.snapshots,
      loading: this.loading,
      rdb: this.rdb,
      openLogFile: host.openLogFile ?? openLogFile,
      onStatus: () => this.onStatus(),
      onFatal: (problem) => this.onFatal(problem),
    })
    this.loading.onChange = () => this.onStatus()
  }

  /** Nothing is kept on disk. */
  get isEphemeral(): boolean {
    return this.#host.settings.ephemeral
  }

  /** Why no client may write, as the error to answer; null when they may. */
  get writeRefusal(): string | null {
    if (this.isEphemeral) return null
    if (this.rdb.refusesWrites) return SNAPSHOTS_FAIL
    const { problem } = this.aof.writer
    return problem === null ? null : `MISCONF Errors writing to the AOF file: ${problem}`
  }

  /** As `writeRefusal`, for a script that says by its flags that it may write. */
  get scriptRefusal(): string | null {
    if (this.writeRefusal === null) return null
    const configured = this.rdb.refusesWrites ? 'save RDB snapshots' : 'persist data to AOF'
    const advice = "Writable scripts are blocked. Use 'no-writes' flag for read only scripts."
    const detail = this.rdb.refusesWrites ? '' : ` AOF error: ${this.aof.writer.problem}`
    return `MISCONF Redis is configured to ${configured}, but it's currently unable to persist to disk. ${advice}${detail}`
  }

  // ---- Start ----

  /** Makes sure that there is a directory to keep data in. Throws DataDirectoryError. */
  prepareDirectory(): void {
    if (this.isEphemeral) return
    const { dir } = this.#host.settings
    try {
      makeDirectory(dir)
      accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK)
      // What a crash left half written is of no use to anybody.
      for (const name of readdirSync(dir)) {
        const path = join(dir, name)
        if (isAbandoned(path)) rmSync(path, { force: true })
      }
    } catch (error) {
      throw new DataDirectoryError(dir, directoryProblem(error))
    }
  }

  /**
   * Loads what is on disk: the append-only file if there is to be one, else the snapshot. Clients may connect meanwhile,
   * and are told to wait. Rejects with DataDirectoryError for a file that cannot be loaded; the store is to be thrown away
   * then.
   */
  async start(): Promise<void> {
    if (this.isEphemeral) return
    const onTurn = () => {
      this.onProgress()
      return !this.#isClosing
    }
    if (this.#host.settings.appendonly) {
      await this.aof.start(onTurn)
    } else {
      this.aof.startOff()
      await this.rdb.load(onTurn)
    }
    setImmediate(() => this.#prepareSnapshots())
  }

  /**
   * Makes what a snapshot needs: the first one would hold up clients for as long. **(measured)**: 4 ms for the loop of the
   * checksum, 5 for the threads that write.
   */
  #prepareSnapshots(): void {
    if (this.#isClosing) return
    prepareCrc64()
    stat(this.#host.settings.dir, () => {}) // whatever it tells, the threads are there then
  }

  // ---- Meanwhile ----

  cron(): void {
    if (this.isEphemeral || this.loading.isActive) return
    this.rdb.cron()
    this.aof.cron()
  }

  /** FLUSHALL has emptied every database. */
  flushedAll(): void {
    if (!this.isEphemeral) this.rdb.flushedAll()
  }

  /** Without a disk, what DEBUG RELOAD has saved last. */
  #reloaded: Uint8Array = NOTHING

  /**
   * DEBUG RELOAD: saves, deletes everything, loads. Merging, keys of the file replace those that are there. Without a
   * disk it goes through memory.
   */
  reload({
    saves,
    flushes,
    merges,
  }: {
    saves: boolean
    flushes: boolean
    merges: boolean
  }): 'done' | 'not saved' | 'not loaded' {
    const { store, log } = this.#host
    const duplicates = merges ? 'replace' : 'refuse'
    if (this.isEphemeral && saves) {
      const target = new BufferTarget()
      this.snapshots.active?.snapshot.walkNow()
      new Snapshot(store, this.rdb.encoder(), target, { whenFlushed: 'abort' }).saveNow()
      this.#reloaded = target.toBytes()
    } else if (saves && !this.rdb.save()) return 'not saved'
    if (flushes) {
      store.flushAll()
      this.functions.clear()
    }
    try {
      if (this.isEphemeral) this.rdb.loadBytes(this.#reloaded, duplicates)
      else this.rdb.loadNow(duplicates)
    } catch (error) {
      log.error({ err: error }, 'DEBUG RELOAD could not load')
      return 'not loaded'
    }
    return 'done'
  }

  // ---- End ----

  /**
   * Saves what is to be saved before the server ends: by default when there are save points. False when that failed, and
   * the server should go on.
   */
  prepareEnd(saving: ShutdownSaving): boolean {
    if (this.isEphemeral) return saving !== 'save'
    if (this.loading.isActive) return true // what is there is what is on disk
    this.rdb.abort('the server is ending')
    if (!this.aof.flush()) return false
    if (saving === 'nosave' || (saving === 'default' && this.#host.settings.save.length === 0)) return true
    return this.rdb.save()
  }

  /** Lets go of everything: resolves when no file is open any more. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.aof.flush()
    await this.aof.close()
    const { active } = this.snapshots
    if (active === null) return
    active.snapshot.abort('the server has ended')
    await active.snapshot.done.catch((error: unknown) => {
      if (!(error instanceof SnapshotAborted)) throw error
    })
  }
}

const NOTHING = new Uint8Array(0)

const SNAPSHOTS_FAIL =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may " +
  'modify the data set are disabled, because this instance is configured to report errors during writes if RDB ' +
  'snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.'
