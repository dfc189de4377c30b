import type { Snapshot } from './snapshot.ts'

/** What a snapshot is for: an RDB file, the base of the append-only file, a replica. */
export type SnapshotPurpose = 'rdb' | 'aof' | 'replica'

export interface ActiveSnapshot {
  readonly purpose: SnapshotPurpose
  readonly snapshot: Snapshot
  readonly startedAtMs: number
}

/**
 * The snapshot of a server that is in progress: one at a time, as Redis has one child process at a time. It is in progress
 * until its last byte is safe.
 */
export class Snapshots {
  active: ActiveSnapshot | null = null

  /** Registers a snapshot that was just taken. There must be no other in progress. */
  begin(purpose: SnapshotPurpose, snapshot: Snapshot, startedAtMs: number): void {
    const active = { purpose, snapshot, startedAtMs }
    this.active = active
    const end = () => {
      if (this.active === active) this.active = null
    }
    snapshot.done.then(end, end)
  }

  isActive(purpose: SnapshotPurpose): boolean {
    return this.active?.purpose === purpose
  }
}
