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

import * as listpack from '../../../memory/listpack.ts'
import { Text } from '../../../memory/text.ts'
import type { Database } from '../../../store/database.ts'
import type { Hash } from '../../../store/hash.ts'
import { encoding, NEVER } from '../../../store/record.ts'
import type { Store } from '../../../store/store.ts'
import type { RdbReader, RdbWriter } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import { RdbError } from '../rdb-error.ts'
import { readZiplist } from '../ziplist.ts'
import type { ObjectFormat, ObjectReader, PutObject } from './object-format.ts'

const TIME_BYTES = 8

interface Field {
  readonly field: Uint8Array
  readonly value: Uint8Array
  readonly expireAtMs: number
}

// ---- Writing ----

function open(store: Store, handle: number): Hash {
  // Which database it lies in does not matter for reading.
  return store.hashes.open(store.databases[0], handle)
}

export const hashFormat: ObjectFormat = {
  rdbType(store, handle) {
    if (store.records.encoding(handle) === encoding.LISTPACK) return RDB_TYPE.HASH_LISTPACK
    return open(store, handle).hasExpiringFields ? RDB_TYPE.HASH_METADATA : RDB_TYPE.HASH
  },
  write(writer, store, handle) {
    const hash = open(store, handle)
    if (store.records.encoding(handle) === encoding.LISTPACK) writer.writeString(hash.packedBytes())
    else if (hash.hasExpiringFields) writeWithExpiries(writer, hash)
    else {
      writer.writeLength(hash.length)
      hash.forEach((field, value) => {
        writer.writeString(field.bytes, field.start, field.end)
        writer.writeString(value.bytes, value.start, value.end)
      })
    }
  },
}

function writeWithExpiries(writer: RdbWriter, hash: Hash): void {
  let count = 0
  let earliestMs = Number.POSITIVE_INFINITY
  hash.forEach((_field, _value, expireAtMs) => {
    count++
    if (expireAtMs !== NEVER) earliestMs = Math.min(earliestMs, expireAtMs)
  })
  const time = Buffer.alloc(TIME_BYTES)
  // When the fields that expire are all due, none of them is written.
  time.writeBigInt64LE(BigInt(Number.isFinite(earliestMs) ? earliestMs : 0))
  writer.writeBytes(time)
  writer.writeLength(count)
  hash.forEach((field, value, expireAtMs) => {
    writer.writeLength(expireAtMs === NEVER ? 0 : expireAtMs - earliestMs + 1)
    writer.writeString(field.bytes, field.start, field.end)
    writer.writeString(value.bytes, value.start, value.end)
  })
}

// ---- Reading ----

export const readHash: ObjectReader = (reader) => {
  const count = readCount(reader)
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

export const readHashMetadata: ObjectReader = (reader) => {
  const earliestMs = readTime(reader)
  const count = readCount(reader)
  const fields: Field[] = []
  for (let index = 0; index < count; index++) {
    const sinceEarliest = reader.readLength()
    const expireAtMs = sinceEarliest === 0 ? NEVER : earliestMs + sinceEarliest - 1
    fields.push({ field: reader.readString(), value: reader.readString(), expireAtMs })
  }
  return putFields(fields, reader)
}

function readTime(reader: RdbReader): number {
  const bytes = reader.readBytes(TIME_BYTES)
  return Number(Buffer.from(bytes.buffer, bytes.byteOffset, TIME_BYTES).readBigInt64LE())
}

/** A number of fields, of which each takes two bytes at least. */
function readCount(reader: RdbReader): number {
  const count = reader.readLength()
  if (count * 2 > reader.left) throw new RdbError(`${count} fields where ${reader.left} bytes are left`, reader.at)
  return count
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
  if (fields.length === 0) throw new RdbError('a hash without fields', reader.at)
  const seen = new Set<string>()
  for (const { field, expireAtMs } of fields) {
    seen.add(Buffer.from(field.buffer, field.byteOffset, field.length).toString('latin1'))
    if (!(expireAtMs >= 0)) throw new RdbError('an expiry that is no moment', reader.at)
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
