// An accepted connection without one of Node's sockets around it: what those wrap themselves, the handles of libuv. This file is the
// one place that uses them; where a runtime has none, or has others, `acceptRaw` says so, and StreamSocket does it the public way.
//
// A socket of Node is a stream for reading and one for writing, with a queue, counts, events, callbacks of `nextTick` and a timer.
// Of all this a server needs nothing for a reply that the system takes whole. **(measured)**: single requests cost a twentieth less
// of processor time, and their slowest hundredth comes as much sooner. A connection that is made, asks once and goes costs half.

import type { Server } from 'node:net'
import type { PeerSocket, SocketOwner } from './peer-socket.ts'

/** What is used of Node's TCP and Pipe. Calls return 0, or a negative error. */
interface SocketHandle {
  readonly fd?: number
  /** Bytes that wait inside the handle. */
  readonly writeQueueSize: number
  onread: (this: SocketHandle) => void
  useUserBuffer(buffer: Buffer): void
  readStart(): number
  readStop(): number
  /** Writes at once what the system takes. What it does not is `request`'s, whose `oncomplete` is called in the end. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, list: readonly Uint8Array[], areAllBuffers: true): number
  /** Ends what is sent, behind all that waits. 1 when that is done already. */
  shutdown(request: Request): number
  close(): void
  getpeername?(address: Partial<SocketAddress>): number
  getsockname?(address: Partial<SocketAddress>): number
  setNoDelay?(isOn: boolean): number
  setKeepAlive?(isOn: boolean, delaySeconds: number): number
}

export interface SocketAddress {
  readonly address: string
  readonly port: number
}

interface Request {
  oncomplete?: (status: number) => void
}

interface WriteRequest extends Request {
  /** Keeps the bytes alive. */
  bytes?: Uint8Array | readonly Uint8Array[]
}

/** How handles tell of the last read and write: not by values that are returned. */
interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => Request
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

const streamWrap = findStreamWrap()
const END_OF_INPUT = -4095 // UV_EOF

function findStreamWrap(): StreamWrap | null {
  try {
    const { binding } = process as unknown as { binding: (name: string) => Partial<StreamWrap> }
    const found = binding.call(process, 'stream_wrap')
    const isKnown =
      typeof found.WriteWrap === 'function' &&
      typeof found.ShutdownWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === 'number' &&
      typeof found.kLastWriteWasAsync === 'number'
    return isKnown ? (found as StreamWrap) : null
  } catch {
    return null // another runtime, or one that permits no such thing
  }
}

const USED = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'writev', 'shutdown', 'close'] as const

/**
 * Has a server that listens already give what it accepts to `accept`, instead of making sockets of it. The server does not count
 * them: it closes without waiting for them. False, with nothing changed, where that is not possible.
 */
export function acceptRaw(server: Server, accept: (socket: RawSocket) => void): boolean {
  type OnConnection = (this: unknown, status: number, handle?: SocketHandle) => void
  const listening = (server as unknown as { _handle?: { onconnection?: OnConnection } | null })._handle
  const acceptByServer = listening?.onconnection
  if (streamWrap === null || !listening || typeof acceptByServer !== 'function') return false
  listening.onconnection = function (status, handle) {
    const isUsable = status === 0 && handle !== undefined && USED.every((name) => typeof handle[name] === 'function')
    if (isUsable) accept(new RawSocket(handle))
    else acceptByServer.call(this, status, handle)
  }
  return true
}

/** Taken by the first write that the system does not take whole, and replaced. */
let spareRequest: WriteRequest | null = null

export class RawSocket implements PeerSocket {
  owner!: SocketOwner
  readonly isDirect = true
  readonly peerCertificate = null
  /** Null once it is closed. */
  #handle: SocketHandle | null
  #isReading = false
  #hasEnded = false
  /** There is a write that the system has not taken whole. */
  #isWaiting = false
  /** What is to be written behind it, in one go: a handle that is given each for itself keeps most of a kilobyte for it. */
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #isEnding = false

  constructor(handle: SocketHandle) {
    this.#handle = handle
    handle.setNoDelay?.(true)
  }

  // ---- Addresses ----

  /** Null for a Unix socket, and when the peer has gone already. */
  get remote(): SocketAddress | null {
    const address: Partial<SocketAddress> = {}
    return this.#handle?.getpeername?.(address) === 0 ? (address as SocketAddress) : null
  }

  get local(): SocketAddress | null {
    const address: Partial<SocketAddress> = {}
    return this.#handle?.getsockname?.(address) === 0 ? (address as SocketAddress) : null
  }

  get fileDescriptor(): number {
    return this.#handle?.fd ?? -1
  }

  /** Not for Unix sockets, which need none. */
  keepAlive(delaySeconds: number): void {
    this.#handle?.setKeepAlive?.(true, delaySeconds)
  }

  // ---- Input ----

  /** Reads, from the first `resume` on, into a buffer that may be shared by all; `onRead` says whether to go on reading at once. */
  readInto(buffer: Buffer, onRead: (sizeBytes: number) => boolean): void {
    const handle = this.#handle
    if (handle === null) return
    const { streamBaseState, kReadBytesOrError } = streamWrap!
    handle.useUserBuffer(buffer)
    handle.onread = () => {
      const sizeBytes = streamBaseState[kReadBytesOrError]
      if (sizeBytes > 0) {
        if (!onRead(sizeBytes)) this.pause()
      } else if (sizeBytes === END_OF_INPUT) {
        this.#isReading = false
        this.#hasEnded = true
        this.owner.ended()
      } else if (sizeBytes < 0) {
        this.destroy()
      }
    }
  }

  /** Goes on reading into another buffer. */
  switchBuffer(buffer: Buffer): void {
    this.#handle?.useUserBuffer(buffer)
  }

  pause(): void {
    if (!this.#isReading) return
    this.#isReading = false
    this.#handle?.readStop()
  }

  resume(): void {
    if (this.#isReading || this.#hasEnded || this.#handle === null) return
    this.#isReading = true
    if (this.#handle.readStart() < 0) this.destroy()
  }

  // ---- Output ----

  get isBackedUp(): boolean {
    return this.#isWaiting
  }

  get unsentBytes(): number {
    return this.#isWaiting ? (this.#handle?.writeQueueSize ?? 0) + this.#queuedBytes : 0
  }

  /** hot: once for each batch of replies. */
  write(bytes: Uint8Array): void {
    const handle = this.#handle
    if (handle === null || this.#isEnding) return
    if (this.#isWaiting) {
      this.#queue.push(bytes)
      this.#queuedBytes += bytes.length
      return
    }
    spareRequest ??= new streamWrap!.WriteWrap()
    this.#written(handle.writeBuffer(spareRequest, bytes), bytes)
  }

  writeAll(list: readonly Uint8Array[]): void {
    if (this.#isWaiting) for (const bytes of list) this.write(bytes)
    else if (this.#handle !== null && !this.#isEnding) this.#writeList(this.#handle, list)
  }

  #writeList(handle: SocketHandle, list: readonly Uint8Array[]): void {
    spareRequest ??= new streamWrap!.WriteWrap()
    this.#written(handle.writev(spareRequest, list, true), list)
  }

  #written(status: number, bytes: Uint8Array | readonly Uint8Array[]): void {
    if (status !== 0) return this.destroy()
    if (streamWrap!.streamBaseState[streamWrap!.kLastWriteWasAsync] === 0) return
    this.#isWaiting = true
    spareRequest!.bytes = bytes
    spareRequest!.oncomplete = this.#onTaken
    spareRequest = null
  }

  readonly #onTaken = (status: number): void => {
    this.#isWaiting = false
    const handle = this.#handle
    if (handle === null) return
    if (status < 0) return this.destroy()
    if (this.#queue.length > 0) {
      const list = this.#queue
      this.#queue = []
      this.#queuedBytes = 0
      this.#writeList(handle, list)
      if (this.#isWaiting || this.#handle === null) return
    }
    if (this.#isEnding) this.#shutDown(handle)
    else this.owner.drained()
  }

  // ---- The end ----

  get isDestroyed(): boolean {
    return this.#handle === null
  }

  end(): void {
    const handle = this.#handle
    if (handle === null || this.#isEnding) return
    this.#isEnding = true
    if (!this.#isWaiting) this.#shutDown(handle)
  }

  /** Everything has been taken. */
  #shutDown(handle: SocketHandle): void {
    // Nothing comes from the peer any more, which the system would answer with a reset.
    if (this.#hasEnded) return this.destroy()
    const request = new streamWrap!.ShutdownWrap()
    request.oncomplete = () => this.destroy()
    if (handle.shutdown(request) !== 0) this.destroy()
  }

  destroy(): void {
    const handle = this.#handle
    if (handle === null) return
    this.#handle = null
    this.#isReading = false
    this.#queue = []
    handle.close()
    // The system has it back already. Who closes a server waits for this, and should not wait longer than its clients need to see it:
    // kafkajs tries for ever to come back when it has seen it before it is told to disconnect.
    queueMicrotask(() => this.owner.closed())
  }
}
