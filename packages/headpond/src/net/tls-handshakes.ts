import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import type { Clock, ScheduledCall } from './clock.ts'

/** Who connects and says nothing, or not enough, is let go. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** Beyond so many at a time the oldest gives way: nobody can hold the door by not coming in. */
const HANDSHAKES_MAX = 1024

export interface TlsHandshakesOptions {
  /** With what to meet the next connection. Other options than before take effect for connections from then on. */
  readonly options: () => TlsOptions
  readonly clock: Clock
  /** The peer may come in. */
  readonly onSecure: (socket: TLSSocket) => void
  readonly onFailure: (remoteAddress: string, reason: string) => void
}

interface Handshake {
  readonly socket: Socket
  readonly timeout: ScheduledCall
}

/** Accepted sockets on their way to being encrypted ones. */
export class TlsHandshakes {
  readonly #parts: TlsHandshakesOptions
  /** By the peer's address and port, in the order of arrival. */
  readonly #pending = new Map<string, Handshake>()
  /** Never listens: it is given sockets. Another one for other options. */
  #server: Server | null = null
  #serverOptions: TlsOptions | null = null

  constructor(parts: TlsHandshakesOptions) {
    this.#parts = parts
  }

  begin(socket: Socket): void {
    const peer = `${socket.remoteAddress} ${socket.remotePort}`
    const timeout = this.#parts.clock.schedule(HANDSHAKE_TIMEOUT_MS, () => {
      this.#fail(socket, peer, `nothing came of it in ${HANDSHAKE_TIMEOUT_MS / 1000} seconds`)
    })
    this.#pending.set(peer, { socket, timeout })
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#end(peer, socket))
    if (this.#pending.size > HANDSHAKES_MAX) {
      const [[oldest, handshake]] = this.#pending
      this.#fail(handshake.socket, oldest, 'there are too many at a time')
    }
    this.#serverFor(this.#parts.options()).emit('connection', socket)
  }

  /** Lets go of everybody who is not in yet. */
  close(): void {
    for (const { socket } of this.#pending.values()) socket.destroy()
  }

  #serverFor(options: TlsOptions): Server {
    if (this.#server !== null && this.#serverOptions === options) return this.#server
    const server = createServer({ ...options, allowHalfOpen: true }, (secure) => {
      const { remoteAddress, remotePort } = secure
      const peer = `${remoteAddress} ${remotePort}`
      const problem = problemOf(secure, options)
      secure.on('error', () => {}) // 'close' follows
      if (problem !== null) return this.#fail(secure, peer, problem)
      this.#end(peer)
      this.#parts.onSecure(secure)
    })
    server.on('tlsClientError', (error, secure) => {
      const { remoteAddress, remotePort } = secure
      this.#fail(secure, `${remoteAddress} ${remotePort}`, reasonOf(error))
    })
    this.#server = server
    this.#serverOptions = options
    return server
  }

  #fail(socket: Socket, peer: string, reason: string): void {
    const [address] = peer.split(' ')
    // A peer that leaves has no address any more, and nothing went wrong.
    if (address !== 'undefined') this.#parts.onFailure(address, reason)
    this.#end(peer)
    socket.destroy()
  }

  #end(peer: string, socket?: Socket): void {
    const handshake = this.#pending.get(peer)
    if (handshake === undefined || (socket !== undefined && handshake.socket !== socket)) return
    handshake.timeout.cancel()
    this.#pending.delete(peer)
  }
}

/** `tls-auth-clients optional`: nobody has to show a certificate, but one that is shown must be good. */
function problemOf(socket: TLSSocket, { requestCert, rejectUnauthorized }: TlsOptions): string | null {
  if (!requestCert || rejectUnauthorized || socket.authorized) return null
  if (Object.keys(socket.getPeerCertificate()).length === 0) return null
  return `the certificate of the client is not accepted: ${socket.authorizationError}`
}

/** `wrong version number`: what a peer that speaks no TLS looks like to OpenSSL. */
function reasonOf(error: Error): string {
  const { reason, code } = error as { reason?: string; code?: string }
  return reason ?? code ?? error.message
}
