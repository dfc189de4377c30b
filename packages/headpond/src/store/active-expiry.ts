import type { Store } from './store.ts'

/**
 * Deletes keys whose time has come though nobody asks for them.
 *
 * Redis samples, and works on while many of a sample are due. The expiry index tells which keys are due, so a round is
 * exact: every database's index once, skipping what is not due by chunks. It goes in steps so small that the time is
 * checked every few tens of microseconds, and the next run takes a round up where the last one stopped.
 */
const ENTRIES_PER_STEP = 16_384
const EXPIRED_PER_STEP = 64

export class ActiveExpiry {
  readonly #store: Store
  /** Switched off by DEBUG SET-ACTIVE-EXPIRE 0: keys then go when somebody looks at them. */
  isEnabled = true
  /** Runs that had to stop before the round was complete. */
  cutShortCount = 0
  /** Databases that this round has yet to visit, the current one included; 0 between rounds. */
  #databasesLeft = 0
  #databaseIndex = 0
  /** Entries of the current database that this round has yet to look at. */
  #entriesLeft = 0

  constructor(store: Store) {
    this.#store = store
  }

  /** Goes on with the round, or begins one, until it is complete or `isOutOfTime` says so. Returns whether it must go on. */
  run(isOutOfTime: () => boolean): boolean {
    const store = this.#store
    if (!this.isEnabled || store.keepsExpired) return false
    const { databases } = store
    if (this.#databasesLeft === 0) {
      this.#databasesLeft = databases.length
      this.#enter(this.#databaseIndex)
    }
    for (;;) {
      const database = databases[this.#databaseIndex]
      if (this.#entriesLeft > 0 && database.expires.count > 0) {
        const { looked, expired } = database.expires.collectDue(
          store.nowMs,
          Math.min(ENTRIES_PER_STEP, this.#entriesLeft),
          EXPIRED_PER_STEP,
          (handle) => database.expire(handle),
        )
        this.#entriesLeft -= looked + expired
        if (isOutOfTime()) {
          this.cutShortCount++
          return true
        }
      } else {
        this.#databasesLeft--
        this.#enter((this.#databaseIndex + 1) % databases.length)
        if (this.#databasesLeft === 0) return false
      }
    }
  }

  /** Deletes every key that is due now, however long it takes. */
  finish(): void {
    this.#databasesLeft = 0
    this.run(() => false)
  }

  #enter(databaseIndex: number): void {
    this.#databaseIndex = databaseIndex
    this.#entriesLeft = this.#store.databases[databaseIndex].expires.count
  }
}
