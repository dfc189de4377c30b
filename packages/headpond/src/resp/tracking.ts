import { KEYSPACE_EVENTS } from '../config/value-types.ts'
import type { StoreObserver } from '../store/events.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import type { RespEngine } from './engine.ts'
import { keysOf } from './key-extraction.ts'
import type { Request } from './request.ts'
import { TrackingTable } from './tracking-table.ts'

/**
 * Client-side caching (CLIENT TRACKING): the server tells clients when what they have read has changed.
 *
 * In the default mode it remembers who has read which key (`remember`, after each command of such a client), and the
 * first change of a key afterwards is told to its readers, once. In broadcasting mode it remembers nothing, and tells a
 * client of every change to keys that begin with its prefixes, together at the end of the turn.
 *
 * As in Redis, keys are known by name: a change in one database invalidates the key of that name in all of them.
 * A message to the client whose command caused it follows the reply (see `pushTo` of the engine), that of EXEC too.
 */
export interface TrackingOptions {
  readonly mode: 'default' | 'optin' | 'optout' | 'broadcast'
  readonly isNoLoop: boolean
  /** The client to send messages to; 0 for none but itself. */
  readonly redirectId: number
  /** Beginnings of keys, a character for each byte. */
  readonly prefixes: readonly string[]
}

/** What a client that caches has asked for. */
export interface Tracker {
  readonly client: Client
  /** Stands for the client in the table. */
  readonly number: number
  isOn: boolean
  mode: TrackingOptions['mode']
  isNoLoop: boolean
  redirectId: number
  /** The client that messages should go to was not there when there was one. */
  isRedirectBroken: boolean
  /** CLIENT CACHING was said, about the request or transaction that comes next. */
  isCachingSaid: boolean
  /** In broadcasting mode, in the order of their bytes. */
  readonly prefixes: Set<string>
}

/** A beginning of keys that clients have asked to be told of. */
interface Prefix {
  readonly trackers: Set<Tracker>
  /** Keys changed in this turn, a character for each byte, and the client whose command was the first to do so. */
  readonly changed: Map<string, Client | null>
}

/** Keys that give way in one go when the table is too full: at once, and for as long as that was not enough. */
const EVICTED_AT_ONCE_MAX = 100
const LAST_NUMBER = 0xfffffffe

export class Tracking implements StoreObserver {
  readonly #engine: RespEngine
  readonly table: TrackingTable
  /** Clients that have switched tracking on at some time; they stay until they disconnect. */
  readonly #trackers = new Map<number, Tracker>()
  readonly #prefixes = new Map<string, Prefix>()
  /** How many prefixes there are of each length: a key is looked up once for each, however many prefixes there are. */
  readonly #prefixLengths = new Map<number, number>()
  #lastNumber = 0
  /** Clients whose tracking is on. */
  clientCount = 0
  #isBroadcastDue = false
  #evictionEffort = 1

  constructor(engine: RespEngine) {
    this.#engine = engine
    this.table = new TrackingTable({
      hash: (bytes, start, end) => engine.store.hash(bytes, start, end),
      isPresent: (number) => this.#trackers.has(number),
    })
    engine.config.onChange('tracking-table-max-keys', () => {
      this.#limit(EVICTED_AT_ONCE_MAX)
      return undefined
    })
  }

  get prefixCount(): number {
    return this.#prefixes.size
  }

  // ---- Who tracks ----

  /** Switches tracking on, or changes its options. Prefixes add up. */
  enable(client: Client, options: TrackingOptions): void {
    client.tracker ??= this.#newTracker(client)
    const tracker = client.tracker
    if (!tracker.isOn) this.clientCount++
    tracker.isOn = true
    tracker.mode = options.mode
    tracker.isNoLoop = options.isNoLoop
    tracker.redirectId = options.redirectId
    tracker.isRedirectBroken = false
    if (options.mode === 'broadcast') {
      for (const prefix of options.prefixes.length === 0 ? [''] : options.prefixes) this.#subscribe(tracker, prefix)
    }
    client.updateSpecial()
  }

  disable(client: Client): void {
    const { tracker } = client
    if (tracker === null || !tracker.isOn) return
    for (const prefix of tracker.prefixes) this.#unsubscribe(tracker, prefix)
    tracker.isOn = false
    tracker.mode = 'default'
    tracker.isNoLoop = false
    tracker.isRedirectBroken = false
    tracker.isCachingSaid = false
    this.clientCount--
    client.updateSpecial()
  }

  /** The client has gone. With the last one that could be told, everything is forgotten. */
  forget(client: Client): void {
    const { tracker } = client
    if (tracker === null) return
    this.disable(client)
    client.tracker = null
    this.#trackers.delete(tracker.number)
    if (this.#trackers.size > 0) return
    this.#engine.keyspaceObservers.remove(this)
    this.table.clear()
  }

  #newTracker(client: Client): Tracker {
    do this.#lastNumber = this.#lastNumber === LAST_NUMBER ? 1 : this.#lastNumber + 1
    while (this.#trackers.has(this.#lastNumber))
    const tracker: Tracker = {
      client,
      number: this.#lastNumber,
      isOn: false,
      mode: 'default',
      isNoLoop: false,
      redirectId: 0,
      isRedirectBroken: false,
      isCachingSaid: false,
      prefixes: new Set(),
    }
    this.#trackers.set(tracker.number, tracker)
    this.#engine.keyspaceObservers.add(this)
    return tracker
  }

  #subscribe(tracker: Tracker, text: string): void {
    tracker.prefixes.add(text)
    const prefix = this.#prefixes.get(text)
    if (prefix !== undefined) prefix.trackers.add(tracker)
    else {
      this.#prefixes.set(text, { trackers: new Set([tracker]), changed: new Map() })
      this.#prefixLengths.set(text.length, (this.#prefixLengths.get(text.length) ?? 0) + 1)
    }
  }

  #unsubscribe(tracker: Tracker, text: string): void {
    tracker.prefixes.delete(text)
    const prefix = this.#prefixes.get(text)
    prefix?.trackers.delete(tracker)
    if (prefix?.trackers.size !== 0) return
    this.#prefixes.delete(text)
    const count = this.#prefixLengths.get(text.length)! - 1
    if (count === 0) this.#prefixLengths.delete(text.length)
    else this.#prefixLengths.set(text.length, count)
  }

  // ---- What was read ----

  /**
   * Remembers the keys that a command has read for a client. To be called after each command of a client that tracks,
   * within EXEC too; of a script, after each command that it calls, with the client that runs the script, and then after
   * the script: if it has read anything, all keys that were announced count as read, as in Redis 7.0.
   */
  remember(client: Client, command: Command, request: Request): void {
    const { tracker } = client
    if (tracker === null || !tracker.isOn || tracker.mode === 'broadcast') return
    const isScript = command.spec.group === 'scripting'
    if (isScript ? !this.#engine.scripts.runner.caller.hasRead : !command.isReadOnly) return
    if (tracker.isCachingSaid ? tracker.mode === 'optout' : tracker.mode === 'optin') return
    for (const { index } of keysOf(command, request) ?? []) {
      this.table.add(request.chunk, request.start(index), request.end(index), tracker.number)
    }
    this.#limit(EVICTED_AT_ONCE_MAX)
  }

  /** A request of a client is over: what CLIENT CACHING said of it, or of the whole transaction, holds no longer. */
  requestOver(client: Client, command: Command | null): void {
    const { tracker } = client
    if (tracker === null || !tracker.isCachingSaid || client.transaction !== null) return
    if (command?.parent?.spec.name !== 'CLIENT') tracker.isCachingSaid = false
  }

  /** Housekeeping: goes on to make room where the limit was lowered by more than one go removes. */
  cron(): void {
    const isWithin = this.#limit(EVICTED_AT_ONCE_MAX * this.#evictionEffort)
    this.#evictionEffort = isWithin ? 1 : this.#evictionEffort + 1
  }

  /** Lets keys give way at random until the table is within `tracking-table-max-keys`, but no more than `countMax`. */
  #limit(countMax: number): boolean {
    const { trackingTableMaxKeys: keyCountMax } = this.#engine.settings
    if (keyCountMax === 0) return true
    for (let left = countMax; this.table.keyCount > keyCountMax; left--) {
      if (left === 0) return false
      const key = this.table.randomKey(this.#engine.store.random)!
      this.#invalidate(key, 0, key.length, null)
    }
    return true
  }

  // ---- What changes ----

  keyChanged(_database: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#prefixes.size > 0) this.#noteForBroadcast(bytes, start, end)
    this.#passedOver = this.#invalidate(bytes, start, end, this.#engine.current)
  }
  /** Was not told of the last change, as it seemed to be its own doing. */
  #passedOver: Tracker | null = null

  /** What expires or is evicted is no client's doing, whoever noticed it: it is told despite NOLOOP. */
  event(eventClass: number, _name: string, _database: number, bytes: Uint8Array, start: number, end: number): void {
    if ((eventClass & (KEYSPACE_EVENTS.expired | KEYSPACE_EVENTS.evicted)) === 0) return
    const key = nameOf(bytes, start, end)
    if (this.#passedOver !== null) this.#send(this.#passedOver, encodeKeys([key]))
    this.#passedOver = null
    for (const length of this.#prefixLengths.keys()) {
      const changed = this.#prefixes.get(key.slice(0, length))?.changed
      if (changed?.has(key)) changed.set(key, null)
    }
  }

  /** After SWAPDB too, which Redis passes over: what clients have would be another database's. */
  flushed(): void {
    this.table.clear()
    for (const tracker of this.#trackers.values()) {
      if (tracker.isOn) this.#send(tracker, null)
    }
  }

  /**
   * Tells the readers of a key. The one whose command is the cause, if it does not want to hear of that, is returned
   * instead.
   */
  #invalidate(bytes: Uint8Array, start: number, end: number, cause: Client | null): Tracker | null {
    const readers = this.table.take(bytes, start, end)
    if (readers === null) return null
    let message: Buffer | null = null
    let passedOver: Tracker | null = null
    for (const number of readers) {
      const tracker = this.#trackers.get(number)
      if (tracker === undefined || !tracker.isOn || tracker.mode === 'broadcast') continue
      if (tracker.isNoLoop && tracker.client === cause) {
        passedOver = tracker
        continue
      }
      message ??= encodeKeys([nameOf(bytes, start, end)])
      this.#send(tracker, message)
    }
    return passedOver
  }

  // ---- Broadcasting ----

  #noteForBroadcast(bytes: Uint8Array, start: number, end: number): void {
    const key = nameOf(bytes, start, end)
    let isNoted = false
    for (const length of this.#prefixLengths.keys()) {
      if (length > key.length) continue
      const prefix = this.#prefixes.get(key.slice(0, length))
      if (prefix === undefined) continue
      isNoted = true
      if (!prefix.changed.has(key)) prefix.changed.set(key, this.#engine.current)
    }
    if (!isNoted || this.#isBroadcastDue) return
    this.#isBroadcastDue = true
    setImmediate(() => this.#broadcast())
  }

  #broadcast(): void {
    this.#isBroadcastDue = false
    const due = [...this.#prefixes].filter(([, { changed }]) => changed.size > 0)
    for (const [, prefix] of due.sort(([a], [b]) => (a < b ? -1 : 1))) {
      const changed = [...prefix.changed].sort(([a], [b]) => (a < b ? -1 : 1))
      prefix.changed.clear()
      let message: Buffer | null = null
      for (const tracker of prefix.trackers) {
        if (tracker.isNoLoop) {
          const byOthers = changed.filter(([, client]) => client !== tracker.client)
          if (byOthers.length > 0) this.#send(tracker, encodeKeys(byOthers.map(([key]) => key)))
        } else {
          message ??= encodeKeys(changed.map(([key]) => key))
          this.#send(tracker, message)
        }
      }
    }
  }

  // ---- Messages ----

  /** Sends keys, or null for all of them, to where a client wants to have them. */
  #send(tracker: Tracker, keys: Buffer | null): void {
    const { client, redirectId } = tracker
    const receiver = redirectId === 0 || redirectId === client.id ? client : this.#engine.clients.get(redirectId)
    if (receiver === undefined) {
      tracker.isRedirectBroken = true
      if (client.protocol === 3) client.push(Buffer.from(`>2\r\n$21\r\ntracking-redir-broken\r\n:${redirectId}\r\n`))
    } else if (receiver.protocol === 3) {
      receiver.push(Buffer.concat([PUSH_HEADER, keys ?? NIL_3]))
    } else if (redirectId !== 0 && receiver.isSubscribed) {
      receiver.push(Buffer.concat([MESSAGE_HEADER, keys ?? NIL_2]))
    }
    // Under RESP2 nothing can come between the replies of a client.
  }
}

const PUSH_HEADER = Buffer.from('>2\r\n$10\r\ninvalidate\r\n')
const MESSAGE_HEADER = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n')
const NIL_2 = Buffer.from('$-1\r\n')
const NIL_3 = Buffer.from('_\r\n')

function encodeKeys(keys: readonly string[]): Buffer {
  const bulks = keys.map((key) => `$${key.length}\r\n${key}\r\n`)
  return Buffer.from(`*${keys.length}\r\n${bulks.join('')}`, 'latin1')
}

/** A key as a string of one character for each byte, whose order is that of the bytes. */
function nameOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
