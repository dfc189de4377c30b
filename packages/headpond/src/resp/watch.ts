import { NONE } from '../memory/heap.ts'
import type { StoreObserver } from '../store/events.ts'
import { NEVER } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Client } from './client.ts'
import type { KeyspaceObservers } from './keyspace-events.ts'

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
  /** For each database the clients that watch a key, under the key's bytes as text. */
  readonly #byDatabase: Map<string, Set<Client>>[]
  readonly #keysOf = new Map<Client, WatchedKey[]>()

  constructor(store: Store, observers: KeyspaceObservers) {
    this.#store = store
    this.#observers = observers
    this.#byDatabase = store.databases.map(() => new Map())
  }

  /** Clients that watch a key. */
  get clientCount(): number {
    return this.#keysOf.size
  }

  /** How many keys a client watches. */
  keyCountOf(client: Client): number {
    return this.#keysOf.get(client)?.length ?? 0
  }

  watch(client: Client, bytes: Uint8Array, start: number, end: number): void {
    // No point in watching more when EXEC will refuse anyway.
    if (client.isWatchBroken) return
    const { database } = client
    const name = nameOf(bytes, start, end)
    // An expired key is deleted by this look, and counts as missing: its deletion is no change.
    const existed = database.peek(bytes, start, end) !== NONE
    const watchers = this.#byDatabase[database.index].get(name)
    if (watchers?.has(client)) return
    if (watchers === undefined) this.#byDatabase[database.index].set(name, new Set([client]))
    else watchers.add(client)
    const keys = this.#keysOf.get(client)
    if (keys === undefined) this.#keysOf.set(client, [{ database: database.index, name, existed, isStale: false }])
    else keys.push({ database: database.index, name, existed, isStale: false })
    if (this.#keysOf.size === 1) this.#observers.add(this)
  }

  unwatch(client: Client): void {
    const keys = this.#keysOf.get(client)
    if (keys === undefined) return
    this.#keysOf.delete(client)
    for (const { database, name } of keys) {
      const watchers = this.#byDatabase[database].get(name)
      watchers?.delete(client)
      if (watchers?.size === 0) this.#byDatabase[database].delete(name)
    }
    if (this.#keysOf.size === 0) this.#observers.remove(this)
  }

  /** Notices watched keys of a client whose time has come: looking at one deletes it, which breaks the watch. */
  expireDue(client: Client): void {
    for (const { database, name } of this.#keysOf.get(client) ?? []) {
      const key = Buffer.from(name, 'latin1')
      this.#store.databases[database].peek(key, 0, key.length)
    }
  }

  // ---- What happens to keys ----

  keyChanged(database: number, bytes: Uint8Array, start: number, end: number): void {
    const watchers = this.#byDatabase[database]
    if (watchers.size === 0) return
    const name = nameOf(bytes, start, end)
    const clients = watchers.get(name)
    if (clients === undefined) return
    for (const client of clients) {
      const key = this.#keysOf.get(client)?.find((each) => each.database === database && each.name === name)
      if (key?.isStale && this.#stateOf(key) === 'missing') key.isStale = false
      else this.#break(client)
    }
  }

  event(): void {}

  flushed(database: number): void {
    for (const [client, keys] of this.#keysOf) {
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
    const key = Buffer.from(name, 'latin1')
    const store = this.#store
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
