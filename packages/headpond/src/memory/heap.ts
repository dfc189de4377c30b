import { assert } from '../bytes/assert.ts'
import { ARENA_BYTES_MAX, Arena } from './arena.ts'
import { LargeValues } from './large-values.ts'

/**
 * The allocator of everything that lives outside the JS heap.
 *
 * A handle is a 32-bit number in units of 16 bytes. Its upper 5 bits are the arena, the rest the place within it:
 *
 *   31    27 26             12 11            0
 *   | arena |  page in arena  |  unit in page |
 *
 * Pages of 64 KiB hold blocks of one size class. A page knows its free blocks, and a class knows its pages that have
 * room, so that a page whose last block is freed can serve another class: what one size of record gives back, every
 * other size can use. Blocks are at most 32 KiB; larger values are buffers of their own (see large-values.ts), which
 * therefore never fragment an arena.
 *
 * Invariants (checked by `verify`):
 *   - a page is in its class's list exactly when it has at least one live block and room for another;
 *   - live + free-listed + never-carved blocks of a page add up to its capacity;
 *   - handle 0 is never given out: it means "none".
 */
export type Handle = number

export const UNIT_BYTES = 16
export const BLOCK_BYTES_MAX = 32768
export const NONE = 0

const PAGE_BYTES = 65536
const PAGE_UNITS = PAGE_BYTES / UNIT_BYTES
const PAGES_PER_ARENA_MAX = ARENA_BYTES_MAX / PAGE_BYTES
const ARENA_UNITS_MAX = ARENA_BYTES_MAX / UNIT_BYTES
const LOCAL_MASK = ARENA_UNITS_MAX - 1
const ARENA_SHIFT = 27
const PAGE_SHIFT = 12
const ARENAS_MAX = 32
const NO_PAGE = -1
/** What a reset keeps for those who come at once. */
const KEPT_BYTES_MAX = 256 * 2 ** 20
/** What is not worth being given back. */
const KEPT_FOR_GOOD_BYTES_MAX = 16 * 2 ** 20

/**
 * Block sizes in units: every 16 bytes up to 512, then those that divide a page into n equal blocks, in steps of a
 * sixteenth, or every n where n is small. **(measured)**: with steps of an eighth, what is between two sizes (full nodes
 * of streams, packed hashes) took a tenth more than redis-server's.
 */
const CLASS_UNITS = buildClasses()
const CLASS_COUNT = CLASS_UNITS.length
const CLASS_CAPACITY = CLASS_UNITS.map((units) => Math.floor(PAGE_UNITS / units))
/** By size in units, the smallest class that holds it. */
const CLASS_OF_UNITS = buildClassLookup()

const FREE_PAGE = 255

/** Where in its arena's `u8` a block begins. */
export function byteAt(handle: Handle): number {
  return (handle & LOCAL_MASK) << 4
}

/** Where in its arena's `u32` a block begins. */
export function wordAt(handle: Handle): number {
  return (handle & LOCAL_MASK) << 2
}

/** Where in its arena's `f64` a block begins. */
export function doubleAt(handle: Handle): number {
  return (handle & LOCAL_MASK) << 1
}

export class Heap {
  readonly large = new LargeValues()
  readonly #firstArenaBytes: number
  #first: Arena
  readonly #arenas: Arena[] = []
  /** By global page number (arena * PAGES_PER_ARENA_MAX + page). */
  #pageClass = new Uint8Array(0)
  #pageLiveCount = new Uint16Array(0)
  #pageFreeHead = new Uint16Array(0)
  #pageCarvedCount = new Uint16Array(0)
  #pageNext = new Int32Array(0)
  #pagePrevious = new Int32Array(0)
  readonly #roomyPage = new Int32Array(CLASS_COUNT).fill(NO_PAGE)
  #freePage = NO_PAGE
  /** The next page never used in the newest arena, as a global page number, and where that arena ends. */
  #freshPage = 0
  #freshPageEnd = 0
  #usedUnits = 0
  #usedPageCount = 0
  #touchedPageCount = 0
  /** Pages of the first arena below this were touched before a reset that kept it, and count already. */
  #firstTouchedEnd = 0

  /** @param firstArenaBytes what to reserve at first: small for many servers in one process, see `firstArenaBytes` for one alone. */
  constructor(firstArenaBytes = ARENA_BYTES_MAX) {
    this.#firstArenaBytes = Math.max(firstArenaBytes, 2 * PAGE_BYTES)
    this.#first = this.#addArena(this.#firstArenaBytes)
  }

  /** Bytes in live blocks, rounding to size classes included, and in large values. */
  get usedBytes(): number {
    return this.#usedUnits * UNIT_BYTES + this.large.usedBytes
  }

  /** Bytes of the pages that hold at least one live block, and large values: `usedBytes` and the room between. */
  get activeBytes(): number {
    return this.#usedPageCount * PAGE_BYTES + this.large.usedBytes
  }

  /** Bytes that were ever touched and are not yet given back to the operating system. */
  get residentBytes(): number {
    return this.#touchedPageCount * PAGE_BYTES + this.large.usedBytes
  }

  /** Bytes of the allocator's own tables. */
  get overheadBytes(): number {
    return this.#pageClass.length * 15
  }

  // hot: several times for each command.
  arenaOf(handle: Handle): Arena {
    return handle < ARENA_UNITS_MAX ? this.#first : this.#arenas[handle >>> ARENA_SHIFT]
  }

  /**
   * A block of at least `sizeBytes` (1 to BLOCK_BYTES_MAX), its bytes undefined. O(1).
   * hot: once for each new key.
   */
  allocate(sizeBytes: number): Handle {
    assert(sizeBytes > 0 && sizeBytes <= BLOCK_BYTES_MAX, 'allocate: size out of range')
    const sizeClass = CLASS_OF_UNITS[(sizeBytes + 15) >> 4]
    let page = this.#roomyPage[sizeClass]
    if (page === NO_PAGE) page = this.#openPage(sizeClass)
    const units = CLASS_UNITS[sizeClass]
    const freeHead = this.#pageFreeHead[page]
    let handle: Handle
    if (freeHead !== 0) {
      handle = page * PAGE_UNITS + freeHead - 1
      this.#pageFreeHead[page] = this.arenaOf(handle).u32[wordAt(handle)]
    } else {
      handle = page * PAGE_UNITS + this.#pageCarvedCount[page]++ * units
    }
    if (++this.#pageLiveCount[page] === CLASS_CAPACITY[sizeClass]) this.#unlink(page, sizeClass)
    this.#usedUnits += units
    return handle
  }

  /** Gives a block back. O(1). */
  free(handle: Handle): void {
    const page = handle >>> PAGE_SHIFT
    const sizeClass = this.#pageClass[page]
    assert(sizeClass !== FREE_PAGE, 'free: not a live block')
    this.arenaOf(handle).u32[wordAt(handle)] = this.#pageFreeHead[page]
    this.#pageFreeHead[page] = (handle & (PAGE_UNITS - 1)) + 1
    this.#usedUnits -= CLASS_UNITS[sizeClass]
    const liveCount = --this.#pageLiveCount[page]
    const wasFull = liveCount === CLASS_CAPACITY[sizeClass] - 1
    if (liveCount === 0) {
      if (!wasFull) this.#unlink(page, sizeClass)
      this.#closePage(page)
    } else if (wasFull) {
      this.#link(page, sizeClass)
    }
  }

  /** The size in bytes of the class that a request is served from. */
  static classBytes(sizeBytes: number): number {
    return CLASS_UNITS[CLASS_OF_UNITS[(sizeBytes + 15) >> 4]] * UNIT_BYTES
  }

  /** The size in bytes of a live block, as its class rounds it. */
  blockBytes(handle: Handle): number {
    return CLASS_UNITS[this.#pageClass[handle >>> PAGE_SHIFT]] * UNIT_BYTES
  }

  /** The number of a live block's size class, from 1. */
  classOf(handle: Handle): number {
    return this.#pageClass[handle >>> PAGE_SHIFT] + 1
  }

  /**
   * Forgets every block at once. The first arena is kept if not more than `keptBytesMax` of it were touched; other memory
   * returns to the operating system when the garbage collector next runs.
   *
   * V8 writes the place of an arena into the machine code that it makes, and throws all of that code away with the
   * arena. **(measured)**: without the arena of a filled server, commands are half as fast for the half second after a
   * FLUSHALL that it takes to compile them again.
   */
  reset(keptBytesMax = KEPT_BYTES_MAX): void {
    const keepArena = this.#touchedPageCount * PAGE_BYTES <= keptBytesMax
    if (this.#arenas.length === 1) this.#firstTouchedEnd = Math.max(this.#firstTouchedEnd, this.#freshPage)
    else this.#firstTouchedEnd = this.#first.sizeBytes / PAGE_BYTES
    this.large.reset()
    this.#arenas.length = keepArena ? 1 : 0
    this.#pageClass.fill(FREE_PAGE)
    this.#roomyPage.fill(NO_PAGE)
    this.#freePage = NO_PAGE
    this.#usedUnits = 0
    this.#usedPageCount = 0
    if (keepArena) {
      this.#freshPage = 1
      this.#freshPageEnd = this.#first.sizeBytes / PAGE_BYTES
      this.#touchedPageCount = this.#firstTouchedEnd - 1
    } else {
      this.#touchedPageCount = 0
      this.#firstTouchedEnd = 0
      this.#first = this.#addArena(this.#firstArenaBytes)
    }
  }

  /** Gives what `reset` has kept back to the operating system, if nothing has come meanwhile. */
  giveBack(): void {
    if (this.usedBytes === 0 && this.#touchedPageCount * PAGE_BYTES > KEPT_FOR_GOOD_BYTES_MAX) {
      this.reset(KEPT_FOR_GOOD_BYTES_MAX)
    }
  }

  #addArena(sizeBytes: number): Arena {
    const index = this.#arenas.length
    if (index === ARENAS_MAX) throw new RangeError('out of memory: all arenas are in use')
    const arena = new Arena(sizeBytes)
    this.#arenas.push(arena)
    const firstPage = index * PAGES_PER_ARENA_MAX
    const pageCount = arena.sizeBytes / PAGE_BYTES
    this.#growTables(firstPage + pageCount)
    this.#freshPage = index === 0 ? firstPage + 1 : firstPage // page 0 stays unused: handle 0 means "none"
    this.#freshPageEnd = firstPage + pageCount
    return arena
  }

  #growTables(pageCount: number): void {
    if (pageCount <= this.#pageClass.length) return
    const grown = new Uint8Array(pageCount).fill(FREE_PAGE)
    grown.set(this.#pageClass)
    this.#pageClass = grown
    this.#pageLiveCount = copyInto(new Uint16Array(pageCount), this.#pageLiveCount)
    this.#pageFreeHead = copyInto(new Uint16Array(pageCount), this.#pageFreeHead)
    this.#pageCarvedCount = copyInto(new Uint16Array(pageCount), this.#pageCarvedCount)
    this.#pageNext = copyInto(new Int32Array(pageCount), this.#pageNext)
    this.#pagePrevious = copyInto(new Int32Array(pageCount), this.#pagePrevious)
  }

  #openPage(sizeClass: number): number {
    let page = this.#freePage
    if (page !== NO_PAGE) {
      this.#freePage = this.#pageNext[page]
    } else {
      // Arenas grow eightfold, so that a small server stays small and a large one needs few.
      if (this.#freshPage === this.#freshPageEnd) {
        const newest = this.#arenas[this.#arenas.length - 1]
        this.#addArena(Math.min(newest.sizeBytes * 8, ARENA_BYTES_MAX))
      }
      page = this.#freshPage++
      if (page >= this.#firstTouchedEnd) this.#touchedPageCount++
    }
    this.#usedPageCount++
    this.#pageClass[page] = sizeClass
    this.#pageLiveCount[page] = 0
    this.#pageFreeHead[page] = 0
    this.#pageCarvedCount[page] = 0
    this.#link(page, sizeClass)
    return page
  }

  #closePage(page: number): void {
    this.#pageClass[page] = FREE_PAGE
    this.#usedPageCount--
    this.#pageNext[page] = this.#freePage
    this.#freePage = page
  }

  #link(page: number, sizeClass: number): void {
    const next = this.#roomyPage[sizeClass]
    this.#pageNext[page] = next
    this.#pagePrevious[page] = NO_PAGE
    if (next !== NO_PAGE) this.#pagePrevious[next] = page
    this.#roomyPage[sizeClass] = page
  }

  #unlink(page: number, sizeClass: number): void {
    const next = this.#pageNext[page]
    const previous = this.#pagePrevious[page]
    if (next !== NO_PAGE) this.#pagePrevious[next] = previous
    if (previous !== NO_PAGE) this.#pageNext[previous] = next
    else this.#roomyPage[sizeClass] = next
  }

  /** Checks every invariant. O(pages + free blocks): for tests. */
  verify(): void {
    let usedUnits = 0
    let usedPageCount = 0
    const roomy = new Set<number>()
    for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
      let previous = NO_PAGE
      for (let page = this.#roomyPage[sizeClass]; page !== NO_PAGE; page = this.#pageNext[page]) {
        assert(this.#pageClass[page] === sizeClass, 'verify: page in the list of another class')
        assert(this.#pagePrevious[page] === previous, 'verify: list is not linked both ways')
        assert(!roomy.has(page), 'verify: page is listed twice')
        roomy.add(page)
        previous = page
      }
    }
    for (let page = 0; page < this.#pageClass.length; page++) {
      const sizeClass = this.#pageClass[page]
      if (sizeClass === FREE_PAGE) continue
      usedPageCount++
      const liveCount = this.#pageLiveCount[page]
      const capacity = CLASS_CAPACITY[sizeClass]
      usedUnits += liveCount * CLASS_UNITS[sizeClass]
      let freeCount = 0
      let head = this.#pageFreeHead[page]
      while (head !== 0) {
        const handle = page * PAGE_UNITS + head - 1
        assert((head - 1) % CLASS_UNITS[sizeClass] === 0, 'verify: free block is not on a block boundary')
        head = this.arenaOf(handle).u32[wordAt(handle)]
        freeCount++
        assert(freeCount <= capacity, 'verify: free list has a cycle')
      }
      assert(liveCount > 0 && liveCount <= capacity, 'verify: live count out of range')
      assert(liveCount + freeCount === this.#pageCarvedCount[page], 'verify: blocks of a page do not add up')
      assert(roomy.has(page) === liveCount < capacity, 'verify: page with room is not listed, or a full one is')
    }
    assert(usedUnits === this.#usedUnits, 'verify: used units do not add up')
    assert(usedPageCount === this.#usedPageCount, 'verify: used pages do not add up')
  }
}

function buildClasses(): number[] {
  const units: number[] = []
  for (let unit = 1; unit <= 32; unit++) units.push(unit)
  for (let perPage = Math.floor(PAGE_UNITS / 32 / 1.1); perPage >= 2; ) {
    units.push(Math.floor(PAGE_UNITS / perPage))
    perPage = perPage > 32 ? Math.floor(perPage / 1.0625) : perPage - 1
  }
  return units
}

function buildClassLookup(): Uint8Array {
  const lookup = new Uint8Array(BLOCK_BYTES_MAX / UNIT_BYTES + 1)
  let sizeClass = 0
  for (let units = 0; units < lookup.length; units++) {
    if (units > CLASS_UNITS[sizeClass]) sizeClass++
    lookup[units] = sizeClass
  }
  return lookup
}

function copyInto<T extends Uint16Array | Int32Array>(target: T, source: T): T {
  target.set(source)
  return target
}
