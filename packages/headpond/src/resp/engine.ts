import { performance } from 'node:perf_hooks'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Settings } from '../config/directives.ts'
import type { ServerLog } from '../config/server-log.ts'
import type { Clock } from '../net/clock.ts'
import type { Connection } from '../net/connection.ts'
import type { OutputSink } from '../net/output-buffer.ts'
import type { OutputGate } from '../net/output-gate.ts'
import type { Protocol } from '../net/protocol.ts'
import { LONG_TURN_MS } from '../net/turn.ts'
import type { Persistence, ShutdownSaving } from '../persistence/persistence.ts'
import type { Store } from '../store/store.ts'
import { AccessControl } from './acl.ts'
import { refusalOf } from './admission.ts'
import { connectAppendOnly, SyncWaiters } from './append-only.ts'
import { Blocking } from './blocking.ts'
import { CallLog } from './call-log.ts'
import { Client } from './client.ts'
import { describeClient } from './client-description.ts'
import { ClientEviction } from './client-eviction.ts'
import type { Command } from './command.ts'
import { CommandLog } from './command-log.ts'
import { CommandTable } from './command-table.ts'
import { errors, unknownCommand, unknownSubcommand, wrongArity } from './errors.ts'
import { CommandFaults } from './faults.ts'
import { Identity } from './identity.ts'
import { KeyspaceNotifications, KeyspaceObservers } from './keyspace-events.ts'
import { LatencyMonitor } from './latency-monitor.ts'
import { MemoryLimit } from './memory-limit.ts'
import { memoryUse } from './memory-report.ts'
import { Monitors } from './monitors.ts'
import { Outgoing } from './outgoing.ts'
import { OutputLimits } from './output-limits.ts'
import { parsed, RequestParser } from './parser.ts'
import { Pause } from './pause.ts'
import { Pipeline } from './pipeline.ts'
import { Propagation } from './propagation.ts'
import { PubSub } from './pubsub.ts'
import type { Reply } from './reply.ts'
import { Request } from './request.ts'
import { Restrictions, restrictByPersistence, restrictByReplicas } from './restrictions.ts'
import { Scripts } from './scripts.ts'
import { Statistics } from './statistics.ts'
import { Tracking } from './tracking.ts'
import { discardTransaction, type Transaction } from './transaction.ts'
import { Waiting } from './waiting.ts'
import { Watches } from './watch.ts'

/** What the engine asks of the server around it. */
export interface EngineHost {
  readonly store: Store
  readonly config: Config
  readonly clock: Clock
  readonly log: ServerLog
  readonly persistence: Persistence
  /** Headpond's own version. */
  readonly version: string
  /** Holds back replies while they have to wait for the disk. */
  readonly gate: OutputGate
  /** SHUTDOWN was called. False when the data could not be saved, and the server goes on. */
  shutdown: (saving: ShutdownSaving, isForced: boolean) => boolean
}

/** From so many clients for each round of housekeeping on, there are more rounds. */
const CLIENTS_PER_CRON_MAX = 200
/** After a command that takes so long the rest of a pipeline waits: ten of a second each would be one turn. */
const LONG_US = 1000
/** Of a pipeline, between two looks at the time that it takes. */
const REQUESTS_BETWEEN_LOOKS = 32
const HZ_MAX = 500
const BROWSER_WARNING_INTERVAL_MS = 60_000
/** Every how many calls a fast command is timed within a pipeline. */
const TIMING_SAMPLE_MASK = 15
/** The first calls of each command are timed one by one where they come alone, as those of people and tests do; and large ones always. */
const TIMED_CALLS_MIN = 1000
const TIMED_INPUT_BYTES_MIN = 4096
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
  readonly log: ServerLog
  readonly persistence: Persistence
  readonly table = new CommandTable()
  readonly clients = new Map<number, Client>()
  readonly startedAtMs: number
  /** Memory in use before the first client and key. */
  readonly startupBytes: number

  /** The client whose command runs now: pushes to it go straight into its replies. */
  current: Client | null = null
  commandCount = 0
  connectionCount = 0
  refusedCount = 0
  readonly identity = new Identity()
  readonly statistics: Statistics
  readonly slowLog: CommandLog
  readonly largeRequestLog: CommandLog
  readonly largeReplyLog: CommandLog
  /** From where on a size is logged: read from the settings when they change. */
  #loggedRequestBytes = 0
  #loggedReplyBytes = 0
  readonly latencyMonitor: LatencyMonitor
  readonly monitors = new Monitors()
  readonly outgoing = new Outgoing(this)
  readonly waiting = new Waiting(this)
  readonly blocking = new Blocking(this)
  readonly pubsub = new PubSub()
  readonly tracking: Tracking
  readonly keyspaceObservers: KeyspaceObservers
  readonly watches: Watches
  /** Lua: EVAL, and libraries of functions. */
  readonly scripts: Scripts
  /** What keeps commands of all clients from running for a while. */
  readonly restrictions = new Restrictions()
  readonly pause = new Pause(this)
  readonly faults: CommandFaults
  /** The calls of clients, when someone wants to know of them. */
  callLog: CallLog | null = null
  readonly outputLimits = new OutputLimits(this)
  readonly clientEviction: ClientEviction
  readonly memoryLimit: MemoryLimit
  readonly propagation = new Propagation(this)
  readonly syncWaiters: SyncWaiters
  /** Somebody wants to hear of every change: the one check that a command pays for propagation. */
  propagates = false
  /** Clients closed because they left too much unsaid of a request, and because they left too much unread. */
  inputOverflowCount = 0
  outputOverflowCount = 0
  /** Switched by DEBUG PAUSE-CRON, for tests: nothing happens by itself. */
  isCronPaused = false
  /** Someone wants to know of every call: see `updateTiming`. */
  timesEveryCall = false
  /** Users, and what they may do. */
  readonly acl: AccessControl

  /** The size of the input that is consumed now. */
  inputBytes = 0
  /** The arguments of a queued command while EXEC runs it. */
  readonly queuedRequest = new Request()
  /** EXEC runs its commands now. */
  isInExec = false

  readonly #parser = new RequestParser()
  readonly #request = new Request()
  readonly #pipeline: Pipeline
  #nextClientId = 1
  #nextBrowserWarningAtMs = 0

  constructor(host: EngineHost) {
    this.host = host
    this.store = host.store
    this.#pipeline = new Pipeline(host.store, this.#parser)
    this.config = host.config
    this.settings = host.config.settings
    this.clock = host.clock
    this.faults = new CommandFaults(this)
    this.log = host.log
    this.persistence = host.persistence
    restrictByPersistence(this)
    restrictByReplicas(this)
    connectAppendOnly(this)
    this.syncWaiters = new SyncWaiters(this)
    this.startedAtMs = host.clock.nowMs()
    this.tracking = new Tracking(this)
    this.acl = new AccessControl(this)
    this.statistics = new Statistics(this)
    this.slowLog = new CommandLog(this.settings, { threshold: 'slowlogLogSlowerThan', entriesMax: 'slowlogMaxLen' })
    this.largeRequestLog = new CommandLog(this.settings, {
      threshold: 'commandlogRequestLargerThan',
      entriesMax: 'commandlogLargeRequestMaxLen',
    })
    this.largeReplyLog = new CommandLog(this.settings, {
      threshold: 'commandlogReplyLargerThan',
      entriesMax: 'commandlogLargeReplyMaxLen',
    })
    this.latencyMonitor = new LatencyMonitor(this.settings)
    this.outgoing.reply.errors = this.statistics.errors
    this.startupBytes = memoryUse(this).usedBytes
    this.memoryLimit = new MemoryLimit(this)
    const updateTiming = () => {
      this.updateTiming()
      return undefined
    }
    this.updateTiming()
    this.config.onChange('slowlog-log-slower-than', updateTiming)
    this.config.onChange('latency-monitor-threshold', updateTiming)
    const updateLoggedSizes = () => {
      this.#loggedRequestBytes = this.largeRequestLog.threshold
      this.#loggedReplyBytes = this.largeReplyLog.threshold
      return undefined
    }
    updateLoggedSizes()
    this.config.onChange('commandlog-request-larger-than', updateLoggedSizes)
    this.config.onChange('commandlog-large-request-max-len', updateLoggedSizes)
    this.config.onChange('commandlog-reply-larger-than', updateLoggedSizes)
    this.config.onChange('commandlog-large-reply-max-len', updateLoggedSizes)
    this.store.defersExpiry = this.settings.importMode
    this.config.onChange('import-mode', (isOn) => {
      this.store.defersExpiry = isOn || this.pause.isOn
      return undefined
    })
    this.clientEviction = new ClientEviction(this)
    this.keyspaceObservers = new KeyspaceObservers(this.store)
    this.scripts = new Scripts(this)
    this.watches = new Watches(this.store, this.keyspaceObservers)
    this.blocking.onObserving = () => {
      if (this.blocking.clientCount > 0) this.keyspaceObservers.add(this.blocking)
      else this.keyspaceObservers.remove(this.blocking)
    }
    for (const [name, newName] of this.settings.renameCommand) {
      const problem = this.table.rename(name, newName)
      if (problem !== null) throw new ConfigError(`rename-command ${name} ${newName || '""'}`, problem)
    }
    const notifications = new KeyspaceNotifications(this.pubsub, this.keyspaceObservers)
    notifications.setClasses(this.settings.notifyKeyspaceEvents)
    this.config.onChange('notify-keyspace-events', (classes) => {
      notifications.setClasses(classes)
      return undefined
    })
  }

  /** To be called when anything changes that decides whether every call is timed. */
  updateTiming(): void {
    const thresholdUs = this.settings.slowlogLogSlowerThan
    this.timesEveryCall =
      (thresholdUs >= 0 && thresholdUs < TIME_ALL_BELOW_US) ||
      this.latencyMonitor.isOn ||
      this.monitors.count > 0 ||
      this.callLog !== null
  }

  // ---- Connections ----

  open(connection: Connection): Client {
    this.connectionCount++
    return this.#addClient(connection, connection)
  }

  /** A client in this process, whose replies go to `sink`. */
  openLocal(sink: OutputSink): Client {
    const { gate } = this.host
    const release = (bytes: Uint8Array) => void sink.write(bytes)
    const gated: OutputSink = {
      write(bytes) {
        if (!gate.isClosed) return sink.write(bytes)
        gate.hold({ release }, bytes)
        return false
      },
    }
    return this.#addClient(gated, null)
  }

  #addClient(sink: OutputSink, connection: Connection | null): Client {
    const client = new Client(this.#nextClientId++, this, sink, connection)
    if (connection !== null) this.clients.set(client.id, client)
    return client
  }

  /**
   * Closes a client's connection at once, which frees what lies there, and nobody sees the client any more. It takes its leave
   * when this turn is over: it may be running a command, or be one of those that a message is being sent to.
   */
  cutOff(client: Client): void {
    client.closesAfterReply = true
    this.clients.delete(client.id)
    client.connection!.destroy()
  }

  closed(client: Client): void {
    this.clients.delete(client.id)
    if (client.connection !== null) this.statistics.connectionClosed(client.connection)
    this.#detach(client)
  }

  /** Takes a client out of all that it has a part in. It may stay connected until its last replies are sent. */
  #detach(client: Client): void {
    if (client.isMonitor) this.removeMonitor(client)
    this.waiting.cancel(client)
    this.pause.forget(client)
    this.faults.forget(client)
    this.outputLimits.forget(client)
    this.clientEviction.forget(client)
    this.pubsub.unsubscribeAll(client)
    this.tracking.forget(client)
    discardTransaction(client)
    this.#buffersShrank(client)
  }

  #buffersShrank(client: Client): void {
    if (client.countedBytes > 0) this.store.eviction.countOtherBytesSoon()
  }

  /** Ends a client's connection: at once, or after its reply when its own command asks for it. */
  kill(client: Client): void {
    if (client === this.current) {
      client.closesAfterReply = true
      return
    }
    this.clients.delete(client.id)
    this.#detach(client)
    client.connection?.destroy()
  }

  /** The peer of a client has sent its last request. */
  ended(client: Client): boolean {
    // What waits for the end of a pause is still to be answered; a client that waits for a key is taken for gone.
    if (client.isHeld) return false
    this.#detach(client)
    return true
  }

  outputGrew(client: Client, unsentBytes: number): void {
    this.outputLimits.check(client, unsentBytes)
    if (this.clientEviction.isOn) this.clientEviction.update(client)
  }

  outputDrained(client: Client): void {
    this.#buffersShrank(client)
  }

  outputStalled(client: Client, isStalled: boolean): void {
    client.isStalled = isStalled
  }

  inputOverflowed(client: Client): void {
    this.inputOverflowCount++
    const description = describeClient(client, this.clock.nowMs())
    this.log.warn(`Closing client that reached max query buffer length: ${description}`)
  }

  /** Why a new connection is turned away, as the error to send it; null when it is welcome. */
  refusal(peer: { remoteAddress: string; isLoopback: boolean }): string | null {
    const refusal = refusalOf(this, peer.isLoopback)
    if (refusal !== null) this.refusedCount++
    return refusal
  }

  /** How often a second housekeeping is done: `hz`, or a multiple of it for many clients. */
  get effectiveHz(): number {
    const { hz, dynamicHz } = this.settings
    if (!dynamicHz) return hz
    let effective = hz
    while (Math.floor(this.clients.size / effective) > CLIENTS_PER_CRON_MAX && effective < HZ_MAX) effective *= 2
    return Math.min(effective, HZ_MAX)
  }

  /** Housekeeping, `effectiveHz` times a second. */
  cron(): void {
    this.statistics.sample(() => memoryUse(this).usedBytes)
    if (this.blocking.hasReady) this.blocking.serve() // keys that expired in the background
    this.persistence.cron()
    this.outputLimits.checkSlowClients()
    this.clientEviction.cron()
    this.memoryLimit.cron()
    this.tracking.cron()
    this.#closeIdle()
  }

  /** Closes clients that have sent nothing for the time of `timeout`; those that wait or listen may be silent. */
  #closeIdle(): void {
    const { timeout } = this.settings
    if (timeout === 0) return
    const sinceMs = this.clock.nowMs() - timeout * 1000
    for (const client of this.clients.values()) {
      if (client.lastInteractionMs >= sinceMs || client.blocked !== null || client.isHeld) continue
      if (!client.isSubscribed && !client.isMonitor) this.kill(client)
    }
  }

  /** The server has worked by itself (see Cron), for so long at a stretch. */
  backgroundWorked(durationUs: number): void {
    this.statistics.backgroundUs += durationUs
    this.latencyMonitor.addIfSlow('expire-cycle', durationUs, this.clock.nowMs())
  }

  resetStatistics(): void {
    this.table.resetStatistics()
    this.commandCount = 0
    this.connectionCount = 0
    this.refusedCount = 0
    this.store.hitCount = 0
    this.store.missCount = 0
    this.store.expiredCount = 0
    this.store.expiredFieldCount = 0
    this.store.activeExpiry.cutShortCount = 0
    this.store.lazyFree.freedObjectCount = 0
    this.clientEviction.evictedCount = 0
    this.inputOverflowCount = 0
    this.outputOverflowCount = 0
    this.outgoing.resetStatistics()
    this.memoryLimit.resetStatistics()
    this.statistics.reset()
    this.acl.log.resetCounts()
  }

  // ---- From bytes to commands ----

  /** hot: once for each read of a socket. */
  consume(client: Client, chunk: Uint8Array, start: number, end: number): number {
    const { reply } = this.outgoing
    const parser = this.#parser
    const pipeline = this.#pipeline
    this.#begin(client)
    this.statistics.readCount++
    this.inputBytes = end - start
    let at = start
    let isFirst = true
    let count = 0
    let startMs = 0
    while (at < end && client.blocked === null && !client.isHeld && !client.isStalled && !client.closesAfterReply) {
      let request = this.#request
      let next: number
      if (pipeline.isEmpty) {
        const limits = this.#limitsOf(client)
        next = parser.parse(chunk, at, end, request, client.parse, limits)
        if (next < 0) {
          if (next === parsed.BROKEN) {
            reply.errorOfBytes(`ERR ${parser.error}`)
            client.closesAfterReply = true
          } else if (client.parse.expectedBytes > 0) {
            client.connection?.expectInput(client.parse.expectedBytes)
          }
          break
        }
        if (next < end && this.store.prefetch.isUseful(client.database)) {
          pipeline.gather(client, request, chunk, next, end, limits)
        }
      } else {
        request = pipeline.take()
        next = pipeline.at
      }
      if (request.count > 0) {
        if (!this.#attempt(client, request, reply, isFirst)) break // held: it will be read again
        if (client.replyMode !== 'on') this.outgoing.advanceReplyMode(client)
      }
      if (this.blocking.hasReady) this.blocking.serve()
      isFirst = false
      at = next
      if (client.lastCommand?.isLong && at < end && client.connection !== null) {
        client.connection.cut()
        break
      }
      if (++count === REQUESTS_BETWEEN_LOOKS && at < end) {
        count = 0
        const nowMs = performance.now()
        if (startMs === 0) startMs = nowMs
        else if (nowMs - startMs > LONG_TURN_MS && client.connection !== null) {
          client.connection.cut()
          break
        }
      }
    }
    this.#request.release()
    pipeline.end()
    this.#finish(client)
    return at
  }

  /** Runs one command for a client in this process, or keeps it until the client no longer waits. */
  run(client: Client, request: Request): void {
    client.heldRequests.push(request)
    // Called from within a command (by who hears a message that it publishes), it runs when that is over.
    if (this.current !== null) this.resumeSoon(client)
    else if (client.heldRequests.length === 1) this.#runHeld(client)
  }

  #runHeld(client: Client): void {
    while (client.heldRequests.length > 0 && client.blocked === null && !client.isHeld && !client.closesAfterReply) {
      this.#begin(client)
      if (this.#attempt(client, client.heldRequests[0], this.outgoing.reply, true)) {
        client.heldRequests.shift()
        if (client.replyMode !== 'on') this.outgoing.advanceReplyMode(client)
      }
      if (this.blocking.hasReady) this.blocking.serve()
      this.#finish(client)
    }
  }

  /** Goes on with requests of a client that have arrived already, once the current command is over. */
  resumeSoon(client: Client): void {
    setImmediate(() => {
      if (client.connection !== null) client.connection.resume()
      else this.#runHeld(client)
    })
  }

  #begin(client: Client): void {
    const nowMs = this.clock.nowMs()
    this.store.setNow(nowMs)
    client.lastInteractionMs = nowMs
    this.current = client
    this.outgoing.begin(client)
  }

  #finish(client: Client): void {
    this.outgoing.finish(client)
    this.current = null
    if (this.clientEviction.isOn) this.clientEviction.update(client)
    if (!client.closesAfterReply) return
    this.#detach(client)
    client.connection?.closeAfterReplies()
    client.onEnded?.()
  }

  readonly #limits = { bulkBytesMax: 0, authenticated: true }
  #limitsOf(client: Client) {
    this.#limits.bulkBytesMax = this.settings.protoMaxBulkLen
    this.#limits.authenticated = client.isAuthenticated || !this.acl.requiresPassword
    return this.#limits
  }

  // ---- From a request to its handler ----

  /**
   * As `#process`, when the machine refuses memory in the middle of a command: its client is told so and closed, since a
   * part of a reply may have gone out; nobody else notices. Anything else that is thrown is a defect of ours and ends
   * the process.
   */
  #attempt(client: Client, request: Request, reply: Reply, isFirst: boolean): boolean {
    try {
      return this.#process(client, request, reply, isFirst)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.log.error({ err: error, command: client.lastCommand?.fullName }, 'out of memory in a command')
      this.propagation.aborted()
      reply.error(errors.OUT_OF_MEMORY)
      client.closesAfterReply = true
      return true
    }
  }

  /**
   * Checks a request and runs it, or queues it, or answers with an error. False when it must wait, untouched.
   * The order of the checks is Redis's (server.c, processCommand).
   * hot: once for each command.
   */
  #process(client: Client, request: Request, reply: Reply, isFirst: boolean): boolean {
    let command = this.table.find(request.chunk, request.start(0), request.end(0))
    if (command === null) {
      this.#rejectUnknown(client, request, reply)
      return true
    }
    if (command.subcommands !== null && request.count > 1) {
      const subcommand = command.subcommands.get(request.text(1).toLowerCase())
      if (subcommand !== undefined) command = subcommand
      else {
        this.#reject(client, command, reply, unknownSubcommand(command.fullName, request.quoted(1)))
        return true
      }
    }
    const arity = command.arity
    if (arity > 0 ? request.count !== arity : request.count < -arity) {
      this.#reject(client, command, reply, wrongArity(command.fullName))
      return true
    }
    if (client.isSpecial || this.restrictions.isOn) {
      if (client.isOnlyRestricted && !this.restrictions.isOn && this.acl.allows(client.user, command, request)) {
        this.call(client, command, request, reply, isFirst)
        return true
      }
      return this.#processSpecial(client, command, request, reply, isFirst)
    }
    this.call(client, command, request, reply, isFirst)
    return true
  }

  /** The rest of `#process` for a client that is not in the plain state, and while commands are restricted. */
  #processSpecial(client: Client, command: Command, request: Request, reply: Reply, isFirst: boolean): boolean {
    if (!client.isAuthenticated && this.acl.requiresPassword && !command.needsNoAuth) {
      this.#reject(client, command, reply, errors.NO_AUTH)
      return true
    }
    if (client.transaction !== null && !command.isAllowedInMulti) {
      this.#reject(client, command, reply, 'ERR Command not allowed inside a transaction')
      return true
    }
    if (!client.user.isUnrestricted) {
      const denial = this.acl.denial(client, command, request)
      if (denial !== null) {
        this.#reject(client, command, reply, denial)
        return true
      }
    }
    if (this.restrictions.isOn) {
      const refusal = this.restrictions.refusal(client, this.#kindOf(command, request))
      if (refusal !== null) {
        this.#reject(client, command, reply, refusal)
        return true
      }
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
    if (client.isMonitor && (command.isWrite || command.isReadOnly || command.mayReplicate)) {
      this.#reject(client, command, reply, "ERR Replica can't interact with the keyspace")
      return true
    }
    if (this.pause.isOn && this.pause.holds(client, command, this.#kindOf(command, request))) return false
    if (this.faults.isOn && this.faults.strikes(client, command, request, reply)) return !client.isHeld
    if (client.transaction !== null && !UNQUEUED_COMMANDS.has(command.fullName)) {
      this.#queue(client, client.transaction, command, request, reply)
      return true
    }
    if (!client.isNoTouch && !client.isImportSource && client.tracker === null) {
      this.call(client, command, request, reply, isFirst)
      return true
    }
    this.callAs(client, command, request, reply, isFirst)
    this.tracking.requestOver(client, command)
    this.outgoing.sendDeferredPushes(client)
    return true
  }

  /** A command that may do what this one may. */
  #kindOf(command: Command, request: Request): Command {
    return command.runsScript ? this.scripts.kindOf(command, request) : command
  }

  #queue(client: Client, transaction: Transaction, command: Command, request: Request, reply: Reply): void {
    client.lastCommand = command
    reply.queued()
    if (transaction.isAborted || client.isWatchBroken) return // EXEC will refuse: no need to keep it
    transaction.queue(command, this.#kindOf(command, request), request)
    // What waits in the queue counts as input that is not consumed yet.
    const inputBytes = transaction.queuedBytes + (client.connection?.inputBytes ?? 0)
    if (inputBytes <= this.settings.clientQueryBufferLimit || client.connection === null) return
    this.inputOverflowed(client)
    client.closesAfterReply = true
  }

  /**
   * Runs a command that has passed the checks, leaving no trace in access times for a client with CLIENT NO-TOUCH,
   * showing expired keys to one with CLIENT IMPORT-SOURCE, and remembering the keys that it reads for one with CLIENT
   * TRACKING.
   */
  callAs(client: Client, command: Command, request: Request, reply: Reply, exactTiming: boolean): void {
    const { keepsExpired } = this.store
    this.store.touchless = client.isNoTouch && command.fullName !== 'touch'
    if (client.isImportSource && this.settings.importMode) this.store.keepsExpired = true
    this.call(client, command, request, reply, exactTiming)
    this.store.touchless = false
    this.store.keepsExpired = keepsExpired
    this.tracking.remember(client, command, request)
  }

  #rejectUnknown(client: Client, request: Request, reply: Reply): void {
    if (client.connection !== null && (request.is(0, 'POST') || request.is(0, 'HOST:'))) {
      return this.#refuseBrowser(client, client.connection)
    }
    if (client.transaction !== null) client.transaction.isAborted = true
    this.tracking.requestOver(client, null)
    reply.errorOfBytes(unknownCommand(request))
  }

  /** A web page made a browser send us an HTTP request whose body may hold commands: they must not be reached. */
  #refuseBrowser(client: Client, connection: Connection): void {
    client.closesAfterReply = true
    connection.destroy()
    const nowMs = this.clock.nowMs()
    if (nowMs < this.#nextBrowserWarningAtMs) return
    this.#nextBrowserWarningAtMs = nowMs + BROWSER_WARNING_INTERVAL_MS
    this.log.warn(
      `HTTP from ${connection.remoteAddress}, as in attacks through web browsers: the connection was closed`,
    )
  }

  #reject(client: Client, command: Command | null, reply: Reply, error: string): void {
    if (command !== null) command.rejectedCount++
    if (client.transaction !== null) client.transaction.isAborted = true
    this.tracking.requestOver(client, command)
    if (command?.fullName !== 'exec') return reply.errorOfBytes(error)
    // An EXEC that cannot run ends the transaction all the same.
    discardTransaction(client)
    reply.error(`EXECABORT Transaction discarded because of: ${error.replace(/^ERR /, '')}`)
  }

  /**
   * Runs a command that has passed the checks, and counts it.
   * hot: once for each command.
   */
  call(client: Client, command: Command, request: Request, reply: Reply, exactTiming: boolean): void {
    const errorCount = reply.errorCount
    const encodedBytes = reply.out.encodedBytes
    client.lastCommand = command
    const isPropagating = this.propagates
    const dirtyCount = isPropagating ? this.propagation.begin() : 0
    const isOneOfMany =
      !exactTiming || (command.callCount >= TIMED_CALLS_MIN && this.inputBytes < TIMED_INPUT_BYTES_MIN)
    const isSampled = isOneOfMany && request.count <= command.sampledArgumentsMax && !this.timesEveryCall
    if (!isSampled || ((command.callCount + 1) & TIMING_SAMPLE_MASK) === 0) {
      const startMs = performance.now()
      command.handler!(client, request, reply)
      this.#timed(client, command, request, Math.round((performance.now() - startMs) * 1000))
    } else {
      command.handler!(client, request, reply)
    }
    // Only now, as in Redis: INFO does not tell of itself.
    this.commandCount++
    client.commandCount++
    command.callCount++
    if (isPropagating) this.propagation.end(client, request, dirtyCount)
    const replyBytes = reply.out.encodedBytes - encodedBytes
    if (replyBytes >= this.#loggedReplyBytes || request.wireBytesMax >= this.#loggedRequestBytes) {
      this.#logSizes(client, command, request, replyBytes)
    }
    // EXEC has not failed when one of its commands has, which was counted there.
    if (reply.errorCount !== errorCount && reply.errorCount !== this.#attributedErrorCount) {
      this.#attributedErrorCount = reply.errorCount
      command.failedCount++
    }
  }
  #attributedErrorCount = 0

  #logSizes(client: Client, command: Command, request: Request, replyBytes: number): void {
    // What scripts call has no size on the wire, and what waits has no reply yet.
    if (command.skipsSlowLog || client.scriptOf !== null || client.blocked !== null) return
    const requestBytes = request.wireBytes
    const isLargeRequest = requestBytes >= this.#loggedRequestBytes
    const isLargeReply = replyBytes >= this.#loggedReplyBytes
    if (!isLargeRequest && !isLargeReply) return
    const args = this.slowLog.argumentsOf(command, request)
    const nowMs = this.clock.nowMs()
    if (isLargeRequest) this.largeRequestLog.add(client, args, requestBytes, nowMs)
    if (isLargeReply) this.largeReplyLog.add(client, args, replyBytes, nowMs)
  }

  #timed(client: Client, command: Command, request: Request, durationUs: number): void {
    command.timedCount++
    command.timedUs += durationUs
    command.isLong = durationUs >= LONG_US
    if (this.settings.latencyTracking) command.latency.record(durationUs)
    // A command that waits is not over.
    if (client.blocked !== null) {
      if (this.timesEveryCall) client.blocked.args = this.slowLog.argumentsOf(command, request)
    } else if (durationUs >= this.slowLog.threshold && !command.skipsSlowLog) {
      this.slowLog.add(client, this.slowLog.argumentsOf(command, request), durationUs, this.clock.nowMs())
    }
    this.callLog?.add(client, command, request, this.clock.nowMs())
    if (durationUs < LONG_US && this.monitors.count === 0) return
    // Keys may have expired meanwhile: whoever waits for one, and the next commands of a pipeline, must not get it.
    if (!client.deniesBlocking) this.store.setNow(this.clock.nowMs())
    this.latencyMonitor.addIfSlow(command.isFast ? 'fast-command' : 'command', durationUs, this.clock.nowMs())
    if (this.monitors.count > 0 && !command.skipsMonitor) {
      this.monitors.show(client, command, request, this.clock.nowUs())
    }
  }

  // ---- What tests ask for ----

  /** Remembers the last `capacity` calls of clients from now on. */
  logCalls(capacity: number): CallLog {
    this.callLog = new CallLog(capacity)
    this.updateTiming()
    return this.callLog
  }

  // ---- MONITOR ----

  addMonitor(client: Client): void {
    this.monitors.add(client)
    this.updateTiming()
  }

  removeMonitor(client: Client): void {
    this.monitors.remove(client)
    this.updateTiming()
  }
}

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
