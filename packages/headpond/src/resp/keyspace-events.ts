import { KEYSPACE_EVENTS } from '../config/value-types.ts'
import type { StoreObserver } from '../store/events.ts'
import type { Store } from '../store/store.ts'
import type { PubSub } from './pubsub.ts'

/**
 * Everyone who wants to hear of changes to keys: WATCH, notifications, and whoever else comes to need it. The store is
 * observed only while somebody does, so that otherwise a write pays one check.
 */
export class KeyspaceObservers implements StoreObserver {
  readonly #store: Store
  /** Replaced, never changed: an observer may leave while all are being told. */
  #observers: readonly StoreObserver[] = []

  constructor(store: Store) {
    this.#store = store
  }

  add(observer: StoreObserver): void {
    if (this.#observers.includes(observer)) return
    this.#observers = [...this.#observers, observer]
    this.#observe()
  }

  remove(observer: StoreObserver): void {
    this.#observers = this.#observers.filter((each) => each !== observer)
    this.#observe()
  }

  #observe(): void {
    const [first, second] = this.#observers
    this.#store.observe(second === undefined ? (first ?? null) : this)
  }

  keyChanged(database: number, bytes: Uint8Array, start: number, end: number): void {
    for (const observer of this.#observers) observer.keyChanged(database, bytes, start, end)
  }

  event(eventClass: number, name: string, database: number, bytes: Uint8Array, start: number, end: number): void {
    for (const observer of this.#observers) observer.event(eventClass, name, database, bytes, start, end)
  }

  flushed(database: number): void {
    for (const observer of this.#observers) observer.flushed(database)
  }
}

/** Publishes keyspace events as messages, as `notify-keyspace-events` asks for. */
export class KeyspaceNotifications implements StoreObserver {
  readonly #pubsub: PubSub
  readonly #observers: KeyspaceObservers
  #classes = 0

  constructor(pubsub: PubSub, observers: KeyspaceObservers) {
    this.#pubsub = pubsub
    this.#observers = observers
  }

  /** Bits of KEYSPACE_EVENTS. Without a kind of channel, or without a class of events, there is nothing to publish. */
  setClasses(classes: number): void {
    this.#classes = classes
    const hasChannels = (classes & CHANNEL_BITS) !== 0
    const hasEvents = (classes & ~CHANNEL_BITS) !== 0
    if (hasChannels && hasEvents) this.#observers.add(this)
    else this.#observers.remove(this)
  }

  keyChanged(): void {}

  event(eventClass: number, name: string, database: number, bytes: Uint8Array, start: number, end: number): void {
    if ((this.#classes & eventClass) === 0 || !this.#pubsub.hasSubscribers) return
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    if ((this.#classes & KEYSPACE_EVENTS.keyspace) !== 0) {
      this.#pubsub.publish(`__keyspace@${database}__:${key.toString('latin1')}`, Buffer.from(name))
    }
    if ((this.#classes & KEYSPACE_EVENTS.keyevent) !== 0) {
      this.#pubsub.publish(`__keyevent@${database}__:${name}`, key)
    }
  }

  flushed(): void {}
}

const CHANNEL_BITS = KEYSPACE_EVENTS.keyspace | KEYSPACE_EVENTS.keyevent
