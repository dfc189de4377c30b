import { copyBytes } from '../bytes/copy.ts'
import { BLOCK_BYTES_MAX, byteAt, type Handle, type Heap, NONE, wordAt } from './heap.ts'
import type { ListCursor } from './list-cursor.ts'
import * as listpack from './listpack.ts'
import { NODE_BYTES_MAX, type NodeLimit } from './node-limit.ts'
import { keptBytes } from './offered-buffer.ts'

/**
 * A long list: a row of nodes, each a listpack of some kilobytes, as Redis's quicklist, so that pushing, popping and
 * walking touch little memory and DUMP is a copy.
 *
 * The nodes stand in one row with room at both ends, two words each. The row is a block of the heap, and an array of its
 * own when it is longer than blocks are: lists of a few nodes, which there may be very many of, leave next to nothing in
 * the JS heap.
 *
 *   | handle | kind (2 bits), lead (15 bits), count (15 bits) |
 *
 *   PACKED       a listpack in a block of the heap, `lead` bytes behind its beginning: so LPUSH and LPOP move its header
 *                instead of everything behind it
 *   PLAIN        one element too large for a listpack, in a block:   | size u32 | bytes |
 *   PLAIN_LARGE  one element too large for a block: `handle` is the index of a large value
 *
 * An element is found by its index in O(nodes), which is one word to read for some hundred elements; a node is inserted
 * or removed in the middle by moving the words of the shorter side.
 *
 * How full nodes get, when they are split and merged follows Redis (quicklist.c), so that DUMPs are alike.
 *
 * Bytes given to a method must not lie in the heap's arenas: nodes move while it runs.
 */
const PACKED = 0
const PLAIN = 1
const PLAIN_LARGE = 2

/** Elements take two bytes at least, and nodes less than BLOCK_BYTES_MAX. */
const COUNT_MASK = 2 ** 15 - 1
const LEAD_SHIFT = 15
const LEAD_ONE = 2 ** LEAD_SHIFT
const PLAIN_HEADER_BYTES = 4
const NODE_WORDS = 2
const ROW_NODES_MIN = 4
const EMPTY_ROW = new Uint32Array(0)

/** What Redis adds to an element's size to guess what it takes in a node. */
const ENTRY_OVERHEAD_BYTES = 8
/** From so many nodes on, new ones get a block of full size at once: the little left unused at the ends is well spent. */
const FULL_BLOCKS_FROM_NODES = 16

/** Who needs the nodes as they are now: see store/structures.ts, which is a floor above. */
interface NodeWatcher {
  changing(part: number): void
  outlive(dispose: () => void): void
}

/** Gets a node: a listpack, or one element. The bytes are valid during the call. */
export type NodeVisitor = (isPlain: boolean, bytes: Uint8Array, start: number, end: number) => void

export class Quicklist {
  readonly #heap: Heap
  readonly #limit: NodeLimit
  /** What the row lies in: the arena of its block, or its own array. */
  #words: Uint32Array = EMPTY_ROW
  /** The row's block; NONE when it is an array of its own, or when there are no nodes. */
  #row: Handle = NONE
  /** Where the row begins in #words, how long it is, and where its first node stands, all counted in nodes. */
  #rowStart = 0
  #rowCapacity = 0
  #first = 0
  #nodeCount = 0
  #count = 0
  #nodeBytes = 0
  watcher: NodeWatcher | null = null

  constructor(heap: Heap, limit: NodeLimit) {
    this.#heap = heap
    this.#limit = limit
  }

  /** Elements. */
  get count(): number {
    return this.#count
  }

  get nodeCount(): number {
    return this.#nodeCount
  }

  /** Bytes that the nodes and their row take. */
  get sizeBytes(): number {
    const rowBytes = this.#row === NONE ? this.#words.byteLength : this.#heap.blockBytes(this.#row)
    return this.#nodeBytes + rowBytes
  }

  // ---- The ends ----

  /** O(1), but for a move of the node now and then. hot: once for each LPUSH or RPUSH to a long list. */
  push(atTail: boolean, bytes: Uint8Array, start: number, end: number): void {
    const nodeCount = this.#nodeCount
    const node = atTail ? nodeCount - 1 : 0
    if (nodeCount === 0 || !this.#hasRoom(node, end - start)) {
      return this.#insertNodeOf(atTail ? nodeCount : 0, bytes, start, end)
    }
    this.#changing(node)
    const entryBytes = listpack.entryBytes(bytes, start, end)
    if (atTail) this.#makeRoom(node, entryBytes)
    else this.#makeLead(node, entryBytes)
    const word = (this.#first + node) * 2
    const handle = this.#words[word]
    const { u8 } = this.#heap.arenaOf(handle)
    const at = byteAt(handle) + leadOf(this.#words[word + 1])
    if (atTail) {
      listpack.insertOf(u8, at, listpack.endOf(u8, at), entryBytes, bytes, start, end)
      this.#words[word + 1]++
    } else {
      listpack.prependOf(u8, at, entryBytes, bytes, start, end)
      this.#words[word + 1] += 1 - entryBytes * LEAD_ONE
    }
    this.#count++
  }

  /** Removes the element at an end. O(1). hot: once for each LPOP or RPOP of a long list. */
  removeEnd(atTail: boolean): void {
    const node = atTail ? this.#nodeCount - 1 : 0
    const count = this.#countOf(node)
    if (count === 1) return this.#removeNode(node)
    this.#changing(node)
    const word = (this.#first + node) * 2
    const handle = this.#words[word]
    const { u8 } = this.#heap.arenaOf(handle)
    const at = byteAt(handle) + leadOf(this.#words[word + 1])
    if (atTail) listpack.remove(u8, at, listpack.last(u8, at), 1)
    else this.#words[word + 1] += listpack.removeFirst(u8, at) * LEAD_ONE
    this.#removed(node, 1)
  }

  /** Makes sure of room for so many bytes more before the elements of a node. */
  #makeLead(node: number, bytesMore: number): void {
    if (leadOf(this.#words[(this.#first + node) * 2 + 1]) >= bytesMore) return
    const sizeBytes = this.#sizeOf(node)
    const needed = sizeBytes + bytesMore
    if (needed > this.#heap.blockBytes(this.#handleOf(node))) this.#reallocate(node, needed)
    const room = this.#heap.blockBytes(this.#handleOf(node)) - sizeBytes
    // A node that is pushed to at its tail as well keeps half of the room there.
    this.#moveTo(node, this.#nodeCount === 1 ? Math.max(bytesMore, room >>> 1) : room)
  }

  /** Moves a node's listpack within its block. */
  #moveTo(node: number, lead: number): void {
    const word = (this.#first + node) * 2
    const handle = this.#words[word]
    const { u8 } = this.#heap.arenaOf(handle)
    const at = byteAt(handle) + leadOf(this.#words[word + 1])
    u8.copyWithin(byteAt(handle) + lead, at, at + listpack.totalBytes(u8, at))
    this.#words[word + 1] += (lead - leadOf(this.#words[word + 1])) * LEAD_ONE
  }

  // ---- Anywhere ----

  /** Inserts an element beside the one that the cursor stands on; the cursor is void afterwards. */
  insert(cursor: ListCursor, isAfter: boolean, bytes: Uint8Array, start: number, end: number): void {
    const node = cursor.node
    const size = end - start
    const beside = isAfter ? node + 1 : node
    const isPlain = this.#kindOf(node) !== PACKED
    const isAtEdge = isPlain || (isAfter ? cursor.isLastOfNode : cursor.isFirstOfNode)
    if (this.#isLarge(size)) {
      if (!isAtEdge) this.#splitBeside(node, cursor, isAfter)
      this.#insertNodeOf(isAfter || !isAtEdge ? node + 1 : node, bytes, start, end)
    } else if (this.#hasRoom(node, size)) {
      this.#insertInto(node, isAfter ? cursor.offsetBehind : cursor.offset, bytes, start, end)
    } else if (isAtEdge) {
      const neighbour = isAfter ? node + 1 : node - 1
      if (neighbour >= 0 && neighbour < this.#nodeCount && this.#hasRoom(neighbour, size)) {
        this.#insertInto(neighbour, isAfter ? listpack.HEADER_BYTES : this.#endOffset(neighbour), bytes, start, end)
      } else {
        this.#insertNodeOf(beside, bytes, start, end)
      }
    } else {
      this.#splitBeside(node, cursor, isAfter)
      const half = isAfter ? node + 1 : node
      if (this.#sizeOf(half) + size > NODE_BYTES_MAX) return this.#insertNodeOf(node + 1, bytes, start, end)
      this.#insertInto(half, isAfter ? listpack.HEADER_BYTES : this.#endOffset(half), bytes, start, end)
      this.#mergeAround(isAfter ? node : node + 1)
    }
  }

  /** Puts another element in the place of the one that the cursor stands on; the cursor is void afterwards. */
  replace(cursor: ListCursor, bytes: Uint8Array, start: number, end: number): void {
    const node = cursor.node
    const isLarge = this.#isLarge(end - start)
    if (this.#kindOf(node) !== PACKED || this.#countOf(node) === 1) {
      this.#removeNode(node)
      this.#insertNodeOf(node, bytes, start, end)
      return
    }
    this.#changing(node)
    const { offset } = cursor
    const more = listpack.entryBytes(bytes, start, end) - (cursor.offsetBehind - offset)
    if (!isLarge && this.#sizeOf(node) + more <= BLOCK_BYTES_MAX) {
      if (more > 0) this.#makeRoom(node, more)
      const handle = this.#handleOf(node)
      const at = this.#atOf(node)
      listpack.replace(this.#heap.arenaOf(handle).u8, at, at + offset, bytes, start, end)
      if (more < 0) this.#trim(node)
      return
    }
    if (!cursor.isLastOfNode) this.#splitBeside(node, cursor, true)
    this.#insertNodeOf(node + 1, bytes, start, end)
    if (this.#countOf(node) === 1) return this.#removeNode(node)
    const handle = this.#handleOf(node)
    const at = this.#atOf(node)
    listpack.remove(this.#heap.arenaOf(handle).u8, at, at + offset, 1)
    this.#removed(node, 1)
    this.#mergeAround(node + 1)
  }

  /** Removes `removeCount` elements from an index on, all of which exist. O(nodes). */
  removeRange(index: number, removeCount: number): void {
    let left = removeCount
    if (left === 0) return
    let node = this.#nodeAt(index)
    let indexInNode = index - this.#foundIndex
    while (left > 0) {
      const count = this.#countOf(node)
      if (indexInNode === 0 && left >= count) {
        this.#removeNode(node)
        left -= count
        continue
      }
      this.#changing(node)
      const here = Math.min(left, count - indexInNode)
      const handle = this.#handleOf(node)
      const { u8 } = this.#heap.arenaOf(handle)
      listpack.remove(u8, this.#atOf(node), listpack.seek(u8, this.#atOf(node), indexInNode), here)
      this.#removed(node, here)
      left -= here
      indexInNode = 0
      node++
    }
  }

  /** Removes up to `countMax` elements equal to bytes[start, end), from either end on. Returns how many. O(n). */
  removeEqual(bytes: Uint8Array, start: number, end: number, countMax: number, fromTail: boolean): number {
    let removedCount = 0
    let node = fromTail ? this.#nodeCount - 1 : 0
    while (node >= 0 && node < this.#nodeCount && removedCount < countMax) {
      const handle = this.#handleOf(node)
      const count = this.#countOf(node)
      let removedHere = 0
      if (this.#kindOf(node) === PACKED) {
        const { u8 } = this.#heap.arenaOf(handle)
        if (this.watcher !== null && hasEqual(u8, this.#atOf(node), bytes, start, end)) this.#changing(node)
        removedHere = listpack.removeEqual(u8, this.#atOf(node), bytes, start, end, countMax - removedCount, fromTail)
      } else if (this.#isPlainEqual(node, bytes, start, end)) {
        removedHere = 1
      }
      removedCount += removedHere
      const isGone = removedHere === count
      if (isGone) this.#removeNode(node, removedHere)
      else if (removedHere > 0) this.#removed(node, removedHere)
      if (fromTail) node--
      else if (!isGone) node++
    }
    return removedCount
  }

  #isPlainEqual(node: number, bytes: Uint8Array, start: number, end: number): boolean {
    const size = end - start
    const handle = this.#handleOf(node)
    if (this.#kindOf(node) === PLAIN_LARGE) {
      const large = this.#heap.large.get(handle)
      return large.length === size && Buffer.compare(large, bytes.subarray(start, end)) === 0
    }
    const { u8, u32 } = this.#heap.arenaOf(handle)
    const at = byteAt(handle)
    if (u32[at / 4] !== size) return false
    const from = at + PLAIN_HEADER_BYTES
    return Buffer.compare(u8.subarray(from, from + size), bytes.subarray(start, end)) === 0
  }

  // ---- Whole nodes ----

  /**
   * Appends the elements of a listpack: as a node of their own if they are not too many for one, else one by one.
   * O(size).
   */
  appendListpack(bytes: Uint8Array, at: number): void {
    const size = listpack.totalBytes(bytes, at)
    const count = listpack.count(bytes, at)
    if (count === 0) return
    if (size <= NODE_BYTES_MAX && !(count > 1 && this.#limit.isExceededBy(size, count))) {
      const handle = this.#allocate(size)
      copyBytes(bytes, at, at + size, this.#heap.arenaOf(handle).u8, byteAt(handle))
      this.#insertNode(this.#nodeCount, handle, PACKED, count)
      return
    }
    for (let entry = listpack.first(bytes, at); entry !== listpack.NONE; entry = listpack.next(bytes, entry)) {
      const text = listpack.text(bytes, entry)
      this.push(true, text, 0, text.length)
    }
  }

  /** Calls `visit` with each node from the head on. */
  eachNode(visit: NodeVisitor): void {
    const words = this.#words
    for (let word = this.#first * 2; word < (this.#first + this.#nodeCount) * 2; word += 2) {
      this.showNode(words[word], words[word + 1], visit)
    }
  }

  /** The two words of each node as they are now: they stay right until the node changes, which a watcher is told of. */
  row(): Uint32Array {
    return this.#words.slice(this.#first * 2, (this.#first + this.#nodeCount) * 2)
  }

  /** Calls `visit` with a node by its two words. */
  showNode(handle: Handle, word: number, visit: NodeVisitor): void {
    const kind = word >>> 30
    if (kind === PLAIN_LARGE) {
      const large = this.#heap.large.get(handle)
      return visit(true, large, 0, large.length)
    }
    const { u8 } = this.#heap.arenaOf(handle)
    const at = byteAt(handle) + leadOf(word)
    const start = at + (kind === PLAIN ? PLAIN_HEADER_BYTES : 0)
    visit(kind === PLAIN, u8, start, start + listpack.totalBytes(u8, at))
  }

  /** What a watcher is told of a node. */
  static partOf(handle: Handle, word: number): number {
    return word >>> 30 === PLAIN_LARGE ? -1 - handle : handle
  }

  static isPlain(word: number): boolean {
    return word >>> 30 !== PACKED
  }

  /** To be called before the bytes of a node change or move. */
  #changing(node: number): void {
    if (this.watcher === null) return
    const word = (this.#first + node) * 2
    this.watcher.changing(Quicklist.partOf(this.#words[word], this.#words[word + 1]))
  }

  /** Whether there is one node and it is a listpack. */
  get isOneListpack(): boolean {
    return this.#nodeCount === 1 && this.#kindOf(0) === PACKED
  }

  /** A list of the same elements. O(n). */
  clone(): Quicklist {
    const copy = new Quicklist(this.#heap, this.#limit)
    this.eachNode((isPlain, bytes, start, end) => {
      if (isPlain) copy.#insertPlain(copy.#nodeCount, bytes, start, end)
      else {
        const handle = copy.#allocate(end - start)
        const target = this.#heap.arenaOf(handle).u8
        copyBytes(bytes, start, end, target, byteAt(handle))
        copy.#insertNode(copy.#nodeCount, handle, PACKED, listpack.count(bytes, start))
      }
    })
    return copy
  }

  /** Frees up to `nodeCountMax` nodes, from the tail. For a list that nobody will look at any more. */
  dismantle(nodeCountMax: number): void {
    for (let freed = 0; freed < nodeCountMax && this.#nodeCount > 0; freed++) this.#removeNode(this.#nodeCount - 1)
  }

  // ---- For cursors ----

  /** The node that holds the element with this index, which exists; `foundIndex` is that of the node's first one. */
  nodeAt(index: number): number {
    return this.#nodeAt(index)
  }

  get foundIndex(): number {
    return this.#foundIndex
  }

  /** Lets a cursor stand before the first element of a node: it goes on with what is in it. */
  enter(cursor: ListCursor, node: number): void {
    const handle = this.#handleOf(node)
    const kind = this.#kindOf(node)
    cursor.node = node
    cursor.isPlain = kind !== PACKED
    if (kind === PLAIN_LARGE) {
      cursor.bytes = this.#heap.large.get(handle)
      cursor.at = 0
      cursor.plainEnd = cursor.bytes.length
      return
    }
    const arena = this.#heap.arenaOf(handle)
    cursor.bytes = arena.u8
    cursor.at = this.#atOf(node)
    if (kind === PLAIN) {
      cursor.at += PLAIN_HEADER_BYTES
      cursor.plainEnd = cursor.at + arena.u32[byteAt(handle) / 4]
    }
  }

  // ---- One node ----

  #handleOf(node: number): Handle {
    return this.#words[(this.#first + node) * 2]
  }

  #kindOf(node: number): number {
    return this.#words[(this.#first + node) * 2 + 1] >>> 30
  }

  #countOf(node: number): number {
    return this.#words[(this.#first + node) * 2 + 1] & COUNT_MASK
  }

  /** Where a node that lies in a block begins in its arena. */
  #atOf(node: number): number {
    const word = (this.#first + node) * 2
    return byteAt(this.#words[word]) + leadOf(this.#words[word + 1])
  }

  /** Bytes of the node's listpack, or of its plain element. */
  #sizeOf(node: number): number {
    const handle = this.#handleOf(node)
    if (this.#kindOf(node) === PLAIN_LARGE) return this.#heap.large.get(handle).length
    const { u8 } = this.#heap.arenaOf(handle)
    // Both begin with their size.
    return listpack.totalBytes(u8, this.#atOf(node))
  }

  #endOffset(node: number): number {
    return this.#sizeOf(node) - 1
  }

  #isLarge(sizeBytes: number): boolean {
    return sizeBytes > this.#limit.bytes
  }

  /** Whether an element of this size may go into a node. */
  #hasRoom(node: number, sizeBytes: number): boolean {
    if (this.#kindOf(node) !== PACKED || this.#isLarge(sizeBytes)) return false
    return !this.#limit.isExceededBy(this.#sizeOf(node) + sizeBytes + ENTRY_OVERHEAD_BYTES, this.#countOf(node) + 1)
  }

  #insertInto(node: number, offset: number, bytes: Uint8Array, start: number, end: number): void {
    this.#changing(node)
    this.#makeRoom(node, listpack.entryBytes(bytes, start, end))
    const word = (this.#first + node) * 2
    const handle = this.#words[word]
    const at = this.#atOf(node)
    listpack.insert(this.#heap.arenaOf(handle).u8, at, at + offset, bytes, start, end)
    this.#words[word + 1]++
    this.#count++
  }

  /** Makes sure of room for so many bytes more behind the elements of a node, which may get another block. */
  #makeRoom(node: number, bytesMore: number): void {
    const word = (this.#first + node) * 2
    const handle = this.#words[word]
    const lead = leadOf(this.#words[word + 1])
    const sizeBytes = listpack.totalBytes(this.#heap.arenaOf(handle).u8, byteAt(handle) + lead) + bytesMore
    const blockBytes = this.#heap.blockBytes(handle)
    if (lead + sizeBytes <= blockBytes) return
    if (sizeBytes > blockBytes) return this.#reallocate(node, sizeBytes)
    // A node that is pushed to at its head as well keeps half of the room there.
    this.#moveTo(node, this.#nodeCount === 1 ? (blockBytes - sizeBytes) >>> 1 : 0)
  }

  /** Gives a node a smaller block when less than half of its block is used. */
  #trim(node: number): void {
    const sizeBytes = this.#sizeOf(node)
    if (sizeBytes * 2 < this.#heap.blockBytes(this.#handleOf(node))) this.#reallocate(node, sizeBytes)
  }

  #reallocate(node: number, sizeBytes: number): void {
    this.#changing(node)
    const word = (this.#first + node) * 2
    const handle = this.#words[word]
    const lead = leadOf(this.#words[word + 1])
    const { u8 } = this.#heap.arenaOf(handle)
    const at = byteAt(handle) + lead
    const grown = this.#allocate(sizeBytes)
    copyBytes(u8, at, at + listpack.totalBytes(u8, at), this.#heap.arenaOf(grown).u8, byteAt(grown))
    this.#free(handle)
    this.#words[word] = grown
    this.#words[word + 1] -= lead * LEAD_ONE
  }

  /** Elements of a node are gone, and others are left. */
  #removed(node: number, removedCount: number): void {
    this.#words[(this.#first + node) * 2 + 1] -= removedCount
    this.#count -= removedCount
    this.#trim(node)
  }

  #allocate(sizeBytes: number): Handle {
    const handle = this.#heap.allocate(sizeBytes)
    this.#nodeBytes += this.#heap.blockBytes(handle)
    return handle
  }

  #free(handle: Handle): void {
    this.#nodeBytes -= this.#heap.blockBytes(handle)
    this.#heap.free(handle)
  }

  // ---- Splitting and merging ----

  /** Cuts a node in two behind or before the cursor's element, which is not at that edge. */
  #splitBeside(node: number, cursor: ListCursor, isAfter: boolean): void {
    this.#changing(node)
    const handle = this.#handleOf(node)
    const { u8 } = this.#heap.arenaOf(handle)
    const at = this.#atOf(node)
    const sizeBytes = listpack.totalBytes(u8, at)
    const cutAt = at + (isAfter ? cursor.offsetBehind : cursor.offset)
    let leftCount = 0
    for (let entry = at + listpack.HEADER_BYTES; entry !== cutAt; entry = listpack.next(u8, entry)) leftCount++
    const rightCount = this.#countOf(node) - leftCount

    const right = this.#allocate(sizeBytes)
    const rightU8 = this.#heap.arenaOf(right).u8
    copyBytes(u8, at, at + sizeBytes, rightU8, byteAt(right))
    listpack.remove(rightU8, byteAt(right), byteAt(right) + listpack.HEADER_BYTES, leftCount)
    listpack.remove(u8, at, cutAt, rightCount)
    this.#removed(node, rightCount)
    this.#insertNode(node + 1, right, PACKED, rightCount)
    this.#trim(node + 1)
  }

  /** Joins a node that was split, and the two on each side of it, where they fit together, as Redis does. */
  #mergeAround(center: number): void {
    let node = center
    if (this.#mergeWithNext(node - 2)) node--
    this.#mergeWithNext(node + 1)
    if (this.#mergeWithNext(node - 1)) node--
    this.#mergeWithNext(node)
  }

  #mergeWithNext(node: number): boolean {
    if (node < 0 || node + 1 >= this.#nodeCount) return false
    if (this.#kindOf(node) !== PACKED || this.#kindOf(node + 1) !== PACKED) return false
    const sizeBytes = this.#sizeOf(node) + this.#sizeOf(node + 1) - listpack.EMPTY_BYTES
    const nextCount = this.#countOf(node + 1)
    if (this.#limit.isExceededBy(sizeBytes, this.#countOf(node) + nextCount)) return false
    this.#changing(node)
    this.#makeRoom(node, sizeBytes - this.#sizeOf(node))
    const handle = this.#handleOf(node)
    const next = this.#handleOf(node + 1)
    const nextU8 = this.#heap.arenaOf(next).u8
    listpack.concatenate(this.#heap.arenaOf(handle).u8, this.#atOf(node), nextU8, this.#atOf(node + 1))
    this.#words[(this.#first + node) * 2 + 1] += nextCount
    this.#removeNode(node + 1, 0)
    return true
  }

  // ---- The row of nodes ----

  #foundIndex = 0
  #nodeAt(index: number): number {
    const words = this.#words
    let node: number
    let firstIndex: number
    if (index < this.#count / 2) {
      node = 0
      firstIndex = 0
      for (let word = this.#first * 2 + 1; ; word += 2) {
        const count = words[word] & COUNT_MASK
        if (index < firstIndex + count) break
        firstIndex += count
        node++
      }
    } else {
      node = this.#nodeCount
      firstIndex = this.#count
      for (let word = (this.#first + node) * 2 - 1; firstIndex > index; word -= 2) {
        firstIndex -= words[word] & COUNT_MASK
        node--
      }
    }
    this.#foundIndex = firstIndex
    return node
  }

  /** Inserts a node of one element. */
  #insertNodeOf(node: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#isLarge(end - start)) return this.#insertPlain(node, bytes, start, end)
    const sizeBytes = listpack.EMPTY_BYTES + listpack.entryBytes(bytes, start, end)
    const isLong = this.#nodeCount >= FULL_BLOCKS_FROM_NODES && this.#limit.count === Number.POSITIVE_INFINITY
    const handle = this.#allocate(isLong ? Math.max(sizeBytes, this.#limit.bytes) : sizeBytes)
    const { u8 } = this.#heap.arenaOf(handle)
    listpack.initialize(u8, byteAt(handle))
    listpack.append(u8, byteAt(handle), bytes, start, end)
    this.#insertNode(node, handle, PACKED, 1)
  }

  /** Appends an element as a node of its own, however small. */
  appendPlain(bytes: Uint8Array, start: number, end: number): void {
    this.#insertPlain(this.#nodeCount, bytes, start, end)
  }

  #insertPlain(node: number, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (size + PLAIN_HEADER_BYTES > BLOCK_BYTES_MAX) {
      const index = this.#heap.large.add(keptBytes(bytes, start, end))
      this.#nodeBytes += size
      return this.#insertNode(node, index, PLAIN_LARGE, 1)
    }
    const handle = this.#allocate(size + PLAIN_HEADER_BYTES)
    const arena = this.#heap.arenaOf(handle)
    arena.u32[byteAt(handle) / 4] = size
    copyBytes(bytes, start, end, arena.u8, byteAt(handle) + PLAIN_HEADER_BYTES)
    this.#insertNode(node, handle, PLAIN, 1)
  }

  #insertNode(node: number, handle: Handle, kind: number, count: number): void {
    this.#openPlace(node)
    const word = (this.#first + node) * 2
    this.#words[word] = handle
    this.#words[word + 1] = (kind * 2 ** 30 + count) >>> 0
    this.#count += count
  }

  /** @param goneCount the elements that go with it: those it notes, unless they were removed or moved already. */
  #removeNode(node: number, goneCount = this.#countOf(node)): void {
    this.#changing(node)
    const handle = this.#handleOf(node)
    if (this.#kindOf(node) === PLAIN_LARGE) {
      this.#nodeBytes -= this.#heap.large.get(handle).length
      this.#heap.large.free(handle)
    } else {
      this.#free(handle)
    }
    this.#count -= goneCount
    const words = this.#words
    const first = this.#first
    if (node < this.#nodeCount / 2) {
      words.copyWithin((first + 1) * 2, first * 2, (first + node) * 2)
      this.#first++
    } else {
      words.copyWithin((first + node) * 2, (first + node + 1) * 2, (first + this.#nodeCount) * 2)
    }
    this.#nodeCount--
    if (this.#nodeCount === 0) this.#freeRow()
    // A list that was very long gives back its row.
    else if (this.#rowCapacity > 32 && this.#nodeCount * 8 < this.#rowCapacity) {
      this.#moveRow(this.#rowCapacity >>> 2, 0, this.#nodeCount)
    }
  }

  /** Makes place for a node. */
  #openPlace(node: number): void {
    const nodeCount = this.#nodeCount
    const capacity = this.#rowCapacity
    const growsFront = node < nodeCount / 2 || (node === 0 && nodeCount > 0)
    const isOutOfRoom = growsFront
      ? this.#first === this.#rowStart
      : this.#first + nodeCount === this.#rowStart + capacity
    if (isOutOfRoom) {
      // With much room at the other end, moving there is enough.
      const wanted = nodeCount * 4 > capacity * 3 ? capacity * 2 : capacity
      this.#moveRow(Math.max(wanted, ROW_NODES_MIN), growsFront ? 1 : 0, nodeCount)
    }
    const first = this.#first
    if (growsFront) {
      this.#words.copyWithin((first - 1) * 2, first * 2, (first + node) * 2)
      this.#first--
    } else {
      this.#words.copyWithin((first + node + 1) * 2, (first + node) * 2, (first + nodeCount) * 2)
    }
    this.#nodeCount++
  }

  /**
   * Moves the nodes to the middle of a row for at least `capacity` of them; where it can only be off by one, room goes in
   * front.
   */
  #moveRow(capacity: number, frontMin: number, nodeCount: number): void {
    const sizeBytes = capacity * NODE_WORDS * 4
    const row = sizeBytes <= BLOCK_BYTES_MAX ? this.#heap.allocate(sizeBytes) : NONE
    const words = row === NONE ? new Uint32Array(capacity * NODE_WORDS) : this.#heap.arenaOf(row).u32
    // Blocks begin at whole units, which are two nodes.
    const start = row === NONE ? 0 : wordAt(row) / NODE_WORDS
    const first = start + Math.max(Math.floor((capacity - nodeCount) / 2), frontMin)
    for (let word = 0; word < nodeCount * NODE_WORDS; word++) {
      words[first * NODE_WORDS + word] = this.#words[this.#first * NODE_WORDS + word]
    }
    this.#freeRow()
    this.#words = words
    this.#row = row
    this.#rowStart = start
    this.#rowCapacity = row === NONE ? capacity : this.#heap.blockBytes(row) / (NODE_WORDS * 4)
    this.#first = first
  }

  #freeRow(): void {
    if (this.#row !== NONE) this.#heap.free(this.#row)
    this.#words = EMPTY_ROW
    this.#row = NONE
    this.#rowStart = 0
    this.#rowCapacity = 0
    this.#first = 0
  }

  /** Checks the counts and every listpack. O(n): for tests. */
  verify(): boolean {
    let count = 0
    let nodeBytes = 0
    for (let node = 0; node < this.#nodeCount; node++) {
      const noted = this.#countOf(node)
      const handle = this.#handleOf(node)
      if (this.#kindOf(node) === PACKED) {
        const { u8 } = this.#heap.arenaOf(handle)
        const at = this.#atOf(node)
        if (listpack.count(u8, at) !== noted || noted === 0) return false
        if (at + listpack.totalBytes(u8, at) > byteAt(handle) + this.#heap.blockBytes(handle)) return false
        if (!listpack.isValid(u8, at, at + listpack.totalBytes(u8, at))) return false
      } else if (noted !== 1) {
        return false
      }
      nodeBytes +=
        this.#kindOf(node) === PLAIN_LARGE ? this.#heap.large.get(handle).length : this.#heap.blockBytes(handle)
      count += noted
    }
    const before = this.#first - this.#rowStart
    const isInRow = before >= 0 && before + this.#nodeCount <= this.#rowCapacity
    const hasRow = this.#rowCapacity > 0
    return count === this.#count && nodeBytes === this.#nodeBytes && isInRow && hasRow === this.#nodeCount > 0
  }
}

/** How far behind the beginning of its block a node's listpack lies, from its second word. */
function leadOf(word: number): number {
  return (word >>> LEAD_SHIFT) & (LEAD_ONE - 1)
}

function hasEqual(u8: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): boolean {
  return listpack.find(u8, listpack.first(u8, at), bytes, start, end, 0) !== listpack.NONE
}
