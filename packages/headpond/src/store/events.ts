/**
 * What happens to keys, for those who watch: transactions (WATCH), keyspace notifications, client-side caching,
 * blocked clients. The store tells; it does not know who listens.
 */

export interface StoreObserver {
  /**
   * The value or expiry of a key changed, or the key appeared or went. Called after the change, in the order of changes.
   * The key's bytes are valid during the call only.
   */
  keyChanged(database: number, bytes: Uint8Array, start: number, end: number): void
  /** A keyspace event: its class, a bit of KEYSPACE_EVENTS, and its `name` as Redis publishes it. Called after `keyChanged` where both apply. */
  event(eventClass: number, name: string, database: number, bytes: Uint8Array, start: number, end: number): void
  /**
   * All keys of a database went at once (-1: of every database), or gave way to another database's (SWAPDB): a key
   * that was there before or is there now has changed.
   */
  flushed(database: number): void
}
