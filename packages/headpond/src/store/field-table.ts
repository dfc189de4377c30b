import { copyBytes } from '../bytes/copy.ts'
import { Dict } from '../memory/dict.ts'
import { BLOCK_BYTES_MAX, byteAt, type Handle, Heap, NONE, wordAt } from '../memory/heap.ts'
import { ownCopy } from '../memory/spare-buffers.ts'
import type { Text } from '../memory/text.ts'
import { ExpiryIndex, type ExpiryPlaces } from './expiry-index.ts'
import { dismantling } from './lazy-free.ts'
import { NEVER } from './record.ts'
import type { Store } from './store.ts'
import type { Structure, StructureWatcher } from './structures.ts'

/**
 * The large form of a hash: a dict of elements, each a block of the heap with a field and its value.
 *
 *   0               4           8
 *   | flags, size   | valueSize | [expireAtMs: low, high | expirySlot] | field | value |
 *
 *   size      of the field, in the lower 30 bits
 *   expiry    only with the flag HAS_EXPIRY
 *
 * An element larger than a block keeps field and value in a large value (IS_LARGE), whose index stands in their place.
 * A field of 10 bytes with a value of 10 takes 32 bytes and 8 to 12 in the dict.
 */
const SIZE_WORD = 0
const VALUE_SIZE_WORD = 1
const EXPIRE_LOW_WORD = 2
const EXPIRE_HIGH_WORD = 3
const EXPIRY_SLOT_WORD = 4
const HEADER_BYTES = 8
const EXPIRY_BYTES = 12

const HAS_EXPIRY = 0x80000000
const IS_LARGE = 0x40000000
const SIZE_MASK = 0x3fffffff

/** Fields that expire are indexed in chunks of 2 KiB. */
const EXPIRY_CHUNK_ENTRIES = 256
/** Up to here a table is freed at once. */
const FREED_AT_ONCE_MAX = 256

export class FieldTable implements Structure {
  readonly #store: Store
  readonly #heap: Heap
  readonly #dict: Dict
  #expires: ExpiryIndex | null = null
  #elementBytes = 0
  watcher: StructureWatcher | null = null

  constructor(store: Store) {
    this.#store = store
    this.#heap = store.heap
    this.#dict = new Dict(store.heap)
  }

  get count(): number {
    return this.#dict.count
  }

  get sizeBytes(): number {
    return this.#elementBytes + this.#dict.sizeBytes + (this.#expires?.sizeBytes ?? 0)
  }

  /** How many fields have an expiry. */
  get expiringCount(): number {
    return this.#expires?.count ?? 0
  }

  /** No field expires before this moment. */
  get earliestExpireAtMs(): number {
    return this.#expires?.earliestAtMs ?? NEVER
  }

  /** The element of a field, or NONE. hot: once for each field of a command. */
  find(bytes: Uint8Array, start: number, end: number): Handle {
    const hash = this.#store.hash(bytes, start, end)
    let element = this.#dict.find(hash, NONE)
    while (element !== NONE && !this.#fieldEquals(element, bytes, start, end)) {
      element = this.#dict.find(hash, element)
    }
    return element
  }

  /** Where an element's field lies. */
  locateField(element: Handle, field: Text): void {
    const word0 = this.#word(element, SIZE_WORD)
    const start = this.#bodyStart(element, word0)
    field.set(this.#bodyBytes(element, word0), start, start + (word0 & SIZE_MASK))
  }

  /** Where an element's value lies. hot: once for each HGET. */
  locateValue(element: Handle, value: Text): void {
    const word0 = this.#word(element, SIZE_WORD)
    const start = this.#bodyStart(element, word0) + (word0 & SIZE_MASK)
    value.set(this.#bodyBytes(element, word0), start, start + this.#word(element, VALUE_SIZE_WORD))
  }

  /** When an element expires, or NEVER. */
  expireAtMs(element: Handle): number {
    const words = this.#heap.arenaOf(element).u32
    const at = wordAt(element)
    if ((words[at] & HAS_EXPIRY) === 0) return NEVER
    return words[at + EXPIRE_HIGH_WORD] * 2 ** 32 + words[at + EXPIRE_LOW_WORD]
  }

  /** Makes room for about so many fields, while there are none: see Dict.reserve. */
  reserve(count: number): void {
    this.#dict.reserve(count)
  }

  /** Adds a field that is not in the table yet. */
  insert(
    field: Uint8Array,
    fieldStart: number,
    fieldEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expireAtMs = NEVER,
  ): void {
    const element = this.#allocate(fieldEnd - fieldStart, valueEnd - valueStart, expireAtMs)
    const word0 = this.#word(element, SIZE_WORD)
    const to = this.#bodyStart(element, word0)
    const body = this.#bodyBytes(element, word0)
    copyBytes(field, fieldStart, fieldEnd, body, to)
    copyBytes(value, valueStart, valueEnd, body, to + fieldEnd - fieldStart)
    this.#dict.insert(this.#store.hash(field, fieldStart, fieldEnd), element)
    if (expireAtMs !== NEVER) this.#index().add(element)
    if (this.watcher !== null) this.watcher.added(element)
  }

  /** Gives a field that is in the table another value; its expiry stays or goes. */
  replace(element: Handle, value: Uint8Array, valueStart: number, valueEnd: number, keepsExpiry: boolean): void {
    const expireAtMs = keepsExpiry ? this.expireAtMs(element) : NEVER
    const word0 = this.#word(element, SIZE_WORD)
    const fieldSize = word0 & SIZE_MASK
    const valueSize = valueEnd - valueStart
    const sizeBytes = elementBytes(fieldSize, valueSize, expireAtMs !== NEVER)
    const hasSameExpiry = ((word0 & HAS_EXPIRY) !== 0) === (expireAtMs !== NEVER)
    if (
      hasSameExpiry &&
      (word0 & IS_LARGE) === 0 &&
      sizeBytes <= BLOCK_BYTES_MAX &&
      Heap.classBytes(sizeBytes) === this.#heap.blockBytes(element)
    ) {
      if (this.watcher !== null) this.watcher.changing(element)
      const arena = this.#heap.arenaOf(element)
      arena.u32[wordAt(element) + VALUE_SIZE_WORD] = valueSize
      copyBytes(value, valueStart, valueEnd, arena.u8, this.#bodyStart(element, word0) + fieldSize)
      return
    }
    this.#rebuild(element, value, valueStart, valueEnd, expireAtMs)
  }

  /** Sets, changes or (NEVER) takes away when a field expires. */
  setExpiry(element: Handle, expireAtMs: number): void {
    const word0 = this.#word(element, SIZE_WORD)
    const hasExpiry = (word0 & HAS_EXPIRY) !== 0
    if (hasExpiry && expireAtMs !== NEVER) {
      if (this.watcher !== null) this.watcher.changing(element)
      this.#index().remove(element)
      this.#setExpireAtMs(element, expireAtMs)
      this.#index().add(element)
    } else if (hasExpiry || expireAtMs !== NEVER) {
      const start = this.#bodyStart(element, word0) + (word0 & SIZE_MASK)
      const body = this.#bodyBytes(element, word0)
      this.#rebuild(element, body, start, start + this.#word(element, VALUE_SIZE_WORD), expireAtMs)
    }
  }

  /** Takes out an element and frees it. */
  remove(element: Handle): void {
    if (this.watcher !== null) this.watcher.removing(element)
    if (this.expireAtMs(element) !== NEVER) this.#index().remove(element)
    this.#dict.remove(this.hashOf(element), element)
    this.#free(element)
  }

  /** Every element, in no particular order. The table must not change from within `visit`. O(n). */
  forEach(visit: (element: Handle) => void): void {
    this.#dict.forEach(visit)
  }

  /** Visits some elements from a cursor on, see Dict.scan. Returns the cursor to go on with, 0 at the end. */
  scan(cursor: number, countHint: number, visit: (element: Handle) => void): number {
    return this.#dict.scan(cursor, countHint, visit)
  }

  /** An element picked almost uniformly; the table must not be empty. */
  random(): Handle {
    return this.#dict.random(this.#store.random)
  }

  /**
   * Removes up to `countMax` elements that are due, each having been shown. Returns how many; fewer than `countMax` when
   * no more are due.
   */
  removeDue(nowMs: number, countMax: number, show: (element: Handle) => void): number {
    const expires = this.#expires
    if (expires === null) return 0
    const remove = (element: Handle): void => {
      show(element)
      this.remove(element)
    }
    return expires.collectDue(nowMs, expires.count, countMax, remove).expired
  }

  /** A copy with contents of its own. O(n). */
  clone(): FieldTable {
    const copy = new FieldTable(this.#store)
    copy.reserve(this.count)
    const heap = this.#heap
    this.#dict.forEach((element, hash) => {
      const sizeBytes = heap.blockBytes(element)
      const copied = heap.allocate(sizeBytes)
      const from = byteAt(element)
      copyBytes(heap.arenaOf(element).u8, from, from + sizeBytes, heap.arenaOf(copied).u8, byteAt(copied))
      const word0 = this.#word(element, SIZE_WORD)
      if ((word0 & IS_LARGE) !== 0) {
        const at = this.#inlineStart(copied, word0) >>> 2
        const words = heap.arenaOf(copied).u32
        const original = heap.large.get(words[at])
        words[at] = heap.large.add(ownCopy(original, 0, original.length))
      }
      copy.#elementBytes += this.#usedBytes(copied)
      copy.#dict.insert(hash, copied)
      if ((word0 & HAS_EXPIRY) !== 0) copy.#index().add(copied)
    })
    return copy
  }

  /** Frees everything: at once when it is little, else in the background. */
  dispose(): void {
    if (this.watcher !== null) return this.watcher.outlive(() => this.dispose())
    this.#expires?.clear()
    const job = dismantling(this.#dict, (element) => this.#free(element))
    this.#store.lazyFree.dispose(job, FREED_AT_ONCE_MAX)
  }

  /** Writes an element anew, with another value or another expiry. */
  #rebuild(element: Handle, value: Uint8Array, valueStart: number, valueEnd: number, expireAtMs: number): void {
    if (this.watcher !== null) this.watcher.removing(element)
    const word0 = this.#word(element, SIZE_WORD)
    const fieldStart = this.#bodyStart(element, word0)
    const field = this.#bodyBytes(element, word0)
    const fieldSize = word0 & SIZE_MASK
    const rebuilt = this.#allocate(fieldSize, valueEnd - valueStart, expireAtMs)
    const rebuiltWord0 = this.#word(rebuilt, SIZE_WORD)
    const to = this.#bodyStart(rebuilt, rebuiltWord0)
    const body = this.#bodyBytes(rebuilt, rebuiltWord0)
    copyBytes(field, fieldStart, fieldStart + fieldSize, body, to)
    copyBytes(value, valueStart, valueEnd, body, to + fieldSize)
    this.#dict.replace(this.#store.hash(field, fieldStart, fieldStart + fieldSize), element, rebuilt)
    if ((word0 & HAS_EXPIRY) !== 0) this.#index().remove(element)
    if (expireAtMs !== NEVER) this.#index().add(rebuilt)
    this.#free(element)
    if (this.watcher !== null) this.watcher.added(rebuilt)
  }

  /** An element whose field and value are yet to be written. */
  #allocate(fieldSize: number, valueSize: number, expireAtMs: number): Handle {
    const heap = this.#heap
    const sizeBytes = elementBytes(fieldSize, valueSize, expireAtMs !== NEVER)
    const isLarge = sizeBytes > BLOCK_BYTES_MAX
    const element = heap.allocate(isLarge ? sizeBytes - fieldSize - valueSize + 4 : sizeBytes)
    const words = heap.arenaOf(element).u32
    const at = wordAt(element)
    const flags = (expireAtMs !== NEVER ? HAS_EXPIRY : 0) | (isLarge ? IS_LARGE : 0)
    words[at + SIZE_WORD] = fieldSize | flags
    words[at + VALUE_SIZE_WORD] = valueSize
    if (expireAtMs !== NEVER) this.#setExpireAtMs(element, expireAtMs)
    if (isLarge) words[this.#inlineStart(element, flags) >>> 2] = heap.large.allocate(fieldSize + valueSize)
    this.#elementBytes += this.#usedBytes(element)
    return element
  }

  #free(element: Handle): void {
    const word0 = this.#word(element, SIZE_WORD)
    this.#elementBytes -= this.#usedBytes(element)
    if ((word0 & IS_LARGE) !== 0) this.#heap.large.free(this.#largeIndex(element, word0))
    this.#heap.free(element)
  }

  #usedBytes(element: Handle): number {
    const word0 = this.#word(element, SIZE_WORD)
    const blockBytes = this.#heap.blockBytes(element)
    if ((word0 & IS_LARGE) === 0) return blockBytes
    return blockBytes + this.#heap.large.get(this.#largeIndex(element, word0)).length
  }

  #fieldEquals(element: Handle, bytes: Uint8Array, start: number, end: number): boolean {
    const word0 = this.#word(element, SIZE_WORD)
    if ((word0 & SIZE_MASK) !== end - start) return false
    const stored = this.#bodyBytes(element, word0)
    let at = this.#bodyStart(element, word0)
    for (let index = start; index < end; index++) {
      if (stored[at++] !== bytes[index]) return false
    }
    return true
  }

  /** The hash by whose order `scan` goes. */
  hashOf(element: Handle): number {
    const word0 = this.#word(element, SIZE_WORD)
    const start = this.#bodyStart(element, word0)
    return this.#store.hash(this.#bodyBytes(element, word0), start, start + (word0 & SIZE_MASK))
  }

  #index(): ExpiryIndex {
    this.#expires ??= new ExpiryIndex(this.#heap, new ElementExpiryPlaces(this.#heap), EXPIRY_CHUNK_ENTRIES)
    return this.#expires
  }

  #setExpireAtMs(element: Handle, expireAtMs: number): void {
    const words = this.#heap.arenaOf(element).u32
    const at = wordAt(element)
    words[at + EXPIRE_LOW_WORD] = expireAtMs >>> 0
    words[at + EXPIRE_HIGH_WORD] = Math.floor(expireAtMs / 2 ** 32)
  }

  #word(element: Handle, index: number): number {
    return this.#heap.arenaOf(element).u32[wordAt(element) + index]
  }

  /** Where the block's part behind the fixed words begins: field and value, or the index of the large value. */
  #inlineStart(element: Handle, word0: number): number {
    return byteAt(element) + ((word0 & HAS_EXPIRY) === 0 ? HEADER_BYTES : HEADER_BYTES + EXPIRY_BYTES)
  }

  #largeIndex(element: Handle, word0: number): number {
    return this.#heap.arenaOf(element).u32[this.#inlineStart(element, word0) >>> 2]
  }

  /** The array that holds field and value, from `#bodyStart` on. */
  #bodyBytes(element: Handle, word0: number): Uint8Array {
    if ((word0 & IS_LARGE) === 0) return this.#heap.arenaOf(element).u8
    return this.#heap.large.get(this.#largeIndex(element, word0))
  }

  #bodyStart(element: Handle, word0: number): number {
    return (word0 & IS_LARGE) === 0 ? this.#inlineStart(element, word0) : 0
  }
}

class ElementExpiryPlaces implements ExpiryPlaces {
  readonly #heap: Heap

  constructor(heap: Heap) {
    this.#heap = heap
  }

  expireAtMs(element: Handle): number {
    const words = this.#heap.arenaOf(element).u32
    const at = wordAt(element)
    return words[at + EXPIRE_HIGH_WORD] * 2 ** 32 + words[at + EXPIRE_LOW_WORD]
  }

  expirySlot(element: Handle): number {
    return this.#heap.arenaOf(element).u32[wordAt(element) + EXPIRY_SLOT_WORD]
  }

  setExpirySlot(element: Handle, slot: number): void {
    this.#heap.arenaOf(element).u32[wordAt(element) + EXPIRY_SLOT_WORD] = slot
  }
}

/** What an element takes in one block. */
function elementBytes(fieldSize: number, valueSize: number, hasExpiry: boolean): number {
  return (hasExpiry ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES) + fieldSize + valueSize
}
