import { NONE } from '../memory/heap.ts'
import type { StoreObserver } from '../store/events.ts'
import { NEVER } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Client } from './client.ts'
import type { KeyspaceObservers } from './keyspace-events.ts'

/** What a client watches, from its first WATCH until that is over. */
interface Watch {
  readonly client: Client
  readonly keys: WatchedKey[]
  /** Its keys are on their way out of the maps. */
  isOver: boolean
}

/** So many keys of a watch that is over are forgotten in one turn of the event loop: a millisecond. */
const FORGOTTEN_AT_ONCE = 1000

interface WatchedKey {
  /** Of the database; clients stay with a number when SWAPDB changes what is behind it. */
  readonly database: number
  readonly name: string
  /** Whether there was such a key when WATCH was called. */
  readonly existed: boolean
  /** SWAPDB has put a key in its place whose time had come already: for the client nothing is there. */
  isStale: boolean
}

/**
 * Who watches which keys (WATCH). A change of a watched key breaks the watch of every client that has it: its EXEC will
 * refuse. Nothing is observed while nobody watches.
 *
 * Since the first change of a key ends the watch, `existed` is true until then: a flush touches exactly the keys that
 * existed when they were watched.
 */
export class Watches implements StoreObserver {
  readonly #store: Store
  readonly #observers: KeyspaceObservers
  /** For each database who watches a key, under the key's bytes as text. */
  readonly #byDatabase: Map<string, Set<Watch>>[]
  readonly #watches = new Map<Client, Watch>()

  constructor(store: Store, observers: KeyspaceObservers) {
    this.#store = store
    this.#observers = observers
    this.#byDatabase = store.databases.map(() => new Map())
  }

  /** Clients that watch a key. */
  get clientCount(): number {
    return this.#watches.size
  }

  /** Keys that anyone watches, or of which thousands are just being forgotten beside somebody who does. */
  get keyCount(): number {
    return this.#byDatabase.reduce((count, watchers) => count + watchers.size, 0)
  }

  /** How many keys a client watches. */
  keyCountOf(client: Client): number {
    return this.#watches.get(client)?.keys.length ?? 0
  }

  watch(client: Client, bytes: Uint8Array, start: number, end: number): void {
    // No point in watching more when EXEC will refuse anyway.
    if (client.isWatchBroken) return
    const { database } = client
    const name = nameOf(bytes, start, end)
    // An expired key is deleted by this look, and counts as missing: its deletion is no change.
    const existed = database.peek(bytes, start, end) !== NONE
    let watch = this.#watches.get(client)
    const watchers = this.#byDatabase[database.index].get(name)
    if (watch !== undefined && watchers?.has(watch)) return
    if (watch === undefined) {
      watch = { client, keys: [], isOver: false }
      this.#watches.set(client, watch)
      if (this.#watches.size === 1) this.#observers.add(this)
    }
    if (watchers === undefined) this.#byDatabase[database.index].set(name, new Set([watch]))
    else watchers.add(watch)
    watch.keys.push({ database: database.index, name, existed, isStale: false })
  }

  /** O(1): that of a million keys holds up nobody. */
  unwatch(client: Client): void {
    const watch = this.#watches.get(client)
    if (watch === undefined) return
    watch.isOver = true
    this.#watches.delete(client)
    this.#forgetSome(watch)
    if (this.#watches.size > 0) return
    this.#observers.remove(this)
    // With nobody left, all that is still there is over.
    for (const [database, watchers] of this.#byDatabase.entries()) {
      if (watchers.size > 0) this.#byDatabase[database] = new Map()
    }
  }

  #forgetSome(watch: Watch): void {
    for (let left = FORGOTTEN_AT_ONCE; left > 0; left--) {
      const key = watch.keys.pop()
      if (key === undefined) return
      const watchers = this.#byDatabase[key.database].get(key.name)
      watchers?.delete(watch)
      if (watchers?.size === 0) this.#byDatabase[key.database].delete(key.name)
    }
    if (watch.keys.length > 0) setImmediate(() => this.#forgetSome(watch))
  }

  /** Notices watched keys of a client whose time has come: looking at one deletes it, which breaks the watch. */
  expireDue(client: Client): void {
    for (const { database, name } of this.#watches.get(client)?.keys ?? []) {
      // Where nothing expires nothing is due.
      if (this.#store.databases[database].expires.count === 0) continue
      const key = Buffer.from(name, 'latin1')
      this.#store.databases[database].peek(key, 0, key.length)
    }
  }

  // ---- What happens to keys ----

  keyChanged(database: number, bytes: Uint8Array, start: number, end: number): void {
    const watchers = this.#byDatabase[database]
    if (watchers.size === 0) return
    const name = nameOf(bytes, start, end)
    for (const { client, keys, isOver } of watchers.get(name) ?? []) {
      if (isOver) continue
      const key = keys.find((each) => each.isStale && each.database === database && each.name === name)
      if (key !== undefined && this.#stateOf(key) === 'missing') key.isStale = false
      else this.#break(client)
    }
  }

  event(): void {}

  flushed(database: number): void {
    for (const [client, { keys }] of this.#watches) {
      const isTouched = keys.some((key) => (database === -1 || database === key.database) && this.#isTouched(key))
      if (isTouched) this.#break(client)
    }
  }

  /** Whether a watched key went with its database, or another database brought one of this name (SWAPDB). */
  #isTouched(key: WatchedKey): boolean {
    if (key.existed) return true
    const state = this.#stateOf(key)
    key.isStale = state === 'stale'
    return state === 'live'
  }

  /** What stands under the name of a watched key, without the deletion that a look at a stale one means. */
  #stateOf({ database, name }: WatchedKey): 'missing' | 'stale' | 'live' {
    const store = this.#store
    if (store.databases[database].count === 0) return 'missing'
    const key = Buffer.from(name, 'latin1')
    const { keepsExpired } = store
    store.keepsExpired = true
    const handle = store.databases[database].peek(key, 0, key.length)
    store.keepsExpired = keepsExpired
    if (handle === NONE) return 'missing'
    const expireAtMs = store.records.expireAtMs(handle)
    return expireAtMs === NEVER || store.nowMs < expireAtMs ? 'live' : 'stale'
  }

  #break(client: Client): void {
    client.isWatchBroken = true
    this.unwatch(client)
  }
}

function nameOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
