import { InputCarry } from './input-carry.ts'
import type { OutputSink } from './output-buffer.ts'
import type { HeldOutput, OutputGate } from './output-gate.ts'
import type { OutputRegion } from './output-region.ts'
import type { PeerSocket, SocketOwner } from './peer-socket.ts'
import type { Protocol } from './protocol.ts'
import { flushAtEnd, type InLine, turnIsLong, type WithOutbox, waitInLine } from './turn.ts'

/** What connections of one listener share. */
export interface ConnectionLimits {
  /** Unconsumed input that a connection may hold. */
  inputBytesMax: () => number
  /** Holds back output while it has to wait. */
  readonly gate: OutputGate
  /** Whether replies of any size wait for the end of the turn, so that who gets too much of them gets none. */
  readonly gathersAll?: boolean
}

/**
 * Replies that a peer does not take are kept for it up to here; then its requests wait. So a client that never reads
 * costs this much and no more, and one that writes a long pipeline before it reads is not held up.
 */
const UNREAD_BYTES_MAX = 128 * 2 ** 20
/** Small replies to a slow peer are copied, so that they do not hold a whole output region. */
const COPY_BYTES_MAX = 2048
/**
 * Short replies to all connections leave together at the end of the turn, as in Redis. Sent at once, each of them would wake
 * clients on another core that go to sleep again before the next one comes. **(measured)**: `GET` in pipelines of 16
 * is a tenth faster, its slowest hundredth by a quarter.
 */
const GATHERED_BYTES_MAX = 4095
/** Messages that pile up within one turn are handed to the socket from this size on. */
const OUTBOX_BYTES_MAX = 256 * 1024
/** Up to here, joining messages costs less than giving each to the system. */
const JOINED_BYTES_MAX = 64 * 1024

/**
 * One socket and the bytes that have not become requests yet. Written once for every protocol.
 *
 * Input arrives in one buffer shared by all connections. Most reads hold whole requests and are consumed where they
 * are; only the rest of a cut request is carried over in a buffer of the connection's own.
 */
export class Connection implements OutputSink, HeldOutput, InLine, WithOutbox, SocketOwner {
  readonly socket: PeerSocket
  readonly remoteAddress: string
  readonly localAddress: string
  /** Bytes received and sent since the start. */
  receivedBytes = 0
  sentBytes = 0
  #session: unknown
  readonly #protocol: Protocol<unknown>
  readonly #limits: ConnectionLimits
  readonly #carry = new InputCarry()
  #consuming = false
  #readingStopped = false
  #isInputPaused = false
  #isInLine = false
  #peerHasEnded = false
  #isClosing = false
  #isClosed = false
  #outbox: Buffer[] = []
  /** What the outbox has, the waiting reply included. */
  #outboxBytes = 0
  #outboxScheduled = false
  /** Where the reply waits that is all that the outbox has; null and -1 for none. */
  #waitingIn: OutputRegion | null = null
  #waitingAt = -1
  /** Bytes held back by the gate. */
  #heldBytes = 0
  #endsWhenReleased = false
  readonly #onClosed: (connection: Connection) => void

  constructor(
    socket: PeerSocket,
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
    socket.owner = this
  }

  /** Ties the connection to its protocol; input may arrive from now on. */
  open(): void {
    this.#session = this.#protocol.open(this)
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  /** Bytes received that are not consumed, and the room kept for them. */
  get inputBytes(): number {
    return this.#carry.sizeBytes
  }

  get inputBufferBytes(): number {
    return this.#carry.ownBytes
  }

  /** Of the request that is cut: what has arrived of it, or what it will have if that is known. */
  get requestBytes(): number {
    return Math.max(this.#carry.sizeBytes, this.#expectedBytes)
  }

  /** Replies that the peer has not taken yet. */
  get unsentBytes(): number {
    return this.socket.unsentBytes + this.#outboxBytes + this.#heldBytes
  }

  /** The socket's file descriptor, or -1. */
  get fileDescriptor(): number {
    return this.socket.fileDescriptor
  }

  /** Whether input is left in the kernel: until the peer takes its replies, or the protocol can go on. */
  get isReadingStopped(): boolean {
    return this.#readingStopped || this.#isInputPaused
  }

  // ---- Input ----

  /** hot: once for each read of the socket. `chunk` belongs to the caller and is valid during the call only. */
  receive(chunk: Uint8Array, sizeBytes: number): void {
    this.receivedBytes += sizeBytes
    if (this.#isClosing) return
    let at = 0
    if (this.#carry.sizeBytes > 0) {
      // A request that is cut is completed, and what follows it runs where it lies: nothing more is copied than has to be.
      const missingBytes = this.#expectedBytes - this.#carry.sizeBytes
      at = missingBytes > 0 ? Math.min(missingBytes, sizeBytes) : sizeBytes
      this.#carryOver(chunk, 0, at)
      if (!this.#isClosing) this.#consumeCarry()
    }
    if (at < sizeBytes && !this.#isClosing) {
      if (this.#carry.sizeBytes === 0) {
        const consumed = this.#consume(chunk, at, sizeBytes)
        if (consumed < sizeBytes && !this.#isClosing) this.#carryOver(chunk, consumed, sizeBytes)
      } else {
        this.#carryOver(chunk, at, sizeBytes)
        if (!this.#isClosing && !this.#isInLine) this.#consumeCarry()
      }
    }
    if (this.#carry.sizeBytes > this.#limits.inputBytesMax()) {
      this.#protocol.inputOverflowed?.(this.#session)
      this.destroy()
    }
  }

  /** Takes what was read without looking into it, and waits in line with it. */
  hold(chunk: Uint8Array, sizeBytes: number): void {
    this.receivedBytes += sizeBytes
    if (this.#isClosing) return
    this.#carryOver(chunk, 0, sizeBytes)
    this.#waitInLine()
  }

  /** The protocol has stopped within what was read, since it takes long: the rest of it waits in line. */
  cut(): void {
    turnIsLong()
    this.#waitInLine()
  }

  /** Whether the input waits for other connections; nothing more is to be read meanwhile. */
  get isInLine(): boolean {
    return this.#isInLine
  }

  #waitInLine(): void {
    if (this.#isInLine) return
    this.#isInLine = true
    waitInLine(this)
  }

  /** Its turn in line has come. */
  goOn(): void {
    this.#isInLine = false
    this.resume()
    if (!this.#isInLine && !this.isReadingStopped && !this.socket.isDestroyed) this.socket.resume()
  }

  /** Goes on with what is carried over: the request that had to wait may run now. */
  resume(): void {
    if (this.#isClosing || this.#consuming || this.#isInLine) return
    if (this.#carry.sizeBytes > 0 && !this.#readingStopped) this.#consumeCarry()
    this.#closeIfEnded()
  }

  /** Leaves what comes from now on in the kernel: requests wait, and enough of them have been read. */
  pauseInput(): void {
    if (this.#isInputPaused || this.#isClosing) return
    this.#isInputPaused = true
    this.socket.pause()
  }

  /** Ends `pauseInput`. */
  resumeInput(): void {
    if (!this.#isInputPaused || this.#isClosing) return
    this.#isInputPaused = false
    if (!this.#readingStopped && !this.#isInLine) this.socket.resume()
  }

  /** The size of the request that is cut, for one that is known to be large. */
  expectInput(sizeBytes: number): void {
    this.#expectedBytes = sizeBytes
  }
  /** Of the request that the last call of the protocol has found cut; 0 when it did not say. */
  #expectedBytes = 0
  #consume(chunk: Uint8Array, start: number, end: number): number {
    this.#consuming = true
    this.#expectedBytes = 0
    try {
      return this.#protocol.consume(this.#session, chunk, start, end)
    } finally {
      this.#consuming = false
    }
  }

  #consumeCarry(): void {
    const carry = this.#carry
    carry.offer()
    const consumed = this.#consume(carry.buffer!, carry.start, carry.end)
    if (this.#isClosing) carry.clear()
    else carry.take(consumed - carry.start)
  }

  #carryOver(chunk: Uint8Array, start: number, end: number): void {
    if (!this.#carry.append(chunk, start, end, this.#expectedBytes)) this.destroy()
  }

  // ---- Output ----

  /** Sends bytes behind everything sent before. See OutputSink. */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosing) return true
    const { gathersAll } = this.#limits
    if (this.#outboxBytes > 0 && !gathersAll) this.flushOutbox()
    if (this.#limits.gate.isClosed) {
      this.#hold(bytes)
      return false
    }
    if (bytes.length <= GATHERED_BYTES_MAX || gathersAll) {
      this.push(Buffer.from(bytes))
      return true
    }
    if (this.socket.isBackedUp && bytes.length <= COPY_BYTES_MAX) {
      this.#send(Buffer.from(bytes))
      this.#outputGrew()
      return true
    }
    this.#send(bytes)
    if (!this.socket.isBackedUp) return true
    this.#outputGrew()
    return false
  }

  /** hot: once for each single request. See OutputSink. */
  writeLater(region: OutputRegion, at: number, sizeBytes: number): boolean {
    if (sizeBytes > GATHERED_BYTES_MAX) return false
    if (this.#outboxScheduled || this.#isClosing || !this.socket.isDirect || this.socket.isBackedUp) return false
    if (this.#limits.gathersAll || this.#limits.gate.isClosed) return false
    this.#waitingIn = region
    this.#waitingAt = at
    this.#outboxBytes = sizeBytes
    this.#outboxScheduled = true
    flushAtEnd(this)
    return true
  }

  /**
   * Sends bytes soon: at the end of this turn of the event loop, together with what else comes for this peer. The bytes
   * may be shared with other connections; nobody changes them any more.
   */
  push(bytes: Buffer): void {
    if (this.#isClosing) return
    if (this.#waitingAt >= 0) this.#boxWaitingReply()
    this.#outbox.push(bytes)
    this.#outboxBytes += bytes.length
    if (this.#outboxBytes > OUTBOX_BYTES_MAX) {
      if (!this.#limits.gathersAll) return this.flushOutbox()
      this.#outputGrew()
    }
    if (!this.#outboxScheduled) {
      this.#outboxScheduled = true
      flushAtEnd(this)
    }
  }

  flushOutbox(): void {
    this.#outboxScheduled = false
    if (this.#outboxBytes > 0 && this.#limits.gathersAll) this.#outputGrew()
    if (this.#outboxBytes === 0 || this.#isClosing) return
    if (this.#waitingAt >= 0) {
      if (!this.#limits.gate.isClosed) return this.#sendWaitingReply()
      this.#boxWaitingReply()
    }
    const outbox = this.#outbox
    const sizeBytes = this.#outboxBytes
    this.#outbox = []
    this.#outboxBytes = 0
    if (this.#limits.gate.isClosed) {
      for (const bytes of outbox) this.#hold(bytes)
      return
    }
    if (outbox.length === 1) {
      this.#send(outbox[0])
    } else if (sizeBytes <= JOINED_BYTES_MAX) {
      this.#send(Buffer.concat(outbox, sizeBytes))
    } else {
      this.sentBytes += sizeBytes
      this.socket.writeAll(outbox)
    }
    if (this.socket.isBackedUp) this.#outputGrew()
  }

  /** hot: once for each single request. */
  #sendWaitingReply(): void {
    const region = this.#waitingIn!
    const bytes = region.view(this.#waitingAt, this.#outboxBytes)
    this.#waitingIn = null
    this.#waitingAt = -1
    this.#outboxBytes = 0
    this.#send(bytes)
    if (!this.socket.isBackedUp) return
    region.isLent = true
    this.#outputGrew()
  }

  /** Puts the waiting reply where several go: more has come, or it has to wait longer. */
  #boxWaitingReply(): void {
    this.#outbox.push(Buffer.from(this.#waitingIn!.view(this.#waitingAt, this.#outboxBytes)))
    this.#waitingIn = null
    this.#waitingAt = -1
  }

  /** hot: once for each batch of replies. */
  #send(bytes: Uint8Array): void {
    this.sentBytes += bytes.length
    this.socket.write(bytes)
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length
    this.#limits.gate.hold(this, bytes)
    if (this.#heldBytes > UNREAD_BYTES_MAX) this.#stopReading()
  }

  /** Sends what the gate held. */
  release(bytes: Uint8Array): void {
    this.#heldBytes -= bytes.length
    const { socket } = this
    if (socket.isDestroyed) return
    this.#send(bytes)
    if (this.socket.isBackedUp) this.#outputGrew()
    if (this.#heldBytes > 0) return
    if (this.#endsWhenReleased) this.socket.end()
    else if (!this.socket.isBackedUp) this.drained()
  }

  #outputGrew(): void {
    const unsentBytes = this.unsentBytes
    if (unsentBytes > UNREAD_BYTES_MAX) this.#stopReading()
    this.#protocol.outputGrew?.(this.#session, unsentBytes)
  }

  // ---- The end ----

  /** Closes once everything sent has reached the peer; what it still sends is ignored. */
  closeAfterReplies(): void {
    if (this.#isClosing) return
    this.flushOutbox()
    this.#isClosing = true
    this.#forgetInput()
    // Input must go on being read and thrown away: unread bytes would make the system reset the connection, and the
    // peer lose its last replies.
    this.socket.resume()
    if (this.#heldBytes > 0) this.#endsWhenReleased = true
    else this.socket.end()
  }

  /** Closes at once; replies that are under way are lost. */
  destroy(): void {
    this.#isClosing = true
    this.#forgetInput()
    this.#forgetOutbox()
    this.socket.destroy()
  }

  #forgetInput(): void {
    if (this.#consuming) return // what is consumed right now is forgotten afterwards
    this.#carry.clear()
  }

  #forgetOutbox(): void {
    this.#outbox = []
    this.#waitingIn = null
    this.#waitingAt = -1
    this.#outboxBytes = 0
  }

  #stopReading(): void {
    if (this.#readingStopped) return
    this.#readingStopped = true
    this.socket.pause()
    this.#protocol.outputStalled?.(this.#session, true)
  }

  // ---- What the socket tells ----

  drained(): void {
    this.#protocol.outputDrained?.(this.#session)
    if (!this.#readingStopped || this.#isClosing) return
    this.#readingStopped = false
    this.#protocol.outputStalled?.(this.#session, false)
    this.resume()
    if (!this.isReadingStopped && !this.#isInLine) this.socket.resume()
  }

  ended(): void {
    this.#peerHasEnded = true
    this.resume()
  }

  /** A peer that has shut down its side gets the replies to everything that it sent. */
  #closeIfEnded(): void {
    if (!this.#peerHasEnded || this.#isClosing || this.#readingStopped || this.#isInLine) return
    if (this.#protocol.ended?.(this.#session) === false) return
    this.closeAfterReplies()
  }

  closed(): void {
    if (this.#isClosed) return
    this.#isClosing = true
    this.#isClosed = true
    this.#forgetInput()
    this.#forgetOutbox()
    this.#onClosed(this)
    this.#protocol.closed(this.#session)
  }
}
