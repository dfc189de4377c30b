import { RdbReader, RdbWriter } from '../persistence/rdb/encoding.ts'
import { finishParts } from '../persistence/rdb/objects/value-parts.ts'
import { objectType, readObject, writeObject } from '../persistence/rdb/objects.ts'
import type { Store } from '../store/store.ts'

interface KeyImage {
  readonly database: number
  readonly key: Uint8Array
  readonly expireAtMs: number
  readonly access: number
  readonly rdbType: number
  /** Where its value ends in the image's bytes; it begins where the one before ends. */
  readonly end: number
}

/** All keys of a store as they were at one moment, to be put back as often as a test likes. */
export class StoreImage {
  readonly #keys: readonly KeyImage[]
  readonly #values: Uint8Array

  private constructor(keys: readonly KeyImage[], values: Uint8Array) {
    this.#keys = keys
    this.#values = values
  }

  get keyCount(): number {
    return this.#keys.length
  }

  /** O(data). Uncompressed, as it is to be fast rather than small. */
  static of(store: Store): StoreImage {
    const { records } = store
    const writer = new RdbWriter(undefined, false)
    const keys: KeyImage[] = []
    for (const database of store.databases) {
      if (database.count === 0) continue
      let cursor = 0
      do {
        cursor = database.dict.scan(cursor, SCANNED_AT_ONCE, (handle) => {
          const rdbType = objectType(store, handle)
          finishParts(writeObject(writer, store, handle))
          keys.push({
            database: database.index,
            key: records.keyCopy(handle),
            expireAtMs: records.expireAtMs(handle),
            access: records.access(handle),
            rdbType,
            end: writer.buffer.length,
          })
        })
      } while (cursor !== 0)
    }
    return new StoreImage(keys, writer.buffer.bytes.slice(0, writer.buffer.length))
  }

  /** Puts the keys back in place of all that there are. O(data). */
  restore(store: Store): void {
    store.flushAll()
    let start = 0
    for (const { database, key, expireAtMs, access, rdbType, end } of this.#keys) {
      // A copy, since a large value keeps the bytes that it is given.
      const into = store.databases[database]
      const put = readObject(rdbType, new RdbReader(this.#values.slice(start, end)), into)
      const handle = put(into, key, 0, key.length, expireAtMs)
      store.records.setAccess(handle, access)
      start = end
    }
  }
}

const SCANNED_AT_ONCE = 1000
