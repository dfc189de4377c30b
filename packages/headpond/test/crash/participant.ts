/**
 * One who works on a server that dies, and knows afterwards what must be there: everything that it did up to some moment,
 * and nothing that it did later.
 */

import type { Keyspace } from './keyspace.ts'
import type { LoadConnection } from './load-connection.ts'

/** What a crash may have taken. */
export interface CrashBounds {
  /** What was acknowledged until then must be there. By the machine's clock (`performanceNowMs`). */
  readonly keptUntilMs: number
  /** When it happened: what was sent later cannot be there. */
  readonly atMs: number
}

/** Where the history of one participant was cut: for the order among all. */
export interface Cut {
  readonly name: string
  /** When the last was sent that is there. */
  readonly lastKeptSentAtMs: number
  /** When the first was acknowledged that is not there. */
  readonly firstLostAckedAtMs: number
  /** Acknowledged, and not there. */
  readonly lostCount: number
  /** Not acknowledged, and there. */
  readonly unacknowledgedCount: number
}

export interface Participant {
  readonly name: string
  /** How many connections it needs. */
  readonly connectionCount: number
  readonly ackedCount: number
  /** Works until the connections are closed. Rejects for a reply that should not be. */
  work(connections: readonly LoadConnection[]): Promise<void>
  /**
   * Says what is wrong with what the server holds after the crash, by throwing. With `isContinued`, it goes on from there
   * the next time that it works; else it will be asked about another crash of the same history.
   */
  verify(keyspaces: readonly Keyspace[], bounds: CrashBounds, isContinued: boolean): Cut[]
}

/** Nothing is there of what came after something that is not: whoever was told of one thing may rely on it in the next. */
export function verifyOrder(cuts: readonly Cut[]): void {
  for (const kept of cuts) {
    for (const lost of cuts) {
      if (lost.firstLostAckedAtMs < kept.lastKeptSentAtMs) {
        throw new Error(
          `${kept.name} sent something that is there ${(kept.lastKeptSentAtMs - lost.firstLostAckedAtMs).toFixed(1)} ms ` +
            `after ${lost.name} was told of something that is not`,
        )
      }
    }
  }
}
