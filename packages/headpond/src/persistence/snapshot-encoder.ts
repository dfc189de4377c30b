import type { GrowingBuffer } from '../bytes/growing-buffer.ts'
import type { Handle } from '../memory/heap.ts'
import type { ValueParts } from './rdb/objects/value-parts.ts'

/** What a database holds when a snapshot begins. */
export interface DatabaseFigures {
  readonly index: number
  readonly keyCount: number
  readonly expiringCount: number
}

/**
 * The form in which a snapshot writes what it sees: an RDB file, or commands. It writes into `main`; while a large value
 * is half written there, the records that must be saved before a change go to `aside`, which is appended to `main` as soon
 * as that value is complete.
 */
export interface SnapshotEncoder {
  readonly main: GrowingBuffer
  readonly aside: GrowingBuffer
  /** Writes what comes before all records. */
  begin(databases: readonly DatabaseFigures[]): void
  /**
   * Writes a record: at once (null), or in parts. Those of one that is begun aside go to a place of their own, until
   * `goOn` says that nothing large is left before it in `main`.
   */
  record(database: number, handle: Handle, isAside: boolean): ValueParts | null
  /** Appends what has been written of a value that was begun aside to `main`, where its further parts go then. */
  goOn(database: number, parts: ValueParts): void
  /** Writes what comes behind all records. */
  end(): void
  /** Appends `aside` to `main`, and empties it. */
  join(): void
  /** What stands in `main` stays as it is: for checksums. Called after each step, so that none takes long. */
  seal(): void
  /** Moves the bytes of `main` to `room`, which is as long as they are. */
  leave(room: Uint8Array): void
}
