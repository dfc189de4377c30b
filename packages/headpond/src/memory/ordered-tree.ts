import { assert } from '../bytes/assert.ts'
import { doubleAt, type Handle, Heap, NONE, wordAt } from './heap.ts'
import { compareMember, elementScore, locateMember, memberArray, memberSize, memberStart } from './scored-element.ts'

/**
 * The order of a large sorted set: a B+tree of elements by score, then by member, that counts. So the rank of an
 * element and the element of a rank are found on one way down, as is the first element at or behind a score or member.
 *
 * Every range is asked for by ranks: `countBefore` turns a bound into one, a TreeCursor walks from it either way.
 *
 * Node, in the heap (all arrays have `capacity` places):
 *
 *   0       4      8          12
 *   | count | next | previous | capacity | scores: f64 | elements: u32 | children: u32 | sizes: u32 |
 *
 * A leaf has the first two arrays, and is linked with its neighbours. An inner node has all four: the least key of each
 * child, the child, and how many elements there are below it. Scores stand in the nodes, so that a search touches an
 * element only where scores are equal. With 12 bytes for each element in leaves about 70 % full, or nearly full
 * when scores only rise, the tree takes 13 to 18 bytes for each element.
 *
 * Invariants (checked by `verify`): keys rise strictly through the leaves; the key and size kept for a child are those
 * of its subtree; all leaves are equally deep; no node but an empty tree's is empty.
 */
const COUNT = 0
const NEXT = 1
const PREVIOUS = 2
const CAPACITY = 3
const HEADER_WORDS = 4
const HEADER_DOUBLES = 2
const LEAF_ENTRY_BYTES = 12
const INNER_ENTRY_BYTES = 20
/** About a kilobyte: moving half of a leaf's entries aside costs as much as the way down to it. */
const NODE_BYTES = Heap.classBytes(1024)
const LEAF_CAPACITY = capacityOf(NODE_BYTES, LEAF_ENTRY_BYTES)
const INNER_CAPACITY = capacityOf(NODE_BYTES, INNER_ENTRY_BYTES)
/** A tree that is one leaf starts small. */
const FIRST_LEAF_BYTES = 128
/** Elements that a walk reads ahead. */
const TOUCH_COUNT = 16
/** 2^32 elements in nodes of which each but the edges has 17 children at least. */
const HEIGHT_MAX = 16

/** The way down to a leaf that the last search took: nodes and the places in them, from the root. */
const pathNodes = new Uint32Array(HEIGHT_MAX)
const pathPlaces = new Int32Array(HEIGHT_MAX)

/** A place between elements: in front of, or behind, those that are equal to it in what it compares. */
export class Bound {
  comparesScore = false
  comparesMember = false
  score = 0
  bytes: Uint8Array = EMPTY
  start = 0
  end = 0
  /** Whether equal elements lie before the bound. */
  isBehindEqual = false

  /** In front of all elements of this score, or behind them. */
  byScore(score: number, isBehindEqual: boolean): this {
    this.comparesScore = true
    this.comparesMember = false
    this.score = score
    this.isBehindEqual = isBehindEqual
    return this
  }

  /** At a member, for elements that all have the same score. */
  byMember(bytes: Uint8Array, start: number, end: number, isBehindEqual: boolean): this {
    this.comparesScore = false
    this.comparesMember = true
    this.bytes = bytes
    this.start = start
    this.end = end
    this.isBehindEqual = isBehindEqual
    return this
  }

  /** At an element. */
  byKey(score: number, bytes: Uint8Array, start: number, end: number, isBehindEqual: boolean): this {
    this.byMember(bytes, start, end, isBehindEqual)
    this.comparesScore = true
    this.score = score
    return this
  }
}

export class OrderedTree {
  readonly #heap: Heap
  #root: Handle = NONE
  /** Levels of inner nodes above the leaves. */
  #height = 0
  #count = 0
  #nodeBytes = 0
  readonly #bound = new Bound()

  constructor(heap: Heap) {
    this.#heap = heap
  }

  get count(): number {
    return this.#count
  }

  /** Memory of the nodes, without the elements. O(1). */
  get sizeBytes(): number {
    return this.#nodeBytes
  }

  // ---- Finding ----

  /** How many elements lie before a bound. O(log n). */
  countBefore(bound: Bound): number {
    if (this.#root === NONE) return 0
    let node = this.#root
    let rank = 0
    for (let level = this.#height; level > 0; level--) {
      const place = Math.max(0, this.#entriesBefore(node, bound) - 1)
      const words = this.#heap.arenaOf(node).u32
      const sizes = sizesAt(node)
      for (let index = 0; index < place; index++) rank += words[sizes + index]
      node = words[childrenAt(node) + place]
    }
    return rank + this.#entriesBefore(node, bound)
  }

  /** The rank of an element that is in the tree. O(log n). */
  rankOf(element: Handle): number {
    return this.countBefore(this.#boundAt(element, false))
  }

  /** The element of a rank below `count`. O(log n). */
  at(rank: number): Handle {
    const cursor = new TreeCursor()
    this.seek(cursor, rank)
    return cursor.element
  }

  /** Puts a cursor at a rank below `count`. O(log n). */
  seek(cursor: TreeCursor, rank: number): void {
    let node = this.#root
    let left = rank
    for (let level = this.#height; level > 0; level--) {
      const words = this.#heap.arenaOf(node).u32
      const sizes = sizesAt(node)
      let place = 0
      while (left >= words[sizes + place]) left -= words[sizes + place++]
      node = words[childrenAt(node) + place]
    }
    cursor.place(this.#heap, node, left)
  }

  /**
   * Gives up to `elements.length` elements of the leaf at an end, as `removeAt` would give them one after the other, and
   * reads a word of each, so that the processor fetches them together. Returns how many. O(log n).
   */
  fetchEnd(isMax: boolean, elements: Uint32Array): number {
    if (this.#root === NONE) return 0
    let node = this.#root
    for (let level = this.#height; level > 0; level--) {
      const words = this.#heap.arenaOf(node).u32
      node = words[childrenAt(node) + (isMax ? words[wordAt(node) + COUNT] - 1 : 0)]
    }
    const words = this.#heap.arenaOf(node).u32
    const leafCount = words[wordAt(node) + COUNT]
    const first = elementsAt(words, node) + (isMax ? leafCount - 1 : 0)
    const step = isMax ? -1 : 1
    const count = Math.min(leafCount, elements.length)
    let sum = 0
    for (let index = 0; index < count; index++) {
      const element = words[first + index * step]
      elements[index] = element
      sum ^= this.#heap.arenaOf(element).u32[wordAt(element)]
    }
    this.fetched = sum
    return count
  }
  /** What was read to be fetched: nobody wants it, but what is kept is also read. */
  fetched = 0

  // ---- Changing ----

  /** Adds an element whose member is not in the tree. O(log n). */
  insert(element: Handle): void {
    const heap = this.#heap
    this.#count++
    if (this.#root === NONE) {
      this.#root = this.#newNode(FIRST_LEAF_BYTES, LEAF_ENTRY_BYTES)
    } else if (this.#height === 0) {
      this.#growRootLeaf()
    }
    const score = elementScore(heap, element)
    const bound = this.#boundAt(element, false)
    let node = this.#root
    let isRightmost = true
    for (let level = 0; level < this.#height; level++) {
      const arena = heap.arenaOf(node)
      let place = this.#entriesBefore(node, bound) - 1
      if (place < 0) {
        place = 0
        arena.f64[doubleAt(node) + HEADER_DOUBLES] = score
        arena.u32[elementsAt(arena.u32, node)] = element
      }
      if (place + 1 < arena.u32[wordAt(node) + COUNT]) isRightmost = false
      arena.u32[sizesAt(node) + place]++
      pathNodes[level] = node
      pathPlaces[level] = place
      node = arena.u32[childrenAt(node) + place]
    }
    let place = this.#entriesBefore(node, bound)
    const words = heap.arenaOf(node).u32
    const base = wordAt(node)
    if (words[base + COUNT] === words[base + CAPACITY]) {
      // Where scores only rise (or only fall), leaving the full leaf as it is makes leaves full instead of half full.
      const count = words[base + COUNT]
      const splitAt =
        place === count && isRightmost ? count : place === 0 && words[base + PREVIOUS] === NONE ? 0 : count >>> 1
      const isRight = place > splitAt || (place === splitAt && splitAt === count)
      const right = this.#splitOff(node, splitAt, true)
      const target = isRight ? right : node
      if (isRight) place -= splitAt
      this.#insertEntry(target, place, score, element)
      this.#insertNode(this.#height - 1, node, right, isRightmost)
    } else {
      this.#insertEntry(node, place, score, element)
    }
  }

  /** Takes out an element, which stays the caller's to free. O(log n). */
  remove(element: Handle): void {
    const bound = this.#boundAt(element, true)
    let node = this.#root
    for (let level = 0; level < this.#height; level++) {
      const place = this.#entriesBefore(node, bound) - 1
      node = this.#stepDownForRemoval(level, node, place)
    }
    const place = this.#entriesBefore(node, bound) - 1
    assert(this.#elementIn(node, place) === element, 'tree: element is not where its key says')
    this.#removeFromLeaf(node, place)
  }

  /** Takes out the element of a rank below `count` and returns it. O(log n), comparing nothing. */
  removeAt(rank: number): Handle {
    let node = this.#root
    let left = rank
    for (let level = 0; level < this.#height; level++) {
      const words = this.#heap.arenaOf(node).u32
      const sizes = sizesAt(node)
      let place = 0
      while (left >= words[sizes + place]) left -= words[sizes + place++]
      node = this.#stepDownForRemoval(level, node, place)
    }
    const element = this.#elementIn(node, left)
    this.#removeFromLeaf(node, left)
    return element
  }

  /**
   * Gives back the last leaf, having visited its elements, which are the caller's to free; returns whether more are
   * left. For a tree that nobody will look at any more. O(leaf).
   */
  dismantle(visit: (element: Handle) => void): boolean {
    if (this.#root === NONE) return false
    let node = this.#root
    for (let level = 0; level < this.#height; level++) {
      pathNodes[level] = node
      const words = this.#heap.arenaOf(node).u32
      node = words[childrenAt(node) + words[wordAt(node) + COUNT] - 1]
    }
    const words = this.#heap.arenaOf(node).u32
    const elements = elementsAt(words, node)
    const count = words[wordAt(node) + COUNT]
    for (let index = 0; index < count; index++) visit(words[elements + index])
    this.#count -= count
    this.#freeNode(node)
    for (let level = this.#height - 1; level >= 0; level--) {
      const parent = pathNodes[level]
      if (--this.#heap.arenaOf(parent).u32[wordAt(parent) + COUNT] > 0) return true
      this.#freeNode(parent)
    }
    this.#root = NONE
    this.#height = 0
    return false
  }

  // ---- Searching in a node ----

  #boundAt(element: Handle, isBehindEqual: boolean): Bound {
    const bound = this.#bound
    locateMember(this.#heap, element, bound)
    bound.comparesScore = true
    bound.comparesMember = true
    bound.score = elementScore(this.#heap, element)
    bound.isBehindEqual = isBehindEqual
    return bound
  }

  /**
   * How many entries of a node have keys before the bound; by binary search, over scores first, which stand close
   * together, then over the members of equal scores, which do not.
   * hot: once for each level of each search.
   */
  #entriesBefore(node: Handle, bound: Bound): number {
    const arena = this.#heap.arenaOf(node)
    const scores = arena.f64
    const scoresAt = doubleAt(node) + HEADER_DOUBLES
    const count = arena.u32[wordAt(node) + COUNT]
    let low = 0
    let high = count
    if (bound.comparesScore) {
      const { score } = bound
      while (low < high) {
        const middle = (low + high) >>> 1
        if (scores[scoresAt + middle] < score) low = middle + 1
        else high = middle
      }
      if (low === count || scores[scoresAt + low] > score || !(bound.comparesMember || bound.isBehindEqual)) return low
      high = count
      while (low < high) {
        const middle = (low + high) >>> 1
        if (scores[scoresAt + middle] > score || !this.#isMemberBefore(node, middle, bound)) high = middle
        else low = middle + 1
      }
      return low
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isMemberBefore(node, middle, bound)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Whether an entry, its score being that of the bound, lies before it. */
  #isMemberBefore(node: Handle, place: number, bound: Bound): boolean {
    if (!bound.comparesMember) return bound.isBehindEqual
    const order = compareMember(this.#heap, this.#elementIn(node, place), bound.bytes, bound.start, bound.end)
    return order < 0 || (order === 0 && bound.isBehindEqual)
  }

  #elementIn(node: Handle, place: number): Handle {
    const words = this.#heap.arenaOf(node).u32
    return words[elementsAt(words, node) + place]
  }

  // ---- Growing ----

  #growRootLeaf(): void {
    const leaf = this.#root
    const words = this.#heap.arenaOf(leaf).u32
    const base = wordAt(leaf)
    if (words[base + COUNT] < words[base + CAPACITY] || words[base + CAPACITY] >= LEAF_CAPACITY) return
    const sizeBytes = Math.min(this.#heap.blockBytes(leaf) * 2, NODE_BYTES)
    const grown = this.#newNode(sizeBytes, LEAF_ENTRY_BYTES)
    this.#copyEntries(leaf, 0, grown, 0, words[base + COUNT], true)
    this.#heap.arenaOf(grown).u32[wordAt(grown) + COUNT] = words[base + COUNT]
    this.#freeNode(leaf)
    this.#root = grown
  }

  /** Moves the entries of a node from a place on to a new node behind it. */
  #splitOff(node: Handle, splitAt: number, isLeaf: boolean): Handle {
    const right = this.#newNode(NODE_BYTES, isLeaf ? LEAF_ENTRY_BYTES : INNER_ENTRY_BYTES)
    const words = this.#heap.arenaOf(node).u32
    const base = wordAt(node)
    const movedCount = words[base + COUNT] - splitAt
    this.#copyEntries(node, splitAt, right, 0, movedCount, isLeaf)
    words[base + COUNT] = splitAt
    const rightWords = this.#heap.arenaOf(right).u32
    rightWords[wordAt(right) + COUNT] = movedCount
    if (isLeaf) {
      const next = words[base + NEXT]
      rightWords[wordAt(right) + NEXT] = next
      rightWords[wordAt(right) + PREVIOUS] = node
      words[base + NEXT] = right
      if (next !== NONE) this.#heap.arenaOf(next).u32[wordAt(next) + PREVIOUS] = right
    }
    return right
  }

  /** Enters a node that was split off from `left` into their parent, at `level` of the path. */
  #insertNode(level: number, left: Handle, right: Handle, isRightmost: boolean): void {
    const heap = this.#heap
    const isLeaf = level === this.#height - 1
    if (level < 0) {
      const root = this.#newNode(NODE_BYTES, INNER_ENTRY_BYTES)
      heap.arenaOf(root).u32[wordAt(root) + COUNT] = 2
      this.#root = root
      this.#height++
      this.#setChild(root, 0, left, isLeaf)
      this.#setChild(root, 1, right, isLeaf)
      return
    }
    let node = pathNodes[level]
    let place = pathPlaces[level]
    this.#setChild(node, place, left, isLeaf)
    place++
    const words = heap.arenaOf(node).u32
    const count = words[wordAt(node) + COUNT]
    if (count < INNER_CAPACITY) {
      this.#openGap(node, place)
      this.#setChild(node, place, right, isLeaf)
      return
    }
    const splitAt = place === count && isRightmost ? count : count >>> 1
    const sibling = this.#splitOff(node, splitAt, false)
    const first = node
    if (place > splitAt || (place === splitAt && splitAt === count)) {
      node = sibling
      place -= splitAt
    }
    this.#openGap(node, place)
    this.#setChild(node, place, right, isLeaf)
    this.#insertNode(level - 1, first, sibling, isRightmost)
  }

  #insertEntry(leaf: Handle, place: number, score: number, element: Handle): void {
    const arena = this.#heap.arenaOf(leaf)
    const scores = arena.f64
    const words = arena.u32
    const base = wordAt(leaf)
    const scoresAt = doubleAt(leaf) + HEADER_DOUBLES
    const elements = elementsAt(words, leaf)
    for (let index = words[base + COUNT]; index > place; index--) {
      scores[scoresAt + index] = scores[scoresAt + index - 1]
      words[elements + index] = words[elements + index - 1]
    }
    scores[scoresAt + place] = score
    words[elements + place] = element
    words[base + COUNT]++
  }

  /** Makes room for an entry of an inner node. */
  #openGap(node: Handle, place: number): void {
    const arena = this.#heap.arenaOf(node)
    const words = arena.u32
    const base = wordAt(node)
    const scoresAt = doubleAt(node) + HEADER_DOUBLES
    const count = words[base + COUNT]++
    arena.f64.copyWithin(scoresAt + place + 1, scoresAt + place, scoresAt + count)
    for (let array = 0; array < 3; array++) {
      const at = elementsAt(words, node) + array * INNER_CAPACITY
      words.copyWithin(at + place + 1, at + place, at + count)
    }
  }

  /** Notes a child at a place of an inner node, with its least key and its size. */
  #setChild(node: Handle, place: number, child: Handle, isLeaf: boolean): void {
    const arena = this.#heap.arenaOf(node)
    arena.u32[childrenAt(node) + place] = child
    arena.u32[sizesAt(node) + place] = this.#sizeOf(child, isLeaf)
    this.#copyKey(child, node, place)
  }

  #copyKey(child: Handle, node: Handle, place: number): void {
    const from = this.#heap.arenaOf(child)
    const into = this.#heap.arenaOf(node)
    into.f64[doubleAt(node) + HEADER_DOUBLES + place] = from.f64[doubleAt(child) + HEADER_DOUBLES]
    into.u32[elementsAt(into.u32, node) + place] = from.u32[elementsAt(from.u32, child)]
  }

  #sizeOf(node: Handle, isLeaf: boolean): number {
    const words = this.#heap.arenaOf(node).u32
    const count = words[wordAt(node) + COUNT]
    if (isLeaf) return count
    let size = 0
    for (let index = 0; index < count; index++) size += words[sizesAt(node) + index]
    return size
  }

  // ---- Shrinking ----

  #stepDownForRemoval(level: number, node: Handle, place: number): Handle {
    const words = this.#heap.arenaOf(node).u32
    words[sizesAt(node) + place]--
    pathNodes[level] = node
    pathPlaces[level] = place
    return words[childrenAt(node) + place]
  }

  #removeFromLeaf(leaf: Handle, place: number): void {
    const arena = this.#heap.arenaOf(leaf)
    const scores = arena.f64
    const words = arena.u32
    const scoresAt = doubleAt(leaf) + HEADER_DOUBLES
    const elements = elementsAt(words, leaf)
    const count = --words[wordAt(leaf) + COUNT]
    for (let index = place; index < count; index++) {
      scores[scoresAt + index] = scores[scoresAt + index + 1]
      words[elements + index] = words[elements + index + 1]
    }
    this.#count--
    if (this.#height === 0) {
      if (count > 0) return
      this.#freeNode(leaf)
      this.#root = NONE
      return
    }
    if (place === 0 && count > 0) this.#raiseKey(this.#height - 1, leaf)
    if (count < LEAF_CAPACITY / 3) this.#fill(this.#height - 1, leaf, true)
  }

  /** The least key of a node on the path has changed: notes it in its parent at `level`, and above where it is least. */
  #raiseKey(level: number, node: Handle): void {
    for (let child = node, above = level; above >= 0; above--) {
      this.#copyKey(child, pathNodes[above], pathPlaces[above])
      if (pathPlaces[above] > 0) return
      child = pathNodes[above]
    }
  }

  /** A node has become sparse: joins it with a neighbour under the same parent, or takes entries from there. */
  #fill(level: number, node: Handle, isLeaf: boolean): void {
    const parent = pathNodes[level]
    const words = this.#heap.arenaOf(parent).u32
    const parentCount = words[wordAt(parent) + COUNT]
    const place = pathPlaces[level]
    if (parentCount === 1) {
      // Only at the right edge, where nodes are begun with one entry.
      if (this.#heap.arenaOf(node).u32[wordAt(node) + COUNT] === 0) this.#dropChild(level, place, node, isLeaf)
      return
    }
    const leftPlace = place > 0 ? place - 1 : 0
    const left = words[childrenAt(parent) + leftPlace]
    const right = words[childrenAt(parent) + leftPlace + 1]
    const leftWords = this.#heap.arenaOf(left).u32
    const rightWords = this.#heap.arenaOf(right).u32
    const leftCount = leftWords[wordAt(left) + COUNT]
    const rightCount = rightWords[wordAt(right) + COUNT]
    const sum = leftCount + rightCount
    const capacity = isLeaf ? LEAF_CAPACITY : INNER_CAPACITY
    if (sum * 6 <= capacity * 5) {
      this.#copyEntries(right, 0, left, leftCount, rightCount, isLeaf)
      leftWords[wordAt(left) + COUNT] = sum
      rightWords[wordAt(right) + COUNT] = 0
      this.#setChild(parent, leftPlace, left, isLeaf)
      pathPlaces[level] = leftPlace
      this.#raiseKey(level, left)
      this.#dropChild(level, leftPlace + 1, right, isLeaf)
      return
    }
    const wanted = sum >>> 1
    if (leftCount < wanted) {
      const moved = wanted - leftCount
      this.#copyEntries(right, 0, left, leftCount, moved, isLeaf)
      this.#copyEntries(right, moved, right, 0, rightCount - moved, isLeaf)
    } else {
      const moved = leftCount - wanted
      this.#copyEntries(right, 0, right, moved, rightCount, isLeaf)
      this.#copyEntries(left, wanted, right, 0, moved, isLeaf)
    }
    leftWords[wordAt(left) + COUNT] = wanted
    rightWords[wordAt(right) + COUNT] = sum - wanted
    this.#setChild(parent, leftPlace, left, isLeaf)
    this.#setChild(parent, leftPlace + 1, right, isLeaf)
    pathPlaces[level] = leftPlace
    this.#raiseKey(level, left)
  }

  /** Takes an empty child out of the inner node at `level`, and mends what this leaves sparse above. */
  #dropChild(level: number, place: number, child: Handle, isLeaf: boolean): void {
    const node = pathNodes[level]
    const arena = this.#heap.arenaOf(node)
    const words = arena.u32
    if (isLeaf) this.#unlinkLeaf(child)
    this.#freeNode(child)
    const count = --words[wordAt(node) + COUNT]
    const scoresAt = doubleAt(node) + HEADER_DOUBLES
    arena.f64.copyWithin(scoresAt + place, scoresAt + place + 1, scoresAt + count + 1)
    for (let array = 0; array < 3; array++) {
      const at = elementsAt(words, node) + array * INNER_CAPACITY
      words.copyWithin(at + place, at + place + 1, at + count + 1)
    }
    if (level > 0) {
      if (place === 0 && count > 0) this.#raiseKey(level - 1, node)
      if (count < INNER_CAPACITY / 3) this.#fill(level - 1, node, false)
      return
    }
    while (this.#height > 0 && this.#heap.arenaOf(this.#root).u32[wordAt(this.#root) + COUNT] === 1) {
      const root = this.#root
      this.#root = this.#heap.arenaOf(root).u32[childrenAt(root)]
      this.#height--
      this.#freeNode(root)
    }
  }

  #unlinkLeaf(leaf: Handle): void {
    const words = this.#heap.arenaOf(leaf).u32
    const next = words[wordAt(leaf) + NEXT]
    const previous = words[wordAt(leaf) + PREVIOUS]
    if (next !== NONE) this.#heap.arenaOf(next).u32[wordAt(next) + PREVIOUS] = previous
    if (previous !== NONE) this.#heap.arenaOf(previous).u32[wordAt(previous) + NEXT] = next
  }

  // ---- Nodes ----

  /** Copies entries between nodes of one kind, or within a node; counts are the caller's. */
  #copyEntries(from: Handle, fromPlace: number, to: Handle, toPlace: number, count: number, isLeaf: boolean): void {
    const source = this.#heap.arenaOf(from)
    const target = this.#heap.arenaOf(to)
    const fromScores = doubleAt(from) + HEADER_DOUBLES + fromPlace
    const toScores = doubleAt(to) + HEADER_DOUBLES + toPlace
    target.f64.set(source.f64.subarray(fromScores, fromScores + count), toScores)
    const arrays = isLeaf ? 1 : 3
    for (let array = 0; array < arrays; array++) {
      const fromAt = elementsAt(source.u32, from) + array * INNER_CAPACITY + fromPlace
      const toAt = elementsAt(target.u32, to) + array * INNER_CAPACITY + toPlace
      target.u32.set(source.u32.subarray(fromAt, fromAt + count), toAt)
    }
  }

  #newNode(sizeBytes: number, entryBytes: number): Handle {
    const node = this.#heap.allocate(sizeBytes)
    const words = this.#heap.arenaOf(node).u32
    const base = wordAt(node)
    words[base + COUNT] = 0
    words[base + NEXT] = NONE
    words[base + PREVIOUS] = NONE
    const blockBytes = this.#heap.blockBytes(node)
    words[base + CAPACITY] = capacityOf(blockBytes, entryBytes)
    this.#nodeBytes += blockBytes
    return node
  }

  #freeNode(node: Handle): void {
    this.#nodeBytes -= this.#heap.blockBytes(node)
    this.#heap.free(node)
  }

  // ---- Checking ----

  /** Checks every invariant. O(n): for tests. */
  verify(): void {
    if (this.#root === NONE) {
      assert(this.#count === 0 && this.#height === 0 && this.#nodeBytes === 0, 'verify: empty tree is not empty')
      return
    }
    const leaves: Handle[] = []
    const sizeBytes = this.#verifyNode(this.#root, this.#height, leaves)
    assert(sizeBytes === this.#nodeBytes, 'verify: sizes do not add up')
    let count = 0
    let previous = NONE
    let previousElement = NONE
    for (const leaf of leaves) {
      const words = this.#heap.arenaOf(leaf).u32
      assert(words[wordAt(leaf) + PREVIOUS] === previous, 'verify: leaves are not linked backwards')
      if (previous !== NONE) {
        const link = this.#heap.arenaOf(previous).u32[wordAt(previous) + NEXT]
        assert(link === leaf, 'verify: leaves are not linked forwards')
      }
      for (let place = 0; place < words[wordAt(leaf) + COUNT]; place++) {
        const element = this.#elementIn(leaf, place)
        const score = this.#heap.arenaOf(leaf).f64[doubleAt(leaf) + HEADER_DOUBLES + place]
        assert(score === elementScore(this.#heap, element), 'verify: score in a leaf is not that of the element')
        if (previousElement !== NONE) assert(this.#isBefore(previousElement, element), 'verify: keys do not rise')
        previousElement = element
        count++
      }
      previous = leaf
    }
    assert(this.#heap.arenaOf(previous).u32[wordAt(previous) + NEXT] === NONE, 'verify: last leaf has a successor')
    assert(count === this.#count, 'verify: counts do not add up')
  }

  #verifyNode(node: Handle, level: number, leaves: Handle[]): number {
    const words = this.#heap.arenaOf(node).u32
    const count = words[wordAt(node) + COUNT]
    assert(count > 0 && count <= words[wordAt(node) + CAPACITY], 'verify: count of a node out of range')
    let sizeBytes = this.#heap.blockBytes(node)
    if (level === 0) {
      leaves.push(node)
      return sizeBytes
    }
    for (let place = 0; place < count; place++) {
      const child = words[childrenAt(node) + place]
      sizeBytes += this.#verifyNode(child, level - 1, leaves)
      const size = this.#sizeOf(child, level === 1)
      assert(size === words[sizesAt(node) + place], 'verify: size of a child is wrong')
      assert(this.#elementIn(child, 0) === this.#elementIn(node, place), 'verify: least element of a child is wrong')
      const scores = this.#heap.arenaOf(node).f64
      const leastScore = this.#heap.arenaOf(child).f64[doubleAt(child) + HEADER_DOUBLES]
      assert(scores[doubleAt(node) + HEADER_DOUBLES + place] === leastScore, 'verify: least score of a child is wrong')
    }
    return sizeBytes
  }

  #isBefore(first: Handle, second: Handle): boolean {
    const heap = this.#heap
    const firstScore = elementScore(heap, first)
    const secondScore = elementScore(heap, second)
    if (firstScore !== secondScore) return firstScore < secondScore
    const start = memberStart(heap, second)
    return compareMember(heap, first, memberArray(heap, second), start, start + memberSize(heap, second)) < 0
  }
}

/** A place in a tree that walks from element to element. Changing the tree makes it useless. */
export class TreeCursor {
  #heap: Heap | null = null
  #leaf: Handle = NONE
  #place = 0
  #count = 0
  #elements = 0
  /** How many elements from here on have been touched. */
  #touchedCount = 0
  /** What they held: nobody wants it, but what is kept is also read. */
  touched = 0
  element: Handle = NONE

  /** For OrderedTree alone: see its `seek`. */
  place(heap: Heap, leaf: Handle, place: number): void {
    this.#heap = heap
    this.#enter(leaf)
    this.#place = place
    this.element = heap.arenaOf(leaf).u32[this.#elements + place]
  }

  get score(): number {
    const leaf = this.#leaf
    return this.#heap!.arenaOf(leaf).f64[doubleAt(leaf) + HEADER_DOUBLES + this.#place]
  }

  /** To the element behind; false at the end, where the cursor stays. O(1). */
  next(): boolean {
    if (this.#place + 1 < this.#count) {
      this.#place++
    } else {
      const next = this.#heap!.arenaOf(this.#leaf).u32[wordAt(this.#leaf) + NEXT]
      if (next === NONE) return false
      this.#enter(next)
      this.#place = 0
    }
    if (this.#touchedCount-- === 0) this.#touch(this.#place, Math.min(this.#place + TOUCH_COUNT, this.#count))
    this.element = this.#heap!.arenaOf(this.#leaf).u32[this.#elements + this.#place]
    return true
  }

  /** To the element in front; false at the beginning, where the cursor stays. O(1). */
  previous(): boolean {
    if (this.#place > 0) {
      this.#place--
    } else {
      const previous = this.#heap!.arenaOf(this.#leaf).u32[wordAt(this.#leaf) + PREVIOUS]
      if (previous === NONE) return false
      this.#enter(previous)
      this.#place = this.#count - 1
    }
    if (this.#touchedCount-- === 0) this.#touch(Math.max(0, this.#place + 1 - TOUCH_COUNT), this.#place + 1)
    this.element = this.#heap!.arenaOf(this.#leaf).u32[this.#elements + this.#place]
    return true
  }

  /**
   * Reads a word of each element that comes next. They lie anywhere in memory, and a processor fetches several at a time
   * if it meets them in one short loop, but one by one where much is done in between.
   */
  #touch(from: number, to: number): void {
    const heap = this.#heap!
    const { u32 } = heap.arenaOf(this.#leaf)
    let sum = 0
    for (let place = from; place < to; place++) {
      const element = u32[this.#elements + place]
      sum ^= heap.arenaOf(element).u32[wordAt(element)]
    }
    this.touched = sum
    this.#touchedCount = to - from - 1
  }

  #enter(leaf: Handle): void {
    this.#touchedCount = 0
    const words = this.#heap!.arenaOf(leaf).u32
    this.#leaf = leaf
    this.#count = words[wordAt(leaf) + COUNT]
    this.#elements = elementsAt(words, leaf)
  }
}

const EMPTY = new Uint8Array(0)

function capacityOf(sizeBytes: number, entryBytes: number): number {
  return Math.floor((sizeBytes - HEADER_WORDS * 4) / entryBytes)
}

/** Where a node's elements begin in the arena's `u32`. */
function elementsAt(words: Uint32Array, node: Handle): number {
  const base = wordAt(node)
  return base + HEADER_WORDS + 2 * words[base + CAPACITY]
}

function childrenAt(inner: Handle): number {
  return wordAt(inner) + HEADER_WORDS + 3 * INNER_CAPACITY
}

function sizesAt(inner: Handle): number {
  return wordAt(inner) + HEADER_WORDS + 4 * INNER_CAPACITY
}
