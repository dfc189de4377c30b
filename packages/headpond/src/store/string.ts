import { isCanonicalInteger } from '../bytes/integer.ts'
import type { Handle } from '../memory/heap.ts'
import { encoding } from './record.ts'
import type { Store } from './store.ts'
import type { TypeOperations } from './types.ts'

/** Redis embeds strings up to this size in the object itself, and says so in OBJECT ENCODING. */
const EMBSTR_BYTES_MAX = 44

export const stringOperations: TypeOperations = {
  inlineBytes(store, handle) {
    return store.records.encoding(handle) === encoding.LARGE ? 4 : store.records.valueSize(handle)
  },
  release(store, handle) {
    if (store.records.encoding(handle) === encoding.LARGE) store.heap.large.free(store.records.valueWord(handle, 0))
  },
  cloneReferred(store, handle) {
    if (store.records.encoding(handle) !== encoding.LARGE) return
    const original = store.heap.large.get(store.records.valueWord(handle, 0))
    const copy = Buffer.from(original.subarray(0, store.records.valueSize(handle)))
    store.records.setValueWord(handle, 0, store.heap.large.add(copy))
  },
  encodingName(store, handle) {
    if (store.records.encoding(handle) !== encoding.INLINE) return 'raw'
    const { start, end, bytes } = stringBytes(store, handle)
    if (isCanonicalInteger(bytes, start, end)) return 'int'
    return end - start <= EMBSTR_BYTES_MAX ? 'embstr' : 'raw'
  },
  referredBytes(store, handle) {
    if (store.records.encoding(handle) !== encoding.LARGE) return 0
    return store.heap.large.get(store.records.valueWord(handle, 0)).length
  },
}

/** Where a string's bytes are. Allocates the answer: for commands off the hot path. Valid until the next write. */
export function stringBytes(store: Store, handle: Handle): { bytes: Uint8Array; start: number; end: number } {
  const records = store.records
  const size = records.valueSize(handle)
  if (records.encoding(handle) === encoding.LARGE) {
    return { bytes: store.heap.large.get(records.valueWord(handle, 0)), start: 0, end: size }
  }
  const start = records.valueAt(handle)
  return { bytes: store.heap.arenaOf(handle).u8, start, end: start + size }
}
