import { copyBytes } from '../bytes/copy.ts'
import { Dict } from '../memory/dict.ts'
import { byteAt, type Handle, Heap, NONE, wordAt } from '../memory/heap.ts'
import { ownCopy } from '../memory/spare-buffers.ts'

/**
 * Which clients have read which keys, for client-side caching: keys by name, readers by number (32 bits).
 *
 * There may be a million keys, nearly all of them with one reader or two, so entries are blocks outside the JS heap,
 * in a heap of the table's own that can be forgotten at once:
 *
 *   | key size | reader count | key, to the next multiple of 4 | reader | reader | ...
 *
 * A long key is a buffer of the heap's; the block has its number in place of the bytes. With more readers than
 * LISTED_MAX, a JS Set has them, the count is CROWD, and the Set's number stands where the first reader would.
 *
 * Nobody takes out readers that have gone: they are dropped when an entry is about to grow, so that what they leave
 * behind is never more than what is there.
 */
const KEY_AT = 8
const LONG_KEY_BYTES_MIN = 4096
const LISTED_MAX = 32
const CROWD = 0xffffffff
/** What a Set takes for each of its numbers, and for itself. Measured. */
const CROWD_READER_BYTES = 32
const CROWD_BYTES = 200
/** Address space, not memory: so much that a second arena, with its tables, is rare. */
const FIRST_ARENA_BYTES = 2 ** 26

export interface TrackingTableOptions {
  /** The hash of a key, signed (see Dict). */
  readonly hash: (bytes: Uint8Array, start: number, end: number) => number
  /** Whether a reader may still want to hear of its keys. */
  readonly isPresent: (reader: number) => boolean
}

export class TrackingTable {
  readonly #options: TrackingTableOptions
  /** Made when it is needed: most servers have no client that caches. */
  #heap: Heap | null = null
  #dict: Dict | null = null
  #crowds: (Crowd | null)[] = []
  #freeCrowds: number[] = []
  #crowdReaderCount = 0
  /** Pairs of a key and a reader, of readers that have gone too. */
  itemCount = 0

  constructor(options: TrackingTableOptions) {
    this.#options = options
  }

  get keyCount(): number {
    return this.#dict?.count ?? 0
  }

  get sizeBytes(): number {
    if (this.#heap === null || this.#dict === null) return 0
    const crowdBytes = this.#crowds.length * CROWD_BYTES + this.#crowdReaderCount * CROWD_READER_BYTES
    return this.#heap.usedBytes + this.#heap.overheadBytes + this.#dict.directoryBytes + crowdBytes
  }

  /** Notes that a reader has the key. O(1): up to LISTED_MAX readers are looked through. */
  add(bytes: Uint8Array, start: number, end: number, reader: number): void {
    this.#heap ??= new Heap(FIRST_ARENA_BYTES)
    this.#dict ??= new Dict(this.#heap)
    const hash = this.#options.hash(bytes, start, end)
    const entry = this.#find(this.#heap, this.#dict, hash, bytes, start, end)
    if (entry === NONE) this.#dict.insert(hash, this.#newEntry(this.#heap, bytes, start, end, reader))
    else this.#addReader(this.#heap, this.#dict, hash, entry, reader)
  }

  /** Forgets a key, and returns who had it; null when nobody had. Nothing is left of those that have gone. */
  take(bytes: Uint8Array, start: number, end: number): Iterable<number> | null {
    if (this.#heap === null || this.#dict === null || this.#dict.count === 0) return null
    const hash = this.#options.hash(bytes, start, end)
    const entry = this.#find(this.#heap, this.#dict, hash, bytes, start, end)
    if (entry === NONE) return null
    const readers = this.#readers(this.#heap, entry)
    this.#dict.remove(hash, entry)
    this.#free(this.#heap, entry)
    return readers
  }

  /** A copy of some key in the table, almost uniformly at random; null when it is empty. Expected O(1). */
  randomKey(random: () => number): Buffer | null {
    if (this.#heap === null || this.#dict === null || this.#dict.count === 0) return null
    return this.#keyOf(this.#heap, this.#dict.random(random))
  }

  /** Forgets everything. O(1). */
  clear(): void {
    this.#heap?.reset()
    this.#dict?.forget()
    this.#crowds = []
    this.#freeCrowds = []
    this.#crowdReaderCount = 0
    this.itemCount = 0
  }

  /** Every key with its readers, for tests. */
  entries(): [key: string, readers: number[]][] {
    const entries: [string, number[]][] = []
    this.#dict?.forEach((entry) => {
      const heap = this.#heap!
      entries.push([this.#keyOf(heap, entry).toString('latin1'), [...this.#readers(heap, entry)]])
    })
    return entries
  }

  /** Throws when the heap or the dict contradict themselves. */
  verify(): void {
    this.#heap?.verify()
    this.#dict?.verify()
  }

  // ---- Entries ----

  #find(heap: Heap, dict: Dict, hash: number, bytes: Uint8Array, start: number, end: number): Handle {
    let entry = dict.find(hash, NONE)
    while (entry !== NONE && !this.#keyEquals(heap, entry, bytes, start, end)) entry = dict.find(hash, entry)
    return entry
  }

  #keyEquals(heap: Heap, entry: Handle, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = heap.arenaOf(entry)
    const keySize = arena.u32[wordAt(entry)]
    if (keySize !== end - start) return false
    if (keySize >= LONG_KEY_BYTES_MIN) {
      return Buffer.compare(heap.large.get(longKeyOf(heap, entry)), bytes.subarray(start, end)) === 0
    }
    const stored = arena.u8
    let at = byteAt(entry) + KEY_AT
    for (let index = start; index < end; index++) {
      if (stored[at++] !== bytes[index]) return false
    }
    return true
  }

  #keyOf(heap: Heap, entry: Handle): Buffer {
    const arena = heap.arenaOf(entry)
    const keySize = arena.u32[wordAt(entry)]
    if (keySize >= LONG_KEY_BYTES_MIN) return Buffer.from(heap.large.get(longKeyOf(heap, entry)))
    const at = byteAt(entry) + KEY_AT
    return Buffer.from(arena.u8.subarray(at, at + keySize))
  }

  #newEntry(heap: Heap, bytes: Uint8Array, start: number, end: number, reader: number): Handle {
    const keySize = end - start
    const entry = heap.allocate(readersAt(keySize) + 4)
    const { u8, u32 } = heap.arenaOf(entry)
    const word = wordAt(entry)
    u32[word] = keySize
    u32[word + 1] = 1
    if (keySize < LONG_KEY_BYTES_MIN) copyBytes(bytes, start, end, u8, byteAt(entry) + KEY_AT)
    else u32[word + KEY_AT / 4] = heap.large.add(ownCopy(bytes, start, end))
    u32[word + readersAt(keySize) / 4] = reader
    this.itemCount++
    return entry
  }

  #free(heap: Heap, entry: Handle): void {
    const { u32 } = heap.arenaOf(entry)
    const word = wordAt(entry)
    const keySize = u32[word]
    const readerCount = u32[word + 1]
    if (keySize >= LONG_KEY_BYTES_MIN) heap.large.free(longKeyOf(heap, entry))
    if (readerCount !== CROWD) {
      this.itemCount -= readerCount
    } else {
      const index = u32[word + readersAt(keySize) / 4]
      const crowdCount = this.#crowds[index]!.readers.size
      this.itemCount -= crowdCount
      this.#crowdReaderCount -= crowdCount
      this.#crowds[index] = null
      this.#freeCrowds.push(index)
    }
    heap.free(entry)
  }

  // ---- Readers ----

  #readers(heap: Heap, entry: Handle): Iterable<number> {
    const { u32 } = heap.arenaOf(entry)
    const word = wordAt(entry)
    const at = word + readersAt(u32[word]) / 4
    const readerCount = u32[word + 1]
    return readerCount === CROWD ? this.#crowds[u32[at]]!.readers : u32.slice(at, at + readerCount)
  }

  #addReader(heap: Heap, dict: Dict, hash: number, entry: Handle, reader: number): void {
    const { u32 } = heap.arenaOf(entry)
    const word = wordAt(entry)
    const keySize = u32[word]
    const at = word + readersAt(keySize) / 4
    const readerCount = u32[word + 1]
    if (readerCount === CROWD) return this.#addToCrowd(this.#crowds[u32[at]]!, reader)
    for (let index = 0; index < readerCount; index++) {
      if (u32[at + index] === reader) return
    }
    const hasRoom = (count: number) => readersAt(keySize) + count * 4 <= heap.blockBytes(entry)
    let presentCount = readerCount
    if (!hasRoom(readerCount + 1) || readerCount === LISTED_MAX) {
      presentCount = 0
      for (let index = 0; index < readerCount; index++) {
        const listed = u32[at + index]
        if (this.#options.isPresent(listed)) u32[at + presentCount++] = listed
      }
      this.itemCount -= readerCount - presentCount
    }
    this.itemCount++
    if (presentCount === LISTED_MAX) {
      const readers = new Set(u32.subarray(at, at + presentCount)).add(reader)
      u32[word + 1] = CROWD
      u32[at] = this.#newCrowd(readers)
    } else if (hasRoom(presentCount + 1)) {
      u32[at + presentCount] = reader
      u32[word + 1] = presentCount + 1
    } else {
      const moved = heap.allocate(readersAt(keySize) + (presentCount + 1) * 4)
      const target = heap.arenaOf(moved).u32
      const movedWord = wordAt(moved)
      const wordCount = readersAt(keySize) / 4 + presentCount
      for (let index = 0; index < wordCount; index++) target[movedWord + index] = u32[word + index]
      target[movedWord + 1] = presentCount + 1
      target[movedWord + wordCount] = reader
      dict.replace(hash, entry, moved)
      heap.free(entry)
    }
  }

  #newCrowd(readers: Set<number>): number {
    this.#crowdReaderCount += readers.size
    const index = this.#freeCrowds.pop() ?? this.#crowds.length
    this.#crowds[index] = { readers, sweepAtCount: readers.size * 2 }
    return index
  }

  #addToCrowd(crowd: Crowd, reader: number): void {
    const { readers } = crowd
    const previousCount = readers.size
    if (previousCount >= crowd.sweepAtCount && !readers.has(reader)) {
      for (const each of readers) {
        if (!this.#options.isPresent(each)) readers.delete(each)
      }
      crowd.sweepAtCount = Math.max(LISTED_MAX, readers.size) * 2
    }
    readers.add(reader)
    this.itemCount += readers.size - previousCount
    this.#crowdReaderCount += readers.size - previousCount
  }
}

interface Crowd {
  readonly readers: Set<number>
  /** The size at which those that have gone are looked for: each time twice as many. */
  sweepAtCount: number
}

/** Where in an entry its readers begin. */
function readersAt(keySize: number): number {
  return KEY_AT + (keySize >= LONG_KEY_BYTES_MIN ? 4 : (keySize + 3) & ~3)
}

function longKeyOf(heap: Heap, entry: Handle): number {
  return heap.arenaOf(entry).u32[wordAt(entry) + KEY_AT / 4]
}
