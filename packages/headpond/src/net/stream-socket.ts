import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { PeerSocket, SocketOwner } from './peer-socket.ts'

/** One of Node's sockets, encrypted or not, as a connection has it. */
export class StreamSocket implements PeerSocket {
  owner!: SocketOwner
  readonly isDirect = false
  readonly stream: Socket

  constructor(stream: Socket) {
    this.stream = stream
    stream.on('drain', () => this.owner.drained())
    stream.on('end', () => this.owner.ended())
    stream.on('error', () => {}) // 'close' follows
    stream.on('close', () => this.owner.closed())
  }

  get isDestroyed(): boolean {
    return this.stream.destroyed
  }

  get isBackedUp(): boolean {
    return this.stream.writableLength > 0
  }

  get unsentBytes(): number {
    return this.stream.writableLength
  }

  get fileDescriptor(): number {
    return (this.stream as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
  }

  get peerCertificate(): Uint8Array | null {
    return this.stream instanceof TLSSocket ? (this.stream.getPeerCertificate()?.raw ?? null) : null
  }

  write(bytes: Uint8Array): void {
    this.stream.write(bytes)
  }

  writeAll(list: readonly Uint8Array[]): void {
    this.stream.cork()
    for (const bytes of list) this.stream.write(bytes)
    this.stream.uncork()
  }

  pause(): void {
    this.stream.pause()
  }

  resume(): void {
    this.stream.resume()
  }

  end(): void {
    this.stream.end(() => this.stream.destroySoon())
  }

  destroy(): void {
    this.stream.destroy()
  }
}
