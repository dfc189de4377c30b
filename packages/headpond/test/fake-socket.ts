import type { PeerSocket, SocketOwner } from '#src/net/peer-socket.ts'

/** A socket without a network, for tests that need a million connections: whatever is written counts as sent. */
export class FakeSocket implements PeerSocket {
  owner!: SocketOwner
  readonly isDirect = true
  readonly isBackedUp = false
  readonly unsentBytes = 0
  readonly fileDescriptor = -1
  readonly peerCertificate = null
  readonly sent: Buffer[] = []
  isDestroyed = false

  write(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes))
  }

  writeAll(list: readonly Uint8Array[]): void {
    for (const bytes of list) this.write(bytes)
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.isDestroyed) return
    this.isDestroyed = true
    queueMicrotask(() => this.owner.closed())
  }
}
