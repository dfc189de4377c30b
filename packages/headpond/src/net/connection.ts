import type { Socket } from 'node:net'
import type { OutputSink } from './output-buffer.ts'
import type { Protocol } from './protocol.ts'

/** What connections of one listener share. */
export interface ConnectionLimits {
  /** Unconsumed input that a connection may hold. */
  inputBytesMax: () => number
}

/**
 * Replies that a peer does not take are kept for it up to here; then its requests wait. So a client that never reads
 * costs this much and no more, and one that writes a long pipeline before it reads is not held up.
 */
const UNREAD_BYTES_MAX = 128 * 2 ** 20
/** Small replies to a slow peer are copied, so that they do not hold a whole output region. */
const COPY_BYTES_MAX = 2048

/**
 * One socket and the bytes that have not become requests yet. Written once for every protocol.
 *
 * Input arrives in one buffer shared by all connections. Most reads hold whole requests and are consumed where they
 * are; only the rest of a cut request is carried over in a buffer of the connection's own.
 */
export class Connection implements OutputSink {
  readonly socket: Socket
  readonly remoteAddress: string
  readonly localAddress: string
  /** Bytes received and sent since the start. */
  receivedBytes = 0
  sentBytes = 0
  #session: unknown
  readonly #protocol: Protocol<unknown>
  readonly #limits: ConnectionLimits
  #carry: Buffer | null = null
  #carryEnd = 0
  #consuming = false
  #readingStopped = false
  #isClosing = false
  #isClosed = false
  #outbox: Buffer[] = []
  #outboxBytes = 0
  #outboxScheduled = false
  readonly #onClosed: (connection: Connection) => void

  constructor(
    socket: Socket,
    protocol: Protocol<unknown>,
    limits: ConnectionLimits,
    addresses: { remote: string; local: string },
    onClosed: (connection: Connection) => void,
  ) {
    this.socket = socket
    this.#protocol = protocol
    this.#limits = limits
    this.#onClosed = onClosed
    this.remoteAddress = addresses.remote
    this.localAddress = addresses.local
    socket.on('drain', () => this.#drained())
    socket.on('end', () => this.#ended())
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#closed())
  }

  /** Ties the connection to its protocol; input may arrive from now on. */
  open(): void {
    this.#session = this.#protocol.open(this)
  }

  get isClosing(): boolean {
    return this.#isClosing || this.#isClosed
  }

  /** Bytes received that are not consumed, and the room kept for them. */
  get inputBytes(): number {
    return this.#carryEnd
  }

  get inputBufferBytes(): number {
    return this.#carry?.length ?? 0
  }

  /** Replies that the peer has not taken yet. */
  get unsentBytes(): number {
    return this.socket.writableLength + this.#outboxBytes
  }

  // ---- Input ----

  /** hot: once for each read of the socket. `chunk` belongs to the caller and is valid during the call only. */
  receive(chunk: Uint8Array, sizeBytes: number): void {
    this.receivedBytes += sizeBytes
    if (this.#isClosing) return
    if (this.#carryEnd === 0) {
      const consumed = this.#consume(chunk, 0, sizeBytes)
      if (consumed < sizeBytes && !this.#isClosing) this.#carryOver(chunk, consumed, sizeBytes)
    } else {
      this.#carryOver(chunk, 0, sizeBytes)
      this.#consumeCarry()
    }
    if (this.#carryEnd > this.#limits.inputBytesMax()) this.destroy()
    else if (this.unsentBytes > UNREAD_BYTES_MAX) this.#stopReading()
  }

  /** Goes on with what is carried over: the request that had to wait may run now. */
  resume(): void {
    if (this.#carryEnd > 0 && !this.#isClosing && !this.#consuming) this.#consumeCarry()
  }

  /** The capacity that the input buffer is to have at least, for a request whose size is known to be large. */
  expectInput(sizeBytes: number): void {
    this.#expectedBytes = sizeBytes
  }
  #expectedBytes = 0

  #consume(chunk: Uint8Array, start: number, end: number): number {
    this.#consuming = true
    try {
      return this.#protocol.consume(this.#session, chunk, start, end)
    } finally {
      this.#consuming = false
    }
  }

  #consumeCarry(): void {
    const carry = this.#carry!
    const end = this.#carryEnd
    const consumed = this.#consume(carry, 0, end)
    if (this.#isClosing || consumed === end) {
      this.#carryEnd = 0
      this.#carry = null
    } else if (consumed > 0) {
      const left = end - consumed
      if (left * 4 < carry.length && this.#expectedBytes <= left) {
        this.#carry = Buffer.from(carry.subarray(consumed, end))
      } else {
        carry.copyWithin(0, consumed, end)
      }
      this.#carryEnd = left
    }
  }

  #carryOver(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#carryEnd + end - start
    if (this.#carry === null || needed > this.#carry.length) {
      const capacity = Math.max(needed, Math.min(needed * 2, needed + 2 ** 24), this.#expectedBytes)
      const grown = Buffer.allocUnsafeSlow(capacity)
      if (this.#carry !== null) this.#carry.copy(grown, 0, 0, this.#carryEnd)
      this.#carry = grown
    }
    this.#carry.set(chunk.subarray(start, end), this.#carryEnd)
    this.#carryEnd = needed
    this.#expectedBytes = 0
  }

  // ---- Output ----

  /** Sends bytes behind everything sent before. See OutputSink. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#isClosing) return true
    if (this.#outboxBytes > 0) this.flushOutbox()
    this.sentBytes += bytes.length
    const socket = this.socket
    if (socket.writableLength > 0 && bytes.length <= COPY_BYTES_MAX) {
      socket.write(Buffer.from(bytes))
      return true
    }
    socket.write(bytes)
    // A write that the kernel took whole is over when write() returns.
    return socket.writableLength === 0
  }

  /** Sends bytes soon: at the end of this turn of the event loop, together with what else comes for this peer. */
  push(bytes: Buffer): void {
    if (this.#isClosed || this.#isClosing) return
    this.#outbox.push(bytes)
    this.#outboxBytes += bytes.length
    if (this.#outboxScheduled) return
    this.#outboxScheduled = true
    setImmediate(() => {
      this.#outboxScheduled = false
      this.flushOutbox()
    })
  }

  flushOutbox(): void {
    if (this.#outboxBytes === 0 || this.#isClosed) return
    const bytes = this.#outbox.length === 1 ? this.#outbox[0] : Buffer.concat(this.#outbox, this.#outboxBytes)
    this.#outbox = []
    this.#outboxBytes = 0
    this.sentBytes += bytes.length
    this.socket.write(bytes)
  }

  // ---- The end ----

  /** Closes once everything sent has reached the peer; what it still sends is ignored. */
  closeAfterReplies(): void {
    if (this.#isClosing || this.#isClosed) return
    this.flushOutbox()
    this.#isClosing = true
    this.socket.end(() => this.socket.destroySoon())
  }

  /** Closes at once; replies that are under way are lost. */
  destroy(): void {
    this.#isClosing = true
    this.socket.destroy()
  }

  #stopReading(): void {
    if (this.#readingStopped) return
    this.#readingStopped = true
    this.socket.pause()
  }

  #drained(): void {
    if (!this.#readingStopped) return
    this.#readingStopped = false
    this.socket.resume()
  }

  #ended(): void {
    if (this.#protocol.ended?.(this.#session) === false) return
    this.closeAfterReplies()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosing = true
    this.#isClosed = true
    this.#carry = null
    this.#carryEnd = 0
    this.#outbox = []
    this.#outboxBytes = 0
    this.#onClosed(this)
    this.#protocol.closed(this.#session)
  }
}
