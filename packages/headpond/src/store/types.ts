import type { Handle } from '../memory/heap.ts'
import { bloomOperations } from './bloom.ts'
import type { Digest } from './digest.ts'
import { hashOperations } from './hash.ts'
import { listOperations } from './list.ts'
import { type } from './record.ts'
import { setOperations } from './set.ts'
import { sortedSetOperations } from './sorted-set.ts'
import type { Store } from './store.ts'
import { streamOperations } from './stream.ts'
import { stringOperations } from './string.ts'

/**
 * What the keyspace must know of a type to keep its values: one row for each, by type number (`record.ts`, `type`).
 * A new type adds its file and its row here.
 */
export interface TypeOperations {
  /** Bytes that the value takes in the record itself. */
  inlineBytes(store: Store, handle: Handle): number
  /**
   * Frees what the value refers to outside its record. What takes longer than some hundred elements goes to
   * `store.lazyFree` instead: deleting a key, by whatever command, never holds up others.
   */
  release(store: Store, handle: Handle): void
  /** Replaces what the record refers to by copies of it: the record is a copy of another. */
  cloneReferred(store: Store, handle: Handle): void
  /** The name that OBJECT ENCODING answers. */
  encodingName(store: Store, handle: Handle): string
  /** Bytes of memory that the value takes outside its record. */
  referredBytes(store: Store, handle: Handle): number
  /** Adds the value to a digest as Redis does for its type (debug.c, xorObjectDigest). */
  digest(store: Store, handle: Handle, digest: Digest): void
}

export const typeOperations: { readonly [typeNumber: number]: TypeOperations } = {
  [type.STRING]: stringOperations,
  [type.LIST]: listOperations,
  [type.SET]: setOperations,
  [type.SORTED_SET]: sortedSetOperations,
  [type.HASH]: hashOperations,
  [type.BLOOM_FILTER]: bloomOperations,
  [type.STREAM]: streamOperations,
}
