import { compareBytes } from '../bytes/ascii.ts'
import { assert } from '../bytes/assert.ts'
import { formatDouble17, formatDoubleShortest, parseDouble } from '../bytes/double.ts'
import { Dict } from '../memory/dict.ts'
import { type Handle, type Heap, NONE } from '../memory/heap.ts'
import * as listpack from '../memory/listpack.ts'
import { type Bound, OrderedTree, TreeCursor } from '../memory/ordered-tree.ts'
import {
  createElement,
  elementBytes,
  elementScore,
  freeElement,
  locateMember,
  memberArray,
  memberEquals,
  memberSize,
  memberStart,
  setElementScore,
} from '../memory/scored-element.ts'
import type { Database } from './database.ts'
import { dismantling, type FreeJob } from './lazy-free.ts'
import { encoding, INLINE_BYTES_MAX, kindOf, NEVER, type as types } from './record.ts'
import type { Store } from './store.ts'
import type { Structure, StructureWatcher } from './structures.ts'
import type { TypeOperations } from './types.ts'

/**
 * Sorted sets: members, each with a score, in the order of score and then bytes.
 *
 * A small one is a listpack in the record: member, score, member, score ... in order. A large one is a structure: a dict
 * finds an element by its member, a tree by its place. The limits between the two are the `zset-max-listpack-*`
 * directives'; as in Redis, a large one never becomes small again in place.
 */
const PACKED = kindOf(types.SORTED_SET, encoding.LISTPACK)
const LARGE = kindOf(types.SORTED_SET, encoding.ORDERED_TREE)
const STRUCTURE_BYTES = 4

/** More elements than this are freed in the background. */
const FREE_AT_ONCE_MAX = 256
/** With fewer elements than this, they are in the processor's cache anyway. */
const FETCHED_FROM_COUNT = 2 ** 14
const FETCHED_COUNT_MAX = 16
const fetchedElements = new Uint32Array(FETCHED_COUNT_MAX)
const fetchedHashes = new Int32Array(FETCHED_COUNT_MAX)

export const sortedSetOperations: TypeOperations = {
  inlineBytes(store, handle) {
    return store.records.kind(handle) === LARGE ? STRUCTURE_BYTES : store.records.valueSize(handle)
  },
  release(store, handle) {
    if (store.records.kind(handle) !== LARGE) return
    const large = store.structures.of<LargeSortedSet>(store.records, handle)
    store.structures.free(store.records.valueWord(handle, 0))
    large.release()
  },
  cloneReferred(store, handle) {
    if (store.records.kind(handle) !== LARGE) return
    const original = store.structures.of<LargeSortedSet>(store.records, handle)
    store.records.setValueWord(handle, 0, store.structures.add(original.clone()))
  },
  encodingName(store, handle) {
    return store.records.kind(handle) === LARGE ? 'skiplist' : 'listpack'
  },
  referredBytes(store, handle) {
    if (store.records.kind(handle) !== LARGE) return 0
    return store.structures.of<LargeSortedSet>(store.records, handle).sizeBytes
  },
  digest(store, handle, digest) {
    const sortedSet = new SortedSet(store.databases[0], handle)
    sortedSet.seek(0)
    do {
      const element = digest.nested()
      element.append(sortedSet.bytes.subarray(sortedSet.start, sortedSet.end))
      element.append(Buffer.from(formatDouble17(sortedSet.score)))
      digest.add(element.bytes)
    } while (sortedSet.next())
  },
}

/** The large form. */
export class LargeSortedSet implements Structure {
  readonly store: Store
  readonly dict: Dict
  readonly tree: OrderedTree
  readonly #heap: Heap
  #elementBytes = 0
  watcher: StructureWatcher | null = null

  constructor(store: Store) {
    this.store = store
    this.#heap = store.heap
    this.dict = new Dict(store.heap)
    this.tree = new OrderedTree(store.heap)
  }

  get sizeBytes(): number {
    return this.dict.sizeBytes + this.tree.sizeBytes + this.#elementBytes
  }

  // hot: once for each member of ZADD, ZSCORE, ZRANK.
  find(hash: number, bytes: Uint8Array, start: number, end: number): Handle {
    let element = this.dict.find(hash, NONE)
    while (element !== NONE && !memberEquals(this.#heap, element, bytes, start, end)) {
      element = this.dict.find(hash, element)
    }
    return element
  }

  /** Adds a member that is not in the set, but not to the order yet: `tree.insert` does. */
  addUnordered(hash: number, score: number, bytes: Uint8Array, start: number, end: number): Handle {
    const element = createElement(this.#heap, score, bytes, start, end)
    this.#elementBytes += elementBytes(this.#heap, element)
    this.dict.insert(hash, element)
    if (this.watcher !== null) this.watcher.added(element)
    return element
  }

  changeScore(element: Handle, score: number): void {
    if (this.watcher !== null) this.watcher.changing(element)
    this.tree.remove(element)
    setElementScore(this.#heap, element, score)
    this.tree.insert(element)
  }

  hashOf(element: Handle): number {
    const start = memberStart(this.#heap, element)
    return this.store.hash(memberArray(this.#heap, element), start, start + memberSize(this.#heap, element))
  }

  /** Frees an element that is out of the tree already. */
  drop(element: Handle): void {
    if (this.watcher !== null) this.watcher.removing(element)
    this.dict.remove(this.hashOf(element), element)
    this.#elementBytes -= elementBytes(this.#heap, element)
    freeElement(this.#heap, element)
  }

  /**
   * To be called before each element that is popped from an end. Of many pops each would wait for the element, then for
   * its slot in the dict; now and then the memory for the next ones is fetched together. hot: once for each ZPOPMIN.
   */
  expectPop(isMax: boolean): void {
    if (--this.#fetchedCount > 0 || this.dict.count < FETCHED_FROM_COUNT) return
    const count = this.tree.fetchEnd(isMax, fetchedElements)
    for (let index = 0; index < count; index++) fetchedHashes[index] = this.hashOf(fetchedElements[index])
    this.dict.prefetch(fetchedHashes, count)
    this.#fetchedCount = count
  }
  /** How many pops more there is memory fetched for. */
  #fetchedCount = 0

  clone(): LargeSortedSet {
    const copy = new LargeSortedSet(this.store)
    if (this.tree.count === 0) return copy
    copy.dict.reserve(this.dict.count)
    const heap = this.#heap
    const cursor = new TreeCursor()
    this.tree.seek(cursor, 0)
    do {
      const start = memberStart(heap, cursor.element)
      const end = start + memberSize(heap, cursor.element)
      const bytes = memberArray(heap, cursor.element)
      const hash = this.store.hash(bytes, start, end)
      copy.tree.insert(copy.addUnordered(hash, cursor.score, bytes, start, end))
    } while (cursor.next())
    return copy
  }

  /** Gives everything back: at once when it is little, else in the background. */
  release(): void {
    if (this.watcher !== null) return this.watcher.outlive(() => this.release())
    const heap = this.#heap
    const { dict, tree } = this
    const elements = dismantling(dict, (element) => freeElement(heap, element))
    const job: FreeJob = {
      get leftCount() {
        return elements.leftCount + (tree.sizeBytes > 0 ? 1 : 0)
      },
      freeSome() {
        // The tree first, leaf by leaf, for it refers to the elements; the dict frees them.
        for (let leaves = 0; leaves < 8; leaves++) {
          if (!tree.dismantle(ignore)) break
        }
        if (tree.sizeBytes > 0) return
        elements.freeSome()
      },
    }
    this.store.lazyFree.dispose(job, FREE_AT_ONCE_MAX)
  }
}

function ignore(): void {}

/**
 * One sorted set, small or large, being read or changed. It looks up, walks and edits; what a command reads of an element
 * is in `score` and `bytes[start, end)`, valid until the next call.
 *
 * A change may move the record: use `handle`, not one from before. To change a set while walking it is not possible.
 */
export class SortedSet {
  readonly #database: Database
  readonly #heap: Heap
  /** The record; NONE for a set that is in no record yet (see `temporary`). */
  handle: Handle
  #large: LargeSortedSet | null
  #cursor: TreeCursor | null = null
  /** What `find` found: the place of an entry within the listpack, or an element. */
  #foundOffset = 0
  #foundElement: Handle = NONE
  #hash = 0
  /** The entry that a walk over a listpack has reached. */
  #entry = 0
  #text: Uint8Array | null = null

  score = 0
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0

  constructor(database: Database, handle: Handle, large: LargeSortedSet | null = null) {
    const { records, store } = database
    this.#database = database
    this.#heap = store.heap
    this.handle = handle
    if (large === null && records.kind(handle) === LARGE) this.#large = store.structures.of(records, handle)
    else this.#large = large
  }

  /**
   * Makes an empty sorted set at a key, in place of whatever it held. The caller adds at least one member.
   * @param countHint how many members are about to be added
   * @param memberSizeHint the size of the first of them
   */
  static create(
    database: Database,
    bytes: Uint8Array,
    start: number,
    end: number,
    countHint: number,
    memberSizeHint: number,
    expireAtMs = NEVER,
  ): SortedSet {
    const { packedLimits, heap, structures } = database.store
    if (countHint > packedLimits.zsetMaxListpackEntries || memberSizeHint > packedLimits.zsetMaxListpackValue) {
      const large = new LargeSortedSet(database.store)
      const handle = database.put(bytes, start, end, LARGE, STRUCTURE_BYTES, STRUCTURE_BYTES, expireAtMs)
      database.records.setValueWord(handle, 0, structures.add(large))
      return new SortedSet(database, handle)
    }
    const handle = database.put(bytes, start, end, PACKED, listpack.EMPTY_BYTES, listpack.EMPTY_BYTES, expireAtMs)
    listpack.initialize(heap.arenaOf(handle).u8, database.records.valueAt(handle))
    return new SortedSet(database, handle)
  }

  /**
   * A set that no key holds: for results, which `storeAs` gives a key, or `discard` gives back.
   * @param countHint how many members are expected: see Dict.reserve
   */
  static temporary(database: Database, countHint = 0): SortedSet {
    const large = new LargeSortedSet(database.store)
    large.dict.reserve(countHint)
    return new SortedSet(database, NONE, large)
  }

  get count(): number {
    if (this.#large !== null) return this.#large.dict.count
    return listpack.count(this.#u8, this.#at) / 2
  }

  get isPacked(): boolean {
    return this.#large === null
  }

  get #u8(): Uint8Array {
    return this.#heap.arenaOf(this.handle).u8
  }

  get #at(): number {
    return this.#database.records.valueAt(this.handle)
  }

  // ---- Finding ----

  /**
   * Looks for a member: if it is there, `score` is its score, and `changeScore` or `removeFound` apply to it. If not,
   * `add` may follow. Small: O(n); large: O(1).
   * hot: once for each member of ZADD, ZSCORE.
   */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    const large = this.#large
    if (large !== null) {
      this.#hash = this.#database.store.hash(bytes, start, end)
      this.#foundElement = large.find(this.#hash, bytes, start, end)
      if (this.#foundElement === NONE) return false
      this.score = elementScore(this.#heap, this.#foundElement)
      return true
    }
    const u8 = this.#u8
    const at = this.#at
    const entry = listpack.find(u8, listpack.first(u8, at), bytes, start, end, 1)
    if (entry === listpack.NONE) return false
    this.#foundOffset = entry - at
    this.score = packedScore(u8, listpack.next(u8, entry))
    return true
  }

  /** The rank of the member that `find` has found. Small: O(n); large: O(log n). */
  rankOfFound(): number {
    if (this.#large !== null) return this.#large.tree.rankOf(this.#foundElement)
    const u8 = this.#u8
    const at = this.#at
    let rank = 0
    for (let entry = listpack.first(u8, at); entry - at !== this.#foundOffset; rank++) {
      entry = listpack.next(u8, listpack.next(u8, entry))
    }
    return rank
  }

  /** How many elements lie before a bound: ranks from there on lie behind it. Small: O(n); large: O(log n). */
  countBefore(bound: Bound): number {
    if (this.#large !== null) return this.#large.tree.countBefore(bound)
    let rank = 0
    const count = this.count
    if (count === 0) return 0
    this.seek(0)
    while (rank < count && this.#isBefore(bound)) {
      rank++
      if (!this.next()) break
    }
    return rank
  }

  #isBefore(bound: Bound): boolean {
    if (bound.comparesScore && this.score !== bound.score) return this.score < bound.score
    if (!bound.comparesMember) return bound.isBehindEqual
    const order = compareBytes(this.bytes, this.start, this.end, bound.bytes, bound.start, bound.end)
    return order < 0 || (order === 0 && bound.isBehindEqual)
  }

  // ---- Walking ----

  /** Goes to the element of a rank below `count`. Small: O(n); large: O(log n). */
  seek(rank: number): void {
    if (this.#large !== null) {
      this.#cursor ??= new TreeCursor()
      this.#large.tree.seek(this.#cursor, rank)
      this.#loadElement(this.#cursor.element)
      this.score = this.#cursor.score
    } else {
      this.#loadEntry(listpack.seek(this.#u8, this.#at, rank * 2))
    }
  }

  /** To the element behind; false at the end. O(1). hot: once for each element of a ZRANGE. */
  next(): boolean {
    if (this.#large !== null) {
      if (!this.#cursor!.next()) return false
      this.#loadElement(this.#cursor!.element)
      this.score = this.#cursor!.score
      return true
    }
    const u8 = this.#u8
    const entry = listpack.next(u8, listpack.next(u8, this.#entry))
    if (entry === listpack.NONE) return false
    this.#loadEntry(entry)
    return true
  }

  /** To the element in front; false at the beginning. O(1). */
  previous(): boolean {
    if (this.#large !== null) {
      if (!this.#cursor!.previous()) return false
      this.#loadElement(this.#cursor!.element)
      this.score = this.#cursor!.score
      return true
    }
    const u8 = this.#u8
    const score = listpack.previous(u8, this.#at, this.#entry)
    if (score === listpack.NONE) return false
    this.#loadEntry(listpack.previous(u8, this.#at, score))
    return true
  }

  #loadElement(element: Handle): void {
    locateMember(this.#heap, element, this)
  }

  #loadEntry(entry: number): void {
    const u8 = this.#u8
    this.#entry = entry
    if (listpack.isString(u8, entry)) {
      this.bytes = u8
      this.start = listpack.stringStart(u8, entry)
      this.end = this.start + listpack.stringLength(u8, entry)
    } else {
      this.#text ??= new Uint8Array(24)
      this.bytes = this.#text
      this.start = 0
      this.end = listpack.writeText(u8, entry, this.#text, 0)
    }
    this.score = packedScore(u8, listpack.next(u8, entry))
  }

  /**
   * Visits elements as a cursor of SCAN goes round, and returns the next cursor, 0 at the end. A small set is visited
   * whole.
   */
  scan(cursor: number, countHint: number, visit: () => void): number {
    if (this.#large !== null) {
      return this.#large.dict.scan(cursor, countHint, (element) => {
        this.#loadElement(element)
        this.score = elementScore(this.#heap, element)
        visit()
      })
    }
    this.seek(0)
    do visit()
    while (this.next())
    return 0
  }

  // ---- Changing ----

  /** Makes the set large if so many members more would not leave it small anyway, before they are added. */
  expect(memberCount: number): void {
    if (this.#large === null && memberCount > this.#database.store.packedLimits.zsetMaxListpackEntries) this.#enlarge()
  }

  /** Adds a member that `find` has just not found. Small: O(n); large: O(log n). */
  add(score: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#large === null) {
      if (this.#addPacked(score, bytes, start, end)) return
      this.#enlarge()
      this.#hash = this.#database.store.hash(bytes, start, end)
    }
    this.#addLarge(score, bytes, start, end)
  }

  #addLarge(score: number, bytes: Uint8Array, start: number, end: number): void {
    const large = this.#large!
    large.tree.insert(large.addUnordered(this.#hash, score, bytes, start, end))
  }

  /** Gives the member that `find` has found another score. Small: O(n); large: O(log n). */
  changeScore(score: number): void {
    if (this.#large !== null) {
      this.#large.changeScore(this.#foundElement, score)
      return
    }
    const u8 = this.#u8
    const entry = this.#at + this.#foundOffset
    const size = listpack.writeText(u8, entry, reserveScratch(listpack.textLength(u8, entry)), 0)
    listpack.remove(u8, this.#at, entry, 2)
    if (this.#insertPacked(score, scratch, 0, size)) return
    this.#enlarge()
    this.#hash = this.#database.store.hash(scratch, 0, size)
    this.#addLarge(score, scratch, 0, size)
  }

  /** Takes out the member that `find` has found. The caller deletes the key of a set that is empty then. */
  removeFound(): void {
    if (this.#large !== null) {
      this.#large.tree.remove(this.#foundElement)
      this.#large.drop(this.#foundElement)
      return
    }
    this.#removePacked(this.#at + this.#foundOffset, 2)
  }

  /** One element is about to be popped from an end: to be called before it is sought. */
  expectPop(isMax: boolean): void {
    this.#large?.expectPop(isMax)
  }

  /** Takes out the elements of `count` ranks from `rank` on. Small: O(n); large: O(count log n). */
  removeRange(rank: number, count: number): void {
    const large = this.#large
    if (large === null) {
      this.#removePacked(listpack.seek(this.#u8, this.#at, rank * 2), count * 2)
      return
    }
    for (let removed = 0; removed < count; removed++) large.drop(large.tree.removeAt(rank))
  }

  #addPacked(score: number, bytes: Uint8Array, start: number, end: number): boolean {
    const limits = this.#database.store.packedLimits
    if (end - start > limits.zsetMaxListpackValue || this.count + 1 > limits.zsetMaxListpackEntries) return false
    return this.#insertPacked(score, bytes, start, end)
  }

  /** False, with nothing changed, when the record has no room for it. */
  #insertPacked(score: number, bytes: Uint8Array, start: number, end: number): boolean {
    const isInteger = Number.isSafeInteger(score) // a negative zero loses its sign, as in Redis
    const scoreSize = isInteger ? 0 : writeScore(score)
    const scoreBytes = isInteger ? listpack.integerEntryBytes(score) : listpack.entryBytes(SCORE_TEXT, 0, scoreSize)
    const memberBytes = listpack.entryBytes(bytes, start, end)
    const totalBytes = listpack.totalBytes(this.#u8, this.#at) + memberBytes + scoreBytes
    if (totalBytes > INLINE_BYTES_MAX) return false
    const offset = this.#packedPlace(score, bytes, start, end)
    this.handle = this.#database.resize(this.handle, totalBytes)
    this.#database.records.setValueSize(this.handle, totalBytes)
    const u8 = this.#u8
    const at = this.#at
    listpack.insert(u8, at, at + offset, bytes, start, end)
    const scoreAt = at + offset + memberBytes
    if (isInteger) listpack.insertInteger(u8, at, scoreAt, score)
    else listpack.insert(u8, at, scoreAt, SCORE_TEXT, 0, scoreSize)
    return true
  }

  /** Where in the listpack an element belongs: the offset of the entry to insert it before. */
  #packedPlace(score: number, bytes: Uint8Array, start: number, end: number): number {
    const u8 = this.#u8
    const at = this.#at
    let entry = listpack.first(u8, at)
    while (entry !== listpack.NONE) {
      const scoreEntry = listpack.next(u8, entry)
      const other = packedScore(u8, scoreEntry)
      if (other > score) return entry - at
      if (other === score) {
        this.#loadEntry(entry)
        if (compareBytes(this.bytes, this.start, this.end, bytes, start, end) > 0) return entry - at
      }
      entry = listpack.next(u8, scoreEntry)
    }
    return listpack.endOf(u8, at) - at
  }

  #removePacked(entry: number, entryCount: number): void {
    listpack.remove(this.#u8, this.#at, entry, entryCount)
    const totalBytes = listpack.totalBytes(this.#u8, this.#at)
    this.handle = this.#database.resize(this.handle, totalBytes)
    this.#database.records.setValueSize(this.handle, totalBytes)
  }

  #enlarge(): void {
    const { store, records } = this.#database
    const large = new LargeSortedSet(store)
    if (this.count > 0) {
      this.seek(0)
      do {
        const hash = store.hash(this.bytes, this.start, this.end)
        large.tree.insert(large.addUnordered(hash, this.score, this.bytes, this.start, this.end))
      } while (this.next())
    }
    this.handle = this.#database.resize(this.handle, STRUCTURE_BYTES)
    records.setKind(this.handle, LARGE)
    records.setValueSize(this.handle, STRUCTURE_BYTES)
    records.setValueWord(this.handle, 0, store.structures.add(large))
    this.#large = large
  }

  // ---- Results ----

  /** Adds a member to a temporary set, in no order; `order` follows. */
  addUnordered(score: number, bytes: Uint8Array, start: number, end: number): void {
    this.#large!.addUnordered(this.#hash, score, bytes, start, end)
  }

  /** Gives the member that `find` has found in a temporary set without order another score. */
  changeScoreUnordered(score: number): void {
    setElementScore(this.#heap, this.#foundElement, score)
  }

  /**
   * Puts in order what was added by `addUnordered`. O(n log n). By rising scores, so that each element goes to the end of the
   * tree or close to it: a million in any order would each wait for memory all the way down.
   */
  order(): void {
    const { dict, tree } = this.#large!
    const elements = new Uint32Array(dict.count)
    const scores = new Float64Array(dict.count)
    let count = 0
    dict.forEach((element) => {
      elements[count] = element
      scores[count++] = elementScore(this.#heap, element)
    })
    const indexes = Uint32Array.from(elements.keys()).sort((a, b) => scores[a] - scores[b] || a - b)
    for (const index of indexes) tree.insert(elements[index])
  }

  /**
   * Gives a temporary set that is not empty a key, in place of whatever that held; small if its size allows. O(n) then,
   * else O(1).
   */
  storeAs(bytes: Uint8Array, start: number, end: number, expireAtMs = NEVER): Handle {
    const database = this.#database
    const { store, records } = database
    const large = this.#large!
    if (!this.#fitsPacked()) {
      this.handle = database.put(bytes, start, end, LARGE, STRUCTURE_BYTES, STRUCTURE_BYTES, expireAtMs)
      records.setValueWord(this.handle, 0, store.structures.add(large))
      return this.handle
    }
    const packed = SortedSet.create(database, bytes, start, end, this.count, 0, expireAtMs)
    this.seek(0)
    do {
      const isPacked = packed.#insertPacked(this.score, this.bytes, this.start, this.end)
      assert(isPacked, 'sorted set: sizes were checked')
    } while (this.next())
    this.handle = packed.handle
    this.#large = null
    large.release()
    return this.handle
  }

  #fitsPacked(): boolean {
    const limits = this.#database.store.packedLimits
    if (this.count > limits.zsetMaxListpackEntries) return false
    let totalBytes = listpack.EMPTY_BYTES
    this.seek(0)
    do {
      const size = this.end - this.start
      if (size > limits.zsetMaxListpackValue) return false
      totalBytes += listpack.entryBytes(this.bytes, this.start, this.end)
      totalBytes += listpack.entryBytes(SCORE_TEXT, 0, writeScore(this.score))
      if (totalBytes > INLINE_BYTES_MAX) return false
    } while (this.next())
    return true
  }

  /** Gives a temporary set back. */
  discard(): void {
    this.#large!.release()
  }
}

const EMPTY = new Uint8Array(0)

/** The text of a score that is no integer, on its way into a listpack. */
const SCORE_TEXT = new Uint8Array(64)

function writeScore(score: number): number {
  const text = formatDoubleShortest(score)
  for (let index = 0; index < text.length; index++) SCORE_TEXT[index] = text.charCodeAt(index)
  return text.length
}

function packedScore(u8: Uint8Array, entry: number): number {
  const integer = listpack.integer(u8, entry)
  if (!Number.isNaN(integer)) return integer
  if (!listpack.isString(u8, entry)) return Number(listpack.bigInteger(u8, entry))
  const start = listpack.stringStart(u8, entry)
  return parseDouble(u8, start, start + listpack.stringLength(u8, entry))
}

/** A member on its way from one place of a listpack to another. */
let scratch = new Uint8Array(256)

function reserveScratch(sizeBytes: number): Uint8Array {
  if (sizeBytes > scratch.length) scratch = new Uint8Array(sizeBytes * 2)
  return scratch
}
