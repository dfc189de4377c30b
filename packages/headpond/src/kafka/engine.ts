import type { Connection } from '../net/connection.ts'
import type { Protocol } from '../net/protocol.ts'
import { type Api, type RequestContext, UNFINISHED } from './api.ts'
import type { Broker } from './broker.ts'
import { ByteReader, MalformedMessage } from './codec/byte-reader.ts'
import { ByteWriter } from './codec/byte-writer.ts'
import { KafkaError } from './errors.ts'
import { apiVersions, UNSUPPORTED_API_VERSIONS } from './handlers/api-versions.ts'
import { asksForLogin, type KafkaListener, PLAIN_LISTENER } from './listener.ts'
import { RequestTime } from './quotas/request-time.ts'
import type { RequestHook } from './request-hook.ts'
import { KafkaSession, type OpenRequest } from './session.ts'
import { TurnBudget } from './turn-budget.ts'

/** Before every message stands its size. */
const SIZE_BYTES = 4
/** api_key, api_version, correlation_id, and the length of client_id. */
const HEADER_BYTES_MIN = 2 + 2 + 4 + 2
const CLIENT_ID_AT = 2 + 2 + 4
/** Requests of one connection that may wait for the disk at a time. */
const PIPELINED_COUNT_MAX = 64
/** Answers that a client has not taken: beyond this, its next request waits until it has. */
const UNSENT_BYTES_MAX = 2 ** 20
/** What a connection reads ahead of requests that wait; the rest is left to the kernel, and so to the client. */
const READ_AHEAD_BYTES = 65536
const CONNECTIONS_UNLIMITED = 2 ** 31 - 1

/**
 * Kafka's side of a server: connections, requests, answers.
 *
 *   request   int32 size | int16 api_key | int16 api_version | int32 correlation_id | nullable string client_id | [tags] | body
 *   response  int32 size | int32 correlation_id | [tags] | body
 *
 * One request of a connection runs at a time, save those that only wait for the disk. Whatever is not a request closes the
 * connection it came by, and nothing else.
 */
export class KafkaEngine implements Protocol<KafkaSession> {
  readonly name = 'kafka'
  readonly broker: Broker
  readonly sessions = new Set<KafkaSession>()
  /** Sees every request first, if somebody wants to. */
  hook: RequestHook | null = null
  readonly #apis: ReadonlyMap<number, Api>
  readonly #reader = new ByteReader()
  readonly #turn = new TurnBudget()
  readonly #writer = new ByteWriter()
  #nextSessionId = 1

  constructor(broker: Broker) {
    this.broker = broker
    this.#apis = new Map(broker.apis.map((each) => [each.key, each]))
  }

  // ---- Connections ----

  /** Why a new connection is turned away: a text, which is empty, since these clients could not read one. */
  refusal({ remoteAddress }: { remoteAddress: string }): string | null {
    const problem = this.#refusalReason(remoteAddress)
    if (problem === null) return null
    this.broker.log.warn(`Kafka connection of ${remoteAddress} refused: ${problem}`)
    return ''
  }

  #refusalReason(remoteAddress: string): string | null {
    const { config } = this.broker
    const connectionsMax = config.integer('max.connections')
    if (this.sessions.size >= connectionsMax) return `kafka.max.connections is ${connectionsMax}`
    const own = ownLimitOf(remoteAddress, config.text('max.connections.per.ip.overrides') ?? '')
    const perAddressMax = own ?? config.integer('max.connections.per.ip')
    if (perAddressMax >= CONNECTIONS_UNLIMITED) return null
    let count = 0
    for (const { remoteHost } of this.sessions) if (remoteHost === remoteAddress) count++
    if (count < perAddressMax) return null
    return `kafka.max.connections.per.ip${own === null ? '' : '.overrides'} is ${perAddressMax}`
  }

  /** What a connection may hold of requests that have not run. */
  get inputBytesMax(): number {
    return this.broker.config.integer('socket.request.max.bytes') + SIZE_BYTES + READ_AHEAD_BYTES * 2
  }

  open(connection: Connection, listener: KafkaListener = PLAIN_LISTENER): KafkaSession {
    const id = this.#nextSessionId++
    const session = new KafkaSession(id, connection, listener, this.broker.clock.nowMs(), (closing, reason) =>
      this.#close(closing, reason),
    )
    this.sessions.add(session)
    this.#countConnection(session)
    if (!this.broker.authentication.welcome(session)) {
      this.#close(session, 'kafka.ssl.principal.mapping.rules say of nobody that this is the certificate of')
    }
    return session
  }

  /** An address that connects too often: nothing of it is read, and the connection is closed a while later, as in Kafka. */
  #countConnection(session: KafkaSession): void {
    const { quotas, clock } = this.broker
    if (!quotas.connections.isActive) return
    const throttleMs = quotas.connections.record(1, session.remoteHost)
    if (throttleMs === 0) return
    quotas.connections.recordOnly(-1, session.remoteHost)
    session.isMuted = true
    session.connection.pauseInput()
    clock.schedule(throttleMs, () => session.connection.destroy())
  }

  /** A peer that has shut down its side gets its answers, but not those that may come at any time or never. */
  ended(session: KafkaSession): boolean {
    // Its next request waits for its time, and not for an answer.
    if ((session.isMuted || session.isDeferred) && session.connection.inputBytes > 0) return false
    return session.open.length === 0 || session.onClosed.size > 0
  }

  closed(session: KafkaSession): void {
    session.isGone = true
    session.open.length = 0
    this.sessions.delete(session)
    for (const listener of session.onClosed) listener()
    session.onClosed.clear()
  }

  outputDrained(session: KafkaSession): void {
    if (!session.isStalled) return
    session.isStalled = false
    session.connection.resume()
  }

  inputOverflowed(session: KafkaSession): void {
    this.#log(session, 'it sent more than a request may have')
  }

  /** Housekeeping, several times a second: closes those who have been silent for too long. */
  cron(): void {
    const idleMs = this.broker.config.integer('connections.max.idle.ms')
    if (idleMs < 0) return
    const sinceMs = this.broker.clock.nowMs() - idleMs
    for (const session of this.sessions) {
      if (session.lastRequestAtMs < sinceMs && session.open.length === 0) session.connection.destroy()
    }
  }

  /** Returns true: that request is dealt with. */
  #close(session: KafkaSession, reason: string): true {
    if (session.isGone || session.connection.isClosing) return true
    this.#log(session, reason)
    session.connection.closeAfterReplies()
    return true
  }

  #log(session: KafkaSession, reason: string): void {
    this.broker.log.warn(`Kafka connection of ${session.connection.remoteAddress} closed: ${reason}`)
  }

  // ---- From bytes to requests ----

  /** hot: once for each read of a socket. */
  consume(session: KafkaSession, chunk: Uint8Array, start: number, end: number): number {
    const { connection } = session
    let at = start
    while (end - at >= SIZE_BYTES && !connection.isClosing) {
      const sizeBytes = (chunk[at] << 24) | (chunk[at + 1] << 16) | (chunk[at + 2] << 8) | chunk[at + 3]
      const problem = this.#problemOf(session, sizeBytes, chunk, at, end)
      if (problem !== null) {
        if (session.open.length > 0) break // who was right before is answered first
        this.#close(session, problem)
        return end
      }
      const requestAt = at + SIZE_BYTES
      if (end - requestAt < sizeBytes) {
        connection.expectInput(SIZE_BYTES + sizeBytes)
        break
      }
      if (this.#mustWait(session, chunk, requestAt)) break
      if (!this.#turn.hasTime()) {
        this.#turn.defer(session)
        break
      }
      if (!this.#run(session, chunk, requestAt, requestAt + sizeBytes)) break
      at = requestAt + sizeBytes
    }
    const isAhead = end - at > READ_AHEAD_BYTES && this.#mustWait(session, chunk, at + SIZE_BYTES)
    if (isAhead || session.isMuted) connection.pauseInput()
    else connection.resumeInput()
    return connection.isClosing ? end : at
  }

  #problemOf({ sasl }: KafkaSession, sizeBytes: number, chunk: Uint8Array, at: number, end: number): string | null {
    const { config, authentication } = this.broker
    const isLoggingIn = sasl !== null && !sasl.isDone
    const maxBytes = isLoggingIn ? authentication.tokenBytesMax : config.integer('socket.request.max.bytes')
    const minBytes = isLoggingIn && sasl.expectsBareToken ? 0 : HEADER_BYTES_MIN
    if (sizeBytes >= minBytes && sizeBytes <= maxBytes) return null
    const stranger = strangerOf(chunk, at, end)
    if (stranger !== null) return `it speaks ${stranger}, and this is the port of the Kafka protocol`
    if (sizeBytes > maxBytes) {
      const name = isLoggingIn ? 'sasl.server.max.receive.size' : 'socket.request.max.bytes'
      return `a request of ${sizeBytes} bytes, and kafka.${name} is ${maxBytes}`
    }
    return `a request of ${sizeBytes} bytes, which is less than a header`
  }

  /** Whether the request at `at` has to wait for the answers to earlier ones. */
  #mustWait(session: KafkaSession, chunk: Uint8Array, at: number): boolean {
    if (session.isStalled || session.isHeld || session.isMuted || session.isDeferred) return true
    const { open } = session
    if (open.length === 0) return false
    if (open.length >= PIPELINED_COUNT_MAX || !open[open.length - 1].api.isPipelined) return true
    return this.#apis.get((chunk[at] << 8) | chunk[at + 1])?.isPipelined !== true
  }

  /** hot: once for each request. False when it waits, and is to come again. */
  #run(session: KafkaSession, chunk: Uint8Array, start: number, end: number): boolean {
    session.lastRequestAtMs = this.broker.clock.nowMs()
    if (session.unfinished !== null) return this.#goOn(session, session.unfinished, chunk, start, end)
    if (session.sasl?.expectsBareToken) return this.#runBareToken(session, Buffer.from(chunk.subarray(start, end)))
    const time = this.broker.quotas.request.isActive ? new RequestTime() : null
    const reader = this.#reader.open(chunk, start, end)
    const key = reader.int16()
    const version = reader.int16()
    const correlationId = reader.int32()
    const api = this.#apis.get(key)
    const refusal = session.sasl?.refuse(key, api?.name ?? `API key ${key}`, session.lastRequestAtMs)
    if (refusal?.kind === 'close') return this.#close(session, refusal.reason)
    if (api === undefined) return this.#close(session, `a request with API key ${key}, which is not served`)
    if (version < api.minVersion || version > api.maxVersion) {
      if (key === apiVersions.key) return this.#refuseApiVersions(session, correlationId)
      const served = `${api.minVersion} to ${api.maxVersion} are served`
      return this.#close(session, `a ${api.name} request of version ${version}: ${served}`)
    }
    let request: unknown
    let context: RequestContext
    try {
      const clientId = reader.stringOrNull()
      if (api.request.isFlexible(version)) reader.skipTags()
      context = {
        version,
        clientId,
        session,
        broker: this.broker,
        sizeBytes: end - start,
        time,
        progress: null,
        preparation: null,
      }
      // Bytes that are left over are passed over, as in Kafka: some clients send them.
      request = api.request.decode(reader, version)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      if (session.open.length > 0) return false
      return this.#close(session, `a malformed ${api.name} request of version ${version}: ${error.message}`)
    }
    const open = { api, correlationId, context, answer: undefined, isAnswerLost: false }
    if (refusal?.kind === 'illegal-state') return this.#refuseIllegalState(open, request, refusal.reason)
    return this.hook === null ? this.#handle(open, request) : this.#handleHooked(open, request, this.hook)
  }

  /** The next part of a request that has begun. It lies elsewhere by now, perhaps. */
  #goOn(session: KafkaSession, open: OpenRequest, chunk: Uint8Array, start: number, end: number): boolean {
    session.unfinished = null
    open.context.time?.begin()
    const { request } = open.api
    const { version } = open.context
    const reader = this.#reader.open(chunk, start + CLIENT_ID_AT, end)
    reader.stringOrNull()
    if (request.isFlexible(version)) reader.skipTags()
    return this.#handle(open, request.decode(reader, version))
  }

  /** Where somebody may have other plans for requests. False when this one waits. */
  #handleHooked(open: OpenRequest, request: unknown, hook: RequestHook): boolean {
    const { api, context } = open
    const verdict = hook.arrived(api, request, context)
    if (verdict === null) return this.#handle(open, request)
    if (verdict.kind === 'hold') return false
    if (verdict.kind === 'refuse') return this.#answer(open, this.#refusal(open, request, verdict.error))
    if (verdict.kind === 'lose-answer') return this.#handle({ ...open, isAnswerLost: true }, request)
    context.session.connection.destroy()
    return true
  }

  /** False when it is not over, and is to come again. */
  #handle(open: OpenRequest, request: unknown): boolean {
    const { session } = open.context
    let result: unknown
    try {
      result = open.api.handle(request, open.context)
    } catch (error) {
      result = this.#refusal(open, request, error)
    }
    open.context.time?.pause()
    if (result === UNFINISHED) {
      session.unfinished = open
      this.#goOnLater(open.context)
      return false
    }
    if (!(result instanceof Promise)) return this.#answer(open, result)
    session.open.push(open)
    const answered = (answer: unknown) => {
      open.answer = answer
      this.#sendAnswered(session)
    }
    result.then(answered, (error) => answered(this.#refusal(open, request, error)))
    return true
  }

  #goOnLater(context: RequestContext): void {
    const { session, preparation } = context
    if (preparation === null) return this.#turn.defer(session)
    context.preparation = null
    session.isDeferred = true
    void preparation.then(() => {
      session.isDeferred = false
      if (!session.isGone) session.connection.resume()
    })
  }

  // ---- Logging in: see SaslConversation ----

  #refuseIllegalState(open: OpenRequest, request: unknown, reason: string): true {
    const { session } = open.context
    const refused = () => {
      open.answer = this.#refusal(open, request, new KafkaError('ILLEGAL_SASL_STATE', reason))
      this.#sendAnswered(session)
    }
    session.open.push(open)
    void this.broker.authentication.refuseLogin(session, reason, null).then(refused)
    return true
  }

  /** A token without the header of a request, which the answers to it have not either. */
  #runBareToken(session: KafkaSession, token: Buffer): true {
    const { authentication, log } = this.broker
    session.isHeld = true
    const answer = async () => {
      const outcome = await authentication.receiveToken(session, token)
      if (outcome.kind === 'failed') {
        await authentication.refuseLogin(session, outcome.reason, null)
        this.#close(session, outcome.reason)
      } else if (!session.isGone) {
        const size = Buffer.alloc(SIZE_BYTES)
        size.writeInt32BE(outcome.bytes.length)
        session.connection.push(Buffer.concat([size, outcome.bytes]))
      }
      session.isHeld = false
      if (!session.isGone) session.connection.resume()
    }
    answer().catch((error) => {
      log.error({ err: error }, 'a defect in SASL')
      session.connection.destroy()
    })
    return true
  }

  /** Ends the connections of somebody who is no user any more. */
  endSessionsOf(name: string): void {
    for (const session of this.sessions) {
      const { principal, listener } = session
      if (asksForLogin(listener) && principal.name === name) this.#close(session, `${name} is no user any more`)
    }
  }

  /** Behind the answers to earlier requests. */
  #answer(open: OpenRequest, answer: unknown): true {
    const { session } = open.context
    if (session.open.length === 0) {
      this.#send(open, answer)
      return true
    }
    open.answer = answer
    session.open.push(open)
    return true
  }

  // ---- From answers to bytes ----

  /** What to answer to an error; null when it cannot be said and the connection is closed instead. */
  #refusal({ api, context }: OpenRequest, request: unknown, error: unknown): unknown {
    if (!(error instanceof KafkaError)) {
      this.broker.log.error({ err: error }, `a defect in the Kafka API ${api.name}`)
    }
    const known = error instanceof KafkaError ? error : new KafkaError('UNKNOWN_SERVER_ERROR')
    if (api.refuse !== undefined) return api.refuse(request, known, context)
    const { fields } = api.response
    if ('errorCode' in fields) return { errorCode: known.code, errorMessage: known.message }
    this.#close(context.session, `a ${api.name} request was refused: ${known.message}`)
    return null
  }

  /** Sends what is answered, up to the first request that is not. */
  #sendAnswered(session: KafkaSession): void {
    const { open } = session
    while (open.length > 0 && open[0].answer !== undefined) {
      const first = open.shift()!
      this.#send(first, first.answer)
    }
    if (session.farewell !== null && open.length === 0) this.#close(session, session.farewell)
    if (!session.isGone) session.connection.resume()
  }

  /** hot: once for each request. */
  #send(open: OpenRequest, answer: unknown): void {
    const { context, isAnswerLost } = open
    const { session } = context
    if (answer === null || session.isGone) return
    if (isAnswerLost) return session.connection.destroy()
    if (context.time !== null) return this.#sendTimed(open, answer, context.time)
    this.#encode(open, answer)
  }

  /** Counts the time of a request against quotas, and what sending takes for the next one. */
  #sendTimed(open: OpenRequest, answer: unknown, time: RequestTime): void {
    const { api, context } = open
    const { quotas } = this.broker
    // What cannot tell the client of a pause is part of its way to be somebody: it pays for nothing.
    const isCharged = 'throttleTimeMs' in api.response.fields
    const throttleMs = isCharged && !time.isCharged ? quotas.throttleForTime(context) : 0
    time.begin()
    this.#encode(open, throttleMs > 0 ? throttled(answer, throttleMs) : answer)
    time.pause()
    if (isCharged) quotas.countTime(context)
  }

  #encode({ api, correlationId, context: { session, version } }: OpenRequest, answer: unknown): void {
    try {
      // ApiVersions has no tags in its header, so that a client that asks for the first time can read it.
      const hasTags = api.response.isFlexible(version) && api.key !== apiVersions.key
      this.#sendMessage(session, correlationId, hasTags, api, answer, version)
    } catch (error) {
      this.broker.log.error({ err: error }, `the answer of the Kafka API ${api.name} is none`)
      this.#close(session, `${api.name} could not be answered`)
    }
  }

  #refuseApiVersions(session: KafkaSession, correlationId: number): true {
    const api = this.#apis.get(apiVersions.key)!
    this.#sendMessage(session, correlationId, false, api, UNSUPPORTED_API_VERSIONS, 0)
    return true
  }

  #sendMessage(
    session: KafkaSession,
    correlationId: number,
    hasTags: boolean,
    { response }: Api,
    answer: unknown,
    version: number,
  ): void {
    const writer = this.#writer.reset()
    writer.int32(0)
    writer.int32(correlationId)
    if (hasTags) writer.uvarint(0)
    response.encode(writer, answer, version)
    writer.setInt32(0, writer.sizeBytes - SIZE_BYTES)
    const { connection } = session
    for (const piece of writer.takePieces()) connection.push(piece as Buffer)
    if (connection.unsentBytes > UNSENT_BYTES_MAX) {
      connection.flushOutbox()
      session.isStalled = connection.unsentBytes > UNSENT_BYTES_MAX
    }
  }
}

/** `127.0.0.1:5,10.0.0.1:100`: what is said of one address; null when it is not named. */
function ownLimitOf(address: string, overrides: string): number | null {
  const entry = overrides.split(',').find((each) => each.slice(0, each.lastIndexOf(':')).trim() === address)
  return entry === undefined ? null : Number(entry.slice(entry.lastIndexOf(':') + 1))
}

/** The answer with the longer of two pauses. */
function throttled(answer: unknown, throttleMs: number): unknown {
  const { throttleTimeMs = 0 } = answer as { throttleTimeMs?: number }
  return { ...(answer as object), throttleTimeMs: Math.max(throttleTimeMs, throttleMs) }
}

/** What a client that took the wrong port speaks, as far as the first bytes tell. */
function strangerOf(chunk: Uint8Array, at: number, end: number): string | null {
  const text = Buffer.from(chunk.subarray(at, Math.min(at + 8, end))).toString('latin1')
  if (/^\x16\x03/.test(text)) return 'TLS'
  if (/^(GET|PUT|POST|HEAD|DELETE|OPTIONS|PRI) /.test(text)) return 'HTTP'
  if (/^(\*\d|PING|AUTH|HELLO|INFO|QUIT|SELECT|COMMAND|CLIENT)/i.test(text)) return 'the Redis protocol'
  if (/^(get|gets|set|stats|version|mn|mg) ?/.test(text)) return 'the memcached protocol'
  return null
}
