/**
 * A sorted set: written as its listpack or as members with binary scores, read in every layout that sorted sets have had.
 *
 *   ZSET           count, members each with its score as text: length and digits, or one of the bytes below
 *   ZSET_2         count, members each with its score as a double
 *   ZSET_ZIPLIST   a ziplist of members and scores, as a string
 *   ZSET_LISTPACK  the same as a listpack
 */

import { compareBytes } from '../../../bytes/ascii.ts'
import { parseDouble } from '../../../bytes/double.ts'
import type { Handle, Heap } from '../../../memory/heap.ts'
import * as listpack from '../../../memory/listpack.ts'
import { Bound, TreeCursor } from '../../../memory/ordered-tree.ts'
import { elementScore, memberArray, memberSize, memberStart } from '../../../memory/scored-element.ts'
import { Text } from '../../../memory/text.ts'
import type { Database } from '../../../store/database.ts'
import { encoding } from '../../../store/record.ts'
import { type LargeSortedSet, SortedSet } from '../../../store/sorted-set.ts'
import type { Store } from '../../../store/store.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbEmptyValue, RdbError } from '../rdb-error.ts'
import { readZiplist } from '../ziplist.ts'
import { ElementParts } from './element-parts.ts'
import {
  ELEMENTS_PER_PART,
  type ObjectFormat,
  type ObjectReader,
  type PutObject,
  readElements,
} from './object-format.ts'
import { finishParts } from './value-parts.ts'

/** Scores that are no text. */
const TEXT_NAN = 253
const TEXT_INFINITY = 254
const TEXT_NEGATIVE_INFINITY = 255

export const sortedSetFormat: ObjectFormat = {
  rdbType: (store, handle) => (isPacked(store, handle) ? RDB_TYPE.ZSET_LISTPACK : RDB_TYPE.ZSET_2),
  write(writer, store, handle) {
    if (isPacked(store, handle)) {
      const start = store.records.valueAt(handle)
      writer.writeString(store.heap.arenaOf(handle).u8, start, start + store.records.valueSize(handle))
      return null
    }
    const large = store.structures.of<LargeSortedSet>(store.records, handle)
    const { count } = large.tree
    writer.writeLength(count)
    const parts = new SortedSetParts(writer, large)
    if (count > ELEMENTS_PER_PART) return parts
    finishParts(parts)
    return null
  },
}

/** The greatest first, as in Redis: who reads it inserts each element at the beginning of the order. */
class SortedSetParts extends ElementParts {
  readonly #large: LargeSortedSet
  readonly #heap: Heap
  readonly #cursor = new TreeCursor()
  /** Elements from here on have been passed. */
  readonly #end = new Bound()
  #hasBegun = false

  constructor(writer: RdbWriter, large: LargeSortedSet) {
    super(writer, large, large.tree.count)
    this.#large = large
    this.#heap = large.store.heap
  }

  writeNext(): boolean {
    const { tree } = this.#large
    const count = this.#hasBegun ? tree.countBefore(this.#end) : tree.count
    this.#hasBegun = true
    if (count > 0) {
      const cursor = this.#cursor
      tree.seek(cursor, count - 1)
      const partCount = Math.min(count, ELEMENTS_PER_PART)
      for (let left = partCount; left > 0; left--) {
        this.visit(cursor.element)
        if (left > 1) cursor.previous()
      }
      this.#setEnd(cursor.element)
      if (count > partCount) return true
    }
    this.checkComplete()
    return false
  }

  /** Everything has been passed that stands at this element or behind it. The element may go. */
  #setEnd(element: Handle): void {
    const start = memberStart(this.#heap, element)
    const member = memberArray(this.#heap, element).slice(start, start + memberSize(this.#heap, element))
    this.#end.byKey(elementScore(this.#heap, element), member, 0, member.length, false)
  }

  protected write(element: Handle): void {
    const start = memberStart(this.#heap, element)
    const end = start + memberSize(this.#heap, element)
    this.writer.writeString(memberArray(this.#heap, element), start, end)
    this.writer.writeDouble(elementScore(this.#heap, element))
  }

  protected isPassed(element: Handle): boolean {
    if (!this.#hasBegun) return false
    const end = this.#end
    const score = elementScore(this.#heap, element)
    if (score !== end.score) return score > end.score
    const start = memberStart(this.#heap, element)
    const member = memberArray(this.#heap, element)
    return compareBytes(member, start, start + memberSize(this.#heap, element), end.bytes, end.start, end.end) >= 0
  }
}

function isPacked(store: Store, handle: Handle): boolean {
  return store.records.encoding(handle) === encoding.LISTPACK
}

/** Members are stored as they are read; `readMember` tells in the text where one lies, and returns its score. */
function readMembers(
  count: number,
  reader: RdbReader,
  database: Database,
  readMember: (member: Text) => number,
): PutObject {
  if (count === 0) throw new RdbEmptyValue('a sorted set without members', reader.at)
  const sortedSet = SortedSet.temporary(database, count)
  const member = new Text()
  const discard = () => sortedSet.discard()
  const addMember = () => {
    const score = readMember(member)
    if (Number.isNaN(score)) throw new RdbError('a score that is no number', reader.at)
    const { bytes, start, end } = member
    if (sortedSet.find(bytes, start, end)) throw new RdbError('a member that is there twice', reader.at)
    sortedSet.add(score, bytes, start, end)
  }
  readElements(count, addMember, discard)
  const put: PutObject = (_, bytes, keyStart, keyEnd, expireAtMs) =>
    sortedSet.storeAs(bytes, keyStart, keyEnd, expireAtMs)
  put.discard = discard
  return put
}

export const readSortedSet2: ObjectReader = (reader, database) =>
  readMembers(reader.readCount(2), reader, database, (member) => {
    reader.readText(member)
    return reader.readDouble()
  })

export const readSortedSet: ObjectReader = (reader, database) =>
  readMembers(reader.readCount(2), reader, database, (member) => {
    reader.readText(member)
    return readTextScore(reader)
  })

export function readTextScore(reader: RdbReader): number {
  const length = reader.readByte()
  if (length === TEXT_NAN) return Number.NaN
  if (length === TEXT_INFINITY) return Number.POSITIVE_INFINITY
  if (length === TEXT_NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY
  const text = reader.readBytes(length)
  return parseDouble(text, 0, length)
}

export const readSortedSetListpack: ObjectReader = (reader, database) => {
  const bytes = reader.readString()
  if (!listpack.isValid(bytes, 0, bytes.length)) throw new RdbError('a listpack is damaged', reader.at)
  const entries: Uint8Array[] = []
  let entry = listpack.first(bytes, 0)
  for (; entry !== listpack.NONE; entry = listpack.next(bytes, entry)) entries.push(listpack.text(bytes, entry))
  return membersOf(entries, reader, database)
}

export const readSortedSetZiplist: ObjectReader = (reader, database) =>
  membersOf(readZiplist(reader.readString(), reader.at), reader, database)

function membersOf(entries: readonly Uint8Array[], reader: RdbReader, database: Database): PutObject {
  if (entries.length % 2 !== 0) throw new RdbError('a member without a score', reader.at)
  let next = 0
  return readMembers(entries.length / 2, reader, database, (member) => {
    const name = entries[next++]
    const score = entries[next++]
    member.set(name, 0, name.length)
    return parseDouble(score, 0, score.length)
  })
}
