import type { Handle } from '../../../memory/heap.ts'
import type { Database } from '../../../store/database.ts'
import type { Store } from '../../../store/store.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'

/** How values of one type of the store are written. */
export interface ObjectFormat {
  /** The RDB_TYPE that the value is written as. */
  rdbType(store: Store, handle: Handle): number
  /**
   * Writes the body: at once (null), or in parts of bounded size if it is large. Then each step of the iterator writes
   * one, and the value must stay as it is until the last. O(value size).
   */
  write(writer: RdbWriter, store: Store, handle: Handle): ValueParts | null
}

export type ValueParts = Iterator<undefined, undefined, undefined>

/** Elements in one part of a value: a few hundred microseconds of work. */
export const ELEMENTS_PER_PART = 512

/**
 * Reads a body of one RDB_TYPE to its end, and returns what stores it: nothing is changed while damage (an RdbError)
 * may still come to light.
 */
export type ObjectReader = (reader: RdbReader) => PutObject

/** Stores the value that was read, in place of whatever the key held. Announces nothing. */
export type PutObject = (
  database: Database,
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  expireAtMs: number,
) => Handle

/** A table of elements, as hashes and sets have them. */
interface ElementTable {
  readonly count: number
  scan(cursor: number, countHint: number, visit: (element: Handle) => void): number
}

/** Visits every element: at once (null) when there are few, else in parts. */
export function eachInParts(table: ElementTable, visit: (element: Handle) => void): ValueParts | null {
  if (table.count > ELEMENTS_PER_PART) return walkInParts(table, visit)
  let cursor = 0
  do cursor = table.scan(cursor, ELEMENTS_PER_PART, visit)
  while (cursor !== 0)
  return null
}

function* walkInParts(table: ElementTable, visit: (element: Handle) => void): Generator<undefined, undefined> {
  let cursor = 0
  do {
    cursor = table.scan(cursor, ELEMENTS_PER_PART, visit)
    yield
  } while (cursor !== 0)
}
