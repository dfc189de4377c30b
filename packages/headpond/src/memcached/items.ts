import { KEYSPACE_EVENTS } from '../config/value-types.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import { idleSeconds } from '../store/access.ts'
import type { Database } from '../store/database.ts'
import {
  casOf,
  clientFlags,
  ensureItem,
  itemState,
  markFetched,
  setCas,
  setState,
  stateOf,
  usedAtSeconds,
} from '../store/item.ts'
import { keyUsageBytes } from '../store/memory-usage.ts'
import { encoding, kindOf, NEVER, type as types } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { stringArray, stringStart, writableArray } from '../store/string.ts'
import { itemClassOf } from './item-classes.ts'
import { parseUint64 } from './numbers.ts'
import { itemBytes, type MemcachedSettings } from './settings.ts'
import type { Statistics } from './statistics.ts'

/** How storing came out. */
export const outcome = {
  STORED: 0,
  NOT_STORED: 1,
  /** The item has another number than the one that was given. */
  EXISTS: 2,
  NOT_FOUND: 3,
  TOO_LARGE: 4,
  NO_MEMORY: 5,
  /** The key holds a value of another type, which these commands cannot serve and do not overwrite. */
  WRONG_TYPE: 6,
  NON_NUMERIC: 7,
} as const

/** What a store does with an item that is there, or not. */
export const mode = { SET: 0, ADD: 1, REPLACE: 2, APPEND: 3, PREPEND: 4, CAS: 5 } as const

/** A moment that has passed, as an expiry: the item is gone as soon as it is stored. */
const PASSED_MS = 1
const MAXIMAL_DELTA_SECONDS = 60 * 60 * 24 * 30
const UINT64_RANGE = 2n ** 64n
const SPACE = 0x20
const INLINE_STRING = kindOf(types.STRING, encoding.INLINE)

/** Who repeats elsewhere what happens to items. */
export interface ItemsAudience {
  /** A key has another value or expiry, or is gone. */
  changed(chunk: Uint8Array, start: number, end: number): void
  /** Every key is gone. */
  flushed(): void
}

/**
 * What memcached's commands do to the strings of database 0, whichever protocol they came in.
 *
 * Keys and values are places in a chunk. Other types than strings are missed by those who read; those who would store
 * under a condition, and those who change a value, are told (WRONG_TYPE); `set` and `delete` replace and delete any type,
 * as SET and DEL do.
 */
export class Items {
  readonly store: Store
  readonly database: Database
  readonly statistics: Statistics
  readonly #settings: MemcachedSettings
  /** Makes room for what is to be stored; false when there is none to make. */
  readonly #makeRoom: () => boolean
  readonly #audience: ItemsAudience
  /** The item that the last call left behind, NONE when there is none; valid until the next one. */
  handle: Handle = NONE
  /** What `count` came to. */
  result = 0n

  constructor(
    store: Store,
    settings: MemcachedSettings,
    statistics: Statistics,
    makeRoom: () => boolean,
    audience: ItemsAudience,
  ) {
    this.store = store
    this.database = store.databases[0]
    this.statistics = statistics
    this.#settings = settings
    this.#makeRoom = makeRoom
    this.#audience = audience
  }

  // ---- Time ----

  /**
   * When an item expires that is given so many seconds: up to 30 days from now, beyond that since 1970; 0 is never, and
   * what is below has passed.
   */
  expireAtMs(exptime: number): number {
    if (exptime === 0) return NEVER
    if (exptime < 0) return PASSED_MS
    if (exptime <= MAXIMAL_DELTA_SECONDS) return this.store.nowMs + exptime * 1000
    return exptime * 1000
  }

  /** Seconds until an item expires, counted up to the next whole one; -1 for never. */
  ttlSeconds(handle: Handle): number {
    const expireAtMs = this.store.records.expireAtMs(handle)
    return expireAtMs === NEVER ? -1 : Math.max(0, Math.ceil((expireAtMs - this.store.nowMs) / 1000))
  }

  // ---- Finding ----

  /**
   * The string to give out, or NONE; counts and marks the access.
   * hot: once for each key of a `get`.
   */
  fetch(chunk: Uint8Array, start: number, end: number): Handle {
    const { statistics, store } = this
    statistics.getCount++
    const expiredCount = store.expiredCount
    const handle = this.database.read(chunk, start, end)
    if (handle === NONE || store.records.type(handle) !== types.STRING) {
      if (store.expiredCount !== expiredCount) statistics.getExpiredCount++
      return NONE
    }
    statistics.getHitCount++
    if (store.records.hasItem(handle)) markFetched(store.records, handle, store.nowSeconds)
    return handle
  }

  /** As `fetch`, for a command that gives the string another time to live. */
  fetchToTouch(chunk: Uint8Array, start: number, end: number): Handle {
    this.statistics.touchCount++
    const handle = this.peek(chunk, start, end)
    if (handle === NONE) return NONE
    this.statistics.touchHitCount++
    this.markFetched(handle)
    return handle
  }

  /** The string under a key, or NONE, leaving no trace. */
  peek(chunk: Uint8Array, start: number, end: number): Handle {
    const handle = this.database.peek(chunk, start, end)
    return handle === NONE || this.store.records.type(handle) !== types.STRING ? NONE : handle
  }

  /** Whether a key holds something that is no string. */
  isOfOtherType(chunk: Uint8Array, start: number, end: number): boolean {
    const handle = this.database.peek(chunk, start, end)
    return handle !== NONE && this.store.records.type(handle) !== types.STRING
  }

  /** Marks that an item was given out. */
  markFetched(handle: Handle): void {
    this.store.touch(handle)
    if (this.store.records.hasItem(handle)) markFetched(this.store.records, handle, this.store.nowSeconds)
  }

  /** The number of an item's state; it gets one if it has none. `handle` tells where it is afterwards. */
  casOf(handle: Handle): number {
    if (!this.#settings.hasCas) {
      this.handle = handle
      return 0
    }
    this.handle = ensureItem(this.database, handle)
    return casOf(this.store.records, this.handle)
  }

  /** The number that a string has already, or 0. */
  givenCasOf(handle: Handle): number {
    const { records } = this.store
    return this.#settings.hasCas && records.hasItem(handle) ? casOf(records, handle) : 0
  }

  clientFlags(handle: Handle): number {
    return clientFlags(this.store.records, handle)
  }

  /** Seconds since the last access; 0 where nobody keeps that, of a string that is no item. */
  idleSeconds(handle: Handle): number {
    const { records, nowSeconds, accessFrequency, accessClock } = this.store
    if (records.hasItem(handle)) return Math.max(0, nowSeconds - usedAtSeconds(records, handle))
    return accessFrequency === null ? idleSeconds(records.access(handle), accessClock) : 0
  }

  stateOf(handle: Handle): number {
    return stateOf(this.store.records, handle)
  }

  /** Sets the state of a string, which becomes an item for it. Returns its handle. */
  setState(handle: Handle, bits: number): Handle {
    const item = this.store.records.hasItem(handle) ? handle : this.database.addItem(handle)
    setState(this.store.records, item, bits)
    return item
  }

  /** The size of an item as memcached counts it. */
  sizeOf(handle: Handle): number {
    const { records } = this.store
    const flags = clientFlags(records, handle)
    return itemBytes(records.keySize(handle), flags, records.valueSize(handle), this.#settings.hasCas)
  }

  /** The size class that an item has in memcached. */
  classOf(handle: Handle): number {
    return itemClassOf(this.sizeOf(handle))
  }

  /** The memory that an item takes. */
  memoryOf(handle: Handle): number {
    return keyUsageBytes(this.database, handle)
  }

  // ---- Storing ----

  /** The number that the item got which was stored just now. */
  storedCas(): number {
    return this.#settings.hasCas ? this.store.casCount : 0
  }

  /** Whether an item of these sizes may be stored at all. */
  fits(keyBytes: number, flags: number, valueBytes: number): boolean {
    const { config, hasCas } = this.#settings
    return itemBytes(keyBytes, flags, valueBytes, hasCas) <= config.settings.memcachedMaxItemSize
  }

  /** An item is too large to be stored. One that it was to replace is out of date, and goes too. */
  refuseTooLarge(isSet: boolean, chunk: Uint8Array, start: number, end: number): void {
    this.statistics.tooLargeCount++
    if (isSet) this.#discard(chunk, start, end)
  }

  /** Whether there is room for one more item, after others were evicted for it. If not, one that is out of date goes. */
  makeRoom(isSet: boolean, chunk: Uint8Array, start: number, end: number): boolean {
    if (this.#makeRoom()) return true
    this.statistics.noMemoryCount++
    if (isSet) this.#discard(chunk, start, end)
    return false
  }

  #discard(chunk: Uint8Array, start: number, end: number): void {
    const handle = this.database.peek(chunk, start, end)
    if (handle !== NONE) this.#remove(handle, chunk, start, end)
  }

  /**
   * Stores an item in place of whatever the key held.
   * hot: once for each `set`.
   */
  set(
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
    expireAtMs: number,
  ): void {
    this.#put(keyBytes, keyStart, keyEnd, value, valueStart, valueEnd, flags, expireAtMs)
    this.#announceSet(keyBytes, keyStart, keyEnd, expireAtMs)
  }

  #put(
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
    expireAtMs: number,
  ): void {
    this.statistics.itemCount++
    this.handle = this.database.putItem(keyBytes, keyStart, keyEnd, value, valueStart, valueEnd, expireAtMs, flags)
  }

  #announceSet(chunk: Uint8Array, start: number, end: number, expireAtMs: number): void {
    const { database, store } = this
    this.#changed(KEYSPACE_EVENTS.string, 'set', chunk, start, end)
    // What is stored for a moment that has passed is found to have expired by whoever looks for it next.
    if (expireAtMs !== NEVER && store.observed) {
      store.tell(KEYSPACE_EVENTS.generic, 'expire', database.index, chunk, start, end)
    }
  }

  /**
   * Stores under a condition, or adds to what is there.
   * @param cas the number that the item must have; 0 for any, but with `mode.CAS` none is 0
   * @param keepsStale an older number than the item's stores all the same, as a stale value
   */
  storeIf(
    how: number,
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
    expireAtMs: number,
    cas: bigint,
    keepsStale: boolean,
  ): number {
    const { statistics, store } = this
    const { records } = store
    this.handle = NONE
    const existing = this.database.peek(keyBytes, keyStart, keyEnd)
    if (how !== mode.SET && existing !== NONE && records.type(existing) !== types.STRING) return outcome.WRONG_TYPE
    if (existing === NONE) {
      if (how === mode.CAS) {
        statistics.casMissCount++
        return outcome.NOT_FOUND
      }
      if (how !== mode.SET && how !== mode.ADD) return outcome.NOT_STORED
      this.set(keyBytes, keyStart, keyEnd, value, valueStart, valueEnd, flags, expireAtMs)
      return outcome.STORED
    }
    if (how === mode.ADD) {
      store.touch(existing) // as one that is in use
      return outcome.NOT_STORED
    }
    let handle = existing
    let isMatch = true
    let isStale = false
    if (cas !== 0n && this.#settings.hasCas && records.type(existing) === types.STRING) {
      const ownCas = BigInt(this.casOf(existing))
      handle = this.handle
      isMatch = cas === ownCas
      isStale = keepsStale && cas < ownCas
    }
    if (how === mode.APPEND || how === mode.PREPEND) {
      if (!isMatch) return outcome.EXISTS
      return this.#extend(how, handle, keyBytes, keyStart, keyEnd, value, valueStart, valueEnd)
    }
    if (how === mode.CAS) {
      if (!isStale && (cas === 0n || !isMatch || !this.#settings.hasCas)) {
        statistics.casBadCount++
        return outcome.EXISTS
      }
      statistics.casHitCount++
      if (isStale) {
        // It lives as long as what it replaces, and stays out of date.
        const state = (this.stateOf(handle) & itemState.TOKEN_SENT) | itemState.STALE
        this.set(keyBytes, keyStart, keyEnd, value, valueStart, valueEnd, flags, records.expireAtMs(handle))
        setState(records, this.handle, state)
        return outcome.STORED
      }
    }
    this.set(keyBytes, keyStart, keyEnd, value, valueStart, valueEnd, flags, expireAtMs)
    return outcome.STORED
  }

  #extend(
    how: number,
    handle: Handle,
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): number {
    const { store } = this
    const { records } = store
    const flags = this.clientFlags(handle)
    const expireAtMs = records.expireAtMs(handle)
    const oldBytes = records.valueSize(handle)
    const addedBytes = valueEnd - valueStart
    if (!this.fits(keyEnd - keyStart, flags, oldBytes + addedBytes)) return outcome.NOT_STORED
    const joined = Buffer.allocUnsafe(oldBytes + addedBytes)
    const start = stringStart(store, handle)
    const isAppend = how === mode.APPEND
    joined.set(stringArray(store, handle).subarray(start, start + oldBytes), isAppend ? 0 : addedBytes)
    joined.set(value.subarray(valueStart, valueEnd), isAppend ? oldBytes : 0)
    this.#put(keyBytes, keyStart, keyEnd, joined, 0, joined.length, flags, expireAtMs)
    this.#changed(KEYSPACE_EVENTS.string, isAppend ? 'append' : 'set', keyBytes, keyStart, keyEnd)
    return outcome.STORED
  }

  // ---- Counting ----

  /**
   * Adds to a number of 64 bits without sign, which wraps at its end, or takes away from it, which ends at 0. A shorter
   * number keeps the length of the value, spaces behind it. `result` has the number.
   * @param cas the number that the item must have; 0 for any
   */
  count(isIncrement: boolean, chunk: Uint8Array, start: number, end: number, delta: bigint, cas: bigint): number {
    const { store, database, statistics } = this
    const { records } = store
    this.handle = NONE
    const found = database.peek(chunk, start, end)
    if (found === NONE) return outcome.NOT_FOUND
    if (records.type(found) !== types.STRING) return outcome.WRONG_TYPE
    const size = records.valueSize(found)
    if (size === 0 || records.encoding(found) === encoding.LARGE) return outcome.NON_NUMERIC
    if (cas !== 0n && BigInt(this.casOf(found)) !== cas) return outcome.EXISTS
    const counted = cas === 0n ? found : this.handle
    const text = this.#counted(isIncrement, counted, delta)
    if (text === null) {
      this.handle = NONE
      return outcome.NON_NUMERIC
    }
    if (isIncrement) statistics.incrHitCount++
    else statistics.decrHitCount++
    database.preserve(counted)
    store.touch(counted)
    let handle = records.hasItem(counted) ? counted : database.addItem(counted)
    if (text.length > size) {
      handle = database.resize(handle, text.length)
      records.setValueSize(handle, text.length)
      setState(records, handle, 0)
      statistics.itemCount++
    }
    records.setKind(handle, INLINE_STRING)
    const bytes = writableArray(store, handle)
    const at = stringStart(store, handle)
    for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
    bytes.fill(SPACE, at + text.length, at + Math.max(size, text.length))
    setCas(records, handle, store.nextCas())
    this.handle = handle
    this.#changed(KEYSPACE_EVENTS.string, isIncrement ? 'incrby' : 'decrby', chunk, start, end)
    return outcome.STORED
  }

  /** The new number as text, or null when the value is none. */
  #counted(isIncrement: boolean, handle: Handle, delta: bigint): string | null {
    const { store } = this
    const start = store.records.valueAt(handle)
    const end = start + store.records.valueSize(handle)
    const value = parseUint64(store.heap.arenaOf(handle).u8, start, end)
    if (value === undefined) return null
    const sum = isIncrement ? (value + delta) % UINT64_RANGE : delta > value ? 0n : value - delta
    this.result = sum
    return sum.toString()
  }

  // ---- Expiry, deleting ----

  /** Gives a string another time to live. Returns its handle, or NONE when the moment has passed: then it is gone. */
  touch(handle: Handle, chunk: Uint8Array, start: number, end: number, expireAtMs: number): Handle {
    const { database, store } = this
    if (expireAtMs === NEVER) {
      if (!store.records.hasExpiry(handle)) return handle
      const kept = database.clearExpiry(handle)
      this.#changed(KEYSPACE_EVENTS.generic, 'persist', chunk, start, end)
      return kept
    }
    if (expireAtMs <= store.nowMs) {
      this.#remove(handle, chunk, start, end)
      return NONE
    }
    const kept = database.setExpiry(handle, expireAtMs)
    this.#changed(KEYSPACE_EVENTS.generic, 'expire', chunk, start, end)
    return kept
  }

  /** Deletes a key, whatever it holds. False when there is none. */
  delete(chunk: Uint8Array, start: number, end: number): boolean {
    const handle = this.database.peek(chunk, start, end)
    this.handle = NONE
    if (handle === NONE) {
      this.statistics.deleteMissCount++
      return false
    }
    this.statistics.deleteHitCount++
    this.#remove(handle, chunk, start, end)
    return true
  }

  /** Deletes every key of the database. */
  flush(): void {
    this.store.flush(this.database)
    this.#audience.flushed()
  }

  // hot: once for each `set`.
  #changed(eventClass: number, event: string, chunk: Uint8Array, start: number, end: number): void {
    this.database.changed(eventClass, event, chunk, start, end)
    this.#audience.changed(chunk, start, end)
  }

  #remove(handle: Handle, chunk: Uint8Array, start: number, end: number): void {
    this.database.delete(handle, chunk, start, end)
    this.#audience.changed(chunk, start, end)
  }

  /** Marks an item as out of date. */
  markStale(handle: Handle): void {
    const { records } = this.store
    const item = this.setState(handle, (this.stateOf(handle) | itemState.STALE) & ~itemState.TOKEN_SENT)
    setCas(records, item, this.store.nextCas())
    this.handle = item
  }
}
