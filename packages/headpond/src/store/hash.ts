import { KEYSPACE_EVENTS } from '../config/value-types.ts'
import { type Handle, NONE } from '../memory/heap.ts'
import * as listpack from '../memory/listpack.ts'
import { Text } from '../memory/text.ts'
import type { Database } from './database.ts'
import { FIELD_EXPIRY_WORDS, FieldExpiryPlaces } from './field-expiry-places.ts'
import { FieldTable } from './field-table.ts'
import { encoding, INLINE_BYTES_MAX, kindOf, NEVER, type } from './record.ts'
import type { Store } from './store.ts'
import type { TypeOperations } from './types.ts'

/**
 * Hashes. A small one is a listpack of fields and values in the record, a large one a FieldTable.
 *
 *   LISTPACK             | field | value | field | value | ...
 *   LISTPACK_EXPIRING    | expirySlot | due: low, high | field | value | expireAtMs | field | ...
 *   FIELD_TABLE          | index in store.structures | expirySlot | due: low, high |
 *
 * A hash gets the second form when a field gets its first expiry; an expireAtMs of 0 means never. The first three words
 * are what the database's index of hashes with expiring fields keeps here, see FieldExpiryPlaces: a hash is in it while
 * its record has the flag HAS_FIELD_EXPIRY, at the latest as long as a field may expire.
 *
 * A field whose time has come is nowhere to be seen. It is removed by whoever looks it up, else by the active expiry.
 */
const PACKED = kindOf(type.HASH, encoding.LISTPACK)
const PACKED_EXPIRING = kindOf(type.HASH, encoding.LISTPACK_EXPIRING)
const TABLE = kindOf(type.HASH, encoding.FIELD_TABLE)

const EMPTY = new Uint8Array(0)
const EXPIRY_HEADER_BYTES = FIELD_EXPIRY_WORDS * 4
const TABLE_INLINE_BYTES = 4 + EXPIRY_HEADER_BYTES

export const hashOperations: TypeOperations = {
  inlineBytes: (store, handle) => store.records.valueSize(handle),
  release(store, handle) {
    if (store.records.encoding(handle) !== encoding.FIELD_TABLE) return
    store.structures.of<FieldTable>(store.records, handle).dispose()
    store.structures.free(store.records.valueWord(handle, 0))
  },
  cloneReferred(store, handle) {
    if (store.records.encoding(handle) !== encoding.FIELD_TABLE) return
    const copy = store.structures.of<FieldTable>(store.records, handle).clone()
    store.records.setValueWord(handle, 0, store.structures.add(copy))
  },
  encodingName(store, handle) {
    switch (store.records.encoding(handle)) {
      case encoding.LISTPACK:
        return 'listpack'
      case encoding.LISTPACK_EXPIRING:
        return 'listpackex'
      default:
        return 'hashtable'
    }
  },
  referredBytes(store, handle) {
    if (store.records.encoding(handle) !== encoding.FIELD_TABLE) return 0
    return store.structures.of<FieldTable>(store.records, handle).sizeBytes
  },
  digest(store, handle, digest) {
    // Digests are taken between commands, of records of any database: none is changed by walking.
    store.hashes.open(store.databases[0], handle).forEach((field, value) => {
      const pair = digest.nested()
      pair.append(field.copy())
      pair.append(value.copy())
      digest.add(pair.bytes)
    })
  },
}

/** What `setExpiry` did. */
export const expiryResult = {
  NO_FIELD: -2,
  CONDITION_NOT_MET: 0,
  SET: 1,
  /** The moment has passed: the field was removed instead. */
  REMOVED: 2,
} as const

export type ExpiryCondition = 'always' | 'nx' | 'xx' | 'gt' | 'lt'

/**
 * One hash, open: all operations go through a single instance for each store (`store.hashes`), which is pointed at one
 * record after the other, so that a command allocates nothing. It follows the record when a change moves it.
 *
 * `find` places the cursor on a field; what then acts on "the found field" needs no second search. Bytes that are given
 * to it must not lie in the hash itself.
 */
export class Hash {
  readonly #store: Store
  readonly #duePlaces: FieldExpiryPlaces
  #database: Database
  #handle: Handle = NONE
  #table: FieldTable | null = null
  /** Of a packed hash: elements for each field, and where the listpack lies. */
  #stride = 2
  #u8: Uint8Array = EMPTY
  #at = 0
  /** The found field: an element of the table, or the listpack entry of the field. */
  #element: Handle = NONE
  #entry = listpack.NONE
  /** Fields that were found to be due, and removed, since `open`. */
  #expiredCount = 0
  #scratch = new Uint8Array(1024)

  /** The value that `get` or `find` found. */
  readonly value = new Text()
  /** The field of a walk. */
  readonly field = new Text()

  constructor(store: Store) {
    this.#store = store
    this.#duePlaces = new FieldExpiryPlaces(store.records)
    this.#database = store.databases[0]
  }

  // ---- Opening ----

  /** Turns to the hash of a record. */
  open(database: Database, handle: Handle): this {
    this.#database = database
    this.#handle = handle
    this.#expiredCount = 0
    const recordEncoding = this.#store.records.encoding(handle)
    this.#stride = recordEncoding === encoding.LISTPACK ? 2 : 3
    this.#table =
      recordEncoding === encoding.FIELD_TABLE
        ? this.#store.structures.of<FieldTable>(this.#store.records, handle)
        : null
    if (this.#table === null) this.#locate()
    return this
  }

  /**
   * Makes an empty hash in place of whatever the key held, and turns to it: fields must follow.
   * @param reserveBytes room for that many bytes of listpack, so that they can follow without moving the record
   */
  create(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    reserveBytes: number,
    expireAtMs = NEVER,
  ): this {
    const inlineBytes = Math.min(listpack.EMPTY_BYTES + reserveBytes, INLINE_BYTES_MAX)
    const handle = database.put(key, keyStart, keyEnd, PACKED, inlineBytes, listpack.EMPTY_BYTES, expireAtMs)
    listpack.initialize(this.#store.heap.arenaOf(handle).u8, this.#store.records.valueAt(handle))
    return this.open(database, handle)
  }

  /** Makes a hash of the fields of a table, in place of whatever the key held. Takes the table over. */
  adoptTable(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    table: FieldTable,
    expireAtMs: number,
  ): Handle {
    const { records, structures } = this.#store
    const handle = database.put(key, keyStart, keyEnd, TABLE, TABLE_INLINE_BYTES, TABLE_INLINE_BYTES, expireAtMs)
    records.setValueWord(handle, 0, structures.add(table))
    this.open(database, handle)
    if (table.expiringCount > 0) this.#expectDue(table.earliestExpireAtMs)
    return handle
  }

  /** The record as it is now. */
  get handle(): Handle {
    return this.#handle
  }

  /** How many fields there are, those included whose time has come but which nobody has looked at. */
  get length(): number {
    if (this.#table !== null) return this.#table.count
    return listpack.count(this.#u8, this.#at) / this.#stride
  }

  /** How many fields a walk visits. O(1), O(n) when fields may be due. */
  get liveLength(): number {
    if (!this.#mayHaveDue()) return this.length
    let live = 0
    this.forEach(() => {
      live++
    })
    return live
  }

  get isPacked(): boolean {
    return this.#table === null
  }

  /** Whether fields and values stand by turns in a listpack, with nothing between them: in `bytes`, from `firstEntry` on. */
  get isListpackOfPairs(): boolean {
    return this.#table === null && this.#stride === 2
  }

  get bytes(): Uint8Array {
    return this.#u8
  }

  get firstEntry(): number {
    return listpack.first(this.#u8, this.#at)
  }

  // ---- Finding ----

  /** Places the cursor on a field; false when there is none. hot: once for each field of a command. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    const table = this.#table
    if (table !== null) {
      this.#element = table.find(bytes, start, end)
      if (this.#element === NONE) return false
    } else {
      const u8 = this.#u8
      const at = this.#at
      this.#entry = listpack.find(u8, listpack.first(u8, at), bytes, start, end, this.#stride - 1)
      if (this.#entry === listpack.NONE) return false
      if (this.#stride === 2) return true
    }
    if (!this.#isDue(this.foundExpireAtMs)) return true
    this.#database.preserve(this.#handle)
    this.#store.onFieldExpired?.(this.#database.index, this.#keyCopy(), Buffer.from(bytes.subarray(start, end)))
    this.removeFound()
    this.#expiredCount++
    return false
  }

  /** Finds a field and tells in `value` where its value lies. hot: once for each HGET. */
  get(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.find(bytes, start, end)) return false
    if (this.#table !== null) this.#table.locateValue(this.#element, this.value)
    else listpack.locate(this.#u8, listpack.next(this.#u8, this.#entry), this.value)
    return true
  }

  /** When the found field expires, or NEVER. */
  get foundExpireAtMs(): number {
    if (this.#table !== null) return this.#table.expireAtMs(this.#element)
    return this.#stride === 2 ? NEVER : this.#packedExpiry(this.#entry)
  }

  // ---- Changing ----

  /**
   * Sets a field's value. Returns whether the field is new. An expiry that the field had goes, unless `keepsExpiry`.
   * O(1), O(n) when packed.
   * hot: once for each field of HSET.
   */
  set(
    field: Uint8Array,
    fieldStart: number,
    fieldEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    keepsExpiry = false,
  ): boolean {
    if (this.find(field, fieldStart, fieldEnd)) {
      this.setFound(field, fieldStart, fieldEnd, value, valueStart, valueEnd, keepsExpiry)
      return false
    }
    if (this.#table === null) {
      if (
        this.#isShort(fieldStart, fieldEnd, valueStart, valueEnd) &&
        this.#appendPacked(field, fieldStart, fieldEnd, value, valueStart, valueEnd)
      ) {
        if (this.length > this.#store.packedLimits.hashMaxListpackEntries) this.#unpack()
        return true
      }
      this.#unpack()
    }
    this.#table!.insert(field, fieldStart, fieldEnd, value, valueStart, valueEnd)
    return true
  }

  /** Gives the found field, which is `field`, another value. hot: once for each HINCRBY. */
  setFound(
    field: Uint8Array,
    fieldStart: number,
    fieldEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    keepsExpiry: boolean,
  ): void {
    if (this.#table === null) {
      if (
        this.#isShort(fieldStart, fieldEnd, valueStart, valueEnd) &&
        this.#replacePacked(value, valueStart, valueEnd, keepsExpiry)
      ) {
        return
      }
      this.#unpack()
      this.find(field, fieldStart, fieldEnd)
    }
    this.#table!.replace(this.#element, value, valueStart, valueEnd, keepsExpiry)
  }

  /** Whether a listpack may hold such a field. */
  #isShort(fieldStart: number, fieldEnd: number, valueStart: number, valueEnd: number): boolean {
    const { hashMaxListpackValue } = this.#store.packedLimits
    return fieldEnd - fieldStart <= hashMaxListpackValue && valueEnd - valueStart <= hashMaxListpackValue
  }

  /** Takes a field out. Returns whether it was there; the hash may be empty afterwards. */
  delete(bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.find(bytes, start, end)) return false
    this.removeFound()
    return true
  }

  /** Takes the found field out. */
  removeFound(): void {
    if (this.#table !== null) {
      this.#table.remove(this.#element)
      return
    }
    listpack.remove(this.#u8, this.#at, this.#entry, this.#stride)
    this.#shrunk()
  }

  // ---- Expiry of fields ----

  /** Gives a field an expiry under a condition. Returns one of `expiryResult`. */
  setExpiry(bytes: Uint8Array, start: number, end: number, expireAtMs: number, condition: ExpiryCondition): number {
    if (!this.find(bytes, start, end)) return expiryResult.NO_FIELD
    const previousMs = this.foundExpireAtMs
    if (!meetsCondition(condition, previousMs, expireAtMs)) return expiryResult.CONDITION_NOT_MET
    if (expireAtMs <= this.#store.nowMs && !this.#store.keepsExpired) {
      this.removeFound()
      return expiryResult.REMOVED
    }
    this.setFoundExpiry(bytes, start, end, expireAtMs)
    return expiryResult.SET
  }

  /** Gives the found field, which is bytes[start, end), an expiry. */
  setFoundExpiry(bytes: Uint8Array, start: number, end: number, expireAtMs: number): void {
    if (this.#stride === 2) {
      this.#makeRoomForExpiry()
      this.find(bytes, start, end)
    }
    if (this.#table === null && !this.#setPackedExpiry(expireAtMs)) {
      this.#unpack()
      this.find(bytes, start, end)
    }
    if (this.#table !== null) this.#table.setExpiry(this.#element, expireAtMs)
    this.#expectDue(expireAtMs)
  }

  /** Lets the found field live for ever. Returns whether it had an expiry. */
  persistFound(): boolean {
    if (this.foundExpireAtMs === NEVER) return false
    if (this.#table !== null) this.#table.setExpiry(this.#element, NEVER)
    else this.#setPackedExpiry(NEVER)
    return true
  }

  /**
   * Removes every field that is due, however many: for commands that must not meet one. The announcement is left to
   * `announceExpired`.
   */
  removeDue(): void {
    if (!this.#mayHaveDue()) return
    this.#database.preserve(this.#handle)
    // One round over the index of a table may leave some out, when others take their places.
    let removedCount: number
    do {
      removedCount = this.#removeDue(Number.POSITIVE_INFINITY)
      this.#expiredCount += removedCount
    } while (removedCount > 0)
  }

  /**
   * Removes up to `countMax` fields that are due, for the active expiry, and announces it; the hash must be in the
   * database's index, which has it afterwards with its next due time. Returns whether more are due.
   */
  expireFields(database: Database, handle: Handle, countMax: number): boolean {
    const store = this.#store
    database.preserve(handle)
    this.open(database, handle)
    const removedCount = this.#removeDue(countMax)
    const hasMore = removedCount === countMax
    database.fieldExpires.remove(this.#handle)
    store.records.setFieldExpiryFlag(this.#handle, false)
    const earliestMs = this.#earliestExpireAtMs()
    // What the index of a table promises is coarse: at the next moment it may know better.
    if (earliestMs !== NEVER) this.#expectDue(hasMore ? earliestMs : Math.max(earliestMs, store.nowMs + 1))
    if (removedCount > 0) {
      this.#expiredCount = removedCount
      const key = store.records.keyCopy(this.#handle)
      this.announceExpired(key, 0, key.length)
      if (this.length === 0) database.delete(this.#handle, key, 0, key.length)
    }
    return hasMore
  }

  /** Announces that fields were found to be due and were removed, if so. Call it before announcing other changes. */
  announceExpired(key: Uint8Array, start: number, end: number): void {
    if (this.#expiredCount === 0) return
    this.#store.expiredFieldCount += this.#expiredCount
    this.#expiredCount = 0
    this.#database.changedToo(KEYSPACE_EVENTS.hash, 'hexpired', key, start, end)
  }

  /** Ends a command that looked fields up: a hash whose last field has gone is deleted. Returns whether it was. */
  close(key: Uint8Array, start: number, end: number): boolean {
    this.announceExpired(key, start, end)
    if (this.length > 0) return false
    // The change was that the fields went, which was announced.
    this.#database.remove(this.#handle)
    this.#database.changedToo(KEYSPACE_EVENTS.generic, 'del', key, start, end)
    return true
  }

  // ---- Walking ----

  /** Visits every field, `field` and `value` telling where they lie. The hash must not change from within. O(n). */
  forEach(visit: (field: Text, value: Text, expireAtMs: number) => void): void {
    const { field, value } = this
    const table = this.#table
    if (table !== null) {
      table.forEach((element) => {
        const expireAtMs = table.expireAtMs(element)
        if (this.#isDue(expireAtMs)) return
        table.locateField(element, field)
        table.locateValue(element, value)
        visit(field, value, expireAtMs)
      })
      return
    }
    const u8 = this.#u8
    for (let entry = this.firstEntry; entry !== listpack.NONE; entry = this.#nextField(entry)) {
      const expireAtMs = this.#stride === 2 ? NEVER : this.#packedExpiry(entry)
      if (this.#isDue(expireAtMs)) continue
      listpack.locate(u8, entry, field)
      listpack.locate(u8, listpack.next(u8, entry), value)
      visit(field, value, expireAtMs)
    }
  }

  /** Visits some fields from a cursor on: all of them when packed. Returns the cursor to go on with, 0 at the end. */
  scan(cursor: number, countHint: number, visit: (field: Text, value: Text) => void): number {
    const { field, value } = this
    const table = this.#table
    if (table === null) {
      this.forEach(visit)
      return 0
    }
    return table.scan(cursor, countHint, (element) => {
      if (this.#isDue(table.expireAtMs(element))) return
      table.locateField(element, field)
      table.locateValue(element, value)
      visit(field, value)
    })
  }

  /**
   * Picks a field at random, `field` and `value` telling where it lies. The hash must hold some, and none that is due
   * (`removeDue`). Returns a number that tells fields apart, as long as the hash stays as it is.
   */
  pick(): number {
    if (this.#table !== null) {
      const element = this.#table.random()
      this.#table.locateField(element, this.field)
      this.#table.locateValue(element, this.value)
      return element
    }
    const u8 = this.#u8
    const index = Math.floor(this.#store.random() * this.length)
    const entry = listpack.seek(u8, this.#at, index * this.#stride)
    listpack.locate(u8, entry, this.field)
    listpack.locate(u8, listpack.next(u8, entry), this.value)
    return index
  }

  /** The listpack of a hash in the encoding LISTPACK: u8 and where it begins and ends. */
  packedBytes(): Uint8Array {
    const at = this.#at
    return this.#u8.subarray(at, at + listpack.totalBytes(this.#u8, at))
  }

  /**
   * Makes a hash of a listpack of fields and values that has been checked, in place of whatever the key held, or packs
   * it otherwise where the limits ask for that.
   */
  adoptListpack(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    packed: Uint8Array,
    expireAtMs: number,
  ): Handle {
    const { hashMaxListpackEntries } = this.#store.packedLimits
    const fieldCount = listpack.count(packed, 0) / 2
    if (packed.length <= INLINE_BYTES_MAX && fieldCount <= hashMaxListpackEntries) {
      const handle = database.put(key, keyStart, keyEnd, PACKED, packed.length, packed.length, expireAtMs)
      this.#store.heap.arenaOf(handle).u8.set(packed, this.#store.records.valueAt(handle))
      return handle
    }
    this.create(database, key, keyStart, keyEnd, 0, expireAtMs)
    for (let entry = listpack.first(packed, 0); entry !== listpack.NONE; ) {
      listpack.locate(packed, entry, this.field)
      const valueEntry = listpack.next(packed, entry)
      listpack.locate(packed, valueEntry, this.value)
      const { field, value } = this
      this.set(field.bytes, field.start, field.end, value.bytes, value.start, value.end)
      entry = listpack.next(packed, valueEntry)
    }
    return this.#handle
  }

  // ---- The packed form ----

  /** Notes where the listpack is, whenever the record or its encoding is another. */
  #locate(): void {
    const handle = this.#handle
    this.#u8 = this.#store.heap.arenaOf(handle).u8
    this.#at = this.#store.records.valueAt(handle) + this.#headerBytes
  }

  get #headerBytes(): number {
    return this.#stride === 2 ? 0 : EXPIRY_HEADER_BYTES
  }

  #nextField(entry: number): number {
    const u8 = this.#u8
    const value = listpack.next(u8, entry)
    return listpack.next(u8, this.#stride === 2 ? value : listpack.next(u8, value))
  }

  #expiryEntry(entry: number): number {
    return listpack.next(this.#u8, listpack.next(this.#u8, entry))
  }

  #packedExpiry(entry: number): number {
    return listpack.integer(this.#u8, this.#expiryEntry(entry))
  }

  /** Lets the listpack become `packedBytes` long; false when that is more than a record takes. */
  #grow(packedBytes: number): boolean {
    const inlineBytes = this.#headerBytes + packedBytes
    if (inlineBytes > INLINE_BYTES_MAX) return false
    this.#resize(inlineBytes)
    return true
  }

  /** The listpack has become shorter: notes it, and gives room back. */
  #shrunk(): void {
    this.#resize(this.#headerBytes + listpack.totalBytes(this.#u8, this.#at))
  }

  /** Gives the value another size in the record. The found field stays found. */
  #resize(inlineBytes: number): void {
    const handle = this.#database.resize(this.#handle, inlineBytes)
    this.#store.records.setValueSize(handle, inlineBytes)
    if (handle === this.#handle) return
    this.#handle = handle
    const previousAt = this.#at
    this.#locate()
    if (this.#entry !== listpack.NONE) this.#entry += this.#at - previousAt
  }

  #appendPacked(
    field: Uint8Array,
    fieldStart: number,
    fieldEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    this.#entry = listpack.NONE
    const addedBytes =
      listpack.entryBytes(field, fieldStart, fieldEnd) +
      listpack.entryBytes(value, valueStart, valueEnd) +
      (this.#stride === 2 ? 0 : listpack.integerEntryBytes(NEVER))
    if (!this.#grow(listpack.totalBytes(this.#u8, this.#at) + addedBytes)) return false
    const u8 = this.#u8
    const at = this.#at
    listpack.append(u8, at, field, fieldStart, fieldEnd)
    listpack.append(u8, at, value, valueStart, valueEnd)
    if (this.#stride === 3) listpack.appendInteger(u8, at, NEVER)
    return true
  }

  /** Replaces the found field's value. */
  #replacePacked(value: Uint8Array, valueStart: number, valueEnd: number, keepsExpiry: boolean): boolean {
    const valueEntry = listpack.next(this.#u8, this.#entry)
    const addedBytes = listpack.entryBytes(value, valueStart, valueEnd) - listpack.bytesOf(this.#u8, valueEntry)
    if (addedBytes > 0 && !this.#grow(listpack.totalBytes(this.#u8, this.#at) + addedBytes)) return false
    const u8 = this.#u8
    listpack.replace(u8, this.#at, listpack.next(u8, this.#entry), value, valueStart, valueEnd)
    if (this.#stride === 3 && !keepsExpiry && this.#packedExpiry(this.#entry) !== NEVER) this.#setPackedExpiry(NEVER)
    else if (addedBytes < 0) this.#shrunk()
    return true
  }

  /** Writes the found field's expiry into a listpack that has room for expiries; false when it is full. */
  #setPackedExpiry(expireAtMs: number): boolean {
    const expiryEntry = this.#expiryEntry(this.#entry)
    const addedBytes = listpack.integerEntryBytes(expireAtMs) - listpack.bytesOf(this.#u8, expiryEntry)
    if (addedBytes > 0 && !this.#grow(listpack.totalBytes(this.#u8, this.#at) + addedBytes)) return false
    listpack.replaceInteger(this.#u8, this.#at, this.#expiryEntry(this.#entry), expireAtMs)
    if (addedBytes < 0) this.#shrunk()
    return true
  }

  /** From pairs to triples. A hash that has no room for that becomes a table. */
  #makeRoomForExpiry(): void {
    const source = this.#u8
    const pairBytes = listpack.totalBytes(source, this.#at)
    const tripleBytes = pairBytes + this.length * listpack.integerEntryBytes(NEVER)
    if (EXPIRY_HEADER_BYTES + tripleBytes > INLINE_BYTES_MAX) {
      this.#unpack()
      return
    }
    if (this.#scratch.length < tripleBytes) this.#scratch = new Uint8Array(tripleBytes)
    const scratch = this.#scratch
    listpack.initialize(scratch, 0)
    for (let entry = this.firstEntry; entry !== listpack.NONE; ) {
      const following = this.#nextField(entry)
      const end = following === listpack.NONE ? listpack.endOf(source, this.#at) : following
      listpack.appendEncoded(scratch, 0, source, entry, end, 2)
      listpack.appendInteger(scratch, 0, NEVER)
      entry = following
    }
    const { records } = this.#store
    this.#handle = this.#database.resize(this.#handle, EXPIRY_HEADER_BYTES + tripleBytes)
    records.setKind(this.#handle, PACKED_EXPIRING)
    records.setValueSize(this.#handle, EXPIRY_HEADER_BYTES + tripleBytes)
    this.#stride = 3
    this.#locate()
    this.#u8.set(scratch.subarray(0, tripleBytes), this.#at)
  }

  /** From packed to the large form. O(n). */
  #unpack(): void {
    const { records, structures } = this.#store
    const table = new FieldTable(this.#store)
    const { field, value } = new Pair()
    const u8 = this.#u8
    for (let entry = this.firstEntry; entry !== listpack.NONE; entry = this.#nextField(entry)) {
      listpack.locate(u8, entry, field)
      listpack.locate(u8, listpack.next(u8, entry), value)
      const expireAtMs = this.#stride === 2 ? NEVER : this.#packedExpiry(entry)
      table.insert(field.bytes, field.start, field.end, value.bytes, value.start, value.end, expireAtMs)
    }
    const isIndexed = records.hasFieldExpiry(this.#handle)
    const dueAtMs = isIndexed ? this.#duePlaces.expireAtMs(this.#handle) : NEVER
    const slot = isIndexed ? this.#duePlaces.expirySlot(this.#handle) : 0
    this.#handle = this.#database.resize(this.#handle, TABLE_INLINE_BYTES)
    records.setKind(this.#handle, TABLE)
    records.setValueSize(this.#handle, TABLE_INLINE_BYTES)
    records.setValueWord(this.#handle, 0, structures.add(table))
    if (isIndexed) {
      this.#duePlaces.setExpirySlot(this.#handle, slot)
      this.#duePlaces.setExpireAtMs(this.#handle, dueAtMs)
    }
    this.#table = table
    this.#stride = 3
  }

  // ---- Due fields ----

  #isDue(expireAtMs: number): boolean {
    return expireAtMs !== NEVER && expireAtMs <= this.#store.nowMs && !this.#store.keepsExpired
  }

  #mayHaveDue(): boolean {
    const handle = this.#handle
    return this.#store.records.hasFieldExpiry(handle) && this.#isDue(this.#duePlaces.expireAtMs(handle))
  }

  /** Removes up to `countMax` fields that are due, and returns how many. */
  #removeDue(countMax: number): number {
    const table = this.#table
    const { onFieldExpired } = this.#store
    const tell = (): void => onFieldExpired?.(this.#database.index, this.#keyCopy(), this.field.copy())
    if (table !== null) {
      return table.removeDue(this.#store.nowMs, countMax, (element) => {
        if (onFieldExpired === null) return
        table.locateField(element, this.field)
        tell()
      })
    }
    let removedCount = 0
    const u8 = this.#u8
    const at = this.#at
    let entry = this.firstEntry
    while (entry !== listpack.NONE && removedCount < countMax) {
      if (this.#isDue(this.#packedExpiry(entry))) {
        if (onFieldExpired !== null) {
          listpack.locate(u8, entry, this.field)
          tell()
        }
        listpack.remove(u8, at, entry, this.#stride)
        removedCount++
        if (entry === listpack.endOf(u8, at)) break
      } else {
        entry = this.#nextField(entry)
      }
    }
    if (removedCount > 0) this.#shrunk()
    return removedCount
  }

  #keyCopy(): Buffer {
    return this.#store.records.keyCopy(this.#handle)
  }

  /** A moment before which no field expires; NEVER when none has an expiry. */
  #earliestExpireAtMs(): number {
    if (this.#table !== null)
      return this.#table.expiringCount === 0 ? NEVER : Math.max(this.#table.earliestExpireAtMs, 1)
    let earliestMs = NEVER
    for (let entry = this.firstEntry; entry !== listpack.NONE; entry = this.#nextField(entry)) {
      const expireAtMs = this.#packedExpiry(entry)
      if (expireAtMs !== NEVER && (earliestMs === NEVER || expireAtMs < earliestMs)) earliestMs = expireAtMs
    }
    return earliestMs
  }

  /** Sees to it that the active expiry looks at this hash at that time at the latest. */
  #expectDue(dueAtMs: number): void {
    const { records } = this.#store
    const { fieldExpires } = this.#database
    const handle = this.#handle
    if (records.hasFieldExpiry(handle)) {
      if (this.#duePlaces.expireAtMs(handle) <= dueAtMs) return
      fieldExpires.remove(handle)
    }
    this.#duePlaces.setExpireAtMs(handle, dueAtMs)
    records.setFieldExpiryFlag(handle, true)
    fieldExpires.add(handle)
  }
}

/** Texts of its own for a walk within an operation: those of the Hash belong to its caller. */
class Pair {
  readonly field = new Text()
  readonly value = new Text()
}

/** No expiry counts as one in the infinite future, for GT and LT; a field without one has nothing for XX. */
function meetsCondition(condition: ExpiryCondition, previousMs: number, expireAtMs: number): boolean {
  switch (condition) {
    case 'nx':
      return previousMs === NEVER
    case 'xx':
      return previousMs !== NEVER
    case 'gt':
      return previousMs !== NEVER && expireAtMs > previousMs
    case 'lt':
      return previousMs === NEVER || expireAtMs < previousMs
    default:
      return true
  }
}
