import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import type { TlsOptions } from 'node:tls'
import { busyPoll } from './busy-poll.ts'
import type { Clock } from './clock.ts'
import { Connection, type ConnectionLimits } from './connection.ts'
import type { PeerSocket, SocketOwner } from './peer-socket.ts'
import type { Protocol } from './protocol.ts'
import { acceptRaw, type RawSocket, type SocketAddress } from './raw-socket.ts'
import { StreamSocket } from './stream-socket.ts'
import { TlsHandshakes } from './tls-handshakes.ts'
import { connectionAccepted, mustWait } from './turn.ts'

export interface ListenAddress {
  /** An IP address or host name, or the path of a unix socket. */
  host?: string
  /** 0 lets the system choose. */
  port?: number
  path?: string
  /** File mode of a unix socket. */
  mode?: number
  backlog?: number
}

export interface ListenerOptions {
  keepAliveSeconds: () => number
  /** How long to stay awake behind what was read; see busy-poll.ts. */
  busyPollMs: () => number
  limits: ConnectionLimits
  /**
   * Asked before a connection is opened. A text is sent to the peer (an error in the protocol's own words), and the
   * connection closed. Under TLS it is asked, and heard, when the handshake is over.
   */
  refuse?: (connection: { remoteAddress: string; isLoopback: boolean }) => string | null
  /** Absent where bytes travel as they are. */
  tls?: ListenerTls
  /** How much is read at a time; absent for commands, which are short. */
  readBytes?: number
}

/** Encryption is the listener's: protocols do not know of it. */
export interface ListenerTls {
  /** Asked for each connection; the same object as before while nothing has changed. */
  options: () => TlsOptions
  clock: Clock
  /** A handshake came to nothing. */
  onFailure: (remoteAddress: string, reason: string) => void
}

/**
 * Node accepts one connection in each turn of its loop, so that more of them wait here than with other servers; those for
 * whom there is no room try again only after a second. The system's own limit (somaxconn) holds.
 */
const BACKLOG_MIN = 4096
/**
 * As much as Redis reads at a time. A connection that has more waits for its next turn, so that long pipelines of one
 * client do not hold up the first replies of all others.
 */
const READ_BYTES = 16384
/**
 * Whoever sends values of this size gets larger reads: sixteen values of a kilobyte should not be cut, and a turn is as short,
 * since what costs time is requests rather than bytes. **(measured)**: with reads of 64 KiB the slowest hundredth of `SET` of
 * 1 KB in pipelines of 100 took twice as long, with little more throughput.
 */
const LONG_REQUEST_BYTES = 512
const LONG_READ_BYTES = 24576
/** Of these, too, a read has few. **(measured)**: `SET` of 10 KB, sent without waiting, is three times as fast as with reads of 24 KiB. */
const LARGER_REQUEST_BYTES = 2048
const LARGE_READ_BYTES = 131072
/** A request of this size is read as fast as it comes: there is nothing to answer before its end. */
const LARGE_REQUEST_BYTES = 24576
/**
 * But no more than this in one turn, of all connections together: a hundred producers with large batches would hold up
 * everybody else's short requests for as long as it takes to read them all.
 */
const LARGE_TURN_BYTES = 256 * 1024
/** All sockets of the process read into this one buffer: what is read is consumed, or copied, before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
const longReadBuffer = Buffer.allocUnsafeSlow(LONG_READ_BYTES)
const largeReadBuffer = Buffer.allocUnsafeSlow(LARGE_READ_BYTES)
/** For listeners that have a size of their own. */
const readBuffers = new Map<number, Buffer>()

function readBufferOf(sizeBytes: number): Buffer {
  let buffer = readBuffers.get(sizeBytes)
  if (buffer === undefined) readBuffers.set(sizeBytes, (buffer = Buffer.allocUnsafeSlow(sizeBytes)))
  return buffer
}

/** One listening socket that opens connections for a protocol. */
export class Listener {
  readonly #server: Server
  readonly #protocol: Protocol<unknown>
  readonly #options: ListenerOptions
  readonly #connections = new Set<Connection>()
  readonly #handshakes: TlsHandshakes | null
  #path: string | undefined
  /** Set while it closes: the last connection has gone. */
  #onEmpty: (() => void) | null = null
  acceptedCount = 0

  constructor(protocol: Protocol<unknown>, options: ListenerOptions) {
    this.#protocol = protocol
    this.#options = options
    const { tls } = options
    this.#handshakes =
      tls === undefined
        ? null
        : new TlsHandshakes({ ...tls, onSecure: (stream) => this.#welcomeStream(new StreamSocket(stream)) })
    this.#server = createServer({ pauseOnConnect: tls === undefined, noDelay: true, allowHalfOpen: true }, (stream) => {
      this.#count()
      if (this.#handshakes === null) this.#welcomeStream(new StreamSocket(stream))
      else this.#handshakes.begin(stream)
    })
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** The port that was given or chosen; 0 for a unix socket. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES ...). */
  listen(address: ListenAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      const listening = () => {
        this.#server.off('error', reject)
        // Running out of file descriptors while accepting: the connection is lost, the listener goes on.
        this.#server.on('error', () => {})
        if (address.path !== undefined && address.mode !== undefined) chmodSync(address.path, address.mode)
        if (this.#handshakes === null) {
          acceptRaw(this.#server, (socket) => {
            this.#count()
            this.#welcomeRaw(socket)
          })
        }
        resolve()
      }
      const backlog = Math.max(address.backlog ?? 0, BACKLOG_MIN)
      if (address.path !== undefined) {
        this.#path = address.path
        rmSync(address.path, { force: true })
        this.#server.listen({ path: address.path, backlog }, listening)
      } else {
        // Without this, an address of IPv6 would take the port of IPv4 too, and refuse to stand beside it.
        const ipv6Only = address.host?.includes(':') ?? false
        this.#server.listen({ host: address.host, port: address.port, backlog, ipv6Only }, listening)
      }
    })
  }

  /** Stops accepting; open connections go on. */
  stopAccepting(): void {
    this.#server.close()
  }

  /** Closes the listener and every connection; replies already given are sent first. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#handshakes?.close()
    for (const connection of this.#connections) connection.closeAfterReplies()
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      if (this.#connections.size === 0) resolve()
    })
    // A peer that neither reads nor closes must not hold us.
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, 100)
    await closed
    await empty
    clearTimeout(timer)
    if (this.#path !== undefined) rmSync(this.#path, { force: true })
  }

  /** Closes every connection at once; replies that are under way are lost. */
  destroyConnections(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #count(): void {
    this.acceptedCount++
    connectionAccepted()
  }

  #welcomeRaw(socket: RawSocket): void {
    const { busyPollMs, keepAliveSeconds, readBytes } = this.#options
    const isUnix = this.#path !== undefined
    const remote = isUnix ? null : socket.remote
    const connection = this.#open(socket, remote, () => socket.local)
    if (connection === null) return
    if (keepAliveSeconds() > 0 && !isUnix) socket.keepAlive(keepAliveSeconds())
    let buffer = readBytes === undefined ? readBuffer : readBufferOf(readBytes)
    socket.readInto(buffer, (sizeBytes) => {
      busyPoll.inputArrived(busyPollMs())
      if (mustWait(sizeBytes === buffer.length)) {
        connection.hold(buffer, sizeBytes)
        return false
      }
      connection.receive(buffer, sizeBytes)
      if (connection.isInLine) return false
      const { requestBytes } = connection
      const isLarge = requestBytes >= LARGE_REQUEST_BYTES
      const isDrained = sizeBytes < buffer.length || (isLarge && isWithinTurn(sizeBytes))
      if (requestBytes >= LONG_REQUEST_BYTES && readBytes === undefined && buffer !== largeReadBuffer) {
        const next = requestBytes >= LARGER_REQUEST_BYTES ? largeReadBuffer : longReadBuffer
        if (next !== buffer) {
          socket.switchBuffer(next)
          buffer = next
        }
      }
      if (isDrained || connection.isReadingStopped) return true
      readInNextTurn(connection)
      return false
    })
    socket.resume()
  }

  /** What is read lies in a buffer of its own already: it was decrypted, or there is no other way here. */
  #welcomeStream(socket: StreamSocket): void {
    const { stream } = socket
    const { busyPollMs, keepAliveSeconds } = this.#options
    const remote = { address: stream.remoteAddress ?? '', port: stream.remotePort ?? 0 }
    const local = { address: stream.localAddress ?? '', port: stream.localPort ?? 0 }
    const connection = this.#open(socket, remote, () => local)
    if (connection === null) return
    if (keepAliveSeconds() > 0 && this.#path === undefined) stream.setKeepAlive(true, keepAliveSeconds() * 1000)
    stream.on('data', (bytes: Buffer) => {
      busyPoll.inputArrived(busyPollMs())
      connection.receive(bytes, bytes.length)
      if (connection.isInLine) stream.pause()
    })
    socket.resume()
  }

  /** Null: the peer was refused, and has been told why. */
  #open(socket: PeerSocket, remote: SocketAddress | null, localAddress: () => SocketAddress | null): Connection | null {
    const isUnix = this.#path !== undefined
    const remoteAddress = remote?.address ?? ''
    const refusal =
      this.#options.refuse?.({ remoteAddress, isLoopback: isUnix || isLoopbackAddress(remoteAddress) }) ?? null
    if (refusal !== null) {
      socket.owner = NOBODY
      socket.write(Buffer.from(refusal))
      socket.end()
      return null
    }
    const addresses = isUnix
      ? { remote: `${this.#path}:0`, local: `${this.#path}:0` }
      : { remote: withPort(remote), local: withPort(localAddress()) }
    const connection = new Connection(socket, this.#protocol, this.#options.limits, addresses, (closed) => {
      this.#connections.delete(closed)
      if (this.#connections.size === 0) this.#onEmpty?.()
    })
    this.#connections.add(connection)
    connection.open()
    return connection
  }
}

/** Whom a socket tells that is closed before it was a connection's. */
const NOBODY: SocketOwner = { drained() {}, ended() {}, closed() {} }

/** What was read of large requests in this turn. */
let largeBytes = 0

function isWithinTurn(sizeBytes: number): boolean {
  if (largeBytes === 0) {
    setImmediate(() => {
      largeBytes = 0
    })
  }
  largeBytes += sizeBytes
  return largeBytes <= LARGE_TURN_BYTES
}

let nextTurn: Connection[] = []

/** Goes on reading once every other connection that has something to read has had its turn. */
function readInNextTurn(connection: Connection): void {
  if (nextTurn.length === 0) {
    setImmediate(() => {
      const connections = nextTurn
      nextTurn = []
      for (const each of connections) {
        if (!each.isReadingStopped && !each.socket.isDestroyed) each.socket.resume()
      }
    })
  }
  nextTurn.push(connection)
}

function withPort(place: SocketAddress | null): string {
  const { address, port } = place ?? { address: '', port: 0 }
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function isLoopbackAddress(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}
