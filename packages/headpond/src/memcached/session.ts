import type { Connection } from '../net/connection.ts'

/** One conversation of memcached's, in whichever of its two protocols. */
export class Session {
  readonly id: number
  readonly connection: Connection
  readonly createdAtMs: number
  lastCommandAtMs: number
  /** Decided by the first byte. */
  protocol: 'unknown' | 'text' | 'binary' = 'unknown'
  isAuthenticated: boolean
  /** Who it has proved to be. */
  user: string | null = null
  /** Bytes of a refused value that are still to come, and are passed over. */
  swallowBytes = 0
  /** The bytes that the request will have which was cut: nothing is looked at again before they are there. */
  neededBytes = 0
  /** Of a line whose end has not come, the bytes that were looked at. */
  unendedBytes = 0
  /** The command whose keys are answered in parts: what stands next are those that are left. */
  interrupted: 'get' | 'gets' | null = null
  closesAfterReply = false
  /** It has asked for the end of the server, once what it asked before is answered. */
  endsServer = false
  /** Why it ends, in the words of the log. */
  endReason: 'error' | 'normal' | 'idle_timeout' = 'normal'
  isStalled = false
  /** An answer is being made in steps: the next request waits. */
  isBusy = false
  /** Streams of the log that the session listens to; it sends no more commands then. */
  watched: ReadonlySet<string> | null = null
  isGone = false

  constructor(id: number, connection: Connection, nowMs: number, isAuthenticated: boolean) {
    this.id = id
    this.connection = connection
    this.createdAtMs = nowMs
    this.lastCommandAtMs = nowMs
    this.isAuthenticated = isAuthenticated
  }

  /** Whether the peer is on this machine. */
  get isLocal(): boolean {
    return /^(127\.|\[::1\]|\[::ffff:127\.|\/)/.test(this.connection.remoteAddress)
  }

  /** Ends with what it has been answered: what it sends is not to be trusted. */
  endWithError(): void {
    this.endReason = 'error'
    this.closesAfterReply = true
  }

  get mustWait(): boolean {
    return this.isBusy || this.isStalled || this.closesAfterReply || this.isGone
  }
}
