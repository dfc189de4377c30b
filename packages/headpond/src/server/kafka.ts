import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { ServerLog } from '../config/server-log.ts'
import { asksForLogin, isEncrypted, type ListenerPlan, listenerPlans } from '../kafka/listener.ts'
import type { RequestHook } from '../kafka/request-hook.ts'
import type { Clock } from '../net/clock.ts'
import { OutputGate } from '../net/output-gate.ts'
import type { UserDirectory } from '../security/user-directory.ts'
import { busyPollMs } from './busy-poll-time.ts'
import { BIND_FAILURE, Endpoint, hostOf } from './endpoint.ts'
import { KafkaDoor } from './kafka-door.ts'
import type { KafkaService } from './kafka-service.ts'

export interface KafkaParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: ServerLog
  readonly random: () => number
  readonly users: UserDirectory
}

/** Below the data directory, unless `kafka.log.dirs` says otherwise. */
const LOGS_DIRECTORY = 'kafka-logs'
/**
 * Requests are large, and everything that one read brings goes to its file with one write and is answered with another.
 * **(measured)**: batches of 16 KB cost 3.3 seconds of processor time for a gigabyte in reads of 24 KB, 1.8 in these; more
 * gains nothing. The turn takes a quarter of a millisecond longer.
 */
const READ_BYTES = 128 * 1024

interface OpenListener {
  readonly plan: ListenerPlan
  readonly endpoint: Endpoint
}

/**
 * Kafka's listeners, which are open before the broker is there: loading it takes as long as everything else of the server,
 * and most servers never see a client of Kafka's. It is loaded at the start when somebody has asked for it (by a directive,
 * or by logs on the disk), else when the first client connects, who notices nothing.
 */
export class Kafka {
  readonly #parts: KafkaParts
  #listeners: readonly OpenListener[] = []
  #hook: RequestHook | null = null
  #loading: Promise<KafkaService> | null = null
  #service: KafkaService | null = null

  constructor(parts: KafkaParts) {
    this.#parts = parts
    parts.config.onChange('bind', () => this.#openAgain())
  }

  /** Of the first listener; 0 when nothing is listened on. */
  get port(): number {
    return this.#listeners[0]?.endpoint.port ?? 0
  }

  /** Told when the broker is there. */
  onLoad: () => void = () => {}

  /** Of the first listener. */
  get address(): string | undefined {
    return this.#listeners[0]?.endpoint.address
  }

  /** Where clients of each listener connect to, the first one first. */
  get listeners(): readonly { readonly plan: ListenerPlan; readonly address: string }[] {
    return this.#listeners.flatMap(({ plan, endpoint: { url } }) => (url === undefined ? [] : { plan, address: url }))
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

  /** Listens. Rejects with ConfigError when an address cannot be had, with others when the logs cannot be read. */
  async start(): Promise<void> {
    const { config, log } = this.#parts
    if (config.settings.kafkaPort === 0) return
    const plans = listenerPlans(config)
    config.loadKafkaSettings = async () => {
      await this.load()
    }
    if (this.#isAskedFor()) await this.load()
    try {
      for (const plan of plans) await this.#open(plan)
    } catch (error) {
      // Nobody asked for this port: where another broker has it, that one goes on serving it.
      const isAskedFor = config.isSet('kafka-port') || plans[0].port !== null
      if (isAskedFor || !(error instanceof ConfigError)) throw error
      return log.warn(`Kafka's protocol is off: ${error.message}`)
    }
    this.#tellOfListeners()
  }

  async #open(plan: ListenerPlan): Promise<void> {
    const { config } = this.#parts
    const endpoint = new Endpoint({
      config,
      directive: 'kafka-port',
      ...(plan.port === null ? {} : { at: { host: plan.host, port: plan.port, place: plan.place } }),
      protocol: new KafkaDoor(plan, this),
      listener: {
        keepAliveSeconds: () => config.settings.tcpKeepalive,
        busyPollMs: () => busyPollMs(config.settings),
        // What the append-only file has to keep does not concern these clients: they never wait for it.
        limits: {
          inputBytesMax: () => this.#service?.engine.inputBytesMax ?? UNREAD_BYTES_MAX,
          gate: new OutputGate(),
        },
        refuse: (peer) => this.#refusal(plan, peer),
        readBytes: READ_BYTES,
        ...(isEncrypted(plan) ? { tls: this.#service!.encryptionOf(plan) } : {}),
      },
      prepare: () => refuseUnknownAddress(config, plan),
    })
    await endpoint.open()
    this.#service?.broker.listeningPorts.set(plan.name, endpoint.port)
    this.#listeners = [...this.#listeners, { plan, endpoint }]
  }

  async #openAgain(): Promise<string | undefined> {
    for (const { plan, endpoint } of this.#listeners) {
      const refusal = plan.host === null ? await endpoint.openAgain(BIND_FAILURE) : undefined
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  #tellOfListeners(): void {
    const { config, log } = this.#parts
    if (this.#listeners[0].plan.port !== null) {
      const texts = this.listeners.map(({ plan, address }) => `${plan.name} (${plan.protocol}) at ${address}`)
      log.info(`Kafka's listeners: ${texts.join(', ')}`)
      if (config.isSet('kafka-port')) log.info('kafka-port has no effect beside kafka.listeners')
    }
    for (const { plan, endpoint } of this.#listeners) {
      const { advertised, name } = plan
      const which = this.#listeners.length > 1 ? ` of ${name}` : ''
      if (advertised !== null) {
        log.info(`Kafka clients${which} are told to connect to ${advertised.host}:${advertised.port ?? endpoint.port}`)
      } else if (!hostsOf(plan, config).every(isLoopback)) {
        log.info(`Kafka clients${which} are told to connect to the address they have used`)
      }
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
    this.onLoad()
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
    await Promise.all(this.#listeners.map(({ endpoint }) => endpoint.close()))
    const service = await this.#loading?.catch(() => null)
    await service?.close()
  }

  /** Closes every connection at once; answers that are under way are lost. */
  destroyConnections(): void {
    for (const { endpoint } of this.#listeners) endpoint.destroyConnections()
  }

  /** The broker cannot be loaded. */
  failed(error: unknown): void {
    this.#parts.log.error({ err: error }, "Kafka's side of the server cannot be loaded")
  }

  /** A text turns a connection away; it is empty, since these clients could not read one. */
  #refusal(plan: ListenerPlan, peer: { remoteAddress: string; isLoopback: boolean }): string | null {
    const { config, log } = this.#parts
    // Protected mode is for those that let anybody in.
    const isOpen = !asksForLogin(plan) && this.#service?.asksForCertificate(plan) !== true
    if (!isOpen || !config.settings.protectedMode || peer.isLoopback) {
      return this.#service?.engine.refusal(peer) ?? null
    }
    log.warn(`Kafka connection of ${peer.remoteAddress} refused: only this machine may connect (protected-mode)`)
    return ''
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

/** Without the minus of an address that may be missing. */
function hostsOf({ host }: Pick<ListenerPlan, 'host'>, { settings: { bind } }: Config): string[] {
  return (host === null ? bind : [host]).map((address) => hostOf(address.replace(/^-/, '')))
}

/**
 * Clients connect a second time, to what Metadata tells them. Behind a wildcard address that is what they connected to,
 * as long as this machine has an address that others can know.
 */
export function refuseUnknownAddress(
  config: Config,
  plan: Pick<ListenerPlan, 'host' | 'advertised'>,
  interfaces = Object.values(networkInterfaces()),
): void {
  const hosts = hostsOf(plan, config)
  if (plan.advertised !== null || !hosts.some((host) => host === '0.0.0.0' || host === '::')) return

  if (interfaces.some((addresses) => addresses?.some(({ internal }) => !internal))) return
  throw new ConfigError(
    plan.host === null ? `bind ${config.settings.bind.join(' ')}` : `kafka.listeners ${plan.host}`,
    'there is no address that Kafka clients could be told to connect to',
    'Set kafka-advertised-host to one.',
  )
}
