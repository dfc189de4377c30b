import type { CommandPart } from '../bytes/multibulk.ts'
import type { ScheduledCall } from '../net/clock.ts'
import type { Connection } from '../net/connection.ts'
import type { OutputSink } from '../net/output-buffer.ts'
import type { User } from '../security/user.ts'
import type { Database } from '../store/database.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { ParseState } from './parser.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'
import type { Tracker } from './tracking.ts'
import type { Transaction } from './transaction.ts'

/** What a client waits for, when its command has no answer yet (WAIT, BLPOP ...). */
export interface Blocked {
  /** Answers the client when its time is up. */
  onTimeout: (reply: Reply) => void
  /** Answers for CLIENT UNBLOCK ... ERROR; false where the command cannot be unblocked from outside. */
  readonly isUnblockable: boolean
  /** Takes the client off whatever it waits on. Called exactly once, however the wait ends. */
  readonly cancel: () => void
  timer: ScheduledCall | null
  /** The arguments of its command for the slow log, if every call is timed. */
  args: readonly Buffer[] | null
}

/** One conversation in RESP: the state that commands of one client share. */
export class Client {
  readonly id: number
  readonly engine: RespEngine
  /** Where replies go; null sinks do not exist, an in-process client has one too. */
  readonly sink: OutputSink
  /** Null for a client in the same process. */
  readonly connection: Connection | null
  readonly createdAtMs: number
  readonly parse = new ParseState()

  database: Database
  /** 2 or 3. */
  protocol: number
  isAuthenticated: boolean
  user: User
  name = ''
  libraryName = ''
  libraryVersion = ''
  lastInteractionMs: number
  lastCommand: Command | null = null
  commandCount = 0
  /** Where the feed of changes (see Propagation) was when this client last changed something. */
  propagationOffset = 0

  /** The open MULTI. */
  transaction: Transaction | null = null
  /** Set when a watched key changed: EXEC will refuse. */
  isWatchBroken = false

  readonly channels = new Set<string>()
  readonly patterns = new Set<string>()
  readonly shardChannels = new Set<string>()

  /** What CLIENT TRACKING has set up, once it was switched on. */
  tracker: Tracker | null = null

  /** Its buffers, when those of all clients were counted last. */
  countedBytes = 0
  isMonitor = false
  isNoEvict = false
  isNoTouch = false
  /** Moves data here from another server: sees expired keys while `import-mode` is on. */
  isImportSource = false
  /** CLIENT REPLY: 'skip' was said by the command that runs now, 'skipping' silences the one after it. */
  replyMode: 'on' | 'off' | 'skip' | 'skipping' = 'on'
  blocked: Blocked | null = null
  /** While EXEC or a script runs commands of this client: they answer rather than wait. */
  deniesBlocking = false
  /** Of a client in this process: what it asked while it waits. Connections keep such requests as bytes. */
  readonly heldRequests: Request[] = []
  /** Of a client in this process: it will not be answered any more. */
  onEnded: (() => void) | null = null
  /** A request waits for CLIENT PAUSE to end. */
  isHeld = false
  /** The peer is so far behind with reading that its next request waits. */
  isStalled = false
  closesAfterReply = false
  /** Repeats what was once done (from the append-only file): it is not to be questioned. */
  isReplaying = false
  /** The client that has sent the script whose commands this one runs; null for every other client. */
  scriptOf: Client | null = null

  /**
   * True when the next command needs more than the plain checks: an open MULTI, a missing password, a user who may not
   * do everything, subscriptions under RESP2, keys to be tracked, CLIENT NO-TOUCH or IMPORT-SOURCE. Kept by `updateSpecial`, so that
   * dispatch pays one check for all. A client in this process always is: nobody knows them all, to tell them that their
   * user has changed.
   */
  isSpecial = false
  /** Nothing is special but that its user may not do everything. */
  isOnlyRestricted = false

  constructor(id: number, engine: RespEngine, sink: OutputSink, connection: Connection | null) {
    this.id = id
    this.engine = engine
    this.sink = sink
    this.connection = connection
    this.database = engine.store.databases[0]
    this.protocol = engine.settings.clientDefaultResp
    this.createdAtMs = engine.clock.nowMs()
    this.lastInteractionMs = this.createdAtMs
    this.user = engine.acl.users.default
    this.isAuthenticated = connection === null || !engine.acl.requiresPassword
    this.updateSpecial()
  }

  /** One character for each byte. */
  get userName(): string {
    return this.user.name
  }

  /** Whether the client is on this machine. */
  get isLocal(): boolean {
    if (this.connection === null) return true
    return /^(127\.|\[::1\]|\[::ffff:127\.|\/)/.test(this.connection.remoteAddress)
  }

  /** Channels and patterns, as SUBSCRIBE counts them: shard channels are counted by themselves. */
  get subscriptionCount(): number {
    return this.channels.size + this.patterns.size
  }

  get isSubscribed(): boolean {
    return this.subscriptionCount + this.shardChannels.size > 0
  }

  /** Replies go nowhere (CLIENT REPLY). Pushes are sent all the same. */
  get isSilenced(): boolean {
    return this.replyMode === 'off' || this.replyMode === 'skipping'
  }

  /** Its next request has to wait. */
  get mustWait(): boolean {
    return this.blocked !== null || this.isHeld || this.isStalled || this.closesAfterReply
  }

  updateSpecial(): void {
    const isElsewiseSpecial =
      this.transaction !== null ||
      !this.isAuthenticated ||
      this.connection === null ||
      this.isNoTouch ||
      this.isImportSource ||
      (this.tracker?.isOn === true && this.tracker.mode !== 'broadcast') ||
      this.isMonitor ||
      (this.isSubscribed && this.protocol === 2)
    this.isSpecial = isElsewiseSpecial || !this.user.isUnrestricted
    this.isOnlyRestricted = this.isSpecial && !isElsewiseSpecial
  }

  /**
   * Said by a handler that has changed something: the command is to be repeated elsewhere not as it came, but as this;
   * called several times, as all of these.
   */
  propagateAs(...parts: readonly CommandPart[]): void {
    if (this.engine.propagates) this.engine.propagation.replace(this.database.index, parts)
  }

  /** Sends bytes that are no reply to a request of this client (pub/sub messages, a reply after blocking). */
  push(bytes: Buffer): void {
    this.engine.outgoing.pushTo(this, bytes)
  }
}
