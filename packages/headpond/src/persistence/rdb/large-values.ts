/**
 * Collections too large to be read in one go: their elements are put into the store as they are read, so that a list of
 * ten million elements needs no more memory than the list itself. Damage may come to light when a part of the value is
 * stored already, so this is for whole files, which are refused then, not for RESTORE.
 */

import type { Handle } from '../../memory/heap.ts'
import { Text } from '../../memory/text.ts'
import type { Database } from '../../store/database.ts'
import { Hash } from '../../store/hash.ts'
import { ListBuilder } from '../../store/list.ts'
import { NEVER } from '../../store/record.ts'
import { UnorderedSet } from '../../store/set.ts'
import { SortedSet } from '../../store/sorted-set.ts'
import { putStream, Stream } from '../../store/stream.ts'
import type { StreamId } from '../../store/stream-id.ts'
import type { RdbReader } from './encoding.ts'
import { RDB_TYPE } from './object-type.ts'
import { readFieldExpiry, readTime } from './objects/hash.ts'
import { readListNode } from './objects/list.ts'
import { readTextScore } from './objects/sorted-set.ts'
import { readStreamNode, readStreamRest, type StreamLayout } from './objects/stream.ts'
import { RdbEmptyValue, RdbError } from './rdb-error.ts'
import { readZiplist } from './ziplist.ts'

/** Yields the bytes that must follow before reading can go on, or 0 to let others have their turn. */
export type LargeRead<Result> = Generator<number, Result, undefined>

/** Bytes of which more can be had. */
export interface LargeInput {
  /** Reads something whole: anew with more bytes, if there were not enough. */
  read<Result>(read: (reader: RdbReader) => Result): LargeRead<Result>
  /** Reads so many things, each of them whole, from anew as above. */
  readEach(count: number, read: (reader: RdbReader) => void): LargeRead<void>
}

export interface LargeKey {
  readonly database: Database
  readonly key: Uint8Array
  readonly expireAtMs: number
}

export type LargeReader = (input: LargeInput, key: LargeKey) => LargeRead<Handle>

/** By RDB_TYPE. All others are one string, or small. */
export const largeReaders: { readonly [rdbType: number]: LargeReader | undefined } = {
  [RDB_TYPE.LIST]: readList,
  [RDB_TYPE.LIST_QUICKLIST]: readQuicklistOfZiplists,
  [RDB_TYPE.LIST_QUICKLIST_2]: readQuicklist,
  [RDB_TYPE.SET]: readSet,
  [RDB_TYPE.ZSET]: (input, key) => readSortedSet(input, key, readTextScore),
  [RDB_TYPE.ZSET_2]: (input, key) => readSortedSet(input, key, (reader) => reader.readDouble()),
  [RDB_TYPE.HASH]: (input, key) => readHash(input, key, false),
  [RDB_TYPE.HASH_METADATA]: (input, key) => readHash(input, key, true),
  [RDB_TYPE.STREAM_LISTPACKS]: (input, key) => readStream(input, key, 1),
  [RDB_TYPE.STREAM_LISTPACKS_2]: (input, key) => readStream(input, key, 2),
  [RDB_TYPE.STREAM_LISTPACKS_3]: (input, key) => readStream(input, key, 3),
}

const readLength = (reader: RdbReader) => reader.readLength()

function* readList(input: LargeInput, { database, key, expireAtMs }: LargeKey): LargeRead<Handle> {
  const list = new ListBuilder(database.store)
  const count = yield* input.read(readLength)
  yield* input.readEach(count, (reader) => list.append(reader.readString()))
  return list.storeAs(database, key, 0, key.length, expireAtMs)
}

function* readQuicklistOfZiplists(input: LargeInput, { database, key, expireAtMs }: LargeKey): LargeRead<Handle> {
  const list = new ListBuilder(database.store)
  const count = yield* input.read(readLength)
  yield* input.readEach(count, (reader) => {
    for (const element of readZiplist(reader.readString(), reader.at)) list.append(element)
  })
  if (list.count === 0) throw new RdbEmptyValue('a list without elements', 0)
  return list.storeAs(database, key, 0, key.length, expireAtMs)
}

function* readQuicklist(input: LargeInput, { database, key, expireAtMs }: LargeKey): LargeRead<Handle> {
  const list = new ListBuilder(database.store)
  const count = yield* input.read(readLength)
  yield* input.readEach(count, (reader) => {
    const node = readListNode(reader)
    if (node !== null) list.appendNode(node)
  })
  if (list.count === 0) throw new RdbEmptyValue('a list without elements', 0)
  return list.storeAs(database, key, 0, key.length, expireAtMs)
}

function* readSet(input: LargeInput, { database, key, expireAtMs }: LargeKey): LargeRead<Handle> {
  const set = new UnorderedSet(database.store)
  const member = new Text()
  const count = yield* input.read(readLength)
  let isFirst = true
  yield* input.readEach(count, (reader) => {
    reader.readText(member)
    const { bytes, start, end } = member
    if (isFirst) set.create(database, key, 0, key.length, count, bytes, start, end, expireAtMs)
    isFirst = false
    if (!set.add(bytes, start, end)) throw new RdbError('a member that is there twice', reader.at)
  })
  return set.handle
}

function* readSortedSet(
  input: LargeInput,
  { database, key, expireAtMs }: LargeKey,
  readScore: (reader: RdbReader) => number,
): LargeRead<Handle> {
  const member = new Text()
  const count = yield* input.read(readLength)
  let sortedSet: SortedSet | null = null
  yield* input.readEach(count, (reader) => {
    reader.readText(member)
    const score = readScore(reader)
    if (Number.isNaN(score)) throw new RdbError('a score that is no number', reader.at)
    const { bytes, start, end } = member
    sortedSet ??= SortedSet.create(database, key, 0, key.length, count, end - start, expireAtMs)
    if (sortedSet.find(bytes, start, end)) throw new RdbError('a member that is there twice', reader.at)
    sortedSet.add(score, bytes, start, end)
  })
  return sortedSet!.handle
}

function* readHash(
  input: LargeInput,
  { database, key, expireAtMs }: LargeKey,
  hasExpiries: boolean,
): LargeRead<Handle> {
  const field = new Text()
  const value = new Text()
  const earliestMs = hasExpiries ? yield* input.read(readTime) : 0
  const count = yield* input.read(readLength)
  const hash = new Hash(database.store).create(database, key, 0, key.length, 0, expireAtMs)
  yield* input.readEach(count, (reader) => {
    const fieldExpireAtMs = hasExpiries ? readFieldExpiry(reader, earliestMs) : NEVER
    reader.readText(field)
    reader.readText(value)
    if (!hash.set(field.bytes, field.start, field.end, value.bytes, value.start, value.end)) {
      throw new RdbError('a field that is there twice', reader.at)
    }
    if (fieldExpireAtMs === NEVER) return
    hash.find(field.bytes, field.start, field.end)
    hash.setFoundExpiry(field.bytes, field.start, field.end, fieldExpireAtMs)
  })
  return hash.handle
}

function* readStream(
  input: LargeInput,
  { database, key, expireAtMs }: LargeKey,
  layout: StreamLayout,
): LargeRead<Handle> {
  const stream = new Stream(database.store.heap)
  const count = yield* input.read(readLength)
  let liveCount = 0
  let previousId: StreamId | null = null
  yield* input.readEach(count, (reader) => {
    const node = readStreamNode(reader, previousId)
    previousId = node.masterId
    liveCount += node.liveCount
    stream.appendNode(node.masterId, node.bytes)
  })
  const complete = yield* input.read((reader) => readStreamRest(reader, layout, liveCount))
  complete(stream)
  return putStream(database, key, 0, key.length, expireAtMs, stream)
}
