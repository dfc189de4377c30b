import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { openSocket, RemoteError, systemWords } from '../../net/remote-socket.ts'
import { isScramMechanism, ScramClient, ScramFailure } from '../../security/scram.ts'
import { ByteReader, MalformedMessage } from '../codec/byte-reader.ts'
import { ByteWriter } from '../codec/byte-writer.ts'
import type { Message } from '../codec/message.ts'
import { ERROR } from '../errors.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../schemas/api-versions.ts'
import { saslAuthenticateRequest, saslAuthenticateResponse } from '../schemas/sasl-authenticate.ts'
import { saslHandshakeRequest, saslHandshakeResponse } from '../schemas/sasl-handshake.ts'
import type { SaslMechanism } from '../security/sasl.ts'
import { addressText, type BrokerAddress } from './address.ts'
import { KafkaClientError, RefusedError, UnreachableError } from './kafka-client-error.ts'

/** A request and its answer. */
export interface Exchange<Q, A> {
  readonly request: Message<unknown, Q>
  readonly response: Message<A, never>
}

export interface CallOptions {
  /** Versions above this have a shape that the caller does not use. */
  readonly versionMax?: number
  /** How long the broker may think about it on purpose, beyond the usual timeout. */
  readonly extraWaitMs?: number
  /** The broker sends nothing back (acks 0). */
  readonly hasNoAnswer?: boolean
}

export interface SaslCredentials {
  readonly user: string
  readonly password: string
  /** PLAIN by default. */
  readonly mechanism?: SaslMechanism
  /** With SCRAM: they are the name and the secret of a delegation token. */
  readonly isToken?: boolean
}

export interface ConnectionSettings {
  readonly clientId: string
  readonly tls?: ConnectionOptions
  readonly sasl?: SaslCredentials
  readonly timeoutMs: number
  /** From any moment on. */
  readonly nowMs: () => number
}

interface Waiting {
  readonly correlationId: number
  readonly resolve: (frame: Buffer) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

const API_VERSIONS_VERSION = 3
const FRAME_HEAD_BYTES = 4
/** More than any broker sends: what claims more is no Kafka. */
const FRAME_BYTES_MAX = 512 * 2 ** 20

/** A connection to one broker: requests go out in the newest version that both sides know, answers come in their order. */
export class BrokerConnection {
  readonly address: BrokerAddress
  readonly #settings: ConnectionSettings
  readonly #socket: Socket
  readonly #writer = new ByteWriter()
  #versions: ReadonlyMap<number, { readonly min: number; readonly max: number }> = new Map()
  #waiting: Waiting[] = []
  #correlationId = 0
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #loss: KafkaClientError | null = null
  #logInAgainAtMs = Number.POSITIVE_INFINITY
  #loggingIn: Promise<void> | null = null

  /** Connects, learns the versions, and logs in. Rejects with KafkaClientError. */
  static async open(address: BrokerAddress, settings: ConnectionSettings): Promise<BrokerConnection> {
    const connection = new BrokerConnection(address, settings, await connect(address, settings))
    try {
      await connection.#learnVersions()
      if (settings.sasl !== undefined) await connection.#logIn(settings.sasl)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  private constructor(address: BrokerAddress, settings: ConnectionSettings, socket: Socket) {
    this.address = address
    this.#settings = settings
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error) => this.#end(this.#lost(systemWords(error))))
    socket.on('close', () => this.#end(this.#lost('the broker closed the connection')))
  }

  get isLost(): boolean {
    return this.#loss !== null
  }

  /** The newest version of an API that both sides know; undefined when there is none. */
  versionOf(exchange: Exchange<never, unknown>, versionMax = Number.POSITIVE_INFINITY): number | undefined {
    const { apiKey, versions } = exchange.request
    const theirs = this.#versions.get(apiKey)
    if (theirs === undefined) return undefined
    const version = Math.min(theirs.max, versions.max, versionMax)
    return version >= theirs.min && version >= versions.min ? version : undefined
  }

  /** Rejects with KafkaClientError. */
  async call<Q, A>(exchange: Exchange<Q, A>, body: Q, options: CallOptions = {}): Promise<A> {
    if (this.#logInAgainAtMs < Number.POSITIVE_INFINITY) await this.#stayLoggedIn()
    return this.#callNow(exchange, body, options)
  }

  async #callNow<Q, A>(exchange: Exchange<Q, A>, body: Q, options: CallOptions = {}): Promise<A> {
    const version = this.versionOf(exchange, options.versionMax)
    if (version === undefined) {
      const name = exchange.request.name.replace(/Request$/, '')
      throw new KafkaClientError(`${addressText(this.address)} does not offer ${name} in a version that is known here`)
    }
    return this.#exchange(exchange, body, version, options)
  }

  close(): void {
    this.#end(new UnreachableError('The connection is closed'))
  }

  async #exchange<Q, A>(exchange: Exchange<Q, A>, body: Q, version: number, options: CallOptions): Promise<A> {
    const frame = await this.#send(exchange, body, version, options)
    if (frame === null) return undefined as A
    return this.#decode(exchange, frame, version)
  }

  #decode<A>({ response }: Exchange<never, A>, frame: Buffer, version: number): A {
    try {
      const reader = new ByteReader().open(frame, FRAME_HEAD_BYTES)
      if (response.apiKey !== apiVersionsResponse.apiKey && response.isFlexible(version)) reader.skipTags()
      return response.decode(reader, version)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      const loss = this.#lost(`an answer that cannot be read (${response.name} ${version}: ${error.message})`)
      this.#end(loss)
      throw loss
    }
  }

  /** The answer from its correlation id on; null when there is none to wait for. */
  #send<Q>(
    { request }: Exchange<Q, unknown>,
    body: Q,
    version: number,
    { extraWaitMs = 0, hasNoAnswer = false }: CallOptions,
  ): Promise<Buffer | null> {
    if (this.#loss !== null) return Promise.reject(this.#loss)
    const correlationId = this.#correlationId++ & 0x7fffffff
    const writer = this.#writer.reset()
    writer.int32(0)
    writer.int16(request.apiKey)
    writer.int16(version)
    writer.int32(correlationId)
    writer.string(this.#settings.clientId)
    if (request.isFlexible(version)) writer.uvarint(0)
    request.encode(writer, body, version)
    writer.setInt32(0, writer.sizeBytes - FRAME_HEAD_BYTES)
    this.#socket.cork()
    for (const piece of writer.takePieces()) this.#socket.write(piece)
    this.#socket.uncork()
    if (hasNoAnswer) return Promise.resolve(null)
    return new Promise((resolve, reject) => {
      const waitMs = this.#settings.timeoutMs + extraWaitMs
      const timer = setTimeout(() => this.#end(this.#lost(`no answer within ${waitMs / 1000} s`)), waitMs)
      this.#waiting.push({ correlationId, resolve, reject, timer })
    })
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#chunkBytes += chunk.length
    while (this.#loss === null && this.#chunkBytes >= FRAME_HEAD_BYTES) {
      if (this.#chunks[0].length < FRAME_HEAD_BYTES) this.#chunks = [Buffer.concat(this.#chunks)]
      const sizeBytes = this.#chunks[0].readInt32BE(0)
      if (sizeBytes < FRAME_HEAD_BYTES || sizeBytes > FRAME_BYTES_MAX) {
        return this.#end(this.#lost('what answers there does not speak the Kafka protocol (or only over TLS)'))
      }
      const frameBytes = FRAME_HEAD_BYTES + sizeBytes
      if (this.#chunkBytes < frameBytes) return
      const bytes = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
      const rest = bytes.subarray(frameBytes)
      this.#chunks = rest.length > 0 ? [rest] : []
      this.#chunkBytes = rest.length
      this.#deliver(bytes.subarray(FRAME_HEAD_BYTES, frameBytes))
    }
  }

  #deliver(frame: Buffer): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined || waiting.correlationId !== frame.readInt32BE(0)) {
      if (waiting !== undefined) this.#waiting.unshift(waiting)
      return this.#end(this.#lost('an answer to a question that was not asked'))
    }
    clearTimeout(waiting.timer)
    waiting.resolve(frame)
  }

  #lost(reason: string): UnreachableError {
    return new UnreachableError(`${addressText(this.address)}: ${reason}`)
  }

  #end(error: KafkaClientError): void {
    if (this.#loss !== null) return
    this.#loss = error
    this.#socket.destroy()
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject, timer } of waiting) {
      clearTimeout(timer)
      reject(error)
    }
  }

  async #learnVersions(): Promise<void> {
    const exchange = { request: apiVersionsRequest, response: apiVersionsResponse }
    const body = { clientSoftwareName: 'headpond', clientSoftwareVersion: CLIENT_VERSION }
    const frame = (await this.#send(exchange, body, API_VERSIONS_VERSION, {})) as Buffer
    // A broker that does not know this version says so in the oldest one.
    const isTooNew = frame.length >= FRAME_HEAD_BYTES + 2 && frame.readInt16BE(FRAME_HEAD_BYTES) !== ERROR.NONE
    const answer = isTooNew
      ? await this.#exchange(exchange, body, 0, {})
      : this.#decode(exchange, frame, API_VERSIONS_VERSION)
    if (answer.errorCode !== ERROR.NONE) throw new RefusedError(addressText(this.address), answer.errorCode)
    this.#versions = new Map(
      answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]),
    )
  }

  async #logIn({ user, password, mechanism = 'PLAIN', isToken }: SaslCredentials): Promise<void> {
    const what = `log in at ${addressText(this.address)} as ${user}`
    const handshake = await this.#callNow(HANDSHAKE, { mechanism })
    if (handshake.errorCode !== ERROR.NONE) {
      const offered = handshake.mechanisms.join(', ')
      throw new RefusedError(
        what,
        handshake.errorCode,
        `the broker takes ${offered || 'nothing'}, and not ${mechanism}`,
      )
    }
    const say = async (token: Uint8Array) => {
      const answer = await this.#callNow(AUTHENTICATE, { authBytes: token })
      if (answer.errorCode !== ERROR.NONE) throw new RefusedError(what, answer.errorCode, answer.errorMessage)
      const { sessionLifetimeMs } = answer
      this.#logInAgainAtMs =
        sessionLifetimeMs > 0 ? this.#settings.nowMs() + sessionLifetimeMs * LIFETIME_USED : Number.POSITIVE_INFINITY
      return Buffer.from(answer.authBytes)
    }
    if (!isScramMechanism(mechanism)) {
      await say(Buffer.from(`\0${user}\0${password}`))
      return
    }
    const scram = new ScramClient(mechanism, user, password, isToken)
    try {
      scram.verify(await say(await scram.final(await say(scram.first()))))
    } catch (error) {
      if (error instanceof ScramFailure) throw new KafkaClientError(`${what}: ${error.message}`)
      throw error
    }
  }

  /** Where a login lasts for a time only, it is repeated before that is over; nothing else may be asked meanwhile. */
  async #stayLoggedIn(): Promise<void> {
    const { sasl, nowMs } = this.#settings
    if (sasl === undefined || nowMs() < this.#logInAgainAtMs) return
    this.#loggingIn ??= this.#logIn(sasl).finally(() => {
      this.#loggingIn = null
    })
    await this.#loggingIn
  }
}

/** Share of a login's lifetime after which it is repeated. */
const LIFETIME_USED = 0.85
const HANDSHAKE = { request: saslHandshakeRequest, response: saslHandshakeResponse }
const AUTHENTICATE = { request: saslAuthenticateRequest, response: saslAuthenticateResponse }

/** The version of this client's wire behaviour, which brokers show in their logs. */
const CLIENT_VERSION = '1'

async function connect(address: BrokerAddress, { tls, timeoutMs }: ConnectionSettings): Promise<Socket> {
  let timer: NodeJS.Timeout | undefined
  const opening = openSocket({ ...address, tls })
  try {
    return await Promise.race([
      opening,
      new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          // When it succeeds after all, nobody wants it.
          opening.then((socket) => socket.destroy()).catch(() => {})
          reject(new UnreachableError(`${addressText(address)}: no connection within ${timeoutMs / 1000} s`))
        }, timeoutMs)
      }),
    ])
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error
    throw new UnreachableError(`${addressText(address)}: ${error.message}`)
  } finally {
    clearTimeout(timer)
  }
}
