import { assert } from '../bytes/assert.ts'
import { BLOCK_BYTES_MAX, type Handle, Heap, NONE, wordAt } from './heap.ts'

/**
 * A hash table of handles by 32-bit hash: the keyspace, and the large forms of hashes and sets. It knows no keys:
 * `find` visits the handles whose whole hash is equal, and the caller compares.
 *
 * Extendible hashing (Fagin et al., 1979): the upper bits of the hash choose a segment through a directory, the bits
 * below them the home slot within the segment.
 *
 *   hash  | prefix: localDepth bits | 16 bits choose the home slot | ... |
 *
 * A full segment grows alone, through a few sizes up to 16 KiB, and is then split in two; the directory doubles now
 * and then, four bytes a segment. So the cost of growth is bounded by one segment's 2,046 slots, however large the
 * table is, and memory follows the number of keys closely (a load of 0.64 to 0.85).
 *
 * Both steps keep the elements in the order of their hashes, segment by segment and almost slot by slot. A scan is a
 * walk up the hash values, its cursor the hash it has reached: growth, shrinking and deletes between two calls can
 * neither hide an element that was there all the time nor show it twice.
 *
 * Segment, in 32-bit words: | slotCount | usedCount | localDepth | - | hash handle | hash handle | ...
 * Probing is linear, and a delete shifts back what follows, so that there are no tombstones.
 *
 * Hashes are 32 bits; whether a caller takes them as signed or unsigned is the same. On hot ways they are signed, since V8
 * puts a number of 2^31 or more on the heap when it is passed on or kept in a field.
 *
 * Invariants (checked by `verify`): a segment of local depth d stands in 2^(globalDepth - d) neighbouring directory
 * places; no empty slot lies between an element's home and its place; a slot is empty exactly when its handle is 0.
 */
const HEADER_WORDS = 4
const USED = 1
const DEPTH = 2
const SLOT_WORDS = 2
const SEGMENT_BYTES_MAX = 16384
/** Sizes that a segment passes through, each one a block size of the heap. */
const SEGMENT_BYTES = buildSegmentSizes()
const SLOTS_MIN = slotsOf(SEGMENT_BYTES[0])
const SLOTS_MAX = slotsOf(SEGMENT_BYTES_MAX)
const DEPTH_MAX = 28
/**
 * So many elements in one half of their segment have not come there by chance, but in the order of their hashes, out of
 * another table. They stand in one run, which each that follows is looked for along: such a segment is split, not enlarged.
 */
const CROWDED_COUNT_MIN = 256
/** What `reserve` fills segments to, so that hardly any of them gets too many. */
const RESERVED_LOAD = 0.75
/** 64 MiB: longer than that takes to clear, nobody should be held up. */
const RESERVED_SEGMENTS_MAX = 4096
const HASH_END = 2 ** 32
/** Blocks begin anywhere in a cache line of 64 bytes: what stands here in a block of 48 may be in the next one. */
const NEXT_LINE_WORDS = 11

export class Dict {
  readonly #heap: Heap
  #directory = new Uint32Array(1)
  #globalDepth = 0
  /** Segments whose local depth is the global one: when none is left, half of the directory is needless. */
  #deepestCount = 0
  #count = 0
  #segmentBytes = 0
  /** What `scan` gathers: handles and hashes in turn. Numbers of 32 bits in an array would be objects. */
  #found = new Uint32Array(256)
  /** How far `dismantle` has come. */
  #dismantledPlaces = 0

  constructor(heap: Heap) {
    this.#heap = heap
  }

  get count(): number {
    return this.#count
  }

  /** Slots, used or not. O(segments). */
  get slotCount(): number {
    let slots = 0
    this.#eachSegment((words, base) => {
      slots += words[base]
    })
    return slots
  }

  /** Memory that lies outside of the heap. O(1). */
  get directoryBytes(): number {
    return this.#directory.byteLength
  }

  /** Memory of segments and directory, without the elements. O(1). */
  get sizeBytes(): number {
    return this.#segmentBytes + this.#directory.byteLength
  }

  /**
   * The first handle with this hash behind `after`, or NONE. Start with `after` = NONE; go on with the last one
   * returned, when its key turned out to be another.
   * hot: once for each key of each command.
   */
  find(hash: number, after: Handle): Handle {
    const segment = this.#directory[this.#globalDepth === 0 ? 0 : hash >>> (32 - this.#globalDepth)]
    if (segment === NONE) return NONE
    const words = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    const slotCount = words[base]
    const slotsEnd = base + HEADER_WORDS + slotCount * SLOT_WORDS
    let at = base + HEADER_WORDS + homeOf(hash, words[base + DEPTH], slotCount) * SLOT_WORDS
    const wanted = hash | 0
    let skipping = after !== NONE
    for (;;) {
      const handle = words[at + 1]
      if (handle === NONE) return NONE
      if ((words[at] | 0) === wanted) {
        if (!skipping) return handle
        if (handle === after) skipping = false
      }
      at += SLOT_WORDS
      if (at === slotsEnd) at = base + HEADER_WORDS
    }
  }

  /**
   * Reads a word of where an element with this hash is looked for, so that the processor fetches it: whoever is about to
   * look for many reads all of these first, and waits for memory once instead of once for each. The sum means nothing.
   */
  touch(hash: number): number {
    const segment = this.#directory[this.#globalDepth === 0 ? 0 : hash >>> (32 - this.#globalDepth)]
    if (segment === NONE) return 0
    const words = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    return words[base + HEADER_WORDS + homeOf(hash, words[base + DEPTH], words[base]) * SLOT_WORDS]
  }

  /**
   * Makes room for about so many elements in an empty table, which then has to grow and split less. It only saves time:
   * fewer or more may come. O(count), up to RESERVED_SEGMENTS_MAX.
   */
  reserve(count: number): void {
    if (this.#count > 0 || this.#directory[0] !== NONE || count < SLOTS_MAX) return
    const depth = Math.min(Math.ceil(Math.log2(count / (SLOTS_MAX * RESERVED_LOAD))), Math.log2(RESERVED_SEGMENTS_MAX))
    const segmentCount = 2 ** depth
    const sizeBytes = segmentBytesFor(Math.ceil(count / segmentCount))
    this.#directory = new Uint32Array(segmentCount)
    for (let index = 0; index < segmentCount; index++) this.#directory[index] = this.#newSegment(sizeBytes, depth)
    this.#globalDepth = depth
    this.#deepestCount = segmentCount
  }

  /**
   * Loads what `find` reads for the first `count` of these hashes, and the beginning of the blocks that it gives: first
   * all slots, then all blocks, so that the processor waits for many of them at the same time. Returns a number that
   * stands for the loads, so that they are not left out.
   * hot: once for each pipeline.
   */
  prefetch(hashes: Int32Array, count: number): number {
    if (this.#directory[0] === NONE) return 0
    let loaded = 0
    for (let index = 0; index < count; index++) loaded ^= this.touch(hashes[index])
    for (let index = 0; index < count; index++) {
      const handle = this.find(hashes[index], NONE)
      if (handle === NONE) continue
      const words = this.#heap.arenaOf(handle).u32
      const at = wordAt(handle)
      loaded ^= words[at] ^ words[at + NEXT_LINE_WORDS]
    }
    return loaded
  }

  /** Adds a handle whose key is not in the table yet. O(1), at worst one segment's growth or split. */
  insert(hash: number, handle: Handle): void {
    for (;;) {
      const segment = this.#directory[this.#directoryIndex(hash)]
      if (segment === NONE) {
        this.#directory[0] = this.#newSegment(SEGMENT_BYTES[0], 0) // only an empty table has no segment
        this.#deepestCount = 1
        continue
      }
      const words = this.#heap.arenaOf(segment).u32
      const base = wordAt(segment)
      if (isFull(words[base + USED], words[base])) {
        this.#grow(hash, segment)
        continue
      }
      words[base + USED]++
      this.#count++
      place(words, base, homeOf(hash, words[base + DEPTH], words[base]), hash, handle)
      return
    }
  }

  /** Puts another handle in the place of one with the same key. O(1). */
  replace(hash: number, handle: Handle, replacement: Handle): void {
    const segment = this.#directory[this.#directoryIndex(hash)]
    const words = this.#heap.arenaOf(segment).u32
    words[this.#slotAt(words, wordAt(segment), hash, handle) + 1] = replacement
  }

  /** Takes out a handle that is in the table. O(1), at worst one segment's shrinking or merging. */
  remove(hash: number, handle: Handle): void {
    const segment = this.#directory[this.#directoryIndex(hash)]
    const words = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    const slotCount = words[base]
    const depth = words[base + DEPTH]
    const slots = base + HEADER_WORDS
    let hole = (this.#slotAt(words, base, hash, handle) - slots) / SLOT_WORDS
    // Shift back whatever may stand in the hole: an element whose home does not lie behind it.
    for (let next = hole; ; ) {
      if (++next === slotCount) next = 0
      const at = slots + next * SLOT_WORDS
      if (words[at + 1] === NONE) break
      const home = homeOf(words[at], depth, slotCount)
      const homeIsBehindHole = hole <= next ? hole < home && home <= next : hole < home || home <= next
      if (homeIsBehindHole) continue
      words[slots + hole * SLOT_WORDS] = words[at]
      words[slots + hole * SLOT_WORDS + 1] = words[at + 1]
      hole = next
    }
    words[slots + hole * SLOT_WORDS + 1] = NONE
    this.#count--
    const usedCount = --words[base + USED]
    if (usedCount * 3 < slotCount && (depth > 0 || slotCount > SLOTS_MIN)) this.#shrink(hash, segment)
  }

  /**
   * Visits every element with a hash from `cursor` up to a bound that makes about `countHint` slots of work, and returns
   * the cursor to go on with, 0 at the end. Elements may be removed or added between calls and from within `visit`:
   * the handles are gathered first (`visit` must not use one that it has itself removed before).
   */
  scan(cursor: number, countHint: number, visit: (handle: Handle, hash: number) => void): number {
    let found = this.#found
    let foundEnd = 0
    let position = cursor
    let slotBudget = countHint
    while (slotBudget > 0 && position < HASH_END) {
      const segment = this.#directory[this.#directoryIndex(position)]
      if (segment === NONE) {
        position = HASH_END
        break
      }
      const words = this.#heap.arenaOf(segment).u32
      const base = wordAt(segment)
      const slotCount = words[base]
      const depth = words[base + DEPTH]
      const segmentSpan = 2 ** (32 - depth)
      const segmentStart = Math.floor(position / segmentSpan) * segmentSpan
      const home = homeOf(position, depth, slotCount)
      const homeEnd = Math.min(home + slotBudget, slotCount)
      let positionEnd = segmentStart + segmentSpan
      if (homeEnd < slotCount) {
        const boundary = segmentStart + (Math.ceil((homeEnd * 65536) / slotCount) / 65536) * segmentSpan
        // Deeper than 16 bits below the prefix, home slots are coarser than hashes: always go on by one at least.
        positionEnd = Math.min(positionEnd, Math.max(Math.floor(boundary), position + 1))
      }
      // Elements of the range stand from its first home to the first empty slot at or behind its end.
      let slot = home
      for (let step = 0; step < slotCount; step++) {
        const at = base + HEADER_WORDS + slot * SLOT_WORDS
        const handle = words[at + 1]
        if (handle === NONE) {
          if (home + step >= homeEnd) break
        } else {
          const hash = words[at]
          if (hash >= position && hash < positionEnd) {
            if (foundEnd === found.length) found = this.#growFound()
            found[foundEnd++] = handle
            found[foundEnd++] = hash
          }
        }
        if (++slot === slotCount) slot = 0
      }
      slotBudget -= homeEnd - home
      position = positionEnd
    }
    for (let index = 0; index < foundEnd; index += 2) visit(found[index], found[index + 1])
    return position >= HASH_END ? 0 : position
  }

  #growFound(): Uint32Array<ArrayBuffer> {
    const larger = new Uint32Array(this.#found.length * 2)
    larger.set(this.#found)
    this.#found = larger
    return larger
  }

  /** Every element, in the order of hashes. The table must not change from within `visit`. O(n). */
  forEach(visit: (handle: Handle, hash: number) => void): void {
    this.#eachSegment((words, base) => {
      const end = base + HEADER_WORDS + words[base] * SLOT_WORDS
      for (let at = base + HEADER_WORDS; at < end; at += SLOT_WORDS) {
        if (words[at + 1] !== NONE) visit(words[at + 1], words[at])
      }
    })
  }

  /**
   * A handle picked almost uniformly, or NONE when empty. Expected O(1).
   * @param random gives numbers in [0, 1).
   */
  random(random: () => number): Handle {
    if (this.#count === 0) return NONE
    for (;;) {
      const segment = this.#directory[Math.floor(random() * this.#directory.length)]
      const words = this.#heap.arenaOf(segment).u32
      const base = wordAt(segment)
      const handle = words[base + HEADER_WORDS + Math.floor(random() * words[base]) * SLOT_WORDS + 1]
      if (handle !== NONE) return handle
    }
  }

  /**
   * Visits `count` elements that stand next to each other, from a random place on; fewer near the end of a segment. As
   * elements stand in the order of their hashes they have nothing to do with each other, and looking at neighbours
   * costs a fraction of looking everywhere. The table must not be empty, nor change from within `visit`.
   */
  sample(count: number, random: () => number, visit: (handle: Handle, hash: number) => void): void {
    for (;;) {
      const segment = this.#directory[Math.floor(random() * this.#directory.length)]
      const words = this.#heap.arenaOf(segment).u32
      const base = wordAt(segment)
      const end = base + HEADER_WORDS + words[base] * SLOT_WORDS
      let left = count
      for (
        let at = base + HEADER_WORDS + Math.floor(random() * words[base]) * SLOT_WORDS;
        at < end && left > 0;
        at += SLOT_WORDS
      ) {
        if (words[at + 1] === NONE) continue
        visit(words[at + 1], words[at])
        left--
      }
      if (left < count) return
    }
  }

  /** Gives back all segments; the elements are the caller's. O(segments). */
  clear(): void {
    const segments: Handle[] = []
    this.#eachSegment((_words, _base, segment) => segments.push(segment))
    for (const segment of segments) this.#heap.free(segment)
    this.forget()
  }

  /**
   * Gives back one segment, having visited its elements, which are the caller's to free; returns whether more are left.
   * For a table that nobody will look at any more. O(segment).
   */
  dismantle(visit: (handle: Handle) => void): boolean {
    const segment = this.#directory[this.#dismantledPlaces]
    if (segment === NONE) return false
    const words = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    const end = base + HEADER_WORDS + words[base] * SLOT_WORDS
    for (let at = base + HEADER_WORDS; at < end; at += SLOT_WORDS) {
      if (words[at + 1] !== NONE) visit(words[at + 1])
    }
    this.#count -= words[base + USED]
    this.#dismantledPlaces += 2 ** (this.#globalDepth - words[base + DEPTH])
    this.#freeSegment(segment)
    if (this.#dismantledPlaces < this.#directory.length) return true
    this.forget()
    return false
  }

  /** Becomes empty without giving anything back: for when the whole heap is reset. O(1). */
  forget(): void {
    this.#directory = new Uint32Array(1)
    this.#globalDepth = 0
    this.#deepestCount = 0
    this.#count = 0
    this.#segmentBytes = 0
    this.#dismantledPlaces = 0
  }

  #directoryIndex(hash: number): number {
    return this.#globalDepth === 0 ? 0 : hash >>> (32 - this.#globalDepth)
  }

  #slotAt(words: Uint32Array, base: number, hash: number, handle: Handle): number {
    const slotCount = words[base]
    const slotsEnd = base + HEADER_WORDS + slotCount * SLOT_WORDS
    let at = base + HEADER_WORDS + homeOf(hash, words[base + DEPTH], slotCount) * SLOT_WORDS
    while (words[at + 1] !== handle) {
      assert(words[at + 1] !== NONE, 'dict: handle is not in the table')
      at += SLOT_WORDS
      if (at === slotsEnd) at = base + HEADER_WORDS
    }
    return at
  }

  /** Makes room in a full segment: a larger one, or two in its place. */
  #grow(hash: number, segment: Handle): void {
    const header = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    const usedCount = header[base + USED]
    const depth = header[base + DEPTH]
    const isCrowded = usedCount >= CROWDED_COUNT_MIN && depth < DEPTH_MAX && isInOneHalf(header, base)
    if (!isFull(usedCount, SLOTS_MAX) && !isCrowded) this.#resize(hash, segment, segmentBytesFor(usedCount + 1))
    else if (depth < DEPTH_MAX) this.#split(hash, segment)
    else {
      // Thousands of keys with all but equal hashes: not by chance. The table stays right, if slow for those.
      assert(header[base] === SLOTS_MAX, 'dict: more equal hashes than a segment holds')
      this.#resize(hash, segment, BLOCK_BYTES_MAX)
    }
  }

  /** Gives back memory of a segment that has become sparse, and joins it with its neighbour if both are small. */
  #shrink(hash: number, segment: Handle): void {
    const header = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    const usedCount = header[base + USED]
    const depth = header[base + DEPTH]
    if (depth > 0) {
      const buddyHash = (hash ^ (1 << (32 - depth))) >>> 0
      const buddy = this.#directory[this.#directoryIndex(buddyHash)]
      const buddyWords = this.#heap.arenaOf(buddy).u32
      const buddyBase = wordAt(buddy)
      const sumCount = usedCount + buddyWords[buddyBase + USED]
      if (buddyWords[buddyBase + DEPTH] === depth && sumCount * 2 < SLOTS_MAX) {
        return this.#merge(hash, segment, buddy, depth, sumCount)
      }
    }
    const sizeBytes = segmentBytesFor(usedCount)
    if (slotsOf(sizeBytes) < header[base]) this.#resize(hash, segment, sizeBytes)
  }

  #resize(hash: number, segment: Handle, sizeBytes: number): void {
    const depth = this.#heap.arenaOf(segment).u32[wordAt(segment) + DEPTH]
    const target = this.#newSegment(sizeBytes, depth)
    this.#move(segment, target, 0, 0)
    this.#point(hash, depth, target)
    this.#freeSegment(segment)
  }

  #split(hash: number, segment: Handle): void {
    const header = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    const depth = header[base + DEPTH]
    if (depth === this.#globalDepth) this.#doubleDirectory()
    const bit = 2 ** (31 - depth)
    const upperCount = countWith(bit, header, base)
    const lowerCount = header[base + USED] - upperCount
    const lower = this.#newSegment(segmentBytesFor(lowerCount), depth + 1)
    const upper = this.#newSegment(segmentBytesFor(upperCount), depth + 1)
    this.#move(segment, lower, bit, 0)
    this.#move(segment, upper, bit, bit)
    this.#point((hash & ~bit) >>> 0, depth + 1, lower)
    this.#point((hash | bit) >>> 0, depth + 1, upper)
    if (depth + 1 === this.#globalDepth) this.#deepestCount += 2
    this.#freeSegment(segment)
    if (depth + 1 === DEPTH_MAX) return
    if (upperCount === 0) this.#split((hash & ~bit) >>> 0, lower)
    else if (lowerCount === 0) this.#split((hash | bit) >>> 0, upper)
  }

  #merge(hash: number, segment: Handle, buddy: Handle, depth: number, sumCount: number): void {
    const target = this.#newSegment(segmentBytesFor(sumCount), depth - 1)
    this.#move(segment, target, 0, 0)
    this.#move(buddy, target, 0, 0)
    this.#point(hash, depth - 1, target)
    this.#freeSegment(segment)
    this.#freeSegment(buddy)
    if (depth === this.#globalDepth) {
      this.#deepestCount -= 2
      while (this.#deepestCount === 0 && this.#globalDepth > 0) this.#halveDirectory()
    }
  }

  /**
   * Copies the elements whose hash has `wanted` under `mask` into a segment that has room for them. They come in order, so
   * each is looked a place for behind the one before it: whoever inserts in the order of hashes (a copy of another table)
   * fills segments in long runs, which are not to be walked for each element.
   */
  #move(source: Handle, target: Handle, mask: number, wanted: number): void {
    const from = this.#heap.arenaOf(source).u32
    const into = this.#heap.arenaOf(target).u32
    const base = wordAt(source)
    const targetBase = wordAt(target)
    const end = base + HEADER_WORDS + from[base] * SLOT_WORDS
    const slotCount = into[targetBase]
    const depth = into[targetBase + DEPTH]
    let movedCount = 0
    // Taken slots without a gap.
    let runStart = 0
    let runEnd = 0
    for (let at = base + HEADER_WORDS; at < end; at += SLOT_WORDS) {
      const hash = from[at]
      if (from[at + 1] === NONE || (hash & mask) >>> 0 !== wanted) continue
      const home = homeOf(hash, depth, slotCount)
      const isInRun = runStart <= home && home < runEnd
      if (!isInRun) runStart = home
      runEnd = place(into, targetBase, isInRun ? runEnd : home, hash, from[at + 1]) + 1
      // It began anew at the first slot.
      if (runEnd <= runStart) runStart = 0
      movedCount++
    }
    into[targetBase + USED] += movedCount
  }

  /** Lets every directory place that shares the first `depth` bits of `hash` lead to a segment. */
  #point(hash: number, depth: number, segment: Handle): void {
    const places = 2 ** (this.#globalDepth - depth)
    const first = depth === 0 ? 0 : (hash >>> (32 - depth)) * places
    this.#directory.fill(segment, first, first + places)
  }

  #doubleDirectory(): void {
    const doubled = new Uint32Array(this.#directory.length * 2)
    for (let index = 0; index < doubled.length; index++) doubled[index] = this.#directory[index >>> 1]
    this.#directory = doubled
    this.#globalDepth++
    this.#deepestCount = 0
  }

  #halveDirectory(): void {
    this.#directory = this.#directory.filter((_segment, index) => index % 2 === 0)
    this.#globalDepth--
    this.#eachSegment((words, base) => {
      if (words[base + DEPTH] === this.#globalDepth) this.#deepestCount++
    })
  }

  #newSegment(sizeBytes: number, depth: number): Handle {
    const segment = this.#heap.allocate(sizeBytes)
    const words = this.#heap.arenaOf(segment).u32
    const base = wordAt(segment)
    words[base] = slotsOf(sizeBytes)
    words[base + USED] = 0
    words[base + DEPTH] = depth
    words.fill(0, base + HEADER_WORDS, base + sizeBytes / 4)
    this.#segmentBytes += sizeBytes
    return segment
  }

  #freeSegment(segment: Handle): void {
    this.#segmentBytes -= this.#heap.blockBytes(segment)
    this.#heap.free(segment)
  }

  #eachSegment(visit: (words: Uint32Array, base: number, segment: Handle) => void): void {
    for (let index = 0; index < this.#directory.length; ) {
      const segment = this.#directory[index]
      if (segment === NONE) return
      const words = this.#heap.arenaOf(segment).u32
      const base = wordAt(segment)
      visit(words, base, segment)
      index += 2 ** (this.#globalDepth - words[base + DEPTH])
    }
  }

  /** Checks every invariant. O(n): for tests. */
  verify(): void {
    let count = 0
    let segmentBytes = 0
    let deepestCount = 0
    let index = 0
    this.#eachSegment((words, base, segment) => {
      const depth = words[base + DEPTH]
      const slotCount = words[base]
      const places = 2 ** (this.#globalDepth - depth)
      assert(index % places === 0, 'verify: segment is not aligned in the directory')
      for (let place = 0; place < places; place++) {
        assert(this.#directory[index + place] === segment, 'verify: directory place leads elsewhere')
      }
      let usedCount = 0
      for (let slot = 0; slot < slotCount; slot++) {
        const at = base + HEADER_WORDS + slot * SLOT_WORDS
        if (words[at + 1] === NONE) continue
        usedCount++
        const hash = words[at]
        assert(depth === 0 || hash >>> (32 - depth) === index / places, 'verify: hash is in the wrong segment')
        for (let step = homeOf(hash, depth, slotCount); step !== slot; step = step + 1 === slotCount ? 0 : step + 1) {
          assert(words[base + HEADER_WORDS + step * SLOT_WORDS + 1] !== NONE, 'verify: gap before an element')
        }
      }
      assert(usedCount === words[base + USED], 'verify: used count of a segment is wrong')
      assert(usedCount < slotCount, 'verify: segment has no empty slot')
      count += usedCount
      segmentBytes += this.#heap.blockBytes(segment)
      if (depth === this.#globalDepth) deepestCount++
      index += places
    })
    assert(count === this.#count, 'verify: counts do not add up')
    assert(segmentBytes === this.#segmentBytes, 'verify: sizes do not add up')
    assert(deepestCount === this.#deepestCount, 'verify: deepest segments are miscounted')
  }
}

/** Home slot: the 16 hash bits below the segment's prefix, scaled to the slots; so it rises with the hash. */
function homeOf(hash: number, depth: number, slotCount: number): number {
  return (((hash << depth) >>> 16) * slotCount) >>> 16
}

/** How many elements of a segment have this bit in their hash. */
function countWith(bit: number, words: Uint32Array, base: number): number {
  const end = base + HEADER_WORDS + words[base] * SLOT_WORDS
  let count = 0
  for (let at = base + HEADER_WORDS; at < end; at += SLOT_WORDS) {
    if (words[at + 1] !== NONE && (words[at] & bit) !== 0) count++
  }
  return count
}

/** Whether a split would leave one of the two without elements. */
function isInOneHalf(words: Uint32Array, base: number): boolean {
  const upperCount = countWith(2 ** (31 - words[base + DEPTH]), words, base)
  return upperCount === 0 || upperCount === words[base + USED]
}

/** Into the first free slot from `slot` on, which it returns. */
function place(words: Uint32Array, base: number, slot: number, hash: number, handle: Handle): number {
  const slotCount = words[base]
  if (slot === slotCount) slot = 0
  while (words[base + HEADER_WORDS + slot * SLOT_WORDS + 1] !== NONE) {
    if (++slot === slotCount) slot = 0
  }
  const at = base + HEADER_WORDS + slot * SLOT_WORDS
  words[at] = hash
  words[at + 1] = handle
  return slot
}

/** A load of 27/32 at most: beyond it, misses walk too far. */
function isFull(usedCount: number, slotCount: number): boolean {
  return (usedCount + 1) * 32 > slotCount * 27
}

function slotsOf(sizeBytes: number): number {
  return (sizeBytes / 4 - HEADER_WORDS) / SLOT_WORDS
}

/** The smallest segment that is at most 11/16 full with so many elements, so that it has room to grow. */
function segmentBytesFor(usedCount: number): number {
  for (const sizeBytes of SEGMENT_BYTES) {
    if (usedCount * 16 <= slotsOf(sizeBytes) * 11) return sizeBytes
  }
  return SEGMENT_BYTES_MAX
}

function buildSegmentSizes(): number[] {
  const sizes = [64]
  while (sizes[sizes.length - 1] < SEGMENT_BYTES_MAX) {
    const sizeBytes = Heap.classBytes(Math.ceil(sizes[sizes.length - 1] * 1.22))
    sizes.push(Math.min(sizeBytes, SEGMENT_BYTES_MAX))
  }
  return sizes
}
