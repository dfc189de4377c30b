import type { Handle } from '../memory/heap.ts'
import type { Database } from './database.ts'
import type { Store } from './store.ts'

/**
 * Deletes keys and fields of hashes whose time has come though nobody asks for them.
 *
 * Redis samples, and works on while many of a sample are due. The expiry index tells which keys are due, so a round is
 * exact: every database's two indices once, skipping what is not due by chunks. It goes in steps so small that the time is
 * checked every few tens of microseconds, and the next run takes a round up where the last one stopped.
 */
const ENTRIES_PER_STEP = 16_384
const EXPIRED_PER_STEP = 64
const HASHES_PER_STEP = 16
const FIELDS_PER_HASH = 16

export class ActiveExpiry {
  readonly #store: Store
  /** Switched off by DEBUG SET-ACTIVE-EXPIRE 0: keys then go when somebody looks at them. */
  isEnabled = true
  /** Runs that had to stop before the round was complete. */
  cutShortCount = 0
  /** Indices that this round has yet to visit, the current one included; 0 between rounds. */
  #indicesLeft = 0
  /** The current index: of database n, 2 * n is that of keys, 2 * n + 1 that of hashes with fields that expire. */
  #current = 0
  /** Entries of the current index that this round has yet to look at. */
  #entriesLeft = 0
  /** The database of the current index, while `run` runs. */
  #database!: Database
  readonly #expireKey = (handle: Handle) => this.#database.expire(handle, undefined, true)
  readonly #expireFields = (handle: Handle) => {
    // A hash that has more to give counts as an entry yet to be looked at.
    if (this.#store.hashes.expireFields(this.#database, handle, FIELDS_PER_HASH)) this.#entriesLeft++
  }

  constructor(store: Store) {
    this.#store = store
  }

  /** Goes on with the round, or begins one, until it is complete or `isOutOfTime` says so. Returns whether it must go on. */
  run(isOutOfTime: () => boolean): boolean {
    const store = this.#store
    if (!this.isEnabled || store.keepsExpired || store.defersExpiry) return false
    const { databases } = store
    if (this.#indicesLeft === 0) {
      this.#indicesLeft = databases.length * 2
      this.#enter(this.#current)
    }
    for (;;) {
      this.#database = databases[this.#current >>> 1]
      const isOfFields = this.#current % 2 === 1
      const index = isOfFields ? this.#database.fieldExpires : this.#database.expires
      if (this.#entriesLeft > 0 && index.count > 0) {
        const { looked, expired } = index.collectDue(
          store.nowMs,
          Math.min(ENTRIES_PER_STEP, this.#entriesLeft),
          isOfFields ? HASHES_PER_STEP : EXPIRED_PER_STEP,
          isOfFields ? this.#expireFields : this.#expireKey,
        )
        this.#entriesLeft -= looked + expired
        if (isOutOfTime()) {
          this.cutShortCount++
          return true
        }
      } else {
        this.#indicesLeft--
        this.#enter((this.#current + 1) % (databases.length * 2))
        if (this.#indicesLeft === 0) return false
      }
    }
  }

  /** Deletes every key that is due now, however long it takes. */
  finish(): void {
    this.#indicesLeft = 0
    this.run(() => false)
  }

  #enter(current: number): void {
    const { expires, fieldExpires } = this.#store.databases[current >>> 1]
    this.#current = current
    const index = current % 2 === 0 ? expires : fieldExpires
    index.rewind()
    this.#entriesLeft = index.count
  }
}
