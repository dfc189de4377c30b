import type { Handle } from '../../memory/heap.ts'
import type { Text } from '../../memory/text.ts'
import type { Database } from '../../store/database.ts'

const STRINGS_MAX = 64

/**
 * Strings that have been read and are not in the store yet. The slots of a table lie all over memory, and a load waits for
 * them more than for anything else: together they are fetched side by side.
 */
export class StringBatch {
  readonly #onAdded: (handle: Handle, keyStart: number, keyEnd: number) => void
  /** Where key and value lie in the bytes, four numbers for each. */
  readonly #places = new Int32Array(STRINGS_MAX * 4)
  readonly #hashes = new Int32Array(STRINGS_MAX)
  readonly #expiries = new Float64Array(STRINGS_MAX)
  #database: Database | null = null
  #bytes: Uint8Array = new Uint8Array(0)
  count = 0
  touched = 0

  /** @param onAdded hears of each string, whose handle is NONE when its key was there already */
  constructor(onAdded: (handle: Handle, keyStart: number, keyEnd: number) => void) {
    this.#onAdded = onAdded
  }

  get isFull(): boolean {
    return this.count === STRINGS_MAX
  }

  /** Key and value must lie in the same bytes, and those of all until `flush` in the same, for the same database. */
  add(database: Database, hash: number, key: Text, value: Text, expireAtMs: number): void {
    const index = this.count++
    this.#database = database
    this.#bytes = key.bytes
    const at = index * 4
    this.#places[at] = key.start
    this.#places[at + 1] = key.end
    this.#places[at + 2] = value.start
    this.#places[at + 3] = value.end
    this.#hashes[index] = hash
    this.#expiries[index] = expireAtMs
  }

  /** Puts all into the store. */
  flush(): void {
    const { count } = this
    if (count === 0) return
    this.count = 0
    const database = this.#database!
    const bytes = this.#bytes
    const places = this.#places
    const hashes = this.#hashes
    const { dict } = database
    for (let index = 0; index < count; index++) this.touched ^= dict.touch(hashes[index])
    for (let index = 0; index < count; index++) {
      const at = index * 4
      const handle = database.addString(
        hashes[index],
        bytes,
        places[at],
        places[at + 1],
        bytes,
        places[at + 2],
        places[at + 3],
        this.#expiries[index],
      )
      this.#onAdded(handle, places[at], places[at + 1])
    }
  }
}
