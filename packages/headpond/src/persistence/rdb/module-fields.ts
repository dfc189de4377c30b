/**
 * What modules write: an id, then fields, each behind its kind, so that a server without the module can step over them.
 *
 *   id    64-bit length: nine characters of six bits each, and the version of the module's encoding in ten
 *   kind  0: the end, 1 and 2: an integer, 3: a float, 4: a double, 5: a string
 */

import type { RdbReader } from './encoding.ts'
import { RdbError } from './rdb-error.ts'

export const MODULE_FIELD = {
  END: 0,
  SIGNED: 1,
  UNSIGNED: 2,
  FLOAT: 3,
  DOUBLE: 4,
  STRING: 5,
} as const

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const NAME_LENGTH = 9
const VERSION_BITS = 10n

/** The id as it stands in front of a value: a length of 64 bits. */
export function encodeModuleId(name: string, version: number): Buffer {
  let id = 0n
  for (const character of name) id = (id << 6n) | BigInt(CHARACTERS.indexOf(character))
  const bytes = Buffer.alloc(9)
  bytes[0] = 0x81
  bytes.writeBigUInt64BE((id << VERSION_BITS) | BigInt(version), 1)
  return bytes
}

/** The name of the type, and the version of its encoding. */
export function readModuleId(reader: RdbReader): { name: string; version: number } {
  const id = reader.readUnsigned64()
  let name = ''
  for (let rest = id >> VERSION_BITS; name.length < NAME_LENGTH; rest >>= 6n) {
    name = CHARACTERS[Number(rest & 63n)] + name
  }
  return { name, version: Number(id & ((1n << VERSION_BITS) - 1n)) }
}

/** Steps over the fields up to the end. */
export function skipModuleFields(reader: RdbReader): void {
  for (;;) {
    const kind = reader.readLength()
    switch (kind) {
      case MODULE_FIELD.END:
        return
      case MODULE_FIELD.SIGNED:
      case MODULE_FIELD.UNSIGNED:
        reader.readUnsigned64()
        break
      case MODULE_FIELD.FLOAT:
        reader.readBytes(4)
        break
      case MODULE_FIELD.DOUBLE:
        reader.readBytes(8)
        break
      case MODULE_FIELD.STRING:
        reader.readString()
        break
      default:
        throw new RdbError(`unknown kind ${kind} of a module's field`, reader.at)
    }
  }
}
