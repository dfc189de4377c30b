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
import { encoding } from '../../../store/record.ts'
import { type LargeSortedSet, SortedSet } from '../../../store/sorted-set.ts'
import type { Store } from '../../../store/store.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbEmptyValue, RdbError } from '../rdb-error.ts'
import { readZiplist } from '../ziplist.ts'
import { ElementParts } from './element-parts.ts'
import { ELEMENTS_PER_PART, type ObjectFormat, type ObjectReader, type PutObject } from './object-format.ts'
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

/** What was read, until it is known to be whole: members and their scores; none twice. */
class ReadMembers {
  readonly #members: Uint8Array[] = []
  readonly #scores: number[] = []
  readonly #seen = new Set<string>()

  add(member: Uint8Array, score: number, reader: RdbReader): void {
    if (Number.isNaN(score)) throw new RdbError('a score that is no number', reader.at)
    const name = Buffer.from(member.buffer, member.byteOffset, member.length).toString('latin1')
    if (this.#seen.has(name)) throw new RdbError('a member that is there twice', reader.at)
    this.#seen.add(name)
    this.#members.push(member)
    this.#scores.push(score)
  }

  /** What stores them. */
  finish(reader: RdbReader): PutObject {
    if (this.#members.length === 0) throw new RdbEmptyValue('a sorted set without members', reader.at)
    return (database, bytes, keyStart, keyEnd, expireAtMs) => {
      const sortedSet = SortedSet.temporary(database)
      for (const [index, member] of this.#members.entries()) {
        sortedSet.find(member, 0, member.length)
        sortedSet.add(this.#scores[index], member, 0, member.length)
      }
      return sortedSet.storeAs(bytes, keyStart, keyEnd, expireAtMs)
    }
  }
}

export const readSortedSet2: ObjectReader = (reader) => {
  const count = reader.readCount(2)
  const members = new ReadMembers()
  for (let index = 0; index < count; index++) members.add(reader.readString(), reader.readDouble(), reader)
  return members.finish(reader)
}

export const readSortedSet: ObjectReader = (reader) => {
  const count = reader.readCount(2)
  const members = new ReadMembers()
  for (let index = 0; index < count; index++) members.add(reader.readString(), readTextScore(reader), reader)
  return members.finish(reader)
}

export function readTextScore(reader: RdbReader): number {
  const length = reader.readByte()
  if (length === TEXT_NAN) return Number.NaN
  if (length === TEXT_INFINITY) return Number.POSITIVE_INFINITY
  if (length === TEXT_NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY
  const text = reader.readBytes(length)
  return parseDouble(text, 0, length)
}

export const readSortedSetListpack: ObjectReader = (reader) => {
  const bytes = reader.readString()
  if (!listpack.isValid(bytes, 0, bytes.length)) throw new RdbError('a listpack is damaged', reader.at)
  const entries: Uint8Array[] = []
  let entry = listpack.first(bytes, 0)
  for (; entry !== listpack.NONE; entry = listpack.next(bytes, entry)) entries.push(listpack.text(bytes, entry))
  return membersOf(entries, reader)
}

export const readSortedSetZiplist: ObjectReader = (reader) =>
  membersOf(readZiplist(reader.readString(), reader.at), reader)

function membersOf(entries: readonly Uint8Array[], reader: RdbReader): PutObject {
  if (entries.length % 2 !== 0) throw new RdbError('a member without a score', reader.at)
  const members = new ReadMembers()
  for (let index = 0; index < entries.length; index += 2) {
    const score = entries[index + 1]
    members.add(entries[index], parseDouble(score, 0, score.length), reader)
  }
  return members.finish(reader)
}
