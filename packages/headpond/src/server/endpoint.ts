import type { Config, PortDirective } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { Listener, type ListenerOptions } from '../net/listener.ts'
import type { Protocol } from '../net/protocol.ts'

export interface EndpointParts {
  readonly config: Config
  /** Where the port stands in the configuration. */
  readonly directive: PortDirective
  readonly protocol: Protocol<unknown>
  readonly listener: ListenerOptions
  /** Where it is, in place of the directive's port at the addresses of `bind`. */
  readonly at?: {
    /** Null: the addresses of `bind`. */
    readonly host: string | null
    /** 0: any free one. */
    readonly port: number
    /** Where that stands in the configuration. */
    readonly place: string
  }
  /** Called before it listens; what it throws is why it cannot. */
  readonly prepare?: () => void
}

/** What CONFIG SET says of `bind` when it cannot be. */
export const BIND_FAILURE = 'Failed to bind to specified addresses'

/** One protocol at one port of all addresses that `bind` names. Port and addresses may change while it runs. */
export class Endpoint {
  readonly #parts: EndpointParts
  /** By the host that they listen on. */
  #listeners: ReadonlyMap<string, Listener> = new Map()
  /** Left for other addresses, with connections that are still open. */
  readonly #left: Listener[] = []
  #port = 0

  constructor(parts: EndpointParts) {
    this.#parts = parts
  }

  /** The port that was given or chosen; 0 when there is none. */
  get port(): number {
    return this.#port
  }

  /** The first address of `bind` with the port, as people write it; undefined when nothing is listened on. */
  get address(): string | undefined {
    const [first = ''] = this.#hosts
    return this.#port === 0 ? undefined : `${hostOf(first.replace(/^-/, ''))}:${this.#port}`
  }

  /** As clients of this machine take it: a wildcard is loopback for them. */
  get url(): string | undefined {
    if (this.#port === 0) return undefined
    const [first = ''] = this.#hosts
    const host = hostOf(first.replace(/^-/, ''))
    if (host === '0.0.0.0') return `127.0.0.1:${this.#port}`
    if (host === '::') return `[::1]:${this.#port}`
    return `${host.includes(':') ? `[${host}]` : host}:${this.#port}`
  }

  get #hosts(): readonly string[] {
    const { at, config } = this.#parts
    return typeof at?.host === 'string' ? [at.host] : config.settings.bind
  }

  /**
   * Listens on what is configured. Where it listens already it goes on; what it had before and is not asked for any more
   * is left, and clients stay connected. Rejects with ConfigError when an address cannot be had; then all is as it was.
   */
  async open(): Promise<void> {
    const previous = this.#listeners
    this.#listeners = await this.#listen()
    for (const [host, listener] of previous) {
      if (this.#listeners.get(host) === listener) continue
      listener.stopAccepting()
      this.#left.push(listener)
    }
  }

  /** As `open`, after CONFIG SET: returns why it cannot be, behind Redis's words for it. */
  async openAgain(failure: string): Promise<string | undefined> {
    try {
      await this.open()
      return undefined
    } catch (error) {
      return `${failure}: ${(error as Error).message}`
    }
  }

  /** Stops accepting, and closes every connection once its replies are sent. */
  async close(): Promise<void> {
    const listeners = [...this.#listeners.values(), ...this.#left.splice(0)]
    this.#listeners = new Map()
    await Promise.all(listeners.map((listener) => listener.close()))
  }

  /** Closes every connection at once; replies that are under way are lost. */
  destroyConnections(): void {
    for (const listener of [...this.#listeners.values(), ...this.#left]) listener.destroyConnections()
  }

  async #listen(): Promise<ReadonlyMap<string, Listener>> {
    const { config, directive, protocol, listener: options, prepare, at } = this.#parts
    const { tcpBacklog } = config.settings
    const port = at === undefined ? config.settings[PORT_KEYS[directive]] : at.port || 'auto'
    const listeners = new Map<string, Listener>()
    const opened: Listener[] = []
    if (port !== 0) prepare?.()
    let chosenPort = port === 'auto' ? this.#port : port
    for (const address of port === 0 ? [] : this.#hosts) {
      // A leading minus marks an address that may be missing on this machine.
      const isOptional = address.startsWith('-')
      const host = hostOf(isOptional ? address.slice(1) : address)
      const existing = chosenPort === this.#port ? this.#listeners.get(host) : undefined
      const listener = existing ?? new Listener(protocol, options)
      try {
        if (existing === undefined) {
          await listener.listen({ host, port: chosenPort, backlog: tcpBacklog })
          opened.push(listener)
        }
        listeners.set(host, listener)
        chosenPort = listener.port
      } catch (error) {
        if (isOptional && (listeners.size > 0 || isMissingAddress(error))) continue
        for (const each of opened) await each.close()
        throw listenError(error, at?.place ?? `${directive} ${port}`, directive, host, chosenPort)
      }
    }
    this.#port = chosenPort
    if (port !== 0 && at === undefined) config.setBoundPort(directive, chosenPort)
    return listeners
  }
}

const PORT_KEYS = {
  port: 'port',
  'tls-port': 'tlsPort',
  'memcached-port': 'memcachedPort',
  'kafka-port': 'kafkaPort',
} as const satisfies Record<PortDirective, string>

/** The host of an address of `bind` without its minus. */
export function hostOf(address: string): string {
  if (address === '*') return '0.0.0.0'
  if (address === '::*') return '::'
  return address
}

function isMissingAddress(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'ENOTFOUND' || code === 'EINVAL'
}

function listenError(error: unknown, place: string, directive: string, host: string, port: number): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EADDRINUSE') {
    return new ConfigError(place, `${host}:${port} is in use`, `Stop what listens there, or set ${directive} to auto.`)
  }
  if (code === 'EACCES') {
    return new ConfigError(place, `no permission to listen on ${host}:${port}`, 'Choose a port above 1023.')
  }
  return new ConfigError(`bind ${host}`, `cannot listen there (${code ?? String(error)})`, 'Choose another address.')
}
