import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { MemcachedEngine } from '../memcached/engine.ts'
import type { Clock } from '../net/clock.ts'
import { type ListenAddress, Listener, type ListenerOptions } from '../net/listener.ts'
import type { OutputGate } from '../net/output-gate.ts'
import type { Protocol } from '../net/protocol.ts'
import type { RespEngine } from '../resp/engine.ts'
import { busyPollMs } from './busy-poll-time.ts'
import { Encryption } from './encryption.ts'
import { BIND_FAILURE, Endpoint } from './endpoint.ts'

export interface ListenersParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: ServerLog
  readonly gate: OutputGate
  readonly resp: RespEngine
  readonly memcached: MemcachedEngine
  /** Where memcached's protocol is spoken in place of `memcached-port`, if so. */
  readonly memcachedAddresses: readonly MemcachedAddress[]
}

/** One address of memcached's protocol. */
export interface MemcachedAddress {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Over TLS, as the `tls-` directives say. */
  readonly isEncrypted: boolean
  /** This machine may not have it. */
  readonly isOptional: boolean
}

const PORT_FAILURE = 'Unable to listen on this port'

/** Everything that a server listens on: for each protocol a port, one over TLS, the path of a unix socket. */
export class Listeners {
  readonly #parts: ListenersParts
  readonly redis: Endpoint
  readonly rediss: Endpoint
  readonly memcached: Endpoint
  /** Those at no port of the configuration. */
  readonly #others: Listener[] = []
  readonly #encryption: Encryption
  /** Where memcached's clients are welcome beside `memcached-port`: for the launcher. */
  readonly memcachedListening: { host: string; port: number }[] = []

  constructor(parts: ListenersParts) {
    this.#parts = parts
    const { config, clock, log, resp, memcached } = parts
    const encryption = new Encryption(config, log, clock, () => this.rediss.port !== 0 || this.isMemcachedEncrypted)
    this.#encryption = encryption
    this.redis = new Endpoint({ config, directive: 'port', protocol: resp, listener: this.#respOptions() })
    this.rediss = new Endpoint({
      config,
      directive: 'tls-port',
      protocol: resp,
      listener: { ...this.#respOptions(), tls: encryption.listener },
      prepare: () => encryption.load(),
    })
    this.memcached = new Endpoint({
      config,
      directive: 'memcached-port',
      protocol: memcached,
      listener: this.#memcachedOptions(),
    })
    config.onChange('port', () => this.redis.openAgain(PORT_FAILURE))
    config.onChange('tls-port', () => this.rediss.openAgain(PORT_FAILURE))
    for (const endpoint of this.#endpoints) {
      config.onChange('bind', () => (endpoint.port === 0 ? undefined : endpoint.openAgain(BIND_FAILURE)))
    }
  }

  get #endpoints(): readonly Endpoint[] {
    return [this.redis, this.rediss, this.memcached]
  }

  /** Where each protocol is, for the banner and the log. */
  get addresses(): Record<string, string> {
    const { unixsocket, memcachedUnixsocket } = this.#parts.config.settings
    const addresses: Record<string, string> = {}
    if (this.redis.address !== undefined) addresses.redis = this.redis.address
    if (this.rediss.address !== undefined) addresses.rediss = this.rediss.address
    if (unixsocket !== '') addresses.socket = unixsocket
    if (this.memcached.address !== undefined) addresses.memcached = this.memcached.address
    else if (memcachedUnixsocket !== '') addresses.memcached = memcachedUnixsocket
    return addresses
  }

  /**
   * Rejects with ConfigError when an address cannot be had. The plain port comes last: who waits for a server tries that
   * one, and may then use the others.
   */
  async openRedis(): Promise<void> {
    const { resp, config } = this.#parts
    await this.#openPath(config.settings.unixsocket, 'unixsocket', resp, this.#respOptions())
    await this.rediss.open()
    await this.redis.open()
  }

  async openMemcached(): Promise<void> {
    const { config, memcached, log, memcachedAddresses } = this.#parts
    const { memcachedUnixsocket } = config.settings
    if (this.isMemcachedEncrypted) this.#encryption.load()
    for (const address of memcachedAddresses) await this.#openAddress(address)
    await this.#openPath(memcachedUnixsocket, 'memcached-unixsocket', memcached, this.#memcachedOptions())
    try {
      await this.memcached.open()
    } catch (error) {
      // Nobody asked for this port: where another memcached has it, that one goes on serving it.
      if (config.isSet('memcached-port')) throw error
      log.warn(`memcached's protocol is off: ${(error as Error).message}`)
    }
  }

  /** Stops accepting, and closes every connection once its replies are sent. */
  async close(): Promise<void> {
    await Promise.all([...this.#endpoints, ...this.#others.splice(0)].map((each) => each.close()))
  }

  /** Closes every connection at once; replies that are under way are lost. */
  destroyConnections(): void {
    for (const each of [...this.#endpoints, ...this.#others]) each.destroyConnections()
  }

  async #openPath(
    path: string,
    directive: string,
    protocol: Protocol<unknown>,
    options: ListenerOptions,
  ): Promise<void> {
    if (path === '') return
    const { unixsocketperm } = this.#parts.config.settings
    const listener = new Listener(protocol, options)
    const address: ListenAddress = { path }
    if (unixsocketperm !== 0) address.mode = unixsocketperm
    try {
      await listener.listen(address)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error)
      throw new ConfigError(`${directive} ${path}`, `cannot listen there (${code})`, 'Choose another path.')
    }
    this.#others.push(listener)
  }

  async #openAddress({ host, port, isEncrypted, isOptional }: MemcachedAddress): Promise<void> {
    const { memcached, config } = this.#parts
    const options = this.#memcachedOptions()
    const listener = new Listener(memcached, isEncrypted ? { ...options, tls: this.#encryption.listener } : options)
    // What is chosen at the first address holds for all that leave it open.
    const wanted = port === 0 ? (this.memcachedListening[0]?.port ?? 0) : port
    try {
      await listener.listen({ host, port: wanted, backlog: config.settings.tcpBacklog })
    } catch (error) {
      if (isOptional) return
      const { code } = error as NodeJS.ErrnoException
      const reason = code === 'EADDRINUSE' ? 'Address already in use' : (error as Error).message
      throw new ConfigError(`memcached ${host}:${port}`, `failed to listen on TCP port ${port}: ${reason}`)
    }
    this.#others.push(listener)
    this.memcachedListening.push({ host, port: listener.port })
  }

  /** Whether some address of memcached's protocol is over TLS. */
  get isMemcachedEncrypted(): boolean {
    return this.#parts.memcachedAddresses.some(({ isEncrypted }) => isEncrypted)
  }

  /** Reads the certificates again. Returns why it cannot. */
  refreshCertificates(): string | undefined {
    try {
      this.#encryption.load()
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  #respOptions(): ListenerOptions {
    const { config, resp } = this.#parts
    const { limits, ...options } = this.#commonOptions()
    return {
      ...options,
      limits: {
        ...limits,
        get gathersAll() {
          return config.settings.clientOutputBufferLimit.normal.hardBytes > 0
        },
      },
      refuse: (peer) => resp.refusal(peer),
    }
  }

  #memcachedOptions(): ListenerOptions {
    return { ...this.#commonOptions(), refuse: ({ isLoopback }) => this.#parts.memcached.refusal(isLoopback) }
  }

  #commonOptions(): ListenerOptions {
    const { config, gate } = this.#parts
    const { settings } = config
    return {
      keepAliveSeconds: () => settings.tcpKeepalive,
      busyPollMs: () => busyPollMs(settings),
      limits: { inputBytesMax: () => settings.clientQueryBufferLimit, gate },
    }
  }
}
