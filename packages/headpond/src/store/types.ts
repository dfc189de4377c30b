import type { Handle } from '../memory/heap.ts'
import type { Store } from './store.ts'
import { stringOperations } from './string.ts'

/**
 * What the keyspace must know of a type to keep its values: one row for each, by type number (`record.ts`, `type`).
 * A new type adds its file and its row here.
 */
export interface TypeOperations {
  /** Bytes that the value takes in the record itself. */
  inlineBytes(store: Store, handle: Handle): number
  /** Frees what the value refers to outside its record. */
  release(store: Store, handle: Handle): void
  /** Replaces what the record refers to by copies of it: the record is a copy of another. */
  cloneReferred(store: Store, handle: Handle): void
  /** The name that OBJECT ENCODING answers. */
  encodingName(store: Store, handle: Handle): string
  /** Bytes of memory that the value takes outside its record. */
  referredBytes(store: Store, handle: Handle): number
}

export const typeOperations: readonly TypeOperations[] = [stringOperations]
