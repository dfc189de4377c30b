import type { Config } from '../config/config.ts'
import type { ServerLog } from '../config/server-log.ts'
import { MemcachedEngine } from '../memcached/engine.ts'
import { DEFAULT_OPTIONS, type MemcachedOptions } from '../memcached/settings.ts'
import { Clock } from '../net/clock.ts'
import { OutputGate } from '../net/output-gate.ts'
import type { OpenLogFile } from '../persistence/aof/log-file.ts'
import { Persistence, type ShutdownSaving } from '../persistence/persistence.ts'
import type { FunctionLibraries } from '../persistence/rdb/rdb-persistence.ts'
import { RespEngine } from '../resp/engine.ts'
import { REDIS_VERSION } from '../resp/version.ts'
import { Store } from '../store/store.ts'
import { Cron } from './cron.ts'
import { DataLock } from './data-lock.ts'
import { Kafka } from './kafka.ts'
import { Listeners, type MemcachedAddress } from './listeners.ts'
import { memcachedHost } from './memcached-host.ts'
import { HEADPOND_VERSION } from './version.ts'

export interface ServerParts {
  readonly config: Config
  readonly log: ServerLog
  /** See Heap: address space that the first arena reserves. */
  readonly firstArenaBytes: number
  /** Numbers in [0, 1), for the hash's secret and for sampling. */
  readonly random?: () => number
  /** Opens what the append-only file appends to: for tests of disks that fail. */
  readonly openLogFile?: OpenLogFile
  /** What memcached's own flags decide. */
  readonly memcached?: Partial<MemcachedOptions>
  /** Where memcached's protocol is spoken in place of `memcached-port`. */
  readonly memcachedAddresses?: readonly MemcachedAddress[]
}

/** One whole server: what it consists of, how it starts and how it ends. Shares nothing with another in the process. */
export class Server {
  readonly config: Config
  readonly clock = new Clock()
  /** Holds back the replies of every protocol while they have to wait for the disk. */
  readonly gate = new OutputGate()
  readonly store: Store
  readonly persistence: Persistence
  readonly resp: RespEngine
  readonly memcached: MemcachedEngine
  readonly #log: ServerLog
  readonly #cron: Cron
  readonly #listeners: Listeners
  /** Kafka's side, which is loaded when there is need. */
  readonly kafka: Kafka
  /** Resolves when the server has ended, by SHUTDOWN or by `close`. */
  readonly ended: Promise<void>
  #resolveEnded: () => void = () => {}
  #closing: Promise<void> | null = null
  #dataLock: DataLock | null = null
  /** Why the server had to end, if it had to. */
  failure: string | null = null

  constructor(parts: ServerParts) {
    this.config = parts.config
    this.#log = parts.log
    const random = parts.random ?? Math.random
    this.store = new Store({
      databaseCount: this.config.settings.databases,
      firstArenaBytes: parts.firstArenaBytes,
      random,
      packedLimits: this.config.settings,
      eviction: this.config.settings,
      lazyFree: this.config.settings,
    })
    this.store.setNow(this.clock.nowMs())
    this.persistence = new Persistence({
      store: this.store,
      settings: this.config.settings,
      log: parts.log,
      redisVersion: REDIS_VERSION,
      nowMs: () => this.clock.nowMs(),
      ...(parts.openLogFile === undefined ? {} : { openLogFile: parts.openLogFile }),
    })
    this.persistence.onFatal = (problem) => this.#fail(problem)
    this.resp = new RespEngine({
      store: this.store,
      persistence: this.persistence,
      gate: this.gate,
      config: this.config,
      clock: this.clock,
      log: parts.log,
      version: HEADPOND_VERSION,
      shutdown: (saving, isForced) => this.shutdown(saving, isForced),
    })
    this.persistence.functions = functionsOf(this.resp)
    this.#cron = new Cron(this)
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    this.memcached = new MemcachedEngine(memcachedHost(this), { ...DEFAULT_OPTIONS, ...parts.memcached })
    this.#listeners = new Listeners({
      config: this.config,
      clock: this.clock,
      log: parts.log,
      gate: this.gate,
      resp: this.resp,
      memcached: this.memcached,
      memcachedAddresses: parts.memcachedAddresses ?? [],
    })
    this.kafka = new Kafka({
      config: this.config,
      clock: this.clock,
      log: parts.log,
      random,
      users: this.resp.acl.users,
    })
  }

  /** The port of the Redis protocol; 0 when it is not listened on. */
  get port(): number {
    return this.#listeners.redis.port
  }

  /** The port of the Redis protocol over TLS; 0 when it is not listened on. */
  get tlsPort(): number {
    return this.#listeners.rediss.port
  }

  /** The port of memcached's protocol; 0 when it is not listened on. */
  get memcachedPort(): number {
    return this.#listeners.memcached.port || (this.#listeners.memcachedListening[0]?.port ?? 0)
  }

  /** The port of the Kafka protocol; 0 when it is not listened on. */
  get kafkaPort(): number {
    return this.kafka.port
  }

  get listeners(): Listeners {
    return this.#listeners
  }

  /** Where each protocol listens, for the banner and the log. */
  get addresses(): Record<string, string> {
    const { addresses } = this.#listeners
    if (this.kafka.address !== undefined) addresses.kafka = this.kafka.address
    return addresses
  }

  /** It ends, or has ended. */
  get isClosing(): boolean {
    return this.#closing !== null
  }

  /**
   * Starts listening (and says so), then loads what is on disk: clients that connect meanwhile are told to wait. Rejects with ConfigError
   * when an address cannot be had, with DataDirectoryError when the data cannot.
   */
  async start(onListening?: () => void): Promise<void> {
    try {
      this.persistence.prepareDirectory()
      const { appendonly, ephemeral, dir, appenddirname, appendfilename } = this.config.settings
      if (appendonly && !ephemeral) {
        this.#dataLock = await DataLock.take(dir, appenddirname, appendfilename)
      }
      await this.#listeners.openRedis()
      onListening?.()
      await this.persistence.start()
      if (this.#closing !== null) return
      // These clients have no way to be told to wait while data is loaded.
      await this.#listeners.openMemcached()
      this.#cron.start()
      await this.kafka.start()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Saves what is to be saved and ends, unless saving failed: then it goes on, and this is false.
   * @param isForced ends in any case
   */
  shutdown(saving: ShutdownSaving, isForced = false): boolean {
    if (this.#closing !== null) return true
    if (!this.persistence.prepareEnd(saving) && !isForced) return false
    void this.close()
    return true
  }

  /** Stops accepting, lets replies that are given reach their clients, and closes everything. Saves nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Ends at once: replies that wait are not given, since what they say is not true. */
  #fail(problem: string): void {
    this.failure = problem
    this.#log.error({}, problem)
    this.#listeners.destroyConnections()
    this.kafka.destroyConnections()
    void this.close()
  }

  async #close(): Promise<void> {
    this.#cron.stop()
    this.resp.scripts.runner.stop()
    await Promise.all([this.#listeners.close(), this.kafka.close()])
    await this.persistence.close()
    this.#dataLock?.release()
    this.resp.memoryLimit.stop()
    this.clock.stop()
    this.#resolveEnded()
  }

  /** Moves the clock, and lets expire what has expired by then. */
  advance(durationMs: number): void {
    this.clock.advance(durationMs)
    this.store.setNow(this.clock.nowMs())
    this.#cron.catchUp()
  }

  get log(): ServerLog {
    return this.#log
  }
}

/** What snapshots keep of the libraries of functions. */
function functionsOf({ scripts: { libraries } }: RespEngine): FunctionLibraries {
  return {
    codes: () => libraries.codes,
    load(code, replaces) {
      const loaded = libraries.load(code.slice(), replaces, Number.POSITIVE_INFINITY)
      if ('error' in loaded) throw new Error(loaded.error)
    },
    clear: () => libraries.flush(),
  }
}
