import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { advertisedAddress } from '../kafka/advertised-address.ts'
import type { RequestHook } from '../kafka/request-hook.ts'
import type { KafkaSession } from '../kafka/session.ts'
import type { Clock } from '../net/clock.ts'
import type { Connection } from '../net/connection.ts'
import { OutputGate } from '../net/output-gate.ts'
import type { Protocol } from '../net/protocol.ts'
import type { EngineLog } from '../resp/engine.ts'
import { BIND_FAILURE, Endpoint, hostOf } from './endpoint.ts'
import type { KafkaService } from './kafka-service.ts'

export interface KafkaParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: EngineLog
  readonly random: () => number
}

/** Below the data directory, unless `kafka.log.dirs` says otherwise. */
const LOGS_DIRECTORY = 'kafka-logs'
/**
 * Requests are large, and everything that one read brings goes to its file with one write and is answered with another.
 * **(measured)**: batches of 16 KB cost 3.3 seconds of processor time for a gigabyte in reads of 24 KB, 1.8 in these; more
 * gains nothing. The turn takes a quarter of a millisecond longer.
 */
const READ_BYTES = 128 * 1024

/** A connection, and its session once the broker is there. */
interface Visitor {
  readonly connection: Connection
  session: KafkaSession | null
}

/**
 * Kafka's port, which is open before the broker is there: loading it takes as long as everything else of the server, and
 * most servers never see a client of Kafka's. It is loaded at the start when somebody has asked for it (by a directive, or by
 * logs on the disk), else when the first client connects, who notices nothing.
 */
export class Kafka implements Protocol<Visitor> {
  readonly name = 'kafka'
  readonly #parts: KafkaParts
  readonly #endpoint: Endpoint
  #hook: RequestHook | null = null
  #loading: Promise<KafkaService> | null = null
  #service: KafkaService | null = null

  constructor(parts: KafkaParts) {
    this.#parts = parts
    const { config } = parts
    this.#endpoint = new Endpoint({
      config,
      directive: 'kafka-port',
      protocol: this,
      listener: {
        keepAliveSeconds: () => config.settings.tcpKeepalive,
        // What the append-only file has to keep does not concern these clients: they never wait for it.
        limits: {
          inputBytesMax: () => this.#service?.engine.inputBytesMax ?? UNREAD_BYTES_MAX,
          gate: new OutputGate(),
        },
        refuse: (peer) => this.#refusal(peer),
        readBytes: READ_BYTES,
      },
      prepare: () => refuseUnknownAddress(config),
    })
    config.onChange('bind', () => (this.port === 0 ? undefined : this.#endpoint.openAgain(BIND_FAILURE)))
  }

  /** 0 when it is not listened on. */
  get port(): number {
    return this.#endpoint.port
  }

  get address(): string | undefined {
    return this.#endpoint.address
  }

  /** Null until it is loaded. */
  get service(): KafkaService | null {
    return this.#service
  }

  /** Lets somebody see every request first, from now on. */
  set hook(hook: RequestHook) {
    this.#hook = hook
    if (this.#service !== null) this.#service.engine.hook = hook
  }

  /** Listens. Rejects with ConfigError when the address cannot be had, with others when the logs cannot be read. */
  async start(): Promise<void> {
    const { config, log } = this.#parts
    if (config.settings.kafkaPort === 0) return
    const advertised = advertisedAddress(config)
    config.loadKafkaSettings = async () => {
      await this.load()
    }
    if (this.#isAskedFor()) await this.load()
    try {
      await this.#endpoint.open()
    } catch (error) {
      // Nobody asked for this port: where another broker has it, that one goes on serving it.
      if (config.isSet('kafka-port') || !(error instanceof ConfigError)) throw error
      return log.warn(`Kafka's protocol is off: ${error.message}`)
    }
    if (advertised !== null) {
      log.info(`Kafka clients are told to connect to ${advertised.host}:${advertised.port ?? this.port}`)
    } else if (!config.settings.bind.every(isLoopback)) {
      log.info('Kafka clients are told to connect to the address they have used')
    }
  }

  /** The broker, with what is on the disk. */
  load(): Promise<KafkaService> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  async #load(): Promise<KafkaService> {
    const { KafkaService } = await import('./kafka-service.ts')
    const service = new KafkaService({ ...this.#parts, directory: logsDirectory(this.#parts.config) })
    service.engine.hook = this.#hook
    await service.start()
    this.#service = service
    return service
  }

  #isAskedFor(): boolean {
    const { config } = this.#parts
    const directory = logsDirectory(config)
    return config.isKafkaSet || config.isSet('kafka-port') || (directory !== null && existsSync(directory))
  }

  /** Housekeeping, several times a second. */
  cron(): void {
    this.#service?.cron()
  }

  /** Does all housekeeping that is due by now. */
  catchUp(): void {
    this.#service?.catchUp()
  }

  /** Stops accepting, and closes every connection once its answers are sent. */
  async close(): Promise<void> {
    await this.#endpoint.close()
    const service = await this.#loading?.catch(() => null)
    await service?.close()
  }

  /** Closes every connection at once; answers that are under way are lost. */
  destroyConnections(): void {
    this.#endpoint.destroyConnections()
  }

  /** A text turns a connection away; it is empty, since these clients could not read one. */
  #refusal(peer: { remoteAddress: string; isLoopback: boolean }): string | null {
    const { config, log } = this.#parts
    if (!config.settings.protectedMode || peer.isLoopback) return this.#service?.engine.refusal(peer) ?? null
    log.warn(`Kafka connection of ${peer.remoteAddress} refused: only this machine may connect (protected-mode)`)
    return ''
  }

  // ---- Connections: the broker's, once it is there ----

  open(connection: Connection): Visitor {
    const engine = this.#service?.engine
    const visitor: Visitor = { connection, session: engine?.open(connection) ?? null }
    if (engine === undefined) void this.#welcomeWhenLoaded(visitor)
    return visitor
  }

  async #welcomeWhenLoaded(visitor: Visitor): Promise<void> {
    const { connection } = visitor
    try {
      const { engine } = await this.load()
      if (connection.isClosing) return
      visitor.session = engine.open(connection)
      connection.resume()
    } catch (error) {
      this.#parts.log.error({ err: error }, "Kafka's side of the server cannot be loaded")
      connection.destroy()
    }
  }

  consume({ session, connection }: Visitor, chunk: Uint8Array, start: number, end: number): number {
    if (session !== null) return this.#service!.engine.consume(session, chunk, start, end)
    connection.pauseInput()
    return start
  }

  closed({ session }: Visitor): void {
    if (session !== null) this.#service!.engine.closed(session)
  }

  ended({ session }: Visitor): boolean {
    return session === null ? false : this.#service!.engine.ended(session)
  }

  outputDrained({ session }: Visitor): void {
    if (session !== null) this.#service!.engine.outputDrained(session)
  }

  inputOverflowed({ session }: Visitor): void {
    if (session !== null) this.#service!.engine.inputOverflowed(session)
  }
}

/** What a client may send while the broker is being loaded. */
const UNREAD_BYTES_MAX = 2 ** 20

/** Null: everything stays in memory. */
function logsDirectory(config: Config): string | null {
  const { dir, ephemeral } = config.settings
  if (ephemeral) return null
  const [named] = (config.kafka.get('log.dirs') ?? config.kafka.get('log.dir') ?? '').split(',')
  return named.trim() === '' ? join(dir, LOGS_DIRECTORY) : resolve(dir, named.trim())
}

function isLoopback(address: string): boolean {
  return /^-?(127\.|::1$|localhost$)/.test(address)
}

/**
 * Clients connect a second time, to what Metadata tells them. Behind a wildcard address that is what they connected to,
 * as long as this machine has an address that others can know.
 */
export function refuseUnknownAddress(config: Config, interfaces = Object.values(networkInterfaces())): void {
  const { bind } = config.settings
  const hosts = bind.map((address) => hostOf(address.replace(/^-/, '')))
  if (advertisedAddress(config) !== null || !hosts.some((host) => host === '0.0.0.0' || host === '::')) return

  if (interfaces.some((addresses) => addresses?.some(({ internal }) => !internal))) return
  throw new ConfigError(
    `bind ${bind.join(' ')}`,
    'there is no address that Kafka clients could be told to connect to',
    'Name one with --kafka-advertised-host.',
  )
}
