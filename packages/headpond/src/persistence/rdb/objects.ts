/**
 * Values of every type, as bodies of an RDB file or DUMP payload. A new type adds its file in `objects/` and its rows
 * here: one for how it is written, and one for each layout that can be read.
 */

import type { Handle } from '../../memory/heap.ts'
import type { Database } from '../../store/database.ts'
import { type } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import { stringBytes } from '../../store/string.ts'
import { createDumpPayload } from './dump-payload.ts'
import type { RdbReader, RdbWriter } from './encoding.ts'
import { RDB_TYPE } from './object-type.ts'
import { bloomFormat, readBloomFilter } from './objects/bloom.ts'
import {
  hashFormat,
  readHash,
  readHashListpack,
  readHashListpackEx,
  readHashMetadata,
  readHashZiplist,
  readHashZipmap,
} from './objects/hash.ts'
import { listFormat, readList, readListQuicklist, readListQuicklist2, readListZiplist } from './objects/list.ts'
import type { ObjectFormat, ObjectReader, PutObject } from './objects/object-format.ts'
import { readSet, readSetIntset, readSetListpack, setFormat } from './objects/set.ts'
import {
  readSortedSet,
  readSortedSet2,
  readSortedSetListpack,
  readSortedSetZiplist,
  sortedSetFormat,
} from './objects/sorted-set.ts'
import { readStreamListpacks, readStreamListpacks2, readStreamListpacks3, streamFormat } from './objects/stream.ts'
import { dumpString, readString, stringFormat } from './objects/string.ts'
import { finishParts, type ValueParts } from './objects/value-parts.ts'
import { RdbError } from './rdb-error.ts'

/** By type number of the store. */
const formats: { readonly [typeNumber: number]: ObjectFormat } = {
  [type.STRING]: stringFormat,
  [type.LIST]: listFormat,
  [type.SET]: setFormat,
  [type.SORTED_SET]: sortedSetFormat,
  [type.HASH]: hashFormat,
  [type.STREAM]: streamFormat,
  [type.BLOOM_FILTER]: bloomFormat,
}

/** By RDB_TYPE. */
const readers: { readonly [rdbType: number]: ObjectReader } = {
  [RDB_TYPE.STRING]: readString,
  [RDB_TYPE.LIST]: readList,
  [RDB_TYPE.LIST_ZIPLIST]: readListZiplist,
  [RDB_TYPE.LIST_QUICKLIST]: readListQuicklist,
  [RDB_TYPE.LIST_QUICKLIST_2]: readListQuicklist2,
  [RDB_TYPE.ZSET]: readSortedSet,
  [RDB_TYPE.ZSET_2]: readSortedSet2,
  [RDB_TYPE.ZSET_ZIPLIST]: readSortedSetZiplist,
  [RDB_TYPE.ZSET_LISTPACK]: readSortedSetListpack,
  [RDB_TYPE.SET]: readSet,
  [RDB_TYPE.SET_INTSET]: readSetIntset,
  [RDB_TYPE.SET_LISTPACK]: readSetListpack,
  [RDB_TYPE.MODULE_2]: readBloomFilter,
  [RDB_TYPE.HASH]: readHash,
  [RDB_TYPE.HASH_ZIPMAP]: readHashZipmap,
  [RDB_TYPE.HASH_ZIPLIST]: readHashZiplist,
  [RDB_TYPE.HASH_LISTPACK]: readHashListpack,
  [RDB_TYPE.HASH_METADATA]: readHashMetadata,
  [RDB_TYPE.HASH_LISTPACK_EX]: readHashListpackEx,
  [RDB_TYPE.STREAM_LISTPACKS]: readStreamListpacks,
  [RDB_TYPE.STREAM_LISTPACKS_2]: readStreamListpacks2,
  [RDB_TYPE.STREAM_LISTPACKS_3]: readStreamListpacks3,
}

/** What DUMP answers for a value. O(value size). */
export function dumpObject(store: Store, handle: Handle, compresses: boolean): Uint8Array {
  if (store.records.type(handle) === type.STRING) {
    // In one piece, so that it is compressed as in Redis, to the same bytes.
    const { bytes, start, end } = stringBytes(store, handle)
    return dumpString(bytes, start, end, compresses)
  }
  const rdbType = objectType(store, handle)
  return createDumpPayload(rdbType, (writer) => finishParts(writeObject(writer, store, handle)), compresses)
}

/** The RDB_TYPE that a value is written as. */
export function objectType(store: Store, handle: Handle): number {
  return formats[store.records.type(handle)].rdbType(store, handle)
}

/** Writes the body of a value: at once (null), or in parts, see ObjectFormat. */
export function writeObject(writer: RdbWriter, store: Store, handle: Handle): ValueParts | null {
  return formats[store.records.type(handle)].write(writer, store, handle)
}

/** Reads a body, and returns what stores the value. Throws RdbError for a type or bytes that cannot be right. */
export function readObject(rdbType: number, reader: RdbReader, database: Database): PutObject {
  const read = readers[rdbType]
  if (read === undefined) throw new RdbError(`unknown type of value ${rdbType}`, reader.at)
  return read(reader, database)
}
