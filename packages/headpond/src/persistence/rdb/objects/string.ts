/** A string value: one RDB string. Integers need no type of their own, because strings encode them. */

import { stringBytes } from '../../../store/string.ts'
import { createDumpPayload } from '../dump-payload.ts'
import type { RdbReader } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'
import type { ObjectFormat, ObjectReader } from './object-format.ts'

export const stringFormat: ObjectFormat = {
  rdbType: () => RDB_TYPE.STRING,
  write(writer, store, handle) {
    const { bytes, start, end } = stringBytes(store, handle)
    writer.writeString(bytes, start, end)
    return null
  },
}

export const readString: ObjectReader = (reader) => {
  const value = readStringObject(reader)
  return (database, bytes, keyStart, keyEnd, expireAtMs) =>
    database.putString(bytes, keyStart, keyEnd, value, 0, value.length, expireAtMs)
}

/** The DUMP payload of the string in bytes[start, end). O(n). */
export function dumpString(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return createDumpPayload(RDB_TYPE.STRING, (writer) => writer.writeString(bytes, start, end))
}

/** The body of RDB_TYPE.STRING. The bytes may be a view of the reader's: copy them to keep them. */
export function readStringObject(reader: RdbReader): Uint8Array {
  return reader.readString()
}
