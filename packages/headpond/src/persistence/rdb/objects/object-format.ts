import type { Handle } from '../../../memory/heap.ts'
import type { Database } from '../../../store/database.ts'
import type { Store } from '../../../store/store.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import type { ValueParts } from './value-parts.ts'

/** How values of one type of the store are written. */
export interface ObjectFormat {
  /** The RDB_TYPE that the value is written as. */
  rdbType(store: Store, handle: Handle): number
  /**
   * Writes the body: at once (null), or in parts if it is large, of which none is written yet. O(value size).
   */
  write(writer: RdbWriter, store: Store, handle: Handle): ValueParts | null
}

/** Elements in one part of a value: some tens of microseconds of work, ten times as much before V8 has compiled it. */
export const ELEMENTS_PER_PART = 128

/**
 * Reads a body of one RDB_TYPE to its end, and returns what stores it in that database: no key is changed while damage
 * (an RdbError) may still come to light.
 */
export type ObjectReader = (reader: RdbReader, database: Database) => PutObject

/** Stores the value that was read, in place of whatever the key held. Announces nothing. */
export interface PutObject {
  (database: Database, bytes: Uint8Array, keyStart: number, keyEnd: number, expireAtMs: number): Handle
  /** For a value that is not stored after all: gives back what it has taken of the store already. */
  discard?: () => void
}

/** Elements on their way into what no key holds yet: damage throws it away. */
export function readElements(count: number, readElement: () => void, discard: () => void): void {
  try {
    for (let left = count; left > 0; left--) readElement()
  } catch (error) {
    discard()
    throw error
  }
}
