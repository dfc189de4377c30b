import type { Connection } from './connection.ts'

/** What a protocol is to a listener: something that turns bytes into calls and owns no socket. */
export interface Protocol<Session> {
  readonly name: string
  open(connection: Connection): Session
  /**
   * Runs the whole requests in chunk[start, end) and returns where it stopped: at `end`, at the start of a request
   * that is not complete yet, or at the first one that must wait (then the protocol calls `connection.resume()` when
   * it may run). What is not consumed is passed again, longer, at the next call; the chunk is valid during the call
   * only. Bad input is a reply, not a throw.
   */
  consume(session: Session, chunk: Uint8Array, start: number, end: number): number
  /** The connection is gone, for whatever reason. Called exactly once. */
  closed(session: Session): void
  /**
   * The peer will send no more. True closes the connection once all replies are sent; false keeps it for a request that
   * still waits, and asks again after `connection.resume()`.
   */
  ended?(session: Session): boolean
  /** The peer has not taken `unsentBytes` of what was sent: called when this grows, never for a peer that keeps up. */
  outputGrew?(session: Session, unsentBytes: number): void
  /** True: the peer is so far behind that `consume` is to stop before its next request. False: it may go on. */
  outputStalled?(session: Session, isStalled: boolean): void
  /** A peer that had not taken all that was sent has taken it. */
  outputDrained?(session: Session): void
  /** Unconsumed input exceeds the limit; the connection is closed afterwards. */
  inputOverflowed?(session: Session): void
}
