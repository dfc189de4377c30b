/**
 * What a connection asks of the socket that it has: a RawSocket, or a StreamSocket where there is encryption, and on runtimes that
 * let nobody see what lies beneath their sockets.
 */
export interface PeerSocket {
  /** Whom to tell; set before anything can happen. */
  owner: SocketOwner
  /** Whether the system mostly takes at once what is written; else it is kept for a while, by encryption or a stream. */
  readonly isDirect: boolean
  /** Nothing can be sent or received any more. */
  readonly isDestroyed: boolean
  /** The system has not taken all that was written. */
  readonly isBackedUp: boolean
  /** Of what was written. */
  readonly unsentBytes: number
  /** -1 when there is none. */
  readonly fileDescriptor: number
  /** The certificate that the peer has shown, in DER; null without encryption, and when it has shown none. */
  readonly peerCertificate: Uint8Array | null
  /** Sends bytes behind all others. They stay as they are until the system has taken them, which it mostly does at once: see `isBackedUp`. */
  write(bytes: Uint8Array): void
  /** As `write` of one after the other. */
  writeAll(list: readonly Uint8Array[]): void
  /** Leaves what comes in the system. */
  pause(): void
  resume(): void
  /** Closes when all that was written has been taken. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

/** None of these is called from within a call of the socket. */
export interface SocketOwner {
  /** The system has taken all that it had not taken at once. */
  drained(): void
  /** The peer sends nothing more; it may still read. */
  ended(): void
  /** It is over, for whatever reason. */
  closed(): void
}
