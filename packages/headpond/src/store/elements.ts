import type { Handle } from '../memory/heap.ts'
import { ListCursor } from '../memory/list-cursor.ts'
import type { Database } from './database.ts'
import { listLength, openList } from './list.ts'
import { type } from './record.ts'
import { UnorderedSet } from './set.ts'
import { SortedSet } from './sorted-set.ts'

/**
 * The elements of lists, sets and sorted sets seen alike, for commands that do not mind which of them a key holds
 * (SORT). A type joins with a row here.
 */
export interface Elements {
  readonly count: number
  /**
   * Copies of `count` elements from the one at `first` on, which exist, in the order of the value itself, or counted
   * from its other end.
   */
  copy(first: number, count: number, isReversed: boolean): Uint8Array[]
}

const sources: { readonly [typeNumber: number]: (database: Database, handle: Handle) => Elements } = {
  [type.LIST]: listElements,
  [type.SET]: setElements,
  [type.SORTED_SET]: sortedSetElements,
}

/** The elements of a value, or null when its type has none. */
export function elementsOf(database: Database, handle: Handle): Elements | null {
  return sources[database.records.type(handle)]?.(database, handle) ?? null
}

function listElements(database: Database, handle: Handle): Elements {
  const { store } = database
  return {
    count: listLength(store, handle),
    copy(first, count, isReversed) {
      const cursor = new ListCursor()
      openList(cursor, store, handle)
      const elements: Uint8Array[] = []
      let has = cursor.toIndex(isReversed ? -1 - first : first)
      while (has && elements.length < count) {
        elements.push(cursor.toBytes())
        has = isReversed ? cursor.previous() : cursor.next()
      }
      return elements
    },
  }
}

/** Sets have no order: what is counted from the other end may as well be counted from this one. */
function setElements(database: Database, handle: Handle): Elements {
  const set = new UnorderedSet(database.store).open(database, handle)
  return {
    count: set.count,
    copy(first, count) {
      const elements: Uint8Array[] = []
      let passed = 0
      set.rewind()
      while (elements.length < count && set.next()) {
        if (passed++ >= first) elements.push(set.member.copy())
      }
      return elements
    },
  }
}

function sortedSetElements(database: Database, handle: Handle): Elements {
  const set = new SortedSet(database, handle)
  return {
    count: set.count,
    copy(first, count, isReversed) {
      const elements: Uint8Array[] = []
      if (count === 0) return elements
      set.seek(isReversed ? set.count - 1 - first : first)
      do {
        elements.push(Buffer.from(set.bytes.subarray(set.start, set.end)))
      } while (elements.length < count && (isReversed ? set.previous() : set.next()))
      return elements
    },
  }
}
