import type { Handle } from '../memory/heap.ts'
import type { Database } from './database.ts'
import { KEY_INLINE_BYTES_MAX } from './record.ts'
import { typeOperations } from './types.ts'

/** A slot of the key table is 8 bytes; tables are about two thirds full. */
const SLOT_BYTES = 12
const EXPIRY_ENTRY_BYTES = 8

/** The memory that a key takes with its value and its places in the tables. */
export function keyUsageBytes(database: Database, handle: Handle): number {
  const { records, store } = database
  const keySize = records.keySize(handle)
  return (
    store.heap.blockBytes(handle) +
    typeOperations[records.type(handle)].referredBytes(store, handle) +
    (keySize > KEY_INLINE_BYTES_MAX ? keySize : 0) +
    SLOT_BYTES +
    (records.hasExpiry(handle) ? EXPIRY_ENTRY_BYTES : 0)
  )
}
