import type { Config } from '../config/config.ts'
import type { ServerLog } from '../config/server-log.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import type { Clock, ScheduledCall } from '../net/clock.ts'
import type { Connection } from '../net/connection.ts'
import { OutputBuffer } from '../net/output-buffer.ts'
import type { Protocol } from '../net/protocol.ts'
import { NEVER, type as types } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { BinaryProtocol } from './binary.ts'
import { FIRST_BYTE } from './binary-format.ts'
import { Items, type ItemsAudience } from './items.ts'
import { LogStreams } from './log-streams.ts'
import { Lookahead } from './lookahead.ts'
import { RemovalCounters } from './removal-counters.ts'
import { Session } from './session.ts'
import type { MemcachedOptions } from './settings.ts'
import { PrefixStatistics, Statistics } from './statistics.ts'
import { TextProtocol } from './text.ts'
import { TextReply } from './text-reply.ts'

/** What the engine asks of the server around it. */
export interface MemcachedHost {
  readonly store: Store
  readonly config: Config
  readonly clock: Clock
  readonly log: ServerLog
  /** Headpond's own version. */
  readonly version: string
  /** The `shutdown` command was called. */
  shutdown: () => void
  /** Makes room for what is to be stored, by evicting if need be; false when nothing can be stored. */
  makeRoom: () => boolean
  /** Who repeats elsewhere what happens to items. */
  readonly audience: ItemsAudience
  /** Requests of one read were run: whoever waits for changes of keys may be served. */
  requestsRun: () => void
  /** Whether a client must say who it is. */
  requiresAuthentication: () => boolean
  /** Whether this is a user's password, and it may use memcached's commands. */
  authenticate: (user: string, password: string) => boolean
  /** Whether a user that has proved who it is may still use memcached's commands. */
  allows: (user: string) => boolean
  /** Moves the server's time, stops it, lets it go on: `debugtime`, for tests. */
  advance: (durationMs: number) => void
  pauseTime: () => void
  resumeTime: () => void
  /** The port of this protocol; 0 when it has none. */
  port: () => number
  /** Where clients of this protocol are welcome: `tcp:127.0.0.1:11211`, `unix:/path`. */
  listening: () => readonly string[]
  /** Reads the certificates of TLS again. Returns why it cannot. */
  refreshCertificates: () => string | undefined
  /** Whether this protocol is spoken over TLS. */
  isEncrypted: () => boolean
}

/** Lower numbers are those of listeners, in `stats conns`. */
const FIRST_SESSION_ID = 33

const PROTECTED =
  'SERVER_ERROR protected mode: only this machine may connect while no password is set (requirepass, protected-mode)\r\n'

/**
 * memcached's side of a server: sessions, and what their commands share. The items are the strings of database 0, so that
 * RESP's clients see the same.
 */
export class MemcachedEngine implements Protocol<Session> {
  readonly name = 'memcached'
  readonly host: MemcachedHost
  readonly store: Store
  readonly options: MemcachedOptions
  readonly statistics = new Statistics()
  readonly prefixes: PrefixStatistics
  readonly items: Items
  readonly removals: RemovalCounters
  readonly sessions = new Map<number, Session>()
  readonly streams: LogStreams
  readonly startedAtMs: number
  connectionCount = 0
  rejectedCount = 0
  /** How often a connection had to wait since it had asked for enough in a row. */
  yieldCount = 0
  /** Sessions that were closed because they were silent for too long. */
  idleKickCount = 0
  verbosity: number
  /** See MemcachedOptions: the file may be read again. */
  users: ReadonlyMap<string, string> | null
  /** `stats sizes` is to count. */
  tracksSizes: boolean
  /** Whether `lru_crawler` commands are answered: there is no crawler to stop. */
  isCrawlerOn: boolean
  /** Where the data of a command ends that has not come whole: see `hasData`. */
  neededEnd = 0
  /** Somebody wants to hear of commands (`watch`, `stats detail on`): the one check that a command pays. */
  isObserved = false
  /** The delayed `flush_all`, of which there is at most one, and when it is due. */
  #flush: ScheduledCall | null = null
  #flushAtMs = Number.POSITIVE_INFINITY

  readonly #out = new OutputBuffer()
  readonly #text: TextProtocol
  readonly #binary: BinaryProtocol
  readonly #lookahead: Lookahead
  #nextSessionId = FIRST_SESSION_ID

  constructor(host: MemcachedHost, options: MemcachedOptions) {
    this.host = host
    this.store = host.store
    this.options = options
    this.verbosity = options.verbosity
    this.users = options.users
    this.tracksSizes = options.tracksSizes
    this.isCrawlerOn = options.hasCrawler
    this.startedAtMs = host.clock.nowMs()
    this.prefixes = new PrefixStatistics(options.prefixDelimiter)
    this.prefixes.isOn = options.hasDetail
    this.streams = new LogStreams(this)
    const settings = { ...options, config: host.config }
    this.items = new Items(host.store, settings, this.statistics, host.makeRoom, host.audience)
    this.removals = new RemovalCounters(this.items)
    this.#text = new TextProtocol(this, this.items, new TextReply(this.#out))
    this.#binary = new BinaryProtocol(this, this.items, this.#out)
    this.#lookahead = new Lookahead(host.store.databases[0])
    this.updateObserved()
  }

  // ---- Connections ----

  open(connection: Connection): Session {
    this.connectionCount++
    const isAuthenticated = !this.requiresAuthentication
    const session = new Session(this.#nextSessionId++, connection, this.host.clock.nowMs(), isAuthenticated)
    this.sessions.set(session.id, session)
    this.store.evictionWatcher ??= this.#evicted
    this.store.expiryWatcher ??= this.#expired
    if (this.isObserved) this.streams.connectionOpened(session)
    return session
  }

  /** Whether a record that goes is one of memcached's, which are counted from the first session on. */
  #isItem(database: number, handle: Handle): boolean {
    return database === this.items.database.index && this.store.records.type(handle) === types.STRING
  }

  readonly #evicted = (database: number, handle: Handle) => {
    if (!this.#isItem(database, handle)) return
    this.removals.countEvicted(handle)
    if (this.streams.hearsEvictions) this.streams.evicted(handle)
  }

  readonly #expired = (database: number, handle: Handle, isUnasked: boolean) => {
    if (this.#isItem(database, handle)) this.removals.countExpired(handle, isUnasked)
  }

  get requiresAuthentication(): boolean {
    return this.options.sasl || this.users !== null || this.host.requiresAuthentication()
  }

  /** Whether there is anybody who could say who he is. */
  get canAuthenticate(): boolean {
    return this.users !== null || this.host.requiresAuthentication()
  }

  /** Whether this is a user, by memcached's own file of them or by the server's directory. */
  authenticate(user: string, password: string): boolean {
    const { users } = this
    const isRight = users === null ? this.host.authenticate(user, password) : users.get(user) === password
    this.statistics.authCount++
    if (!isRight) this.statistics.authErrorCount++
    return isRight
  }

  /** Credentials that are none. */
  refuseAuthentication(): void {
    this.statistics.authCount++
    this.statistics.authErrorCount++
  }

  /** The rights of a user have changed: sessions that it may not have any more end. */
  userChanged(user: string): void {
    if (this.users !== null || this.host.allows(user)) return
    for (const session of this.sessions.values()) if (session.user === user) session.connection.destroy()
  }

  /** The default user may no longer go without a password: sessions that said nothing must say who they are. */
  updateAuthentication(): void {
    if (!this.requiresAuthentication) return
    for (const session of this.sessions.values()) if (session.user === null) session.isAuthenticated = false
  }

  /** Why a new connection is turned away, as what to send it; null when it is welcome. */
  refusal(isLoopback: boolean): string | null {
    const { maxclients, protectedMode } = this.host.config.settings
    let refusal: string | null = null
    if (this.sessions.size >= maxclients) refusal = 'ERROR Too many open connections\r\n'
    else if (protectedMode && !isLoopback && !this.requiresAuthentication) refusal = PROTECTED
    if (refusal !== null) this.rejectedCount++
    return refusal
  }

  closed(session: Session): void {
    session.isGone = true
    this.sessions.delete(session.id)
    this.statistics.readBytes += session.connection.receivedBytes
    this.statistics.writtenBytes += session.connection.sentBytes
    this.streams.remove(session)
    if (this.isObserved) this.streams.connectionClosed(session)
  }

  outputStalled(session: Session, isStalled: boolean): void {
    session.isStalled = isStalled
  }

  /** Housekeeping, several times a second: closes those who have been silent for too long. */
  cron(): void {
    const { timeout } = this.host.config.settings
    if (timeout === 0) return
    const sinceMs = this.host.clock.nowMs() - timeout * 1000
    for (const session of this.sessions.values()) {
      if (session.lastCommandAtMs >= sinceMs || session.watched !== null) continue
      session.endReason = 'idle_timeout'
      session.connection.destroy()
      this.idleKickCount++
    }
  }

  // ---- From bytes to commands ----

  /** hot: once for each read of a socket. */
  consume(session: Session, chunk: Uint8Array, start: number, end: number): number {
    const nowMs = this.host.clock.nowMs()
    this.store.setNow(nowMs)
    // Its timer may be late; who asks is not to see what is gone by then.
    if (nowMs >= this.#flushAtMs) this.#flushDue()
    session.lastCommandAtMs = nowMs
    this.#out.attach(session.connection)
    const at = this.#run(session, chunk, start, end)
    this.#lookahead.end()
    this.#text.release()
    this.#binary.release()
    this.#out.flush()
    this.host.requestsRun()
    if (session.closesAfterReply) session.connection.closeAfterReplies()
    if (session.endsServer) this.host.shutdown()
    return at
  }

  #run(session: Session, chunk: Uint8Array, start: number, end: number): number {
    const { requestsPerTurn } = this.options
    let at = start
    let requestCount = 0
    while (at < end && !session.mustWait) {
      if (session.watched !== null) return end
      if (session.swallowBytes > 0) {
        const swallowed = Math.min(session.swallowBytes, end - at)
        session.swallowBytes -= swallowed
        at += swallowed
        continue
      }
      if (end - at < session.neededBytes) break
      session.neededBytes = 0
      const next = this.#step(session, chunk, at, end)
      if (next < 0) break
      at = next
      if (session.interrupted !== null) break
      if (++requestCount >= requestsPerTurn && at < end) {
        session.connection.cut()
        this.yieldCount++
        break
      }
    }
    return at
  }

  /** The next request, unless memory is refused in the middle of it: then its client loses the connection. */
  #step(session: Session, chunk: Uint8Array, at: number, end: number): number {
    try {
      if (session.protocol === 'text') {
        this.#lookahead.look(chunk, at, end)
        return this.#text.step(session, chunk, at, end)
      }
      if (session.protocol === 'unknown') return this.#begin(session, chunk, at)
      return this.#binary.step(session, chunk, at, end)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.host.log.error({ err: error }, 'out of memory in a command of memcached')
      session.endWithError()
      return end
    }
  }

  /** The first byte tells the protocol. */
  #begin(session: Session, chunk: Uint8Array, at: number): number {
    const isBinary = chunk[at] === FIRST_BYTE
    const { protocol, sasl } = this.options
    const isBinaryOnly = protocol === 'binary' || sasl
    const isTextOnly = protocol === 'ascii' || (this.users !== null && !sasl)
    if (isBinaryOnly && !isBinary) {
      session.endWithError()
      return -1
    }
    session.protocol = isBinary && !isTextOnly ? 'binary' : 'text'
    return at
  }

  // ---- What commands share ----

  /** Flushes the database now, or later; of several later ones the last counts. */
  flushAll(exptime: number): void {
    this.#cancelFlush()
    this.store.nextCas()
    const flushAtMs = exptime > 0 ? this.items.expireAtMs(exptime) : NEVER
    if (flushAtMs <= this.store.nowMs) return this.items.flush()
    this.#flushAtMs = flushAtMs
    this.#flush = this.host.clock.schedule(flushAtMs - this.store.nowMs, () => {
      this.store.setNow(this.host.clock.nowMs())
      this.#flushDue()
    })
  }

  #flushDue(): void {
    this.#cancelFlush()
    this.items.flush()
  }

  #cancelFlush(): void {
    this.#flush?.cancel()
    this.#flush = null
    this.#flushAtMs = Number.POSITIVE_INFINITY
  }

  /** Bytes that are no answer to the command that runs, or that come when it is over. */
  push(session: Session, bytes: Buffer): void {
    if (!session.isGone) session.connection.push(bytes)
  }

  /** A session that was busy may go on with what it has sent meanwhile. */
  resume(session: Session): void {
    session.isBusy = false
    if (!session.isGone) session.connection.resume()
  }

  setDetail(isOn: boolean): void {
    this.prefixes.isOn = isOn
    this.updateObserved()
  }

  updateObserved(): void {
    this.isObserved = this.prefixes.isOn || this.streams.hasListeners
  }

  /** A key was asked for by another command than a meta command or `touch`, while somebody wants to know. */
  fetched(session: Session, chunk: Uint8Array, start: number, end: number, handle: Handle): void {
    this.prefixes.countGet(chunk, start, end, handle !== NONE)
    this.streams.fetched(session, chunk, start, end, handle)
  }

  /** A command that changes a key looked for it, while somebody wants to know. */
  looked(session: Session, chunk: Uint8Array, start: number, end: number): void {
    if (!this.streams.hasListeners) return
    this.streams.fetched(session, chunk, start, end, this.items.peek(chunk, start, end))
  }

  /** An item was to be stored, while somebody wants to know. */
  stored(
    session: Session,
    chunk: Uint8Array,
    start: number,
    end: number,
    status: string,
    command: string,
    expireAtMs: number,
    valueBytes: number,
  ): void {
    if (!this.streams.hasListeners) return
    const ttlSeconds = expireAtMs === NEVER ? 0 : Math.ceil((expireAtMs - this.store.nowMs) / 1000)
    this.streams.stored(session, chunk, start, end, status, command, ttlSeconds, valueBytes)
  }

  /** What a client sent, with -vv. */
  showCommand(session: Session, chunk: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(chunk.subarray(start, end)).toString('latin1').trimEnd()
    this.host.log.info(`<${session.id} ${text}`)
  }

  /** Back to the start, between tests: the database has been emptied. */
  reset(): void {
    this.#cancelFlush()
    this.resetStatistics()
  }

  /** All counters begin again. */
  resetStatistics(): void {
    this.statistics.reset()
    for (const { connection } of this.sessions.values()) {
      this.statistics.readBytes -= connection.receivedBytes
      this.statistics.writtenBytes -= connection.sentBytes
    }
    this.prefixes.clear()
    this.removals.reset()
    this.connectionCount = this.sessions.size
    this.rejectedCount = 0
    this.yieldCount = 0
    this.idleKickCount = 0
  }
}
