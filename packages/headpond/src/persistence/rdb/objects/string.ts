/** A string value: one RDB string. Integers need no type of their own, because strings encode them. */

import { createDumpPayload } from '../dump-payload.ts'
import type { RdbReader } from '../encoding.ts'
import { RDB_TYPE } from '../object-type.ts'

/** The DUMP payload of the string in bytes[start, end). O(n). */
export function dumpString(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return createDumpPayload(RDB_TYPE.STRING, (writer) => writer.writeString(bytes, start, end))
}

/** The body of RDB_TYPE.STRING. The bytes may be a view of the reader's: copy them to keep them. */
export function readStringObject(reader: RdbReader): Uint8Array {
  return reader.readString()
}
