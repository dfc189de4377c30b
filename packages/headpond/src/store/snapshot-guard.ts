import type { Dict } from '../memory/dict.ts'
import type { Handle } from '../memory/heap.ts'
import type { Database } from './database.ts'
import type { FreeJob } from './lazy-free.ts'

/**
 * How a snapshot in progress sees the state of one moment while writers go on: a record that it has not saved yet is
 * shown to it before the first change.
 *
 * Each snapshot has a number, the epoch. A record carries the epoch of the snapshot for which it was saved last, or in
 * which it was made: records of an older epoch are those that the running snapshot still has to save. So none is saved
 * twice, none that is younger than the snapshot is saved at all, and nothing has to be undone when a snapshot ends early.
 *
 * The store calls this in front of every change of a value in place, every change of an expiry, and every removal:
 * Database.write, setExpiry, clearExpiry, remove, removeKeepingValue and expire do. Code that changes a value in place
 * without any of them calls Database.preserve.
 */
export interface SnapshotGuard {
  /** A record of an older epoch is about to change, move or go. It has the current epoch afterwards. */
  save(database: Database, handle: Handle): void
  /**
   * A database was emptied: `dict` is what it held, and `job` would free it. The snapshot either takes both over, until
   * it needs the records no more, or returns false.
   */
  keepFlushed(dict: Dict, job: FreeJob): boolean
  /**
   * Large values that were deleted, and that it keeps until they are saved, are saved now, however long it takes: memory is
   * short. False: there are none.
   */
  freeDeleted(): boolean
  /** All databases are about to be emptied. False: the snapshot has ended, and nothing needs to be kept. */
  keepsFlushedAll(): boolean
}
