import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { MemcachedEngine } from '../memcached/engine.ts'
import { DEFAULT_OPTIONS, type MemcachedOptions } from '../memcached/settings.ts'
import { Clock } from '../net/clock.ts'
import { type ListenAddress, Listener } from '../net/listener.ts'
import { OutputGate } from '../net/output-gate.ts'
import type { Protocol } from '../net/protocol.ts'
import type { OpenLogFile } from '../persistence/aof/log-file.ts'
import { Persistence, type ShutdownSaving } from '../persistence/persistence.ts'
import type { FunctionLibraries } from '../persistence/rdb/rdb-persistence.ts'
import { type EngineLog, RespEngine } from '../resp/engine.ts'
import { REDIS_VERSION } from '../resp/version.ts'
import { AccessFrequency } from '../store/access.ts'
import { Store } from '../store/store.ts'
import { Cron } from './cron.ts'
import { memcachedHost } from './memcached-host.ts'
import { HEADPOND_VERSION } from './version.ts'

export interface ServerParts {
  readonly config: Config
  readonly log: EngineLog
  /** See Heap: address space that the first arena reserves. */
  readonly firstArenaBytes: number
  /** Numbers in [0, 1), for the hash's secret and for sampling. */
  readonly random?: () => number
  /** Opens what the append-only file appends to: for tests of disks that fail. */
  readonly openLogFile?: OpenLogFile
  /** What memcached's own flags decide. */
  readonly memcached?: Partial<MemcachedOptions>
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
  readonly #log: EngineLog
  readonly #cron: Cron
  #listeners: Listener[] = []
  #port = 0
  #memcachedPort = 0
  /** Resolves when the server has ended, by SHUTDOWN or by `close`. */
  readonly ended: Promise<void>
  #resolveEnded: () => void = () => {}
  #closing: Promise<void> | null = null
  /** Why the server had to end, if it had to. */
  failure: string | null = null

  constructor(parts: ServerParts) {
    this.config = parts.config
    this.#log = parts.log
    this.store = new Store({
      databaseCount: this.config.settings.databases,
      firstArenaBytes: parts.firstArenaBytes,
      random: parts.random ?? Math.random,
      packedLimits: this.config.settings,
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
    const chooseAccessWord = () => {
      const { maxmemoryPolicy, lfuLogFactor, lfuDecayTime } = this.config.settings
      this.store.accessFrequency = maxmemoryPolicy.endsWith('-lfu')
        ? new AccessFrequency(lfuLogFactor, lfuDecayTime, this.store.random)
        : null
      return undefined
    }
    chooseAccessWord()
    for (const name of ['maxmemory-policy', 'lfu-log-factor', 'lfu-decay-time'] as const) {
      this.config.onChange(name, chooseAccessWord)
    }
    this.config.onChange('port', () => this.#listenAgain())
    this.config.onChange('bind', () => this.#listenAgain())
    this.memcached = new MemcachedEngine(memcachedHost(this), { ...DEFAULT_OPTIONS, ...parts.memcached })
  }

  /** The port of the Redis protocol; 0 when it is not listened on. */
  get port(): number {
    return this.#port
  }

  /** The port of memcached's protocol; 0 when it is not listened on. */
  get memcachedPort(): number {
    return this.#memcachedPort
  }

  /** Where each protocol listens, for the banner and the log. */
  get addresses(): Record<string, string> {
    const { bind, unixsocket, memcachedUnixsocket } = this.config.settings
    const addresses: Record<string, string> = {}
    const host = hostOf(bind[0].replace(/^-/, ''))
    if (this.#port !== 0) addresses.redis = `${host}:${this.#port}`
    if (unixsocket !== '') addresses.socket = unixsocket
    if (this.#memcachedPort !== 0) addresses.memcached = `${host}:${this.#memcachedPort}`
    else if (memcachedUnixsocket !== '') addresses.memcached = memcachedUnixsocket
    return addresses
  }

  /**
   * Starts listening, then loads what is on disk: clients that connect meanwhile are told to wait. Rejects with ConfigError
   * when an address cannot be had, with DataDirectoryError or RdbLoadError when the data cannot.
   */
  async start(): Promise<void> {
    try {
      this.persistence.prepareDirectory()
      await this.#listen()
      await this.#listenOnPath()
      await this.persistence.start()
      if (this.#closing !== null) return
      // These clients have no way to be told to wait while data is loaded.
      await this.#listenForMemcached()
    } catch (error) {
      await this.close()
      throw error
    }
    this.#cron.start()
  }

  /**
   * Saves what is to be saved and ends, unless saving failed: then it goes on, and this is false.
   * @param isForced ends in any case
   */
  shutdown(saving: ShutdownSaving, isForced = false): boolean {
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
    for (const listener of this.#listeners) listener.destroyConnections()
    void this.close()
  }

  async #close(): Promise<void> {
    this.#cron.stop()
    this.resp.scripts.runner.stop()
    await Promise.all(this.#listeners.map((listener) => listener.close()))
    this.#listeners = []
    await this.persistence.close()
    this.clock.stop()
    this.#resolveEnded()
  }

  async #listen(): Promise<void> {
    const { port } = this.config.settings
    if (port === 0) return
    this.#port = await this.#listenOn(port, () => this.#listenerFor(this.resp))
    this.config.setBoundPort('port', this.#port)
  }

  /** Listens on a port of every address of `bind`. Returns the port, which may have been chosen here. */
  async #listenOn(port: number | 'auto', listenerFor: () => Listener): Promise<number> {
    let chosenPort = port === 'auto' ? 0 : port
    let isFirst = true
    for (const address of this.config.settings.bind) {
      // A leading minus marks an address that may be missing on this machine.
      const isOptional = address.startsWith('-')
      const host = hostOf(isOptional ? address.slice(1) : address)
      const listener = listenerFor()
      try {
        await listener.listen({ host, port: chosenPort, backlog: this.config.settings.tcpBacklog })
        this.#listeners.push(listener)
        chosenPort = listener.port
        isFirst = false
      } catch (error) {
        if (isOptional && (!isFirst || isMissingAddress(error))) continue
        throw listenError(error, `port ${port}`, host, chosenPort)
      }
    }
    return chosenPort
  }

  async #listenOnPath(): Promise<void> {
    const { unixsocket } = this.config.settings
    if (unixsocket !== '') await this.#listenAt(unixsocket, 'unixsocket', this.#listenerFor(this.resp))
  }

  async #listenAt(path: string, directive: string, listener: Listener): Promise<void> {
    const { unixsocketperm } = this.config.settings
    const address: ListenAddress = { path }
    if (unixsocketperm !== 0) address.mode = unixsocketperm
    try {
      await listener.listen(address)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error)
      throw new ConfigError(`${directive} ${path}`, `cannot listen there (${code})`, 'Choose another path.')
    }
    this.#listeners.push(listener)
  }

  async #listenForMemcached(): Promise<void> {
    const { memcachedPort, memcachedUnixsocket } = this.config.settings
    const listenerFor = () => this.#listenerFor(this.memcached, (isLoopback) => this.memcached.refusal(isLoopback))
    if (memcachedUnixsocket !== '') await this.#listenAt(memcachedUnixsocket, 'memcached-unixsocket', listenerFor())
    if (memcachedPort === 0) return
    const listenerCount = this.#listeners.length
    try {
      this.#memcachedPort = await this.#listenOn(memcachedPort, listenerFor)
      this.config.setBoundPort('memcached-port', this.#memcachedPort)
    } catch (error) {
      // Nobody asked for this port: where another memcached has it, that one goes on serving it.
      if (this.config.isSet('memcached-port')) throw error
      for (const listener of this.#listeners.splice(listenerCount)) await listener.close()
      this.#log.warn(`memcached's protocol is off: ${(error as Error).message}`)
    }
  }

  /** CONFIG SET of port or bind: the new addresses are opened before the old ones are left; clients stay connected. */
  async #listenAgain(): Promise<string | undefined> {
    const previous = this.#listeners
    this.#listeners = []
    try {
      await this.#listen()
    } catch (error) {
      for (const listener of this.#listeners) await listener.close()
      this.#listeners = previous
      return (error as Error).message
    }
    for (const listener of previous) listener.stopAccepting()
    this.#listeners.push(...previous)
    return undefined
  }

  #listenerFor(
    protocol: Protocol<unknown>,
    refuse = (isLoopback: boolean, remoteAddress: string) => this.resp.refusal({ remoteAddress, isLoopback }),
  ): Listener {
    const { settings } = this.config
    return new Listener(protocol, {
      keepAliveSeconds: () => settings.tcpKeepalive,
      limits: { inputBytesMax: () => settings.clientQueryBufferLimit, gate: this.gate },
      refuse: ({ isLoopback, remoteAddress }) => refuse(isLoopback, remoteAddress),
    })
  }

  /** Moves the clock, and lets expire what has expired by then. */
  advance(durationMs: number): void {
    this.clock.advance(durationMs)
    this.store.setNow(this.clock.nowMs())
    this.#cron.catchUp()
  }

  get log(): EngineLog {
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

function hostOf(address: string): string {
  if (address === '*') return '0.0.0.0'
  if (address === '::*') return '::'
  return address
}

function isMissingAddress(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'ENOTFOUND' || code === 'EINVAL'
}

function listenError(error: unknown, place: string, host: string, port: number): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EADDRINUSE') {
    return new ConfigError(place, `${host}:${port} is in use`, 'Stop what listens there, or choose --port auto.')
  }
  if (code === 'EACCES') {
    return new ConfigError(place, `no permission to listen on ${host}:${port}`, 'Choose a port above 1023.')
  }
  return new ConfigError(`bind ${host}`, `cannot listen there (${code ?? String(error)})`, 'Choose another address.')
}
