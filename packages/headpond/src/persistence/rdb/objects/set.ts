/**
 * A set value: written as redis-server 7.0 reads it, which knows no listpacks of sets; read in every layout.
 *
 *   SET            count, members
 *   SET_INTSET     an intset, as a string
 *   SET_LISTPACK   a listpack of the members, as a string (from Redis 7.2 on)
 */

import * as intset from '../../../memory/intset.ts'
import * as listpack from '../../../memory/listpack.ts'
import { Text } from '../../../memory/text.ts'
import type { Database } from '../../../store/database.ts'
import { MemberTable } from '../../../store/member-table.ts'
import { encoding } from '../../../store/record.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbEmptyValue, RdbError } from '../rdb-error.ts'
import { writeElements } from './element-parts.ts'
import { type ObjectFormat, type ObjectReader, type PutObject, readElements } from './object-format.ts'
import type { ValueParts } from './value-parts.ts'

export const setFormat: ObjectFormat = {
  rdbType(store, handle) {
    return store.records.encoding(handle) === encoding.INTSET ? RDB_TYPE.SET_INTSET : RDB_TYPE.SET
  },
  write(writer, store, handle) {
    const { records, heap } = store
    if (records.encoding(handle) === encoding.MEMBER_TABLE) {
      return writeTable(writer, store.structures.of<MemberTable>(records, handle))
    }
    const { u8 } = heap.arenaOf(handle)
    const at = records.valueAt(handle)
    if (records.encoding(handle) === encoding.INTSET) {
      writer.writeString(u8, at, at + records.valueSize(handle))
      return null
    }
    writer.writeLength(listpack.count(u8, at))
    const member = new Text()
    for (let entry = listpack.first(u8, at); entry !== listpack.NONE; entry = listpack.next(u8, entry)) {
      listpack.locate(u8, entry, member)
      writer.writeString(member.bytes, member.start, member.end)
    }
    return null
  },
}

function writeTable(writer: RdbWriter, table: MemberTable): ValueParts | null {
  const member = new Text()
  writer.writeLength(table.count)
  return writeElements(writer, table, (to, element) => {
    table.locate(element, member)
    to.writeString(member.bytes, member.start, member.end)
  })
}

export const readSet: ObjectReader = (reader, database) => {
  const count = reader.readCount()
  if (count === 0) throw new RdbEmptyValue('a set without members', reader.at)
  const { setMaxIntsetEntries, setMaxListpackEntries } = database.store.packedLimits
  if (count > Math.max(setMaxIntsetEntries, setMaxListpackEntries)) return readTable(count, reader, database)
  const members: Uint8Array[] = []
  const seen = new Set<string>()
  for (let index = 0; index < count; index++) {
    const member = reader.readString()
    members.push(member)
    seen.add(latin1(member, 0, member.length))
  }
  if (seen.size !== count) throw new RdbError('a member that is there twice', reader.at)
  return (database, key, keyStart, keyEnd, expireAtMs) => {
    const set = database.store.sets
    set.create(database, key, keyStart, keyEnd, count, members[0], 0, members[0].length, expireAtMs)
    for (const member of members) set.add(member, 0, member.length)
    return set.handle
  }
}

/** Members are stored as they are read: millions of them would take as long again as buffers. */
function readTable(count: number, reader: RdbReader, { store }: Database): PutObject {
  const table = new MemberTable(store)
  const member = new Text()
  const discard = () => table.dispose()
  const readMember = () => {
    reader.readText(member)
    if (!table.add(member.bytes, member.start, member.end))
      throw new RdbError('a member that is there twice', reader.at)
  }
  table.reserve(count)
  readElements(count, readMember, discard)
  const put: PutObject = (database, key, keyStart, keyEnd, expireAtMs) =>
    store.sets.adoptTable(database, key, keyStart, keyEnd, table, expireAtMs)
  put.discard = discard
  return put
}

export const readSetIntset: ObjectReader = (reader) => {
  const packed = reader.readString()
  if (!intset.isValid(packed, 0, packed.length)) throw new RdbError('an intset is damaged', reader.at)
  if (intset.count(packed, 0) === 0) throw new RdbEmptyValue('a set without members', reader.at)
  return (database, key, keyStart, keyEnd, expireAtMs) =>
    database.store.sets.adoptPacked(database, key, keyStart, keyEnd, packed, true, expireAtMs)
}

export const readSetListpack: ObjectReader = (reader) => {
  const packed = reader.readString()
  if (!listpack.isValid(packed, 0, packed.length)) throw new RdbError('a listpack is damaged', reader.at)
  const count = listpack.count(packed, 0)
  if (count === 0) throw new RdbEmptyValue('a set without members', reader.at)
  const seen = new Set<string>()
  const member = new Text()
  for (let entry = listpack.first(packed, 0); entry !== listpack.NONE; entry = listpack.next(packed, entry)) {
    listpack.locate(packed, entry, member)
    seen.add(latin1(member.bytes, member.start, member.end))
  }
  if (seen.size !== count) throw new RdbError('a member that is there twice', reader.at)
  return (database, key, keyStart, keyEnd, expireAtMs) =>
    database.store.sets.adoptPacked(database, key, keyStart, keyEnd, packed, false, expireAtMs)
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}
