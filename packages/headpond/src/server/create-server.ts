import { Config } from '../config/config.ts'
import { ConfigError, refuseUnknownNames, refuseUnlessObject } from '../config/config-error.ts'
import { directives, findDirective, KAFKA_PREFIX } from '../config/directives.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { DirectiveOptions } from '../config/sources.ts'
import { KafkaCallLog } from '../kafka/call-log.ts'
import { KafkaFaults } from '../kafka/faults.ts'
import { asksForLogin } from '../kafka/listener.ts'
import type { Call, CallLog } from '../resp/call-log.ts'
import type { ReplyValue } from '../resp/decoder.ts'
import { durationMs } from './duration.ts'
import { EmbeddedKafka } from './embedded-kafka.ts'
import { refuseUnknownCommand, ServerFaults } from './faults.ts'
import { type KafkaOptions, kafkaDirectives, type TopicPlan, topicPlans } from './kafka-options.ts'
import { type Argument, LocalClient } from './local-client.ts'
import { type SeedOptions, type SeedValue, seedCommands } from './seed.ts'
import { Server } from './server.ts'
import { StoreImage } from './store-image.ts'

/**
 * Options of an embedded server: every directive under its name in camel case (`maxmemory: '100mb'`), and these.
 * By default it listens on a free port of the loopback address and keeps nothing on disk, unless an option says where
 * (`dir`) or when (`save`, `appendonly`). What is kept is then what these directives say: snapshots at the save points and at the
 * end by default, each write with `appendonly: true`.
 */
export type CreateServerOptions = DirectiveOptions & {
  /** Topics that are there from the start, and the broker's settings: `{ topics: { orders: 3 } }`. */
  readonly kafka?: KafkaOptions
  /** Where to log; nowhere by default. */
  readonly log?: ServerLog
  /** Numbers in [0, 1), for runs that must repeat exactly. */
  readonly random?: () => number
  /**
   * How many of the last calls `server.calls()` knows: 10,000 for a server that keeps nothing on disk, none for others. To
   * remember them costs about a microsecond for each command.
   */
  readonly callsKept?: number
}

/** Address space reserved at first. Small, since tests run many servers in one process; the heap grows by itself. */
const FIRST_ARENA_BYTES = 16 * 2 ** 20

const CALLS_KEPT = 10_000

const SILENT: ServerLog = { info() {}, warn() {}, error() {} }

/** A server in this process. */
export class HeadpondServer {
  readonly #server: Server
  #local: LocalClient
  #isClosed = false
  /** Those of `client` that are not closed. */
  readonly #clients = new Set<LocalClient>()
  /** Addresses as clients take them. */
  readonly urls: {
    /** Over TLS when nothing else is listened on. */
    readonly redis: string
    /** Over TLS; absent without `tlsPort`. */
    readonly rediss?: string
    readonly memcached: string
    /** The address of Kafka's first listener, as its clients take it. */
    readonly kafka: string
  }
  /** The same as the environment variables that applications commonly read. */
  readonly env: Readonly<Record<string, string>>
  readonly clock: {
    nowMs(): number
    /** Moves the server's time forward: 60_000, '60s', '5m'. What expires by then is gone when it returns. */
    advance(duration: number | string): void
  }
  /** Delays, errors and lost connections for the next commands that match, and for requests of Kafka clients. */
  readonly faults: ServerFaults
  /** The broker without a client: what is in its topics, how far its groups are. */
  readonly kafka: EmbeddedKafka
  readonly #calls: CallLog | null

  constructor(server: Server, callsKept: number, topics: readonly TopicPlan[] = []) {
    this.#server = server
    this.#local = new LocalClient(server.resp)
    const host = (server.config.settings.bind[0] ?? '127.0.0.1').replace(/^-/, '')
    const urlHost = host === '*' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
    const password = server.config.settings.requirepass
    const credentials = password === '' ? '' : `:${encodeURIComponent(password)}@`
    const plain = server.port === 0 ? undefined : `redis://${credentials}${urlHost}:${server.port}`
    const encrypted = server.tlsPort === 0 ? undefined : `rediss://${credentials}${urlHost}:${server.tlsPort}`
    this.urls = {
      redis: plain ?? encrypted ?? '',
      ...(encrypted === undefined ? {} : { rediss: encrypted }),
      memcached: server.memcachedPort === 0 ? '' : `${urlHost}:${server.memcachedPort}`,
      kafka: server.kafka.listeners[0]?.address ?? '',
    }
    this.env = {
      REDIS_URL: this.urls.redis,
      REDIS_HOST: urlHost,
      REDIS_PORT: String(server.port === 0 ? server.tlsPort : server.port),
      ...(encrypted === undefined ? {} : { REDIS_TLS_URL: encrypted }),
      MEMCACHE_SERVERS: this.urls.memcached,
      KAFKA_BROKERS: this.urls.kafka,
      ...(password === '' ? {} : { REDIS_PASSWORD: password }),
      ...kafkaVariables(server, password),
    }
    this.clock = {
      nowMs: () => server.clock.nowMs(),
      advance: (duration) => server.advance(durationMs(duration)),
    }
    const kafkaFaults = new KafkaFaults(server.clock)
    this.faults = new ServerFaults(server.resp, kafkaFaults)
    const kafkaCalls = callsKept > 0 ? new KafkaCallLog(callsKept) : null
    server.kafka.hook = {
      arrived(api, request, context) {
        kafkaCalls?.add(api, request, context)
        return kafkaFaults.strike(api, request, context)
      },
    }
    this.kafka = new EmbeddedKafka(server.kafka, {
      plans: topics,
      calls: kafkaCalls,
      faults: kafkaFaults,
    })
    this.#calls = callsKept > 0 ? server.resp.logCalls(callsKept) : null
  }

  /** The port of the Redis protocol. */
  get port(): number {
    return this.#server.port
  }

  /** The port of the Redis protocol over TLS; 0 without `tlsPort`. */
  get tlsPort(): number {
    return this.#server.tlsPort
  }

  /**
   * Runs a command without a socket: `await server.execute('SET', 'k', 'v')`. Replies come typed, as RESP3 has them:
   * text, numbers, booleans, arrays, objects, null. Rejects with ReplyError for an error reply. Its client begins anew
   * after it was cut off by a fault, or has left by QUIT, as libraries connect again.
   */
  execute(...args: readonly Argument[]): Promise<ReplyValue> {
    if (this.#local.isClosed && !this.#isClosed) this.#local = new LocalClient(this.#server.resp)
    return this.#local.execute(...args)
  }

  /** Another client in this process, with a database, a transaction and subscriptions of its own. */
  client(options: { binary?: boolean } = {}): LocalClient {
    const client = new LocalClient(this.#server.resp, { ...options, onClosed: () => this.#clients.delete(client) })
    this.#clients.add(client)
    return client
  }

  /**
   * Puts values into keys, in place of what they hold: text, numbers and bytes make strings, arrays lists (or streams, of
   * objects), sets sets, maps of numbers sorted sets, and objects hashes. Rejects with TypeError for anything else.
   */
  async seed(data: { readonly [key: string]: SeedValue }, options: SeedOptions = {}): Promise<void> {
    refuseUnknownNames('seed', options, ['database', 'ttl'])
    const commands = Object.entries(data).flatMap(([key, value]) => [
      ...seedCommands(key, value),
      ...(options.ttl === undefined ? [] : [['PEXPIRE', key, durationMs(options.ttl)]]),
    ])
    const client = this.client()
    // Nobody has asked for this: it is neither remembered nor struck.
    if (this.#calls !== null) this.#calls.isPaused = true
    this.faults.isSuspended = true
    try {
      const replies = [['SELECT', options.database ?? 0], ...commands].map((command) => client.execute(...command))
      await Promise.all(replies)
    } finally {
      if (this.#calls !== null) this.#calls.isPaused = false
      this.faults.isSuspended = false
      client.close()
    }
  }

  /** The keys and values of this moment, for `restore`. O(data). */
  snapshot(): StoreImage {
    return StoreImage.of(this.#server.store)
  }

  /**
   * Puts the data back as it was at a snapshot, as often as you like; clients stay connected. Throws for a server that
   * keeps data on disk, which would not learn of it. O(data).
   */
  restore(image: StoreImage): void {
    if (!this.#server.persistence.isEphemeral) throw new Error('restore: this server keeps its data on disk')
    image.restore(this.#server.store)
  }

  /**
   * What clients asked of the server since the start or the last `reset`, the oldest first: of one command, in any case
   * ('GET', 'CLIENT|LIST', 'CLIENT' with all its subcommands), or all. Throws when the server does not remember any,
   * and RangeError when there is no such command.
   */
  calls(command?: string): readonly Call[] {
    if (this.#calls === null) throw new Error('calls: this server remembers none; set the option callsKept')
    if (command !== undefined) refuseUnknownCommand(this.#server.resp.table, command)
    return this.#calls.of(command)
  }

  /**
   * Empties every database, ends all faults and resets the statistics; clients stay connected, settings as they are. Kafka's
   * topics and groups are deleted, and the topics of the options made again.
   */
  async reset(): Promise<void> {
    this.faults.clear()
    this.#calls?.clear()
    this.#server.store.flushAll()
    this.#server.persistence.flushedAll()
    if (this.#server.resp.propagates) this.#server.resp.propagation.flushedElsewhere(-1)
    this.#server.resp.resetStatistics()
    this.#server.memcached.reset()
    await this.kafka.reset()
  }

  /**
   * Saves what is to be kept, closes every connection and frees the ports; what clients in this process wait for is
   * rejected. Nothing of the server keeps the process alive afterwards.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const client of [this.#local, ...this.#clients]) client.close()
    this.#server.shutdown('default', true)
    await this.#server.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Starts a server in this process. Rejects with ConfigError when an option or an address cannot be used, and with
 * DataDirectoryError when the data directory or what lies in it cannot.
 */
export async function createServer(options: CreateServerOptions = {}): Promise<HeadpondServer> {
  refuseUnfitOptions(options)
  const { log = SILENT, random, callsKept, kafka, ...settings } = options
  const config = Config.load({
    options: {
      port: 'auto',
      memcachedPort: 'auto',
      bind: ['127.0.0.1'],
      ephemeral: !asksForDisk(settings),
      ...kafkaDirectives(kafka),
      ...settings,
    } as DirectiveOptions,
    // Not asked for: see Kafka. A test has all members of its groups at hand, and does not want to wait for more; and when it
    // moves the clock by days, its connections are not idle.
    defaults: (config) => ({
      kafkaPort: 'auto',
      // The event loop is not ours alone.
      busyPollUs: 0,
      ...(config.settings.ephemeral
        ? { 'kafka.group.initial.rebalance.delay.ms': 0, 'kafka.connections.max.idle.ms': -1 }
        : {}),
    }),
  })
  const plans = topicPlans(kafka?.topics)
  const server = new Server({
    config,
    log,
    firstArenaBytes: FIRST_ARENA_BYTES,
    ...(random === undefined ? {} : { random }),
  })
  await server.start()
  const embedded = new HeadpondServer(server, callsKept ?? (config.settings.ephemeral ? CALLS_KEPT : 0), plans)
  try {
    if (kafka !== undefined) await embedded.kafka.prepare()
    refuseUnknownSettings(server)
    return embedded
  } catch (error) {
    await embedded.close()
    throw error
  }
}

/** Throws ConfigError for what types would have refused, where they are not checked. Directives' values are looked at by Config. */
function refuseUnfitOptions(options: CreateServerOptions): void {
  refuseUnlessObject('createServer', options, "createServer({ maxmemory: '100mb' })")
  const directiveOptions = Object.keys(options).filter((name) => isDirective(name))
  refuseUnknownNames('option', options, [...directiveOptions, ...OWN_OPTIONS, ...directives.map(({ key }) => key)])
  const { log, random, callsKept } = options
  if (callsKept !== undefined && !(Number.isInteger(callsKept) && callsKept >= 0)) {
    throw new ConfigError('option callsKept', `must be a whole number from 0, not ${String(callsKept)}`)
  }
  if (random !== undefined && typeof random !== 'function') {
    throw new ConfigError('option random', 'must be a function', 'Write one that returns numbers in [0, 1).')
  }
  if (log !== undefined && !LOG_METHODS.every((name) => typeof log?.[name] === 'function')) {
    throw new ConfigError('option log', `must be an object with the functions ${LOG_METHODS.join(', ')}`)
  }
}

const OWN_OPTIONS = ['kafka', 'log', 'random', 'callsKept']
const LOG_METHODS = ['info', 'warn', 'error'] as const

/** Under its own name ('maxmemory-policy'), which is read too, or as a setting of Kafka's broker. */
function isDirective(name: string): boolean {
  return findDirective(name) !== undefined || name.startsWith(KAFKA_PREFIX)
}

/** A broker takes settings that it does not know for those of a plugin: here are none. */
function refuseUnknownSettings({ kafka }: Server): void {
  const [unknown] = kafka.service?.broker.config.unknownDirectives() ?? []
  if (unknown === undefined) return
  const remedy = unknown.meant === undefined ? '' : `Did you mean ${unknown.meant}?`
  throw new ConfigError(`kafka.${unknown.name}`, 'there is no such setting', remedy)
}

/** How clients come in by the first listener, where it wants more than a connection. */
function kafkaVariables(server: Server, password: string): Record<string, string> {
  const [first] = server.kafka.listeners
  if (first === undefined || first.plan.protocol === 'PLAINTEXT') return {}
  const variables: Record<string, string> = { KAFKA_SECURITY_PROTOCOL: first.plan.protocol }
  const { broker } = server.kafka.service!
  const mechanism = asksForLogin(first.plan) ? broker.authentication.mechanismsOf(first.plan).at(-1) : undefined
  if (mechanism !== undefined) variables['KAFKA_SASL_MECHANISM'] = mechanism
  if (mechanism !== undefined && password !== '') {
    variables['KAFKA_USER'] = 'default'
    variables['KAFKA_PASSWORD'] = password
  }
  return variables
}

/** Whoever says where or when to keep data wants it kept. */
function asksForDisk(directives: DirectiveOptions): boolean {
  return DISK_OPTIONS.some((name) => {
    const value = directives[name]
    return value !== undefined && value !== false && !['', 'no'].includes(String(value))
  })
}

const DISK_OPTIONS = ['dir', 'dbfilename', 'save', 'appendonly', 'appenddirname', 'appendfilename'] as const
