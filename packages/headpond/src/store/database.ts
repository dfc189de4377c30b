import { copyBytes } from '../bytes/copy.ts'
import { KEYSPACE_EVENTS } from '../config/value-types.ts'
import { Dict } from '../memory/dict.ts'
import { byteAt, type Handle, Heap, NONE } from '../memory/heap.ts'
import { ExpiryIndex } from './expiry-index.ts'
import { FieldExpiryPlaces } from './field-expiry-places.ts'
import { copyItem, renewItem, startItem } from './item.ts'
import { dismantling, type FreeJob } from './lazy-free.ts'
import { encoding, flag, INLINE_BYTES_MAX, kindOf, NEVER, type Records, recordBytes, type } from './record.ts'
import type { Store } from './store.ts'
import { typeOperations } from './types.ts'

/**
 * One numbered database: a dict of records and the index of those that expire.
 *
 * Keys are given as bytes[start, end): commands pass the place in the socket's chunk, and nothing is copied to look
 * something up. Handles are valid until the next write to their key: a value that outgrows its block moves.
 */
export class Database {
  /** Its number. SWAPDB exchanges what two databases hold, so that clients stay with the number they selected. */
  readonly index: number
  readonly store: Store
  readonly records: Records
  dict: Dict
  expires: ExpiryIndex
  /** The hashes that have fields which expire, by the earliest of them (see store/hash.ts). */
  fieldExpires: ExpiryIndex
  readonly #heap: Heap
  /** Hash of the key looked up last: what follows a lookup (an insert, a delete) need not hash it again. */
  #hash = 0

  constructor(index: number, store: Store) {
    this.index = index
    this.store = store
    this.#heap = store.heap
    this.records = store.records
    this.dict = new Dict(store.heap)
    this.expires = new ExpiryIndex(store.heap, store.records)
    this.fieldExpires = new ExpiryIndex(store.heap, new FieldExpiryPlaces(store.records))
  }

  get count(): number {
    return this.dict.count
  }

  // ---- Finding ----

  /**
   * The record of a key for a command that only reads, or NONE. Counts a hit or miss and marks the access.
   * A key whose time has come is deleted first, as by every lookup. Expected O(1).
   * hot: once for each GET.
   */
  read(bytes: Uint8Array, start: number, end: number): Handle {
    const handle = this.readUntouched(bytes, start, end)
    if (handle !== NONE) this.store.touch(handle)
    return handle
  }

  /** As `read`, for a command that asks about a key rather than for its value (EXISTS, TYPE, TTL): marks no access. */
  readUntouched(bytes: Uint8Array, start: number, end: number): Handle {
    const handle = this.readSilently(bytes, start, end)
    if (handle === NONE && this.store.observed) {
      this.store.tell(KEYSPACE_EVENTS.keyMiss, 'keymiss', this.index, bytes, start, end)
    }
    return handle
  }

  /** As `readUntouched`, telling nobody of a miss (OBJECT). */
  readSilently(bytes: Uint8Array, start: number, end: number): Handle {
    const handle = this.peek(bytes, start, end)
    if (handle === NONE) this.store.missCount++
    else this.store.hitCount++
    return handle
  }

  /**
   * The record of a key for a command that is about to change it, or NONE. Marks the access, counts no hit.
   * Every in-place change of a value is preceded by this call.
   * hot: once for each SET or INCR.
   */
  write(bytes: Uint8Array, start: number, end: number): Handle {
    const handle = this.peek(bytes, start, end)
    if (handle !== NONE) {
      if (this.store.guard !== null) this.preserve(handle)
      this.store.touch(handle)
      if (this.records.hasItem(handle)) renewItem(this.records, handle)
    } else if (this.store.defersExpiry) {
      this.#expireHidden(bytes, start, end)
    }
    return handle
  }

  /** What is only hidden has to go before the key is written. */
  #expireHidden(bytes: Uint8Array, start: number, end: number): void {
    const handle = this.#lookup(bytes, start, end)
    if (handle !== NONE) this.expire(handle, this.#hash)
  }

  /**
   * Shows a record to the snapshot in progress, if there is one and it has not saved it yet. To be called before a value
   * is changed in place after another lookup than `write`.
   */
  preserve(handle: Handle): void {
    const { guard } = this.store
    if (guard !== null && !this.records.isOfEpoch(handle)) guard.save(this, handle)
  }

  /** The record of a key, or NONE, leaving no trace of an access. */
  peek(bytes: Uint8Array, start: number, end: number): Handle {
    const handle = this.#lookup(bytes, start, end)
    if (handle === NONE) return NONE
    const expireAtMs = this.records.expireAtMs(handle)
    if (expireAtMs === NEVER || this.store.nowMs < expireAtMs) return handle
    if (this.store.keepsExpired) return handle
    if (this.store.defersExpiry) return NONE
    this.expire(handle, this.#hash)
    return NONE
  }

  #lookup(bytes: Uint8Array, start: number, end: number): Handle {
    const { prefetch } = this.store
    const isKnown = prefetch.expects(bytes, start, end)
    return this.#find(isKnown ? prefetch.take() : this.store.hash(bytes, start, end), bytes, start, end)
  }

  #find(hash: number, bytes: Uint8Array, start: number, end: number): Handle {
    this.#hash = hash
    let handle = this.dict.find(hash, NONE)
    while (handle !== NONE && !this.records.keyEquals(handle, bytes, start, end)) handle = this.dict.find(hash, handle)
    return handle
  }

  // ---- Writing ----

  /**
   * Makes the record of a key whose value takes `inlineBytes` in the record, in place of whatever the key held. The
   * value's bytes are undefined: the caller writes them at `records.valueAt(handle)` at once.
   *
   * The caller announces the change (`changed`) once the value stands. Expected O(1).
   * @param kind see `kindOf`
   * @param inlineBytes the bytes that the value takes in the record, at most INLINE_BYTES_MAX
   * @param valueSize the size to note in the record (the same for inline values)
   * @param expireAtMs NEVER for none; what the key had before is gone
   * hot: once for each SET.
   */
  put(
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: number,
    inlineBytes: number,
    valueSize: number,
    expireAtMs: number,
  ): Handle {
    const existing = this.write(bytes, start, end)
    return this.#putAt(existing, bytes, start, end, kind, inlineBytes, valueSize, expireAtMs, 0)
  }

  #putAt(
    existing: Handle,
    bytes: Uint8Array,
    start: number,
    end: number,
    kind: number,
    inlineBytes: number,
    valueSize: number,
    expireAtMs: number,
    itemFlag: number,
  ): Handle {
    const records = this.records
    const hasExpiry = expireAtMs !== NEVER
    const layout = hasExpiry ? itemFlag | flag.HAS_EXPIRY : itemFlag
    const sizeBytes = recordBytes(end - start, layout, inlineBytes)
    let handle = existing
    if (existing !== NONE) {
      typeOperations[records.type(existing)].release(this.store, existing)
      if (records.hasExpiry(existing)) this.expires.remove(existing)
      if (records.hasFieldExpiry(existing)) this.#forgetFieldExpiry(existing)
      if (Heap.classBytes(sizeBytes) === this.#heap.blockBytes(existing)) {
        if (records.layout(existing) === layout) {
          records.setKind(existing, kind)
          records.setValueSize(existing, valueSize)
        } else {
          const access = records.access(existing)
          records.releaseKey(existing)
          records.initialize(existing, kind, layout, bytes, start, end, valueSize)
          records.setAccess(existing, access)
        }
      } else {
        handle = this.#heap.allocate(sizeBytes)
        records.initialize(handle, kind, layout, bytes, start, end, valueSize)
        records.setAccess(handle, records.access(existing))
        this.dict.replace(this.#hash, existing, handle)
        records.releaseKey(existing)
        this.#heap.free(existing)
      }
    } else {
      handle = this.#heap.allocate(sizeBytes)
      records.initialize(handle, kind, layout, bytes, start, end, valueSize)
      this.store.touchNew(handle, this.#hash, this.index)
      this.dict.insert(this.#hash, handle)
      if (this.store.observed) this.store.tell(KEYSPACE_EVENTS.new, 'new', this.index, bytes, start, end)
    }
    if (hasExpiry) {
      records.setExpireAtMs(handle, expireAtMs)
      this.expires.add(handle)
    }
    return handle
  }

  /**
   * Gives a record's value another size in the record, keeping the key, the expiry and the value's first bytes
   * (those that fit). Returns the handle, which is another when the record had to move. O(value size) when it moves.
   */
  resize(handle: Handle, inlineBytes: number): Handle {
    const records = this.records
    const keySize = records.keySize(handle)
    const sizeBytes = recordBytes(keySize, records.layout(handle), inlineBytes)
    const blockBytes = this.#heap.blockBytes(handle)
    // Smaller is not worth a move until half of the block would lie idle.
    if (sizeBytes <= blockBytes && sizeBytes * 2 > blockBytes) return handle
    return this.#move(handle, sizeBytes)
  }

  #move(handle: Handle, sizeBytes: number): Handle {
    const records = this.records
    const hash = this.#hashOf(handle)
    const moved = this.#heap.allocate(sizeBytes)
    const copyEnd = Math.min(this.#heap.blockBytes(handle), sizeBytes)
    const from = this.#heap.arenaOf(handle).u8
    copyBytes(from, byteAt(handle), byteAt(handle) + copyEnd, this.#heap.arenaOf(moved).u8, byteAt(moved))
    this.dict.replace(hash, handle, moved)
    if (records.hasExpiry(moved)) this.expires.moved(moved)
    if (records.hasFieldExpiry(moved)) this.fieldExpires.moved(moved)
    this.#heap.free(handle)
    return moved
  }

  #hashOf(handle: Handle): number {
    return this.store.hashOf(handle)
  }

  /** Sets or changes when a key expires. Returns its handle, which is another when the record had to move. O(1). */
  setExpiry(handle: Handle, expireAtMs: number): Handle {
    const records = this.records
    let target = handle
    this.preserve(handle)
    if (records.hasExpiry(handle)) this.expires.remove(handle)
    else target = this.#rebuild(handle, records.layout(handle) | flag.HAS_EXPIRY)
    records.setExpireAtMs(target, expireAtMs)
    this.expires.add(target)
    return target
  }

  /** Lets a key live for ever. Returns its handle, which is another when the record had to move. O(1). */
  clearExpiry(handle: Handle): Handle {
    if (!this.records.hasExpiry(handle)) return handle
    this.preserve(handle)
    this.expires.remove(handle)
    return this.#rebuild(handle, this.records.layout(handle) & ~flag.HAS_EXPIRY)
  }

  /**
   * Gives a string that has none the words of an item. Returns its handle: the record has moved. O(size in the record).
   */
  addItem(handle: Handle): Handle {
    const records = this.records
    this.preserve(handle)
    const target = this.#rebuild(handle, records.layout(handle) | flag.HAS_ITEM)
    startItem(records, target, 0, 0, this.store.nowSeconds)
    if (records.hasExpiry(target)) this.expires.moved(target)
    return target
  }

  /** Writes a record anew with another layout; expiry, item and the value's bytes are kept as they are. */
  #rebuild(handle: Handle, layout: number): Handle {
    const records = this.records
    const valueAt = records.valueAt(handle)
    const keySize = records.keySize(handle)
    const inlineBytes = this.inlineBytes(handle)
    const key = records.keyCopy(handle)
    const hash = this.#hashOf(handle)
    const target = this.#heap.allocate(recordBytes(keySize, layout, inlineBytes))
    records.initialize(target, records.kind(handle), layout, key, 0, keySize, records.valueSize(handle))
    records.setAccess(target, records.access(handle))
    const kept = layout & records.layout(handle)
    if ((kept & flag.HAS_EXPIRY) !== 0) {
      records.setExpireAtMs(target, records.expireAtMs(handle))
      records.setExpirySlot(target, records.expirySlot(handle))
    }
    if ((kept & flag.HAS_ITEM) !== 0) copyItem(records, handle, target)
    const from = this.#heap.arenaOf(handle).u8
    copyBytes(from, valueAt, valueAt + inlineBytes, this.#heap.arenaOf(target).u8, records.valueAt(target))
    this.dict.replace(hash, handle, target)
    if (records.hasFieldExpiry(handle)) {
      records.setFieldExpiryFlag(target, true)
      this.fieldExpires.moved(target)
    }
    records.releaseKey(handle)
    this.#heap.free(handle)
    return target
  }

  /** Bytes that the value takes in the record itself. */
  inlineBytes(handle: Handle): number {
    return typeOperations[this.records.type(handle)].inlineBytes(this.store, handle)
  }

  /** Deletes a key that `peek`, `read` or `write` has just found, and announces it. O(1) beside freeing the value. */
  delete(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.remove(handle)
    this.changed(KEYSPACE_EVENTS.generic, 'del', bytes, start, end)
  }

  /** As `delete`, for a key that a command gives a time that has passed. */
  deleteOverdue(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    const { lazyFree } = this.store
    lazyFree.asked = lazyFree.settings.lazyfreeLazyExpire
    this.delete(handle, bytes, start, end)
    lazyFree.asked = null
  }

  /** Takes a record out and frees it, silently. */
  remove(handle: Handle): void {
    this.preserve(handle)
    typeOperations[this.records.type(handle)].release(this.store, handle)
    this.#drop(handle, this.#hashOf(handle))
  }

  /** Takes a record out whose value has gone elsewhere (RENAME), silently. */
  removeKeepingValue(handle: Handle): void {
    this.preserve(handle)
    this.#drop(handle, this.#hashOf(handle))
  }

  /** Takes a hash out of the index of fields that expire, while its value is still there. */
  #forgetFieldExpiry(handle: Handle): void {
    this.fieldExpires.remove(handle)
    this.records.setFieldExpiryFlag(handle, false)
  }

  #drop(handle: Handle, hash: number): void {
    if (this.records.hasExpiry(handle)) this.expires.remove(handle)
    if (this.records.hasFieldExpiry(handle)) this.#forgetFieldExpiry(handle)
    this.dict.remove(hash, handle)
    this.records.releaseKey(handle)
    this.#heap.free(handle)
  }

  /** Deletes a key whose time has come. @param isUnasked nobody has looked for it */
  expire(handle: Handle, hash = this.#hashOf(handle), isUnasked = false): void {
    const { store } = this
    store.expiredCount++
    store.expiryWatcher?.(this.index, handle, isUnasked)
    const { lazyFree } = store
    const { asked } = lazyFree
    lazyFree.asked = lazyFree.settings.lazyfreeLazyExpire
    this.#deleteUnasked(handle, hash, KEYSPACE_EVENTS.expired, 'expired', store.onExpired)
    lazyFree.asked = asked
  }

  /** Deletes a key because memory is needed. */
  evict(handle: Handle, hash: number): void {
    const { store } = this
    const { lazyFree } = store
    store.evictionWatcher?.(this.index, handle)
    lazyFree.asked = lazyFree.settings.lazyfreeLazyEviction
    this.#deleteUnasked(handle, hash, KEYSPACE_EVENTS.evicted, 'evicted', store.onEvicted)
    lazyFree.asked = null
  }

  #deleteUnasked(
    handle: Handle,
    hash: number,
    eventClassBit: number,
    event: string,
    onDeleted: ((database: number, key: Uint8Array) => void) | null,
  ): void {
    const store = this.store
    this.preserve(handle)
    if (store.observed || onDeleted !== null) {
      const key = this.records.keyCopy(handle)
      typeOperations[this.records.type(handle)].release(store, handle)
      this.#drop(handle, hash)
      onDeleted?.(this.index, key)
      store.change(eventClassBit, event, this.index, key, 0, key.length)
    } else {
      typeOperations[this.records.type(handle)].release(store, handle)
      this.#drop(handle, hash)
    }
    this.#hash = hash // an observer may have looked up other keys
  }

  /**
   * Announces a change of a key, after it was made: to WATCH, notifications and whoever else observes. `event` is the
   * name that Redis publishes.
   * hot: once for each write; costs one check when nobody observes.
   */
  changed(eventClassBit: number, event: string, bytes: Uint8Array, start: number, end: number): void {
    const store = this.store
    store.dirtyCount++
    if (store.observed) store.change(eventClassBit, event, this.index, bytes, start, end)
  }

  /** Announces that the same change touched a second key (RENAME, MOVE, LMOVE ...): it counts once. */
  changedToo(eventClassBit: number, event: string, bytes: Uint8Array, start: number, end: number): void {
    if (this.store.observed) this.store.change(eventClassBit, event, this.index, bytes, start, end)
  }

  // ---- Whole values as bytes, which RENAME, MOVE and COPY need ----

  /**
   * Moves a value from its record to another key, here or in another database, in place of what that key held; the
   * expiry goes with it. O(inline size). Announces nothing.
   */
  moveTo(target: Database, handle: Handle, bytes: Uint8Array, start: number, end: number): Handle {
    const moved = this.#copyRecordTo(target, handle, bytes, start, end)
    this.records.setAccess(moved, this.records.access(handle))
    this.removeKeepingValue(handle)
    return moved
  }

  /** As `moveTo`, leaving the source as it is: what the value refers to is copied. O(value size). */
  copyTo(target: Database, handle: Handle, bytes: Uint8Array, start: number, end: number): Handle {
    const copy = this.#copyRecordTo(target, handle, bytes, start, end)
    typeOperations[this.records.type(copy)].cloneReferred(this.store, copy)
    return copy
  }

  /** The target's record refers to the same large value or structure as the source's. */
  #copyRecordTo(target: Database, handle: Handle, bytes: Uint8Array, start: number, end: number): Handle {
    const records = this.records
    const inlineBytes = this.inlineBytes(handle)
    const existing = target.#lookup(bytes, start, end)
    if (existing !== NONE) target.remove(existing)
    const copy = target.#putAt(
      NONE,
      bytes,
      start,
      end,
      records.kind(handle),
      inlineBytes,
      records.valueSize(handle),
      records.expireAtMs(handle),
      records.layout(handle) & flag.HAS_ITEM,
    )
    if (records.hasItem(handle)) {
      copyItem(records, handle, copy)
      renewItem(records, copy)
    }
    const from = records.valueAt(handle)
    const heap = this.#heap
    copyBytes(heap.arenaOf(handle).u8, from, from + inlineBytes, heap.arenaOf(copy).u8, records.valueAt(copy))
    if (records.hasFieldExpiry(handle)) {
      records.setFieldExpiryFlag(copy, true)
      target.fieldExpires.add(copy)
    }
    return copy
  }

  // ---- Strings are put from everywhere (SET, SORT STORE, GEO, RESTORE): the one way to store bytes ----

  /**
   * Stores a string in place of whatever the key held. Announces nothing. O(value size).
   * hot: once for each SET.
   */
  putString(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAtMs: number,
  ): Handle {
    const existing = this.write(bytes, keyStart, keyEnd)
    return this.#putStringAt(existing, bytes, keyStart, keyEnd, value, valueStart, valueEnd, expireAtMs)
  }

  /**
   * Makes a string of a key that is not there yet; NONE, and nothing, when it is. `hash` is the key's.
   * hot: once for each string of a snapshot that is loaded.
   */
  addString(
    hash: number,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAtMs: number,
  ): Handle {
    if (this.#find(hash, bytes, keyStart, keyEnd) !== NONE) return NONE
    return this.#putStringAt(NONE, bytes, keyStart, keyEnd, value, valueStart, valueEnd, expireAtMs)
  }

  #putStringAt(
    existing: Handle,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAtMs: number,
  ): Handle {
    const size = valueEnd - valueStart
    if (size <= INLINE_BYTES_MAX) {
      const handle = this.#putAt(existing, bytes, keyStart, keyEnd, INLINE_STRING, size, size, expireAtMs, 0)
      const to = this.records.valueAt(handle)
      copyBytes(value, valueStart, valueEnd, this.#heap.arenaOf(handle).u8, to)
      return handle
    }
    const large = this.#heap.large.keep(value, valueStart, valueEnd)
    return this.#putLarge(existing, bytes, keyStart, keyEnd, large, size, expireAtMs, 0)
  }

  /**
   * As `putString`, for a string that is an item of memcached's (see store/item.ts).
   * hot: once for each `set` of memcached.
   */
  putItem(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAtMs: number,
    clientFlags: number,
  ): Handle {
    const size = valueEnd - valueStart
    const existing = this.write(bytes, keyStart, keyEnd)
    let handle: Handle
    if (size <= INLINE_BYTES_MAX) {
      handle = this.#putAt(existing, bytes, keyStart, keyEnd, INLINE_STRING, size, size, expireAtMs, flag.HAS_ITEM)
      copyBytes(value, valueStart, valueEnd, this.#heap.arenaOf(handle).u8, this.records.valueAt(handle))
    } else {
      const large = this.#heap.large.keep(value, valueStart, valueEnd)
      handle = this.#putLarge(existing, bytes, keyStart, keyEnd, large, size, expireAtMs, flag.HAS_ITEM)
    }
    startItem(this.records, handle, clientFlags, this.store.nextCas(), this.store.nowSeconds)
    return handle
  }

  /**
   * Stores a string that was made by changing bytes (SETRANGE, BITOP), which OBJECT ENCODING calls raw. Takes the
   * buffer over: a large one becomes the value without a copy. Announces nothing. O(value size) when it is small.
   */
  putRawString(bytes: Uint8Array, keyStart: number, keyEnd: number, value: Uint8Array, expireAtMs: number): Handle {
    const existing = this.write(bytes, keyStart, keyEnd)
    const size = value.length
    if (size > INLINE_BYTES_MAX) {
      const large = this.#heap.large.add(value)
      return this.#putLarge(existing, bytes, keyStart, keyEnd, large, size, expireAtMs, 0)
    }
    const handle = this.#putAt(existing, bytes, keyStart, keyEnd, RAW_STRING, size, size, expireAtMs, 0)
    copyBytes(value, 0, size, this.#heap.arenaOf(handle).u8, this.records.valueAt(handle))
    return handle
  }

  #putLarge(
    existing: Handle,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    large: number,
    size: number,
    expireAtMs: number,
    itemFlag: number,
  ): Handle {
    const handle = this.#putAt(existing, bytes, keyStart, keyEnd, LARGE_STRING, 4, size, expireAtMs, itemFlag)
    this.records.setValueWord(handle, 0, large)
    return handle
  }

  /** Exchanges all keys with another database. O(1). */
  exchange(other: Database): void {
    const { dict, expires, fieldExpires } = this
    this.dict = other.dict
    this.expires = other.expires
    this.fieldExpires = other.fieldExpires
    other.dict = dict
    other.expires = expires
    other.fieldExpires = fieldExpires
  }

  /** Becomes empty, and returns what it held as a job for LazyFree. Announces nothing. O(1). */
  takeAll(): FreeJob {
    const { dict, expires, fieldExpires, store, records } = this
    const heap = this.#heap
    this.dict = new Dict(heap)
    this.expires = new ExpiryIndex(heap, records)
    this.fieldExpires = new ExpiryIndex(heap, new FieldExpiryPlaces(records))
    const freeRecord = (handle: Handle) => {
      typeOperations[records.type(handle)].release(store, handle)
      records.releaseKey(handle)
      heap.free(handle)
    }
    const job = dismantling(dict, freeRecord)
    return {
      holdsKeys: true,
      get leftCount() {
        return job.leftCount
      },
      freeSome() {
        expires.clear()
        fieldExpires.clear()
        job.freeSome()
      },
    }
  }

  /** Forgets every key: the whole heap is being reset. */
  forget(): void {
    this.dict.forget()
    this.expires.forget()
    this.fieldExpires.forget()
  }
}

const INLINE_STRING = kindOf(type.STRING, encoding.INLINE)
const RAW_STRING = kindOf(type.STRING, encoding.INLINE_RAW)
const LARGE_STRING = kindOf(type.STRING, encoding.LARGE)
