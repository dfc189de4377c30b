import { copyBytes } from '../bytes/copy.ts'
import { Dict } from '../memory/dict.ts'
import { BLOCK_BYTES_MAX, byteAt, type Handle, type Heap, NONE, wordAt } from '../memory/heap.ts'
import { keptBytes } from '../memory/offered-buffer.ts'
import { Text } from '../memory/text.ts'
import { dismantling } from './lazy-free.ts'
import type { Store } from './store.ts'
import type { Structure, StructureWatcher } from './structures.ts'

/**
 * The large form of a set: a dict of elements, each a block of the heap with a member.
 *
 *   0             4
 *   | flag, size  | member |
 *
 *   size   of the member, in the lower 31 bits
 *
 * A member larger than a block is a large value (IS_LARGE), whose index stands in its place. A member of 10 bytes takes
 * 16 bytes and 8 to 12 in the dict.
 */
const HEADER_BYTES = 4
const IS_LARGE = 0x80000000
const SIZE_MASK = 0x7fffffff

/** Up to here a table is freed at once. */
const FREED_AT_ONCE_MAX = 256

export class MemberTable implements Structure {
  readonly #store: Store
  readonly #heap: Heap
  readonly #dict: Dict
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
    return this.#elementBytes + this.#dict.sizeBytes
  }

  /** The element of a member, or NONE. hot: once for each SISMEMBER. */
  find(bytes: Uint8Array, start: number, end: number): Handle {
    return this.#find(this.#store.hash(bytes, start, end), bytes, start, end)
  }

  /** Adds a member; false when it is there already. hot: once for each member of SADD. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.#store.hash(bytes, start, end)
    if (this.#find(hash, bytes, start, end) !== NONE) return false
    const element = this.#allocate(bytes, start, end)
    this.#dict.insert(hash, element)
    if (this.watcher !== null) this.watcher.added(element)
    return true
  }

  /** Makes room for about so many members, while there are none: see Dict.reserve. */
  reserve(count: number): void {
    this.#dict.reserve(count)
  }

  /** Takes a member out; false when there is none. */
  remove(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.#store.hash(bytes, start, end)
    const element = this.#find(hash, bytes, start, end)
    if (element === NONE) return false
    this.#remove(hash, element)
    return true
  }

  /** Takes an element out. */
  removeElement(element: Handle): void {
    this.#remove(this.hashOf(element), element)
  }

  #remove(hash: number, element: Handle): void {
    if (this.watcher !== null) this.watcher.removing(element)
    this.#dict.remove(hash, element)
    this.#free(element)
  }

  /** The hash by whose order `scan` goes. */
  hashOf(element: Handle): number {
    const start = this.#bodyStart(element)
    return this.#store.hash(this.#body(element), start, start + this.#size(element))
  }

  /** Where an element's member lies. hot: for each member of a walk. */
  locate(element: Handle, member: Text): void {
    const start = this.#bodyStart(element)
    member.set(this.#body(element), start, start + this.#size(element))
  }

  /** An element picked almost uniformly; the table must not be empty. */
  random(): Handle {
    return this.#dict.random(this.#store.random)
  }

  /** Every member, in no particular order. The table must not change from within `visit`. O(n). */
  forEach(visit: (member: Text) => void): void {
    const member = new Text()
    this.#dict.forEach((element) => {
      this.locate(element, member)
      visit(member)
    })
  }

  /** Visits some elements from a cursor on, see Dict.scan. Returns the cursor to go on with, 0 at the end. */
  scan(cursor: number, countHint: number, visit: (element: Handle) => void): number {
    return this.#dict.scan(cursor, countHint, visit)
  }

  /** A copy with contents of its own. O(n). */
  clone(): MemberTable {
    const copy = new MemberTable(this.#store)
    copy.reserve(this.count)
    this.#dict.forEach((element, hash) => {
      const start = this.#bodyStart(element)
      copy.#dict.insert(hash, copy.#allocate(this.#body(element), start, start + this.#size(element)))
    })
    return copy
  }

  /** Frees everything: at once when it is little, else in the background. */
  dispose(): void {
    if (this.watcher !== null) return this.watcher.outlive(() => this.dispose())
    const job = dismantling(this.#dict, (element) => this.#free(element))
    this.#store.lazyFree.dispose(job, FREED_AT_ONCE_MAX)
  }

  #find(hash: number, bytes: Uint8Array, start: number, end: number): Handle {
    let element = this.#dict.find(hash, NONE)
    while (element !== NONE && !this.#equals(element, bytes, start, end)) element = this.#dict.find(hash, element)
    return element
  }

  #equals(element: Handle, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#size(element) !== end - start) return false
    const stored = this.#body(element)
    let at = this.#bodyStart(element)
    for (let index = start; index < end; index++) {
      if (stored[at++] !== bytes[index]) return false
    }
    return true
  }

  #allocate(bytes: Uint8Array, start: number, end: number): Handle {
    const heap = this.#heap
    const size = end - start
    const isLarge = HEADER_BYTES + size > BLOCK_BYTES_MAX
    const element = heap.allocate(isLarge ? HEADER_BYTES + 4 : HEADER_BYTES + size)
    const arena = heap.arenaOf(element)
    const word = wordAt(element)
    if (isLarge) {
      arena.u32[word] = size | IS_LARGE
      arena.u32[word + 1] = heap.large.add(keptBytes(bytes, start, end))
    } else {
      arena.u32[word] = size
      copyBytes(bytes, start, end, arena.u8, byteAt(element) + HEADER_BYTES)
    }
    this.#elementBytes += this.#usedBytes(element)
    return element
  }

  #free(element: Handle): void {
    this.#elementBytes -= this.#usedBytes(element)
    if (this.#isLarge(element)) this.#heap.large.free(this.#largeIndex(element))
    this.#heap.free(element)
  }

  #usedBytes(element: Handle): number {
    const blockBytes = this.#heap.blockBytes(element)
    return this.#isLarge(element) ? blockBytes + this.#size(element) : blockBytes
  }

  #size(element: Handle): number {
    return this.#heap.arenaOf(element).u32[wordAt(element)] & SIZE_MASK
  }

  #isLarge(element: Handle): boolean {
    return (this.#heap.arenaOf(element).u32[wordAt(element)] & IS_LARGE) !== 0
  }

  #largeIndex(element: Handle): number {
    return this.#heap.arenaOf(element).u32[wordAt(element) + 1]
  }

  /** The array that holds the member, from `#bodyStart` on. */
  #body(element: Handle): Uint8Array {
    if (this.#isLarge(element)) return this.#heap.large.get(this.#largeIndex(element))
    return this.#heap.arenaOf(element).u8
  }

  #bodyStart(element: Handle): number {
    return this.#isLarge(element) ? 0 : byteAt(element) + HEADER_BYTES
  }
}
