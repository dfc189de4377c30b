import type { Config } from '../config/config.ts'
import type { Settings } from '../config/directives.ts'
import type { Clock } from '../net/clock.ts'
import type { Connection } from '../net/connection.ts'
import { OutputBuffer, type OutputSink } from '../net/output-buffer.ts'
import type { Protocol } from '../net/protocol.ts'
import type { Store } from '../store/store.ts'
import { Client } from './client.ts'
import type { Command } from './command.ts'
import { CommandTable } from './command-table.ts'
import { errors, wrongArity } from './errors.ts'
import { parsed, RequestParser } from './parser.ts'
import { Reply } from './reply.ts'
import { Request } from './request.ts'

/** What the engine asks of the server around it. */
export interface EngineHost {
  readonly store: Store
  readonly config: Config
  readonly clock: Clock
  readonly log: EngineLog
  /** SHUTDOWN was called. */
  shutdown: () => void
}

export interface EngineLog {
  info(message: string): void
  warn(message: string): void
  error(details: object, message: string): void
}

/** Every how many calls a fast command is timed within a pipeline. */
const TIMING_SAMPLE_MASK = 15
/** Below this threshold the slow log wants to see fast commands too, and every call is timed. */
const TIME_ALL_BELOW_US = 1000

/**
 * The RESP side of a server: clients, dispatch, and what commands share. It takes chunks of bytes from connections,
 * runs the commands in them one after another, and leaves the replies in the output buffer.
 */
export class RespEngine implements Protocol<Client> {
  readonly name = 'resp'
  readonly host: EngineHost
  readonly store: Store
  readonly config: Config
  readonly settings: Settings
  readonly clock: Clock
  readonly log: EngineLog
  readonly table = new CommandTable()
  readonly clients = new Map<number, Client>()
  readonly startedAtMs: number

  /** The client whose command runs now: pushes to it go straight into its replies. */
  current: Client | null = null
  commandCount = 0
  connectionCount = 0
  refusedCount = 0
  timesEveryCall = false
  /** The default user has a password, so clients must authenticate first. */
  requiresPassword = false

  readonly #parser = new RequestParser()
  readonly #request = new Request()
  readonly #reply = new Reply(new OutputBuffer())
  #nextClientId = 1

  constructor(host: EngineHost) {
    this.host = host
    this.store = host.store
    this.config = host.config
    this.settings = host.config.settings
    this.clock = host.clock
    this.log = host.log
    this.startedAtMs = host.clock.nowMs()
    this.requiresPassword = this.settings.requirepass !== ''
    const watchThreshold = () => {
      this.timesEveryCall =
        this.settings.slowlogLogSlowerThan >= 0 && this.settings.slowlogLogSlowerThan < TIME_ALL_BELOW_US
      return undefined
    }
    watchThreshold()
    this.config.onChange('slowlog-log-slower-than', watchThreshold)
    this.config.onChange('requirepass', () => {
      this.requiresPassword = this.settings.requirepass !== ''
      return undefined
    })
  }

  get sentBytes(): number {
    return this.#reply.out.sentBytes
  }

  // ---- Connections ----

  open(connection: Connection): Client {
    this.connectionCount++
    return this.#addClient(connection, connection)
  }

  /** A client in this process, whose replies go to `sink`. */
  openLocal(sink: OutputSink): Client {
    return this.#addClient(sink, null)
  }

  #addClient(sink: OutputSink, connection: Connection | null): Client {
    const client = new Client(this.#nextClientId++, this, sink, connection)
    if (connection !== null) this.clients.set(client.id, client)
    return client
  }

  closed(client: Client): void {
    this.clients.delete(client.id)
    this.#unblock(client)
  }

  /** Why a new connection is turned away, as the error to send it; null when it is welcome. */
  refusal(_peer: { remoteAddress: string; isLoopback: boolean }): string | null {
    if (this.clients.size < this.settings.maxclients) return null
    this.refusedCount++
    return '-ERR max number of clients reached\r\n'
  }

  /** Housekeeping, `hz` times a second. */
  cron(): void {}

  resetStatistics(): void {
    this.table.resetStatistics()
    this.commandCount = 0
    this.connectionCount = 0
    this.refusedCount = 0
    this.store.hitCount = 0
    this.store.missCount = 0
    this.store.expiredCount = 0
  }

  // ---- From bytes to commands ----

  /** hot: once for each read of a socket. */
  consume(client: Client, chunk: Uint8Array, start: number, end: number): number {
    const reply = this.#reply
    const request = this.#request
    const parser = this.#parser
    this.#begin(client)
    let at = start
    let isFirst = true
    while (at < end && client.blocked === null && !client.closesAfterReply) {
      const next = parser.parse(chunk, at, end, request, client.parse, this.#limitsOf(client))
      if (next < 0) {
        if (next === parsed.BROKEN) {
          reply.error(`ERR ${parser.error}`)
          client.closesAfterReply = true
        } else if (client.parse.expectedBytes > 0) {
          client.connection?.expectInput(client.parse.expectedBytes)
        }
        break
      }
      if (request.count > 0 && !this.#process(client, request, reply, isFirst)) break // held: it will be read again
      isFirst = false
      at = next
    }
    this.#finish(client)
    return at
  }

  /** Runs one command for a client in this process. */
  run(client: Client, request: Request): void {
    this.#begin(client)
    this.#process(client, request, this.#reply, true)
    this.#finish(client)
  }

  /**
   * Writes to a client outside of its own requests: when a wait ends.
   * Replies of the client whose command is running go on where they are.
   */
  replyTo(client: Client, write: (reply: Reply) => void): void {
    const sink = new GatheringSink()
    const reply = new Reply(new OutputBuffer(4096))
    reply.protocol = client.protocol
    reply.out.attach(sink)
    write(reply)
    reply.out.flush()
    this.pushTo(client, sink.take())
  }

  /** Sends encoded bytes to a client, in order with its replies. */
  pushTo(client: Client, bytes: Buffer): void {
    if (client === this.current) this.#reply.raw(bytes)
    else if (client.connection !== null) client.connection.push(bytes)
    else client.sink.write(bytes)
  }

  #begin(client: Client): void {
    const nowMs = this.clock.nowMs()
    this.store.setNow(nowMs)
    client.lastInteractionMs = nowMs
    this.current = client
    this.#reply.protocol = client.protocol
    this.#reply.out.attach(client.sink)
  }

  #finish(client: Client): void {
    this.#reply.out.flush()
    this.current = null
    if (client.closesAfterReply) client.connection?.closeAfterReplies()
  }

  readonly #limits = { bulkBytesMax: 0, authenticated: true }
  #limitsOf(client: Client) {
    this.#limits.bulkBytesMax = this.settings.protoMaxBulkLen
    this.#limits.authenticated = client.isAuthenticated
    return this.#limits
  }

  // ---- From a request to its handler ----

  /**
   * Checks a request and runs it, or queues it, or answers with an error. False when it must wait, untouched.
   * The order of the checks is Redis's (server.c, processCommand).
   * hot: once for each command.
   */
  #process(client: Client, request: Request, reply: Reply, isFirst: boolean): boolean {
    let command = this.table.find(request.chunk, request.start(0), request.end(0))
    if (command === null) {
      this.#reject(client, null, reply, unknownCommand(request))
      return true
    }
    if (command.subcommands !== null && request.count > 1) {
      const subcommand = command.subcommands.get(request.text(1).toLowerCase())
      if (subcommand !== undefined) command = subcommand
      else if (command.handler === null) {
        this.#reject(client, command, reply, unknownSubcommand(command, request.text(1)))
        return true
      }
    }
    const arity = command.arity
    if (arity > 0 ? request.count !== arity : request.count < -arity) {
      this.#reject(client, command, reply, wrongArity(command.fullName))
      return true
    }
    if (client.isSpecial) return this.#processSpecial(client, command, request, reply)
    this.call(client, command, request, reply, isFirst)
    return true
  }

  /** The rest of `#process` for a client that is not in the plain state. */
  #processSpecial(client: Client, command: Command, request: Request, reply: Reply): boolean {
    if (!client.isAuthenticated && !command.needsNoAuth) {
      this.#reject(client, command, reply, errors.NO_AUTH)
      return true
    }
    if (client.isSubscribed && client.protocol === 2 && !SUBSCRIBER_COMMANDS.has(command.fullName)) {
      this.#reject(
        client,
        command,
        reply,
        `ERR Can't execute '${command.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      )
      return true
    }
    if (client.transaction !== null && !UNQUEUED_COMMANDS.has(command.fullName)) {
      if (!command.isAllowedInMulti) {
        this.#reject(client, command, reply, 'ERR Command not allowed inside a transaction')
        return true
      }
      client.transaction.queue(command, request)
      reply.queued()
      return true
    }
    if (client.replyMode === 'on' || client.replyMode === 'skip') {
      if (client.replyMode === 'skip') client.replyMode = 'skipping'
      if (client.replyMode === 'on') {
        this.store.touchless = client.isNoTouch
        this.call(client, command, request, reply, true)
        this.store.touchless = false
        return true
      }
    }
    // Silenced: what the command writes goes nowhere.
    reply.out.flush()
    reply.out.attach(NOWHERE)
    this.call(client, command, request, reply, true)
    reply.out.flush()
    reply.out.attach(client.sink)
    if (client.replyMode === 'skipping') {
      client.replyMode = 'on'
      client.updateSpecial()
    }
    return true
  }

  #reject(client: Client, command: Command | null, reply: Reply, error: string): void {
    if (command !== null) command.rejectedCount++
    if (client.transaction !== null) client.transaction.isAborted = true
    reply.error(error)
  }

  /**
   * Runs a command that has passed the checks, and counts it.
   * hot: once for each command.
   */
  call(client: Client, command: Command, request: Request, reply: Reply, exactTiming: boolean): void {
    const errorCount = reply.errorCount
    this.commandCount++
    client.commandCount++
    client.lastCommand = command
    const callCount = ++command.callCount
    if (exactTiming || this.timesEveryCall || !command.isConstantTime || (callCount & TIMING_SAMPLE_MASK) === 0) {
      const startMs = performance.now()
      command.handler!(client, request, reply)
      this.#timed(client, command, request, Math.round((performance.now() - startMs) * 1000))
    } else {
      command.handler!(client, request, reply)
    }
    if (reply.errorCount !== errorCount) command.failedCount++
  }

  #timed(_client: Client, command: Command, _request: Request, durationUs: number): void {
    command.timedCount++
    command.timedUs += durationUs
    command.latencyBuckets[31 - Math.clz32(durationUs | 1)]++
  }

  // ---- Waiting ----

  /**
   * Lets a client wait: its next requests are not read until `unblock`. With a timeout (0: none), `onTimeout` answers.
   */
  block(
    client: Client,
    timeoutMs: number,
    wait: { onTimeout: (reply: Reply) => void; cancel: () => void; isUnblockable?: boolean },
  ): void {
    client.blocked = { isUnblockable: true, ...wait, timer: null }
    if (timeoutMs > 0) {
      client.blocked.timer = this.clock.schedule(timeoutMs, () => this.unblock(client, wait.onTimeout))
    }
  }

  /** Ends a client's wait with an answer; its next requests go on. */
  unblock(client: Client, answer: (reply: Reply) => void): void {
    if (client.blocked === null) return
    this.#unblock(client)
    this.replyTo(client, answer)
    this.resumeSoon(client)
  }

  #unblock(client: Client): void {
    const blocked = client.blocked
    if (blocked === null) return
    client.blocked = null
    blocked.timer?.cancel()
    blocked.cancel()
  }

  /** Goes on with requests of a client that have arrived already, once the current command is over. */
  resumeSoon(client: Client): void {
    setImmediate(() => client.connection?.resume())
  }
}

/** Gathers what is written, for replies that are not sent at once. */
export class GatheringSink implements OutputSink {
  #parts: Buffer[] = []

  write(bytes: Uint8Array): boolean {
    this.#parts.push(Buffer.from(bytes))
    return true
  }

  take(): Buffer {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts)
    this.#parts = []
    return bytes
  }
}

const NOWHERE: OutputSink = { write: () => true }

/** What a client that subscribed under RESP2 may still send. */
const SUBSCRIBER_COMMANDS = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
])

/** What runs at once inside MULTI. */
const UNQUEUED_COMMANDS = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset'])

function unknownCommand(request: Request): string {
  // As Redis cuts it: 128 characters of the name, then of all arguments together.
  const name = request.text(0).slice(0, 128)
  let shown = ''
  for (let index = 1; index < request.count && shown.length < 128; index++) {
    shown += `'${request.text(index).slice(0, 128 - shown.length)}' `
  }
  return `ERR unknown command '${name}', with args beginning with: ${shown}`
}

function unknownSubcommand(command: Command, subcommand: string): string {
  const container = command.fullName.toUpperCase()
  return `ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try ${container} HELP.`
}
