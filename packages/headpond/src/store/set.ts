import { byteAt, type Handle, NONE } from '../memory/heap.ts'
import * as intset from '../memory/intset.ts'
import * as listpack from '../memory/listpack.ts'
import { Text } from '../memory/text.ts'
import type { Database } from './database.ts'
import { MemberTable } from './member-table.ts'
import { encoding, INLINE_BYTES_MAX, kindOf, NEVER, type } from './record.ts'
import type { Store } from './store.ts'
import type { TypeOperations } from './types.ts'

/**
 * Sets. A small one of integers is an intset in the record, another small one a listpack, a large one a MemberTable
 * whose index in `store.structures` the record holds. A set never goes back to a smaller form, except as a new value.
 */
const INTSET = kindOf(type.SET, encoding.INTSET)
const PACKED = kindOf(type.SET, encoding.LISTPACK)
const TABLE = kindOf(type.SET, encoding.MEMBER_TABLE)

const TABLE_INLINE_BYTES = 4
/** Slots of a table that a walk looks at in one step. */
const WALK_STEP = 128

export const setOperations: TypeOperations = {
  inlineBytes: (store, handle) => store.records.valueSize(handle),
  release(store, handle) {
    if (store.records.encoding(handle) !== encoding.MEMBER_TABLE) return
    store.structures.of<MemberTable>(store.records, handle).dispose()
    store.structures.free(store.records.valueWord(handle, 0))
  },
  cloneReferred(store, handle) {
    if (store.records.encoding(handle) !== encoding.MEMBER_TABLE) return
    const copy = store.structures.of<MemberTable>(store.records, handle).clone()
    store.records.setValueWord(handle, 0, store.structures.add(copy))
  },
  encodingName(store, handle) {
    // Redis 7.0 has no name for members that are packed: it packs integers alone.
    return store.records.encoding(handle) === encoding.INTSET ? 'intset' : 'hashtable'
  },
  referredBytes(store, handle) {
    if (store.records.encoding(handle) !== encoding.MEMBER_TABLE) return 0
    return store.structures.of<MemberTable>(store.records, handle).sizeBytes
  },
  digest(store, handle, digest) {
    // Which database it lies in does not matter for reading.
    store.sets.open(store.databases[0], handle).forEach((member) => {
      digest.add(member.copy())
    })
  },
}

/**
 * One set, open. Commands on a single set share one instance (`store.sets`), which is pointed at one record after the
 * other, so that a command allocates nothing; it follows the record when a change moves it. Those on several sets make an
 * instance for each.
 *
 * Bytes that are given to it must not lie in the set itself.
 */
export class UnorderedSet {
  readonly #store: Store
  #database: Database
  #handle: Handle = NONE
  #encoding = 0
  #table: MemberTable | null = null
  readonly #integer = new intset.Integer64()
  #scratch = new Uint8Array(1024)
  /** The picked member: an element of the table, a listpack entry, or an index in the intset. */
  #picked = 0

  /** Where a walk goes on: a listpack entry, an index in the intset, or a cursor of the table. */
  #position = 0
  /** Elements of the table that a walk has still to visit, the next one at `#waitingAt`. */
  readonly #waiting: Handle[] = []
  #waitingAt = 0
  readonly #wait = (element: Handle) => this.#waiting.push(element)

  /** The member that `pick` or `next` has reached. */
  readonly member = new Text()

  constructor(store: Store) {
    this.#store = store
    this.#database = store.databases[0]
  }

  // ---- Opening ----

  /** Turns to the set of a record. */
  open(database: Database, handle: Handle): this {
    this.#database = database
    this.#handle = handle
    this.#encoding = this.#store.records.encoding(handle)
    this.#table =
      this.#encoding === encoding.MEMBER_TABLE
        ? this.#store.structures.of<MemberTable>(this.#store.records, handle)
        : null
    return this
  }

  /**
   * Makes an empty set in place of whatever the key held, and turns to it: members must follow.
   * @param countHint how many members are expected, at most: too many for a packed form means a table at once
   * @param member the first of them, which decides on the form and on the room that is made for each, as in Redis
   */
  create(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    countHint: number,
    member: Uint8Array,
    memberStart: number,
    memberEnd: number,
    expireAtMs = NEVER,
  ): this {
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#store.packedLimits
    const { records, heap } = this.#store
    if (countHint <= setMaxIntsetEntries && this.#integer.parse(member, memberStart, memberEnd)) {
      const sizeBytes = intset.HEADER_BYTES
      const room = Math.min(sizeBytes + countHint * this.#integer.width, INLINE_BYTES_MAX)
      const handle = database.put(key, keyStart, keyEnd, INTSET, room, sizeBytes, expireAtMs)
      intset.initialize(heap.arenaOf(handle).u8, records.valueAt(handle))
      return this.open(database, handle)
    }
    if (countHint <= setMaxListpackEntries) {
      const sizeBytes = listpack.EMPTY_BYTES
      const memberBytes = listpack.entryBytes(member, memberStart, memberEnd)
      const room = Math.min(sizeBytes + countHint * memberBytes, INLINE_BYTES_MAX)
      const handle = database.put(key, keyStart, keyEnd, PACKED, room, sizeBytes, expireAtMs)
      listpack.initialize(heap.arenaOf(handle).u8, records.valueAt(handle))
      return this.open(database, handle)
    }
    return this.open(
      database,
      this.#putTable(database, key, keyStart, keyEnd, new MemberTable(this.#store), expireAtMs),
    )
  }

  /** Makes a set of bytes in one of the packed forms, which have been checked, in place of whatever the key held. */
  adoptPacked(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    packed: Uint8Array,
    isIntset: boolean,
    expireAtMs: number,
  ): Handle {
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#store.packedLimits
    const count = isIntset ? intset.count(packed, 0) : listpack.count(packed, 0)
    if (count <= (isIntset ? setMaxIntsetEntries : setMaxListpackEntries) && packed.length <= INLINE_BYTES_MAX) {
      const kind = isIntset ? INTSET : PACKED
      const handle = database.put(key, keyStart, keyEnd, kind, packed.length, packed.length, expireAtMs)
      this.#store.heap.arenaOf(handle).u8.set(packed, this.#store.records.valueAt(handle))
      return handle
    }
    const table = new MemberTable(this.#store)
    fill(table, packed, 0, isIntset)
    return this.#putTable(database, key, keyStart, keyEnd, table, expireAtMs)
  }

  /**
   * Makes a set of the members of a table, some at least, in place of whatever the key held; in a packed form where they
   * are few and small. Takes the table over.
   */
  adoptTable(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    table: MemberTable,
    expireAtMs = NEVER,
  ): Handle {
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#store.packedLimits
    if (table.count > Math.max(setMaxIntsetEntries, setMaxListpackEntries)) {
      return this.#putTable(database, key, keyStart, keyEnd, table, expireAtMs)
    }
    let isEmpty = true
    table.forEach(({ bytes, start, end }) => {
      if (isEmpty) this.create(database, key, keyStart, keyEnd, table.count, bytes, start, end, expireAtMs)
      isEmpty = false
      this.add(bytes, start, end)
    })
    table.dispose()
    return this.#handle
  }

  #putTable(
    database: Database,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    table: MemberTable,
    expireAtMs: number,
  ): Handle {
    const { records, structures } = this.#store
    const handle = database.put(key, keyStart, keyEnd, TABLE, TABLE_INLINE_BYTES, TABLE_INLINE_BYTES, expireAtMs)
    records.setValueWord(handle, 0, structures.add(table))
    return handle
  }

  /** The record as it is now. */
  get handle(): Handle {
    return this.#handle
  }

  get count(): number {
    if (this.#table !== null) return this.#table.count
    return this.#isIntset ? intset.count(this.#u8, this.#at) : listpack.count(this.#u8, this.#at)
  }

  get isPacked(): boolean {
    return this.#table === null
  }

  /** Whether the members stand one behind the other in a listpack: in `bytes`, from `firstEntry` on. */
  get isListpack(): boolean {
    return this.#table === null && !this.#isIntset
  }

  get bytes(): Uint8Array {
    return this.#u8
  }

  get firstEntry(): number {
    return listpack.first(this.#u8, this.#at)
  }

  // ---- Members ----

  /** O(1), O(log n) in an intset, O(n) in a listpack. hot: once for each SISMEMBER. */
  has(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#table !== null) return this.#table.find(bytes, start, end) !== NONE
    if (this.#isIntset) {
      return this.#integer.parse(bytes, start, end) && intset.search(this.#u8, this.#at, this.#integer) >= 0
    }
    return this.#findPacked(bytes, start, end) !== listpack.NONE
  }

  /** Adds a member; false when it is there already. As fast as `has`. hot: once for each member of SADD. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isIntset) {
      if (this.#integer.parse(bytes, start, end)) return this.#addInteger(bytes, start, end)
      if (this.#mayBecomeListpack(end - start)) this.#repack()
      else this.#unpack()
    } else if (this.#table === null && this.#findPacked(bytes, start, end) !== listpack.NONE) {
      return false
    }
    if (this.#table === null) {
      if (this.#appendPacked(bytes, start, end)) return true
      this.#unpack()
    }
    return this.#table!.add(bytes, start, end)
  }

  /** Takes a member out; false when there is none. The set may be empty afterwards. */
  remove(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#table !== null) return this.#table.remove(bytes, start, end)
    if (this.#isIntset) {
      if (!this.#integer.parse(bytes, start, end)) return false
      const index = intset.search(this.#u8, this.#at, this.#integer)
      if (index < 0) return false
      this.#picked = index
    } else {
      const entry = this.#findPacked(bytes, start, end)
      if (entry === listpack.NONE) return false
      this.#picked = entry
    }
    this.removePicked()
    return true
  }

  /** A set for which more members are announced than the packed forms take becomes a table at once. */
  expect(addedCount: number): void {
    if (this.#table !== null) return
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#store.packedLimits
    if (addedCount > (this.#isIntset ? setMaxIntsetEntries : setMaxListpackEntries)) this.#unpack()
  }

  /**
   * Picks a member at random, `member` telling where it lies; the set must have one. Returns a number that tells members
   * apart, as long as the set stays as it is. hot: once for each SPOP.
   */
  pick(): number {
    const table = this.#table
    if (table !== null) {
      this.#picked = table.random()
      table.locate(this.#picked, this.member)
      return this.#picked
    }
    const u8 = this.#u8
    const at = this.#at
    const index = Math.floor(this.#store.random() * this.count)
    if (this.#isIntset) {
      this.#picked = index
      intset.locate(u8, at, index, this.member)
    } else {
      this.#picked = listpack.seek(u8, at, index)
      listpack.locate(u8, this.#picked, this.member)
    }
    return this.#picked
  }

  /** Takes the picked member out. */
  removePicked(): void {
    if (this.#table !== null) return this.#table.removeElement(this.#picked)
    const u8 = this.#u8
    const at = this.#at
    if (this.#isIntset) {
      intset.remove(u8, at, this.#picked)
      this.#shrink(intset.totalBytes(u8, at))
    } else {
      listpack.remove(u8, at, this.#picked, 1)
      this.#shrink(listpack.totalBytes(u8, at))
    }
  }

  /** Deletes the key of a set whose last member has gone, and announces it. Returns whether it was. */
  close(key: Uint8Array, start: number, end: number): boolean {
    if (this.count > 0) return false
    this.#database.delete(this.#handle, key, start, end)
    return true
  }

  // ---- Walking ----

  /** Begins a walk: `next` visits the members one after the other. The set must not change meanwhile. */
  rewind(): void {
    this.#waiting.length = 0
    this.#waitingAt = 0
    if (this.#table !== null || this.#isIntset) this.#position = 0
    else this.#position = this.firstEntry
  }

  /** Goes to the next member of a walk; false when there is none. hot: for each member that is read. */
  next(): boolean {
    const table = this.#table
    if (table !== null) {
      if (this.#waitingAt === this.#waiting.length && !this.#gather(table)) return false
      table.locate(this.#waiting[this.#waitingAt++], this.member)
      return true
    }
    const u8 = this.#u8
    if (this.#isIntset) {
      const at = this.#at
      if (this.#position === intset.count(u8, at)) return false
      intset.locate(u8, at, this.#position++, this.member)
      return true
    }
    if (this.#position === listpack.NONE) return false
    listpack.locate(u8, this.#position, this.member)
    this.#position = listpack.next(u8, this.#position)
    return true
  }

  /** Gets the next elements of the table; false when there are none. */
  #gather(table: MemberTable): boolean {
    this.#waiting.length = 0
    this.#waitingAt = 0
    while (this.#position !== WALK_END && this.#waiting.length === 0) {
      const cursor = table.scan(this.#position, WALK_STEP, this.#wait)
      this.#position = cursor === 0 ? WALK_END : cursor
    }
    return this.#waiting.length > 0
  }

  /** Visits every member. The set must not change from within. O(n). */
  forEach(visit: (member: Text) => void): void {
    this.rewind()
    while (this.next()) visit(this.member)
  }

  /** Visits some members from a cursor on: all of them when packed. Returns the cursor to go on with, 0 at the end. */
  scan(cursor: number, countHint: number, visit: (member: Text) => void): number {
    const table = this.#table
    if (table === null) {
      this.forEach(visit)
      return 0
    }
    return table.scan(cursor, countHint, (element) => {
      table.locate(element, this.member)
      visit(this.member)
    })
  }

  /** The bytes of a packed form as they are, which may change with the next write. */
  packedBytes(): Uint8Array {
    const at = this.#at
    return this.#u8.subarray(at, at + this.#store.records.valueSize(this.#handle))
  }

  // ---- The packed forms ----

  get #isIntset(): boolean {
    return this.#encoding === encoding.INTSET
  }

  get #u8(): Uint8Array {
    return this.#store.heap.arenaOf(this.#handle).u8
  }

  get #at(): number {
    return this.#store.records.valueAt(this.#handle)
  }

  #findPacked(bytes: Uint8Array, start: number, end: number): number {
    const u8 = this.#u8
    return listpack.find(u8, listpack.first(u8, this.#at), bytes, start, end, 0)
  }

  #addInteger(bytes: Uint8Array, start: number, end: number): boolean {
    const value = this.#integer
    const index = intset.search(this.#u8, this.#at, value)
    if (index >= 0) return false
    const count = intset.count(this.#u8, this.#at) + 1
    const width = Math.max(intset.width(this.#u8, this.#at), value.width)
    if (count > this.#store.packedLimits.setMaxIntsetEntries || !this.#grow(intset.HEADER_BYTES + count * width)) {
      this.#unpack()
      return this.#table!.add(bytes, start, end)
    }
    const u8 = this.#u8
    const at = this.#at
    if (width > intset.width(u8, at)) intset.widen(u8, at, width)
    intset.insert(u8, at, -1 - index, value)
    return true
  }

  /** Appends to the listpack; false when it is too much for one. */
  #appendPacked(bytes: Uint8Array, start: number, end: number): boolean {
    const { setMaxListpackEntries, setMaxListpackValue } = this.#store.packedLimits
    if (end - start > setMaxListpackValue) return false
    const u8 = this.#u8
    const at = this.#at
    if (listpack.count(u8, at) >= setMaxListpackEntries) return false
    if (!this.#grow(listpack.totalBytes(u8, at) + listpack.entryBytes(bytes, start, end))) return false
    listpack.append(this.#u8, this.#at, bytes, start, end)
    return true
  }

  /** Lets the packed form become `inlineBytes` long; false when that is more than a record takes. */
  #grow(inlineBytes: number): boolean {
    if (inlineBytes > INLINE_BYTES_MAX) return false
    const { heap, records } = this.#store
    const handle = this.#handle
    const room = heap.blockBytes(handle) - (records.valueAt(handle) - byteAt(handle))
    if (inlineBytes > room) this.#handle = this.#database.resize(handle, inlineBytes)
    records.setValueSize(this.#handle, inlineBytes)
    return true
  }

  /** The packed form has become shorter: notes it, and gives room back. */
  #shrink(inlineBytes: number): void {
    this.#handle = this.#database.resize(this.#handle, inlineBytes)
    this.#store.records.setValueSize(this.#handle, inlineBytes)
  }

  /** Whether an intset that gets a member which is no integer is small enough for a listpack. */
  #mayBecomeListpack(memberBytes: number): boolean {
    const { setMaxListpackEntries, setMaxListpackValue } = this.#store.packedLimits
    const count = intset.count(this.#u8, this.#at)
    if (count >= setMaxListpackEntries || memberBytes > setMaxListpackValue) return false
    // The longest text is that of the least or of the greatest.
    for (let index = 0; index < count; index += Math.max(count - 1, 1)) {
      intset.locate(this.#u8, this.#at, index, this.member)
      if (this.member.length > setMaxListpackValue) return false
    }
    return true
  }

  /** From an intset to a listpack; to a table where a record is too small for that. O(n). */
  #repack(): void {
    const u8 = this.#u8
    const at = this.#at
    const count = intset.count(u8, at)
    const sizeBytesMax = listpack.EMPTY_BYTES + count * LISTPACK_INTEGER_BYTES_MAX
    if (this.#scratch.length < sizeBytesMax) this.#scratch = new Uint8Array(sizeBytesMax)
    const scratch = this.#scratch
    const { member } = this
    listpack.initialize(scratch, 0)
    for (let index = 0; index < count; index++) {
      intset.locate(u8, at, index, member)
      listpack.append(scratch, 0, member.bytes, member.start, member.end)
    }
    const sizeBytes = listpack.totalBytes(scratch, 0)
    if (!this.#grow(sizeBytes)) return this.#unpack()
    this.#store.records.setKind(this.#handle, PACKED)
    this.#encoding = encoding.LISTPACK
    this.#u8.set(scratch.subarray(0, sizeBytes), this.#at)
  }

  /** From a packed form to the large one. O(n). */
  #unpack(): void {
    const { records, structures } = this.#store
    const table = new MemberTable(this.#store)
    fill(table, this.#u8, this.#at, this.#isIntset)
    this.#handle = this.#database.resize(this.#handle, TABLE_INLINE_BYTES)
    records.setKind(this.#handle, TABLE)
    records.setValueSize(this.#handle, TABLE_INLINE_BYTES)
    records.setValueWord(this.#handle, 0, structures.add(table))
    this.#encoding = encoding.MEMBER_TABLE
    this.#table = table
  }
}

/** No cursor of a table. */
const WALK_END = -1
/** An integer of 64 bits with what surrounds it. */
const LISTPACK_INTEGER_BYTES_MAX = 10

/** Adds the members of a packed form to a table. */
function fill(table: MemberTable, u8: Uint8Array, at: number, isIntset: boolean): void {
  const member = new Text()
  if (isIntset) {
    const count = intset.count(u8, at)
    for (let index = 0; index < count; index++) {
      intset.locate(u8, at, index, member)
      table.add(member.bytes, member.start, member.end)
    }
    return
  }
  for (let entry = listpack.first(u8, at); entry !== listpack.NONE; entry = listpack.next(u8, entry)) {
    listpack.locate(u8, entry, member)
    table.add(member.bytes, member.start, member.end)
  }
}
