import { type Handle, NONE } from '../memory/heap.ts'
import { itemState } from '../store/item.ts'
import type { MemcachedEngine } from './engine.ts'
import type { Session } from './session.ts'

/** The kinds of events that `watch` knows. Those without a source here are accepted, and silent. */
const STREAMS = new Set([
  'fetchers',
  'mutations',
  'evictions',
  'connevents',
  'sysevents',
  'rawcmds',
  'proxyreqs',
  'proxyevents',
  'proxyuser',
])

/** Listeners at most, as in memcached. */
const LISTENERS_MAX = 20
/** What a listener may leave unread; further events are dropped, and counted. */
const UNREAD_BYTES_MAX = 256 * 1024

/** The log of commands and connections that sessions can listen to (`watch`). */
export class LogStreams {
  readonly #engine: MemcachedEngine
  /** Who listens, with the events that were dropped since the last one sent. */
  readonly #listeners = new Map<Session, number>()
  #nextEventId = 1
  sentCount = 0
  skippedCount = 0

  constructor(engine: MemcachedEngine) {
    this.#engine = engine
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  /** Lets a session listen. Returns what to answer it. */
  add(session: Session, names: readonly string[]): string {
    if (names.some((name) => !STREAMS.has(name))) return 'ERROR'
    if (this.#listeners.size === LISTENERS_MAX) return 'WATCHER_TOO_MANY log watcher limit reached'
    session.watched = new Set(names.length === 0 ? ['fetchers'] : names)
    this.#listeners.set(session, 0)
    this.#engine.updateObserved()
    return 'OK'
  }

  remove(session: Session): void {
    if (!this.#listeners.delete(session)) return
    session.watched = null
    this.#engine.updateObserved()
  }

  fetched(session: Session, chunk: Uint8Array, start: number, end: number, handle: Handle): void {
    if (!this.#isHeard('fetchers')) return
    const { items, store } = this.#engine
    const status = handle === NONE ? 'not_found' : 'found'
    const sizeClass = handle === NONE ? 0 : items.classOf(handle)
    const sizeBytes = handle === NONE ? 0 : store.records.valueSize(handle)
    const key = keyText(chunk, start, end)
    this.#send(
      'fetchers',
      `type=item_get key=${key} status=${status} clsid=${sizeClass} cfd=${session.id} size=${sizeBytes}`,
    )
  }

  stored(
    session: Session,
    chunk: Uint8Array,
    start: number,
    end: number,
    status: string,
    command: string,
    ttlSeconds: number,
    valueBytes: number,
  ): void {
    if (!this.#isHeard('mutations')) return
    const key = keyText(chunk, start, end)
    const { items } = this.#engine
    const sizeClass = items.handle === NONE ? 0 : items.classOf(items.handle)
    const facts = `cmd=${command} ttl=${ttlSeconds} clsid=${sizeClass} cfd=${session.id} size=${valueBytes}`
    this.#send('mutations', `type=item_store key=${key} status=${status} ${facts}`)
  }

  /** Whether somebody wants to know what is evicted. */
  get hearsEvictions(): boolean {
    return this.#isHeard('evictions')
  }

  /** A key is about to be evicted. */
  evicted(handle: Handle): void {
    const { items, store } = this.#engine
    const { records } = store
    const key = records.keyCopy(handle)
    const isFetched = (items.stateOf(handle) & itemState.FETCHED) !== 0
    const facts = [
      `fetch=${isFetched ? 'yes' : 'no'}`,
      `ttl=${items.ttlSeconds(handle)}`,
      `la=${items.idleSeconds(handle)}`,
      `clsid=${items.classOf(handle)}`,
      `size=${records.valueSize(handle)}`,
    ]
    this.#send('evictions', `type=eviction key=${keyText(key, 0, key.length)} ${facts.join(' ')}`)
  }

  connectionOpened(session: Session): void {
    if (this.#isHeard('connevents')) this.#send('connevents', `type=conn_new ${peerText(session)} cfd=${session.id}`)
  }

  connectionClosed(session: Session): void {
    if (!this.#isHeard('connevents')) return
    this.#send('connevents', `type=conn_close ${peerText(session)} reason=${session.endReason} cfd=${session.id}`)
  }

  #isHeard(stream: string): boolean {
    for (const listener of this.#listeners.keys()) if (listener.watched?.has(stream)) return true
    return false
  }

  #send(stream: string, text: string): void {
    const nowUs = this.#engine.host.clock.nowUs()
    const seconds = Math.floor(nowUs / 1e6)
    const microseconds = String(nowUs - seconds * 1e6).padStart(6, '0')
    const bytes = Buffer.from(`ts=${seconds}.${microseconds} gid=${this.#nextEventId++} ${text}\n`)
    for (const [listener, skippedCount] of this.#listeners) {
      if (!listener.watched?.has(stream)) continue
      if (listener.connection.unsentBytes > UNREAD_BYTES_MAX) {
        this.skippedCount++
        this.#listeners.set(listener, skippedCount + 1)
        continue
      }
      if (skippedCount > 0) {
        this.#engine.push(listener, Buffer.from(`skipped=${skippedCount}\n`))
        this.#listeners.set(listener, 0)
      }
      this.sentCount++
      this.#engine.push(listener, bytes)
    }
  }
}

/** A key with everything escaped but letters, digits and `-_.~`, as in the log of memcached. */
export function keyText(chunk: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = chunk[at]
    const character = String.fromCharCode(byte)
    text += /[A-Za-z0-9\-_.~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

function peerText(session: Session): string {
  const { remoteAddress } = session.connection
  if (remoteAddress.startsWith('/')) return 'rip=unix rport=0 transport=local'
  const colon = remoteAddress.lastIndexOf(':')
  return `rip=${remoteAddress.slice(0, colon).replace(/[[\]]/g, '')} rport=${remoteAddress.slice(colon + 1)} transport=tcp`
}
