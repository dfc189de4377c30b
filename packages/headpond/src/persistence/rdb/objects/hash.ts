/**
 * A hash value: written as redis-server 7.0 reads it, as long as no field expires; read in every layout.
 *
 *   HASH              count, fields and values
 *   HASH_ZIPMAP       a zipmap, as a string (up to Redis 2.4)
 *   HASH_ZIPLIST      a ziplist of fields and values, as a string
 *   HASH_LISTPACK     a listpack of fields and values, as a string
 *   HASH_METADATA     earliest expiry, count, each field: expiry, field, value
 *   HASH_LISTPACK_EX  earliest expiry, a listpack of fields, values and expiries, as a string
 *
 * The earliest expiry is a 64-bit number of milliseconds, little-endian. In HASH_METADATA a field's expiry is a length:
 * 0 for none, else 1 + the milliseconds since the earliest one.
 */

import { type Handle, NONE } from '../../../memory/heap.ts'
import * as listpack from '../../../memory/listpack.ts'
import { Text } from '../../../memory/text.ts'
import type { Database } from '../../../store/database.ts'
import { FIELD_EXPIRY_WORDS } from '../../../store/field-expiry-places.ts'
import { FieldTable } from '../../../store/field-table.ts'
import { encoding, NEVER } from '../../../store/record.ts'
import type { Store } from '../../../store/store.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbEmptyValue, RdbError } from '../rdb-error.ts'
import { readZiplist } from '../ziplist.ts'
import { writeElements } from './element-parts.ts'
import { type ObjectFormat, type ObjectReader, type PutObject, readElements } from './object-format.ts'
import type { ValueParts } from './value-parts.ts'

const TIME_BYTES = 8
/** Redis keeps moments of fields in 48 bits, and refuses what is beyond. */
const FIELD_EXPIRE_AT_MS_MAX = 2 ** 48 - 1

interface Field {
  readonly field: Uint8Array
  readonly value: Uint8Array
  readonly expireAtMs: number
}

// ---- Writing ----

export const hashFormat: ObjectFormat = {
  rdbType(store, handle) {
    switch (store.records.encoding(handle)) {
      case encoding.LISTPACK:
        return RDB_TYPE.HASH_LISTPACK
      case encoding.FIELD_TABLE:
        return tableOf(store, handle).expiringCount > 0 ? RDB_TYPE.HASH_METADATA : RDB_TYPE.HASH
      default:
        return triplesOf(store, handle).some(({ expireAtMs }) => expireAtMs !== NEVER)
          ? RDB_TYPE.HASH_METADATA
          : RDB_TYPE.HASH
    }
  },
  // Fields that are due but not removed yet are written as all others: who reads them removes them.
  write(writer, store, handle) {
    const { records } = store
    switch (records.encoding(handle)) {
      case encoding.LISTPACK: {
        const at = records.valueAt(handle)
        writer.writeString(store.heap.arenaOf(handle).u8, at, at + records.valueSize(handle))
        return null
      }
      case encoding.FIELD_TABLE:
        return writeTable(writer, tableOf(store, handle))
      default:
        writeTriples(writer, triplesOf(store, handle))
        return null
    }
  },
}

function tableOf(store: Store, handle: Handle): FieldTable {
  return store.structures.of<FieldTable>(store.records, handle)
}

/** The fields of a packed hash with room for expiries. */
function triplesOf(store: Store, handle: Handle): Field[] {
  const { records } = store
  const at = records.valueAt(handle)
  const { u8 } = store.heap.arenaOf(handle)
  return fieldsOf(u8.subarray(at + FIELD_EXPIRY_WORDS * 4, at + records.valueSize(handle)), 3)
}

function writeTable(writer: RdbWriter, table: FieldTable): ValueParts | null {
  const hasExpiries = table.expiringCount > 0
  // No field expires before this moment, and that is all that the readers of this number need to know.
  const earliestMs = Math.max(table.earliestExpireAtMs, 1)
  if (hasExpiries) writeTime(writer, earliestMs)
  writer.writeLength(table.count)
  const text = new Text()
  return writeElements(writer, table, (to, element) => {
    if (hasExpiries) writeFieldExpiry(to, table.expireAtMs(element), earliestMs)
    table.locateField(element, text)
    to.writeString(text.bytes, text.start, text.end)
    table.locateValue(element, text)
    to.writeString(text.bytes, text.start, text.end)
  })
}

function writeTriples(writer: RdbWriter, fields: readonly Field[]): void {
  const expiries = fields.map(({ expireAtMs }) => expireAtMs).filter((expireAtMs) => expireAtMs !== NEVER)
  const earliestMs = Math.min(...expiries)
  if (expiries.length > 0) writeTime(writer, earliestMs)
  writer.writeLength(fields.length)
  for (const { field, value, expireAtMs } of fields) {
    if (expiries.length > 0) writeFieldExpiry(writer, expireAtMs, earliestMs)
    writer.writeString(field)
    writer.writeString(value)
  }
}

function writeTime(writer: RdbWriter, atMs: number): void {
  const time = Buffer.alloc(TIME_BYTES)
  time.writeBigInt64LE(BigInt(atMs))
  writer.writeBytes(time)
}

function writeFieldExpiry(writer: RdbWriter, expireAtMs: number, earliestMs: number): void {
  writer.writeLength(expireAtMs === NEVER ? 0 : expireAtMs - earliestMs + 1)
}

// ---- Reading ----

export const readHash: ObjectReader = (reader, database) => {
  const count = reader.readCount(2)
  if (isLarge(count, database)) return readTable(count, reader, database, () => NEVER)
  const fields: Field[] = []
  for (let index = 0; index < count; index++) {
    fields.push({ field: reader.readString(), value: reader.readString(), expireAtMs: NEVER })
  }
  return putFields(fields, reader)
}

export const readHashZiplist: ObjectReader = (reader) => putPairs(readZiplist(reader.readString(), reader.at), reader)

export const readHashZipmap: ObjectReader = (reader) => putPairs(readZipmap(reader.readString(), reader.at), reader)

export const readHashListpack: ObjectReader = (reader) => {
  const packed = readListpack(reader, 2)
  // The listpack becomes the value as it is; its fields are looked at to be sure that no two are equal.
  checkFields(fieldsOf(packed, 2), reader)
  return (database, key, keyStart, keyEnd, expireAtMs) =>
    database.store.hashes.adoptListpack(database, key, keyStart, keyEnd, packed, expireAtMs)
}

export const readHashListpackEx: ObjectReader = (reader) => {
  reader.readBytes(TIME_BYTES)
  return putFields(fieldsOf(readListpack(reader, 3), 3), reader)
}

export const readHashMetadata: ObjectReader = (reader, database) => {
  const earliestMs = readTime(reader)
  const count = reader.readCount(2)
  if (isLarge(count, database)) {
    return readTable(count, reader, database, () => readFieldExpiry(reader, earliestMs))
  }
  const fields: Field[] = []
  for (let index = 0; index < count; index++) {
    const expireAtMs = readFieldExpiry(reader, earliestMs)
    fields.push({ field: reader.readString(), value: reader.readString(), expireAtMs })
  }
  return putFields(fields, reader)
}

function isLarge(count: number, { store }: Database): boolean {
  return count > store.packedLimits.hashMaxListpackEntries
}

/** Fields are stored as they are read: millions of them would take as long again as buffers. */
function readTable(count: number, reader: RdbReader, { store }: Database, readExpiry: () => number): PutObject {
  const table = new FieldTable(store)
  const field = new Text()
  const value = new Text()
  const discard = () => table.dispose()
  const readField = () => {
    const expireAtMs = readExpiry()
    reader.readText(field)
    reader.readText(value)
    if (table.find(field.bytes, field.start, field.end) !== NONE) {
      throw new RdbError('a field that is there twice', reader.at)
    }
    table.insert(field.bytes, field.start, field.end, value.bytes, value.start, value.end, expireAtMs)
  }
  table.reserve(count)
  readElements(count, readField, discard)
  const put: PutObject = (database, key, keyStart, keyEnd, expireAtMs) =>
    store.hashes.adoptTable(database, key, keyStart, keyEnd, table, expireAtMs)
  put.discard = discard
  return put
}

/** Milliseconds since 1970. */
export function readTime(reader: RdbReader): number {
  const bytes = reader.readBytes(TIME_BYTES)
  return Number(Buffer.from(bytes.buffer, bytes.byteOffset, TIME_BYTES).readBigInt64LE())
}

/** When a field of HASH_METADATA expires: milliseconds since 1970, or NEVER. */
export function readFieldExpiry(reader: RdbReader, earliestMs: number): number {
  const sinceEarliest = reader.readLength()
  return sinceEarliest === 0 ? NEVER : checkMoment(earliestMs + sinceEarliest - 1, reader)
}

function checkMoment(expireAtMs: number, reader: RdbReader): number {
  if (expireAtMs >= 0 && expireAtMs <= FIELD_EXPIRE_AT_MS_MAX) return expireAtMs
  throw new RdbError('an expiry that is no moment', reader.at)
}

function readListpack(reader: RdbReader, stride: number): Uint8Array {
  const packed = reader.readString()
  if (!listpack.isValid(packed, 0, packed.length) || listpack.count(packed, 0) % stride !== 0) {
    throw new RdbError('a listpack is damaged', reader.at)
  }
  return packed
}

/** The fields of a listpack of pairs, or of triples with the expiry. */
function fieldsOf(packed: Uint8Array, stride: number): Field[] {
  const fields: Field[] = []
  const text = new Text()
  const textOf = (entry: number): Uint8Array => {
    listpack.locate(packed, entry, text)
    return listpack.isString(packed, entry) ? text.bytes.subarray(text.start, text.end) : text.copy()
  }
  for (let entry = listpack.first(packed, 0); entry !== listpack.NONE; ) {
    const field = textOf(entry)
    entry = listpack.next(packed, entry)
    const value = textOf(entry)
    let expireAtMs = NEVER
    if (stride === 3) {
      entry = listpack.next(packed, entry)
      expireAtMs = listpack.integer(packed, entry)
    }
    fields.push({ field, value, expireAtMs })
    entry = listpack.next(packed, entry)
  }
  return fields
}

/** A zipmap: count, then each field and value with its length (1 byte, or 254 and a u32), a value with its idle bytes. */
function readZipmap(bytes: Uint8Array, atByte: number): Uint8Array[] {
  const elements: Uint8Array[] = []
  const damaged = (): never => {
    throw new RdbError('a zipmap is damaged', atByte)
  }
  const end = bytes.length - 1
  if (end < 1 || bytes[end] !== 0xff) damaged()
  let at = 1
  const take = (count: number): number => {
    if (count > end - at) damaged()
    at += count
    return at - count
  }
  while (at < end) {
    const isValue = elements.length % 2 === 1
    let length = bytes[take(1)]
    if (length === 255) damaged()
    if (length === 254) {
      const start = take(4)
      length = Buffer.from(bytes.buffer, bytes.byteOffset + start, 4).readUInt32LE()
    }
    const idleBytes = isValue ? bytes[take(1)] : 0
    const start = take(length)
    elements.push(bytes.subarray(start, at))
    take(idleBytes)
  }
  return elements
}

function putPairs(elements: readonly Uint8Array[], reader: RdbReader): PutObject {
  if (elements.length % 2 !== 0) throw new RdbError('a field without a value', reader.at)
  const fields: Field[] = []
  for (let index = 0; index < elements.length; index += 2) {
    fields.push({ field: elements[index], value: elements[index + 1], expireAtMs: NEVER })
  }
  return putFields(fields, reader)
}

function checkFields(fields: readonly Field[], reader: RdbReader): void {
  if (fields.length === 0) throw new RdbEmptyValue('a hash without fields', reader.at)
  const seen = new Set<string>()
  for (const { field, expireAtMs } of fields) {
    seen.add(Buffer.from(field.buffer, field.byteOffset, field.length).toString('latin1'))
    checkMoment(expireAtMs, reader)
  }
  if (seen.size !== fields.length) throw new RdbError('a field that is there twice', reader.at)
}

function putFields(fields: readonly Field[], reader: RdbReader): PutObject {
  checkFields(fields, reader)
  return (database: Database, key, keyStart, keyEnd, keyExpireAtMs) => {
    const hash = database.store.hashes.create(database, key, keyStart, keyEnd, 0, keyExpireAtMs)
    for (const { field, value, expireAtMs } of fields) {
      hash.set(field, 0, field.length, value, 0, value.length)
      if (expireAtMs === NEVER) continue
      hash.find(field, 0, field.length)
      hash.setFoundExpiry(field, 0, field.length, expireAtMs)
    }
    return hash.handle
  }
}
