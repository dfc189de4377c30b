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
  /** The peer will send no more; true closes the connection, false keeps it (a reply may still be due). */
  ended?(session: Session): boolean
}
