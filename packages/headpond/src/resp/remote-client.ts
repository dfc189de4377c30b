import type { Socket } from 'node:net'
import { openSocket, type RemoteAddress, RemoteError, systemWords } from '../net/remote-socket.ts'
import { encodeRequest, ReplyProtocolError, WireDecoder, type WireReply } from './wire-reply.ts'

/** The server, or the network, ended a connection that was there. */
export class ConnectionLostError extends RemoteError {}

interface Waiting {
  readonly resolve: (reply: WireReply) => void
  readonly reject: (error: Error) => void
}

const KEEP_ALIVE_MS = 15_000

/**
 * A connection to any server that speaks RESP: requests go out, replies come back in order, as they stand on the wire
 * (error replies too: they are values). Several requests may be under way.
 */
export class RemoteClient {
  readonly #socket: Socket
  readonly #decoder = new WireDecoder()
  #waiting: Waiting[] = []
  #firstWaiting = 0
  #loss: RemoteError | null = null
  /** Messages that answer no request: RESP3 marks them. */
  onPush: (reply: WireReply) => void = () => {}
  /** RESP2 does not mark the messages of channels: while there are subscriptions, they are known by their first word. */
  takesMessagesAsPushes = false
  /** Replies that nobody waits for: those to `send`, and what MONITOR brings. */
  onUnasked: (reply: WireReply) => void = () => {}
  /** Takes the bytes as they come, instead of replies: for what is no RESP. */
  onBytes: ((bytes: Buffer) => void) | null = null
  /** The connection has ended; called once. */
  onLost: (error: RemoteError) => void = () => {}

  /** Rejects with RemoteError. */
  static async connect(address: RemoteAddress): Promise<RemoteClient> {
    return new RemoteClient(await openSocket(address))
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    socket.on('error', (error) => this.#end(new ConnectionLostError(systemWords(error))))
    socket.on('close', () => this.#end(new ConnectionLostError('Server closed the connection')))
  }

  /** Why the connection is no more; null while it is there. */
  get loss(): RemoteError | null {
    return this.#loss
  }

  /** Requests of `call` whose replies have not come. */
  get waitingCount(): number {
    return this.#waiting.length - this.#firstWaiting
  }

  /** Rejects when the connection ends before the reply: with ConnectionLostError, unless `close` was called. */
  call(...args: readonly (string | Uint8Array)[]): Promise<WireReply> {
    return this.callBytes(encodeRequest(args))
  }

  /** As `call`, for a request that is encoded. */
  callBytes(request: Uint8Array): Promise<WireReply> {
    return new Promise((resolve, reject) => {
      if (this.#loss !== null) return reject(this.#loss)
      this.#waiting.push({ resolve, reject })
      this.#socket.write(request)
    })
  }

  /** Sends bytes whose replies go to `onUnasked`. Resolves when there is room for more, or the connection has ended. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#loss !== null || this.#socket.write(bytes)) return
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#socket.off('drain', done)
        this.#socket.off('close', done)
        resolve()
      }
      this.#socket.on('drain', done)
      this.#socket.on('close', done)
    })
  }

  /** Reads no more until `resume`: for a reader of replies that cannot keep up. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Reads replies again, beginning with these bytes. */
  readReplies(bytes: Buffer): void {
    this.onBytes = null
    if (bytes.length > 0) this.#receive(bytes)
  }

  /** Ends the connection at once. Requests under way are rejected. */
  close(): void {
    this.#end(new RemoteError('The connection is closed'))
  }

  #receive(bytes: Buffer): void {
    if (this.onBytes !== null) return this.onBytes(bytes)
    try {
      this.#decoder.push(bytes, (reply) => this.#deliver(reply))
    } catch (error) {
      if (!(error instanceof ReplyProtocolError)) throw error
      this.#end(new ConnectionLostError(error.message))
    }
  }

  #deliver(reply: WireReply): void {
    if (this.#loss !== null) return
    if (reply.kind === 'push' || (this.takesMessagesAsPushes && isMessage(reply))) return this.onPush(reply)
    if (this.#firstWaiting === this.#waiting.length) return this.onUnasked(reply)
    this.#waiting[this.#firstWaiting++].resolve(reply)
    if (this.#firstWaiting === this.#waiting.length) {
      this.#waiting = []
      this.#firstWaiting = 0
    }
  }

  #end(error: RemoteError): void {
    if (this.#loss !== null) return
    this.#loss = error
    this.#socket.destroy()
    const waiting = this.#waiting.slice(this.#firstWaiting)
    this.#waiting = []
    this.#firstWaiting = 0
    for (const { reject } of waiting) reject(error)
    this.onLost(error)
  }
}

function isMessage(reply: WireReply): boolean {
  const first = reply.kind === 'array' ? reply.items[0] : undefined
  return first?.kind === 'bulk' && /^([ps]?message|[ps]?(un)?subscribe)$/.test(first.bytes.toString('latin1'))
}
