import type { Database } from './database.ts'

/** With fewer keys than this, the table and its records are in the processor's cache anyway. */
const DATABASE_KEYS_MIN = 2 ** 14
const CAPACITY = 128

/**
 * Keys that commands are about to look up, whose hashes are computed and whose memory is fetched together.
 *
 * In a large database a lookup waits for main memory twice: for its slot in the table, then for the record, some 100 ns
 * each, which is more than all the rest of a GET. Lookups one after the other wait one after the other. But loads that
 * do not depend on each other are in flight at the same time, so of the keys of a pipeline or of an MSET first all
 * slots are loaded, then all records, and then the commands run as if everything were in the cache.
 *
 * Nothing but time depends on it: a command may change the keys of the next, or have no key where one was guessed.
 */
export class KeyPrefetch {
  /** What the keys lie in; no array of a command while there are none. */
  #bytes: Uint8Array = NO_BYTES
  readonly #starts = new Int32Array(CAPACITY)
  readonly #ends = new Int32Array(CAPACITY)
  readonly #hashes = new Int32Array(CAPACITY)
  #count = 0
  /** The key that is expected next: lookups come in the order of the keys. */
  #next = 0
  /** Takes what was loaded, so that the loads are not optimised away. */
  sink = 0

  isUseful(database: Database): boolean {
    return database.count >= DATABASE_KEYS_MIN
  }

  /** Starts anew, with keys that lie in `bytes`, which must not change before `end`. */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#count = 0
    this.#next = 0
  }

  /** hot: once for each command of a pipeline. At most CAPACITY times. */
  add(database: Database, start: number, end: number): void {
    const index = this.#count++
    this.#starts[index] = start
    this.#ends[index] = end
    this.#hashes[index] = database.store.hash(this.#bytes, start, end)
  }

  /** Loads what lookups of the keys will need. */
  fetch(database: Database): void {
    this.sink ^= database.dict.prefetch(this.#hashes, this.#count)
  }

  /** Keys added so far. */
  get count(): number {
    return this.#count
  }

  /** The command runs whose keys begin at this place. */
  goTo(index: number): void {
    this.#next = index
  }

  /**
   * For a command with many keys: fetches those of its arguments `index`, `index + step` ... up to `count`, as many as
   * there is room for. Returns the first argument that was not fetched.
   * @param places start and end of each argument in `bytes`
   */
  fetchArguments(
    database: Database,
    bytes: Uint8Array,
    places: Int32Array,
    index: number,
    count: number,
    step: number,
  ): number {
    if (count - index < step * 2 || !this.isUseful(database)) return count
    this.begin(bytes)
    let at = index
    while (at < count && this.#count < CAPACITY) {
      this.add(database, places[at * 2], places[at * 2 + 1])
      at += step
    }
    this.fetch(database)
    // Whoever owns these bytes may write others in their place before the next lookup (a script does): no hashes of them.
    this.end()
    return at
  }

  /** No key is expected any more. */
  end(): void {
    this.#bytes = NO_BYTES
    this.#count = 0
  }

  /** Whether a key is the one expected next, so that `take` has its hash. hot: once for each lookup. */
  expects(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes !== this.#bytes) return false
    const index = this.#next
    return index < this.#count && this.#starts[index] === start && this.#ends[index] === end
  }

  take(): number {
    return this.#hashes[this.#next++]
  }
}

const NO_BYTES = new Uint8Array(0)
